//! The state behind every handle of a breaker, and access to it: through the gate, or by owning the core.

use std::sync::OnceLock;

use tripline_core::Instant;

use crate::breaker::mode::CurrentMode;
use crate::breaker::name::BreakerName;
use crate::breaker::rare::Rare;
use crate::clock::Clock;
use crate::hot_path::handoff::HandoffCell;
use crate::hot_path::in_flight::InFlightEpochs;
use crate::hot_path::owned::ExclusiveState;
use crate::hot_path::samples::SharedCore;
use crate::hot_path::shared::Shared;
use crate::hot_path::stall_detector::Now;
use crate::sync::{Arc, AtomicU64, Mutex};

/// The state shared by all clones of a handle.
pub(crate) struct BreakerInner {
    pub(crate) name: BreakerName,
    /// The key of a member of a family.
    pub(crate) key: Option<Arc<str>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stall_detection: bool,
    pub(crate) cell: HandoffCell<ExclusiveState, Shared>,
    pub(crate) mode: CurrentMode,
    pub(crate) rare: OnceLock<Box<Rare>>,
    pub(crate) reports_dropped: AtomicU64,
    /// The level of the last memory reading.
    pub(crate) memory_level: Mutex<Option<Arc<str>>>,
}

impl BreakerInner {
    /// Returns the state that is readable without owning the core.
    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        self.cell.applier()
    }

    /// Returns the rarely used parts, which are allocated on first use.
    pub(crate) fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// Returns the rarely used parts if they were used.
    pub(crate) fn rare_if_used(&self) -> Option<&Rare> {
        self.rare.get().map(AsRef::as_ref)
    }

    pub(crate) fn with_core<R>(&self, act: impl FnOnce(&mut SharedCore) -> R) -> R {
        self.with_exclusive(|exclusive, _| act(&mut exclusive.core))
    }

    /// Runs `act` as the owner of the core, after the threads that came first; then publishes the changes.
    pub(crate) fn with_exclusive<R>(&self, act: impl FnOnce(&mut ExclusiveState, &InFlightEpochs) -> R) -> R {
        let result = self.cell.with(|exclusive| {
            self.shared().flush(exclusive);
            exclusive.count_dropped(&self.shared().epochs);
            let result = act(exclusive, &self.shared().epochs);
            self.shared().publish(exclusive);
            self.shared().gate.publish_figures(&exclusive.core);
            result
        });
        self.shared().notify_if_changed();
        result
    }

    /// Does the same as [`Breaker::read`](crate::Breaker::read).
    pub(crate) fn read<R>(&self, read: impl FnOnce(&SharedCore) -> R) -> R {
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

    /// Runs `act` on the core at a reading of the clock. Calls that are no longer stalled are removed first.
    pub(crate) fn operate<R>(&self, act: impl FnOnce(&mut SharedCore, Instant) -> R) -> R {
        let now = self.clock.now();
        self.with_exclusive(|exclusive, epochs| {
            let now = self.confirm(exclusive, now);
            exclusive.lower_stalled(Now::Clock(now), epochs);
            act(&mut exclusive.core, now)
        })
    }

    /// Reads the clock again if `now` lags so far that the core would suspect a clock that was set back. The thread may
    /// have been descheduled since it read `now`. A reading taken while owning the core is never overtaken.
    #[inline]
    pub(crate) fn confirm(&self, exclusive: &ExclusiveState, now: Instant) -> Instant {
        if self.shared().is_far_behind(exclusive, now) { self.clock.now() } else { now }
    }
}
