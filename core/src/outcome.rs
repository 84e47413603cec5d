//! How a call ended.

/// How a finished call ended, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// It did what it should.
    Ok,
    /// It failed. Failing fast is not being fast: below the threshold its latency counts nowhere.
    Failed,
    /// It says nothing about the service (a bad request, a cancelled call): it counts nowhere.
    Ignored,
}
