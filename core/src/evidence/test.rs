//! The names of the tests.

/// The test that found a breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EvidenceTest {
    /// Many or very slow calls.
    Quick,
    /// A small but persistent excess of slow calls.
    Patient,
    /// Failed calls.
    Failures,
}

impl EvidenceTest {
    /// All tests.
    pub const ALL: [Self; 3] = [Self::Quick, Self::Patient, Self::Failures];

    pub(super) const OF_LATENCY: [Self; 2] = [Self::Quick, Self::Patient];

    /// The name used in status and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Patient => "patient",
            Self::Failures => "failures",
        }
    }
}
