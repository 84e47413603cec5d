//! The outcome of a call.

/// The outcome of a finished call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// The call succeeded.
    Ok,
    /// The call failed. The latency of a fast failure does not count as fast: below the threshold it counts nowhere.
    Failed,
    /// The call says nothing about the service (a bad request, a cancelled call). It counts nowhere.
    Ignored,
}
