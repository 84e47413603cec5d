//! Explanations of trips, and what operators did restored after a restart.

use std::time::Duration;

use tripline_core::{Breaker as Core, SampleStore, StateKind, Trip};

use crate::breaker::Breaker;
use crate::breaker::explanation::TripExplanation;
use crate::breaker::operator_record::OperatorRecord;
use crate::hot_path::samples::SharedCore;
use crate::sync::lock;

/// The tolerance that a breaker begins with: nothing was learned.
const START_TOLERANCE: Duration = Duration::from_millis(1_500);

impl Breaker {
    /// Why the breaker is open, with its evidence; `None` while it is not. `core` is this breaker's own, as in
    /// `breaker.read(|core| breaker.explain(core))`. O(1).
    ///
    /// A trip that an operator simulated stays a drill as long as it lasts, also after the simulation is undone.
    pub fn explain<const N: usize, S: SampleStore>(&self, core: &Core<N, S>) -> Option<TripExplanation> {
        TripExplanation::of(core, self.drill())
    }

    /// Whether an operator simulated the last trip; `None` where there was none yet.
    pub(crate) fn is_last_trip_a_drill(&self, core: &SharedCore) -> Option<bool> {
        core.last_trip().map(|trip| self.drill() == Some(trip))
    }

    /// The last trip that was taken because an operator simulated it.
    fn drill(&self) -> Option<Trip> {
        lock(&self.inner.rare_if_used()?.operations).drill
    }

    /// An operator disabled it, and not a policy.
    fn is_disabled_by_operator(&self) -> bool {
        self.inner.rare_if_used().is_some_and(|rare| lock(&rare.operations).is_disabled)
    }

    pub(crate) fn operator_record(&self, core: &SharedCore) -> OperatorRecord {
        OperatorRecord {
            disabled: !core.policy().enabled && self.is_disabled_by_operator(),
            forced_open: core.state().kind() == StateKind::ForcedOpen,
            simulates_memory: core.is_memory_simulated(),
            simulates_latency: core.is_latency_simulated(),
        }
    }

    /// What operators did to an earlier life of this breaker holds again.
    pub(crate) fn restore_operations(&self, record: OperatorRecord) {
        let is_planted = tripline_core::planted::planted("durable: what operators did is forgotten");
        if is_planted || record == OperatorRecord::default() {
            return;
        }
        if record.forced_open {
            self.force_open();
        }
        if record.disabled {
            self.disable();
        }
        if record.simulates_memory {
            self.simulate_memory();
        }
        if record.simulates_latency {
            self.simulate_latency();
        }
        tracing::warn!(
            breaker = self.name().as_str(),
            disabled = record.disabled,
            forced_open = record.forced_open,
            simulates_memory = record.simulates_memory,
            simulates_latency = record.simulates_latency,
            "the actions of operators before the restart are in force again"
        );
    }

    /// Goes on with a tolerance that an earlier life of this breaker learned.
    pub(crate) fn restore_tolerance(&self, learned: Duration) {
        self.inner.with_core(|core| core.restore_tolerance(learned));
        tracing::info!(
            breaker = self.name().as_str(),
            learned_ms = u64::try_from(learned.as_millis()).unwrap_or(u64::MAX),
            "the tolerance that was learned before the restart is in force again"
        );
    }
}

/// The tolerance that was learned, in milliseconds; `None` where none was.
pub(crate) fn learned_ms(core: &SharedCore) -> Option<u32> {
    let learned = core.learned_tolerance();
    (learned > START_TOLERANCE).then(|| u32::try_from(learned.as_millis()).unwrap_or(u32::MAX))
}
