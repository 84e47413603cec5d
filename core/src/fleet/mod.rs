//! One incident for many replicas: merges the reports of replicas into one page, one escalation and one close.
//!
//! Each replica decides alone when its breaker opens. Replicas share the *incident*, which is active while any of them
//! is unwell. An engine (a store that all replicas reach) holds one [`FleetState`] per breaker and calls [`merge`] for
//! every report, with its own clock. The response may contain a [`Claim`]: the right to send one stage, for the
//! duration of a lease. [`acknowledge`] records that the stage was sent.
//!
//! - An incident has an *epoch*, a number that never repeats. The first unwell report begins a new one.
//! - [`DueStage::Initial`] is due once `gather_ms` have passed and enough replicas are unwell; [`DueStage::Escalated`]
//!   after `escalate_after_ms`; [`DueStage::Note`] whenever the number of open replicas has doubled;
//!   [`DueStage::Resolved`] once no replica has been unwell for `settle_ms`; [`DueStage::ResolvedAgain`] one lease
//!   later, for an alert that was created late.
//! - A claim ends with its acknowledgement or its lease. No other claim is granted before that. A granted close ends
//!   its epoch: a replica that becomes unwell later begins the next one.
//! - Replicas repeat their knowledge of the incident. A greater epoch wins, and within an epoch the further progress.
//!   An engine that lost its state recovers it from the next reports.
//!
//! All times are milliseconds of the engine's clock. If that clock is set back, by an operator or by a failover, every time
//! ahead of it is replaced by the current time. Nothing here allocates; the engine owns the sets of replicas.
//!
//! ```
//! use tripline_core::AlertKind;
//! use tripline_core::fleet::{self, DueStage, FleetState, FleetContext, ReplicaSet, ReplicaText, Report, Terms};
//!
//! /// A set of one replica, for the example.
//! #[derive(Default)]
//! struct One(Option<u64>);
//! impl ReplicaSet for One {
//!     fn insert(&mut self, _: &ReplicaText, at_ms: u64) { self.0 = Some(at_ms) }
//!     fn remove(&mut self, _: &ReplicaText) { self.0 = None }
//!     fn contains(&self, _: &ReplicaText) -> bool { self.0.is_some() }
//!     fn prune(&mut self, before_ms: u64) { self.0 = self.0.filter(|&at| at >= before_ms) }
//!     fn prune_after(&mut self, after_ms: u64) { self.0 = self.0.filter(|&at| at <= after_ms) }
//!     fn count(&self) -> u32 { self.0.is_some().into() }
//! }
//!
//! let (mut state, terms) = (FleetState::<One>::default(), Terms::default());
//! let web = fleet::text("web-1-x4f2");
//! let mut report = Report::of(&web);
//! (report.open, report.unwell, report.can_deliver) = (true, Some(AlertKind::CircuitOpen), true);
//! let at = |now_ms| FleetContext { now_ms, born_ms: 0, members: 1 };
//!
//! assert_eq!(fleet::merge(&mut state, &report, &terms, at(100_000)).claim, None); // others may be unwell too: gather
//! let claim = fleet::merge(&mut state, &report, &terms, at(105_000)).claim.expect("it is due");
//! assert_eq!(claim.due, DueStage::Initial);
//! assert!(fleet::acknowledge(&mut state.incident, &web, &claim, 105_200));
//! ```

mod acknowledge;
mod commands;
mod incident;
mod merge;
mod report;
mod stage;
mod terms;

use crate::escalation::AlertKind;

pub use acknowledge::acknowledge;
pub use commands::{Action, COMMAND_LASTS_MS, Command, Commands, MAX_COMMANDS};
pub use incident::{FleetIncident, FleetState};
pub use merge::merge;
pub use report::{Claim, FleetView, Known, Paged, Probe, Report};
pub use stage::{DueStage, FleetStage};
pub use terms::{FleetContext, PageAt, Terms};

/// The name of a replica, or a short word: at most 64 bytes.
pub type ReplicaText = heapless::String<64>;

/// Converts `text` to a [`ReplicaText`], truncated to 64 bytes.
pub fn text(text: &str) -> ReplicaText {
    let mut kept = ReplicaText::new();
    for character in text.chars() {
        if kept.push(character).is_err() {
            break;
        }
    }
    kept
}

/// The replicas that reported, each with the time of its last report.
pub trait ReplicaSet {
    /// Records `replica` at `at_ms`, which replaces an earlier time.
    fn insert(&mut self, replica: &ReplicaText, at_ms: u64);
    /// Removes `replica`.
    fn remove(&mut self, replica: &ReplicaText);
    /// Whether `replica` is recorded.
    fn contains(&self, replica: &ReplicaText) -> bool;
    /// Removes every replica recorded before `before_ms`.
    fn prune(&mut self, before_ms: u64);
    /// Removes every replica recorded after `after_ms`, because the engine's clock was set back.
    fn prune_after(&mut self, after_ms: u64);
    /// Number of replicas.
    fn count(&self) -> u32;
}

/// A set of kinds of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindSet(u8);

impl KindSet {
    /// Returns the set for a number from [`KindSet::bits`]. Unknown bits are dropped.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b1110)
    }

    /// Bit 1 for `latency-threshold`, bit 2 for `memory-threshold`, bit 3 for `circuit-open`.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Adds `kind`.
    #[must_use]
    pub const fn with(self, kind: AlertKind) -> Self {
        Self(self.0 | 1 << rank(Some(kind)))
    }

    /// Returns the union of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it contains `kind`.
    pub const fn contains(self, kind: AlertKind) -> bool {
        self.0 & 1 << rank(Some(kind)) != 0
    }

    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Iterates over the kinds, most severe first.
    pub fn iter(self) -> impl Iterator<Item = AlertKind> {
        AlertKind::ALL.into_iter().filter(move |&kind| self.contains(kind))
    }
}

/// Severity of a kind: 0 for none, 1 for `latency-threshold`, 2 for `memory-threshold`, 3 for `circuit-open`. Engines
/// store it.
pub const fn rank(kind: Option<AlertKind>) -> u8 {
    match kind {
        None => 0,
        Some(AlertKind::LatencyThreshold) => 1,
        Some(AlertKind::MemoryThreshold) => 2,
        Some(AlertKind::CircuitOpen) => 3,
    }
}

/// Returns the kind of this [`rank`]; `None` for 0 and for an unknown rank.
pub const fn kind_of_rank(rank: u8) -> Option<AlertKind> {
    match rank {
        1 => Some(AlertKind::LatencyThreshold),
        2 => Some(AlertKind::MemoryThreshold),
        3 => Some(AlertKind::CircuitOpen),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
