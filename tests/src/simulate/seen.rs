//! The memory of the checks.

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_core::Instant;

use super::stages::Stages;

/// Time without a fault after which no alert may wait, and no stage is late.
pub(super) const CALM: Duration = Duration::from_secs(900);
/// After the last failure, a state that could not be saved is saved within this time.
const RETRIED_WITHIN: Duration = Duration::from_secs(40);

/// The memory of the checks.
#[derive(Debug)]
pub(super) struct Seen {
    /// When anything changed last: faults, commands, states, alerts.
    pub(super) changed: Instant,
    pub(super) file_changed: Instant,
    pub(super) restarted: Option<Instant>,
    /// When the last process was killed, or asked to stop: from then on nothing is saved.
    pub(super) ended: Option<Instant>,
    pub(super) is_stopping: bool,
    /// Tasks after the last start.
    pub(super) tasks_at_start: usize,
    /// Breakers in the configuration at the last start.
    pub(super) breakers_at_start: usize,
    pub(super) memory_percent: u64,
    /// Since when memory is above the threshold and can be read.
    pub(super) memory_above_since: Option<Instant>,
    /// Readings repeat the last one.
    pub(super) is_memory_stale: bool,
    pub(super) memory_bad_at: Option<Instant>,
    pub(super) is_disk_faulty: bool,
    pub(super) disk_faulty_at: Option<Instant>,
    /// Whether the disk fails, and is not only slow, and when that last began or ended.
    pub(super) is_disk_failing: bool,
    pub(super) disk_failing_at: Option<Instant>,
    pub(super) is_engine_faulty: bool,
    pub(super) engine_faulty_at: Option<Instant>,
    /// The newest incident of each breaker and kind of alert at the webhook.
    pub(super) newest: BTreeMap<(String, String), u64>,
    /// The stages at the webhook.
    pub(super) stages: Stages,
    /// Deliveries to the webhook.
    pub(super) deliveries: BTreeMap<String, Instant>,
    /// The first delivery of each breaker, incident and kind.
    pub(super) pages: BTreeMap<(String, u64, String), String>,
}

impl Seen {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            changed: now,
            file_changed: now,
            restarted: None,
            ended: None,
            is_stopping: false,
            tasks_at_start: 0,
            breakers_at_start: 0,
            memory_percent: 50,
            memory_above_since: None,
            is_memory_stale: false,
            memory_bad_at: None,
            is_disk_faulty: false,
            disk_faulty_at: None,
            is_disk_failing: false,
            disk_failing_at: None,
            is_engine_faulty: false,
            engine_faulty_at: None,
            newest: BTreeMap::new(),
            stages: Stages::default(),
            deliveries: BTreeMap::new(),
            pages: BTreeMap::new(),
        }
    }

    /// Whether a state may be unsaved because the disk fails, or failed a moment ago.
    pub(super) fn is_unsaved_excused(&self, now: Instant) -> bool {
        self.is_disk_failing || Self::is_recent(self.disk_failing_at, now, RETRIED_WITHIN)
    }

    /// Whether `at` is less than `span` ago.
    pub(super) fn is_recent(at: Option<Instant>, now: Instant, span: Duration) -> bool {
        at.is_some_and(|at| now < at + span)
    }
}
