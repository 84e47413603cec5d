//! The counters of a lane.

use tripline_core::Stage;

/// The counters of one lane.
#[derive(Debug, Default)]
pub(super) struct LaneCounters {
    single: Counters,
    initial: Counters,
    escalated: Counters,
    resolved: Counters,
    taken_over: Counters,
}

/// The counters of one stage.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counters {
    pub(super) sent: u64,
    pub(super) retried: u64,
    pub(super) rejected: u64,
    pub(super) failed: u64,
}

impl LaneCounters {
    /// Returns the counters of a stage.
    pub(super) fn of(&mut self, stage: Stage) -> &mut Counters {
        match stage {
            Stage::Initial => &mut self.initial,
            Stage::Escalated => &mut self.escalated,
            Stage::Resolved(_) => &mut self.resolved,
            Stage::Superseded => &mut self.taken_over,
            _ => &mut self.single,
        }
    }

    /// Adds other counts.
    pub(super) fn add(&mut self, other: &Self) {
        let own = [&mut self.single, &mut self.initial, &mut self.escalated, &mut self.resolved, &mut self.taken_over];
        for (own, (_, other)) in own.into_iter().zip(other.rows()) {
            own.sent += other.sent;
            own.retried += other.retried;
            own.rejected += other.rejected;
            own.failed += other.failed;
        }
    }

    pub(super) fn rows(&self) -> [(&'static str, Counters); 5] {
        [
            ("single", self.single),
            ("initial", self.initial),
            ("escalated", self.escalated),
            ("resolved", self.resolved),
            ("taken_over", self.taken_over),
        ]
    }
}
