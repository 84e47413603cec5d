//! The states, and the table of legal transitions.

use core::fmt;

use crate::monotonic::MonotonicInstant;

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum State {
    /// Every call is admitted and recorded.
    Closed,
    /// No call is admitted. The first call at or after `until` makes the breaker half-open.
    Open {
        /// When the wait ends.
        until: MonotonicInstant,
    },
    /// A few calls are admitted as probes.
    HalfOpen {
        /// Probes in flight or finished; at most `half_open_max_calls`.
        admitted: u16,
        /// Probes that were good.
        good: u16,
    },
    /// Every call is admitted, none is recorded.
    Disabled,
    /// No call is admitted until `reset`.
    ForcedOpen,
}

/// A state without its data: for labels, tables and events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum StateKind {
    /// [`State::Closed`].
    Closed,
    /// [`State::Open`].
    Open,
    /// [`State::HalfOpen`].
    HalfOpen,
    /// [`State::Disabled`].
    Disabled,
    /// [`State::ForcedOpen`].
    ForcedOpen,
}

impl State {
    /// Returns the state without its data.
    pub const fn kind(self) -> StateKind {
        match self {
            Self::Closed => StateKind::Closed,
            Self::Open { .. } => StateKind::Open,
            Self::HalfOpen { .. } => StateKind::HalfOpen,
            Self::Disabled => StateKind::Disabled,
            Self::ForcedOpen => StateKind::ForcedOpen,
        }
    }
}

impl StateKind {
    /// All states, in the order of the table in the documentation.
    pub const ALL: [Self; 5] = [Self::Closed, Self::Open, Self::HalfOpen, Self::Disabled, Self::ForcedOpen];

    /// Whether the breaker is open, half-open or forced open.
    pub const fn is_triggered(self) -> bool {
        matches!(self, Self::Open | Self::HalfOpen | Self::ForcedOpen)
    }

    /// The name used in status, metrics and replay.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Disabled => "disabled",
            Self::ForcedOpen => "forced_open",
        }
    }
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the breaker opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TripReason {
    /// The percentile is in breach (trend analysis off), or an operator simulates it.
    Latency,
    /// In breach, with rising latencies.
    LatencyRising,
    /// In breach, with every call of the window slow.
    LatencyPlateau,
    /// In breach for as many consecutive calls as the window holds.
    LatencySustained,
    /// The share of failed calls is too large.
    Failures,
    /// Memory is exhausted.
    Memory,
    /// Memory is exhausted, and a latency rule matches too.
    MemoryAndLatency,
    /// A probe was slow, finished or not.
    ProbeSlow,
    /// A probe failed.
    ProbeFailed,
    /// Memory is forecast to be exhausted soon.
    #[cfg(feature = "forecast")]
    MemoryForecast,
}

const REASONS: usize = if cfg!(feature = "forecast") { 10 } else { 9 };

impl TripReason {
    /// All reasons.
    pub const ALL: [Self; REASONS] = [
        Self::Latency,
        Self::LatencyRising,
        Self::LatencyPlateau,
        Self::LatencySustained,
        Self::Failures,
        Self::Memory,
        Self::MemoryAndLatency,
        Self::ProbeSlow,
        Self::ProbeFailed,
        #[cfg(feature = "forecast")]
        Self::MemoryForecast,
    ];

    /// The name used in status, metrics and replay.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::LatencyRising => "latency_rising",
            Self::LatencyPlateau => "latency_plateau",
            Self::LatencySustained => "latency_sustained",
            Self::Failures => "failures",
            Self::Memory => "memory",
            Self::MemoryAndLatency => "memory_and_latency",
            Self::ProbeSlow => "probe_slow",
            Self::ProbeFailed => "probe_failed",
            #[cfg(feature = "forecast")]
            Self::MemoryForecast => "memory_forecast",
        }
    }
}

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cause of a state change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Cause {
    /// A trip rule, or a bad probe.
    Trip(TripReason),
    /// The wait had ended when a call arrived.
    WaitOver,
    /// All probes were good.
    Recovered,
    /// `reset` by an operator.
    Reset,
    /// `enable` by an operator or the configuration.
    Enable,
    /// `disable` by an operator or the configuration.
    Disable,
    /// `force_open` by an operator.
    ForceOpen,
    /// An incident of the previous process continues.
    Resumed,
}

impl Cause {
    /// The name used in events and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trip(reason) => reason.as_str(),
            Self::WaitOver => "wait_over",
            Self::Recovered => "recovered",
            Self::Reset => "reset",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::ForceOpen => "force_open",
            Self::Resumed => "resumed",
        }
    }
}

/// Whether a transition is legal. No other transition can happen.
///
/// | from | causes |
/// |---|---|
/// | Closed | a trip → Open · `disable` → Disabled · `force_open` → `ForcedOpen` · `reset` → Closed · an incident resumed → `HalfOpen` |
/// | Open | end of the wait → `HalfOpen`, or Closed without probing · `reset` → Closed · `disable` · `force_open` |
/// | `HalfOpen` | all probes good → Closed · a bad probe or memory → Open · `reset` → Closed · `disable` · `force_open` |
/// | Disabled | `enable` → Closed · `reset` → Disabled |
/// | `ForcedOpen` | `reset` → Closed, or Disabled if the breaker was disabled meanwhile |
pub const fn is_legal(from: StateKind, cause: Cause, to: StateKind) -> bool {
    use StateKind::{Closed, Disabled, ForcedOpen, HalfOpen, Open};
    matches!(
        (from, cause, to),
        (Closed | HalfOpen, Cause::Trip(_), Open)
            | (Closed, Cause::Resumed, HalfOpen)
            | (Open, Cause::WaitOver, HalfOpen | Closed)
            | (HalfOpen, Cause::Recovered, Closed)
            | (Closed | Open | HalfOpen | ForcedOpen, Cause::Reset, Closed)
            | (Disabled | ForcedOpen, Cause::Reset, Disabled)
            | (Disabled, Cause::Enable, Closed)
            | (Closed | Open | HalfOpen, Cause::Disable, Disabled)
            | (Closed | Open | HalfOpen, Cause::ForceOpen, ForcedOpen)
    )
}
