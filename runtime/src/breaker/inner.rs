//! The state behind every clone of a breaker's handle, and how it is reached: through the gate, or by owning the core.

use std::path::PathBuf;

use tripline_core::{Breaker as Core, Instant, MemoryForecast};

use crate::breaker::allowed_calls::AllowedCalls;
use crate::breaker::name::BreakerName;
use crate::breaker::operator_record::Operations;
use crate::breaker::rejection_counters::RejectionCounters;
use crate::breaker::supervision::SupervisionRecord;
use crate::clock::Clock;
use crate::hot_path::handoff::HandoffCell;
use crate::hot_path::in_flight::InFlightEpochs;
use crate::hot_path::owned::{ExclusiveState, MAX_WINDOW};
use crate::hot_path::shared::Shared;
use crate::hot_path::stall_detector::Now;
use crate::incidents::alert_stager::AlertStager;
use crate::sync::{Arc, AtomicU64, Mutex};

/// The state that all clones of a handle share.
pub(crate) struct BreakerInner {
    pub(crate) name: BreakerName,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) stall_detection: bool,
    pub(crate) cell: HandoffCell<ExclusiveState, Shared>,
    /// Calls that were admitted by `allow`, which hands out no permit.
    pub(crate) allowed_calls: AllowedCalls,
    pub(crate) rejection_counters: RejectionCounters,
    pub(crate) reports_dropped: AtomicU64,
    pub(crate) supervision: SupervisionRecord,
    pub(crate) operations: Mutex<Operations>,
    /// Only while the policy has a `memory_horizon`. Boxed, so that a breaker without one stays small.
    pub(crate) forecast: Mutex<Option<Box<MemoryForecast>>>,
    /// The level of the last memory reading.
    pub(crate) memory_level: Mutex<Option<Arc<str>>>,
    /// Which alerts were staged. Here and not in the supervisor, so that a new supervisor goes on from it.
    pub(crate) incident: Mutex<AlertStager>,
}

impl BreakerInner {
    /// The state that is readable without owning the core.
    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        self.cell.applier()
    }

    pub(crate) fn with_core<R>(&self, act: impl FnOnce(&mut Core<MAX_WINDOW>) -> R) -> R {
        self.with_exclusive(|exclusive, _| act(&mut exclusive.core))
    }

    /// Owns the core for the length of `act`, after the threads that came first; then publishes the changes.
    pub(crate) fn with_exclusive<R>(&self, act: impl FnOnce(&mut ExclusiveState, &InFlightEpochs) -> R) -> R {
        let result = self.cell.with(|exclusive| {
            self.shared().flush(exclusive);
            let result = act(exclusive, &self.shared().epochs);
            self.shared().publish(exclusive);
            self.shared().gate.publish_figures(&exclusive.core);
            result
        });
        self.shared().notify_if_changed();
        result
    }

    /// As [`Breaker::read`](crate::Breaker::read).
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Core<MAX_WINDOW>) -> R) -> R {
        let now = self.clock.now();
        self.with_exclusive(|exclusive, epochs| {
            let now = self.confirm(exclusive, now);
            exclusive.count_stalled(Now::Clock(now), epochs);
            exclusive.core.handle_timeout(now);
            // Published before `read`, which may panic.
            self.shared().publish(exclusive);
            read(&exclusive.core)
        })
    }

    /// Acts on the core at a reading of the clock. Calls that are no longer stalled are taken off before.
    pub(crate) fn operate<R>(&self, act: impl FnOnce(&mut Core<MAX_WINDOW>, Instant) -> R) -> R {
        let now = self.clock.now();
        self.with_exclusive(|exclusive, epochs| {
            let now = self.confirm(exclusive, now);
            exclusive.lower_stalled(Now::Clock(now), epochs);
            act(&mut exclusive.core, now)
        })
    }

    /// Reads the clock again if `now` lies so far behind that the core would suspect a clock that was set back. The thread may
    /// have been descheduled since it read `now`; a reading that is taken while owning the core is never overtaken.
    #[inline]
    pub(crate) fn confirm(&self, exclusive: &ExclusiveState, now: Instant) -> Instant {
        if self.shared().is_far_behind(exclusive, now) { self.clock.now() } else { now }
    }
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_with_its_window_of_1_024_takes_12_kib_at_most_and_a_stripe_1_280_bytes() {
        let (bytes, stripe) = (size_of::<BreakerInner>(), Shared::STRIPE_BYTES);
        println!("one breaker: {bytes} bytes, and {stripe} for each stripe");
        assert!(bytes <= 12 * 1_024, "{bytes}");
        assert!(stripe <= 1_280, "{stripe}");
    }
}
