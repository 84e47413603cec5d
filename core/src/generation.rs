//! Generations: the periods between transitions.

/// The period of the breaker's life in which a call was admitted.
///
/// It changes with every transition and every `reset`, so the result of a call that was admitted earlier cannot change
/// the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Generation(u32);

impl Generation {
    /// Creates the generation with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number; it wraps after 2^32 transitions.
    pub const fn get(self) -> u32 {
        self.0
    }
}
