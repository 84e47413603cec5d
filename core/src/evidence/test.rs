//! The names of the tests.

/// Which test found a breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EvidenceTest {
    /// Many or very slow calls.
    Quick,
    /// A few slow calls too many, for good.
    Patient,
    /// Failed calls.
    Failures,
}

impl EvidenceTest {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Quick, Self::Patient, Self::Failures];

    pub(super) const OF_LATENCY: [Self; 2] = [Self::Quick, Self::Patient];

    /// The name as it stands in status and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Patient => "patient",
            Self::Failures => "failures",
        }
    }
}
