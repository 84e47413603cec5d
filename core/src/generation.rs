//! The stretches of a breaker's life.

/// Which stretch of the breaker's life a call was admitted in.
///
/// It changes with every transition and with every `reset`, so that the result of a call that was admitted
/// earlier cannot change the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Generation(u32);

impl Generation {
    /// The generation with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number; wraps after 2^32 transitions.
    pub const fn get(self) -> u32 {
        self.0
    }
}
