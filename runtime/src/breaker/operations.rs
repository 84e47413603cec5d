//! Explanations of trips, and operator actions restored after a restart.

use std::time::Duration;

use tripline_core::{Breaker as Core, SampleStore, StateKind, Trip};

use crate::breaker::Breaker;
use crate::breaker::explanation::TripExplanation;
use crate::breaker::operator_record::OperatorRecord;
use crate::hot_path::samples::SharedCore;
use crate::sync::lock;

/// The tolerance of a new breaker, which has learned nothing.
const START_TOLERANCE: Duration = Duration::from_millis(1_500);

impl Breaker {
    /// Explains why the breaker is open, with the evidence; `None` while it is not. Pass this breaker's own core, as in
    /// `breaker.read(|core| breaker.explain(core))`. O(1).
    ///
    /// A trip that an operator simulated stays a drill as long as it lasts, also after the simulation is removed.
    pub fn explain<const N: usize, S: SampleStore>(&self, core: &Core<N, S>) -> Option<TripExplanation> {
        TripExplanation::of(core, self.drill())
    }

    /// Whether an operator simulated the last trip; `None` before the first trip.
    pub(crate) fn is_last_trip_a_drill(&self, core: &SharedCore) -> Option<bool> {
        core.last_trip().map(|trip| self.drill() == Some(trip))
    }

    /// Returns the last trip that an operator's simulation caused.
    fn drill(&self) -> Option<Trip> {
        lock(&self.inner.rare_if_used()?.operations).drill
    }

    /// Whether an operator, and not a policy, disabled the breaker.
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

    /// Restores the operator actions of the previous process.
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

    /// Restores a tolerance that the previous process learned.
    pub(crate) fn restore_tolerance(&self, learned: Duration) {
        self.inner.with_core(|core| core.restore_tolerance(learned));
        tracing::info!(
            breaker = self.name().as_str(),
            learned_ms = u64::try_from(learned.as_millis()).unwrap_or(u64::MAX),
            "the tolerance that was learned before the restart is in force again"
        );
    }
}

/// Returns the learned tolerance in milliseconds; `None` if nothing was learned.
pub(crate) fn learned_ms(core: &SharedCore) -> Option<u32> {
    let learned = core.learned_tolerance();
    (learned > START_TOLERANCE).then(|| u32::try_from(learned.as_millis()).unwrap_or(u32::MAX))
}
