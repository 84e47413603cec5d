//! The admission state, in one word that every thread can read.

use std::time::Duration;

use event_listener::Event as Notification;
use tripline_core::{Instant, Latency, Rejection as CoreRejection, RejectionReason, State, TripReason};

use crate::hot_path::gate_word::{
    Admission, CLOSED, CLOSED_TRACKED, DISABLED, FORCED_OPEN, HALF_OPEN, HELD_OPEN, MODE_BITS, MODE_MASK, OPEN,
    REASON_SHIFT,
};
use crate::hot_path::samples::SharedCore;
use crate::hot_path::stripes::Stripes;
use crate::supervisor::agenda::Watchers;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// The admission state, published by the owner of the core after each change.
#[derive(Debug)]
pub(crate) struct Gate {
    line: Line,
    details: Details,
    /// Notification of listeners.
    pub(crate) changes: Changes,
}

/// On its own cache line, which every call reads.
#[derive(Debug)]
#[repr(align(64))]
struct Line {
    word: AtomicU64,
    /// `None` where each call goes to the core.
    stripes: Option<Box<Stripes>>,
    is_tracking: bool,
    /// Whether an event was emitted of which listeners were not notified yet. Here, where there is room.
    is_dirty: AtomicBool,
}

/// Notification of listeners about changes.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) notification: Notification,
    pub(crate) watchers: Watchers,
}

/// Read only if the word requires it.
#[derive(Debug)]
struct Details {
    /// While open: the end of the wait, on the clock.
    until_nanos: AtomicU64,
    slow_after_micros: AtomicU64,
    latest_nanos: AtomicU64,
    /// While open: the latest reading that was rejected without the core, initially that of the opening.
    rejected_nanos: AtomicU64,
}

/// A reading that lags this far behind is old, or the clock was set back; the core must process it.
pub(crate) const JUMP: Duration = Duration::from_secs(1);

impl Gate {
    /// The gate of `core`. With `notifies_without_allocation`, the place for listeners is allocated now, otherwise with the first change.
    pub(crate) fn new(
        core: &SharedCore,
        is_tracking: bool,
        stripes: Option<Box<Stripes>>,
        notifies_without_allocation: bool,
    ) -> Self {
        let details = Details {
            until_nanos: AtomicU64::new(0),
            slow_after_micros: AtomicU64::new(u64::from(core.slow_after().as_micros())),
            latest_nanos: AtomicU64::new(0),
            rejected_nanos: AtomicU64::new(0),
        };
        let notification = Notification::new();
        if notifies_without_allocation {
            // The first notification allocates; later ones do not.
            notification.notify(0);
        }
        Self {
            line: Line {
                word: AtomicU64::new(word(core, is_tracking)),
                stripes,
                is_tracking,
                is_dirty: AtomicBool::new(false),
            },
            details,
            changes: Changes { notification, watchers: Watchers::default() },
        }
    }

    /// The stripes in which good calls wait; `None` where each call goes to the core.
    #[inline]
    pub(crate) fn stripes(&self) -> Option<&Stripes> {
        self.line.stripes.as_deref()
    }

    /// Whether an event was emitted of which listeners were not notified yet.
    #[inline]
    pub(crate) fn is_dirty(&self) -> &AtomicBool {
        &self.line.is_dirty
    }

    /// Returns whether a call is admitted without the core. One load.
    #[inline]
    pub(crate) fn admission(&self) -> Admission {
        // Acquire pairs with the Release store in `publish`: a thread that reads a generation observes what the owner
        // did before.
        Admission(self.line.word.load(Ordering::Acquire))
    }

    /// Returns a rejection that does not need the core: during the wait of an open breaker, or while forced open.
    pub(crate) fn rejection(&self, now: Instant) -> Option<CoreRejection> {
        let Admission(word) = self.admission();
        match word & MODE_MASK {
            FORCED_OPEN => Some(CoreRejection { reason: RejectionReason::ForcedOpen, retry_after: None }),
            OPEN => {
                // Relaxed: stored before the word that was acquired above. If the breaker has opened again since, the
                // values are of that opening and equally valid.
                let until = Instant::from_nanos(self.details.until_nanos.load(Ordering::Relaxed));
                if now >= until || self.rejected_later_than(now).is_some() {
                    return None;
                }
                // Relaxed: an estimate; a thread that is overtaken here sets it back slightly.
                self.details.rejected_nanos.store(now.as_nanos(), Ordering::Relaxed);
                Some(CoreRejection {
                    reason: RejectionReason::Open(reason(word)?),
                    retry_after: Some(until.since(now)),
                })
            }
            _ => None,
        }
    }

    /// Returns the latest reading that was rejected without the core, or that of the opening, if it is so far ahead of
    /// `now` that the clock was set back.
    pub(crate) fn rejected_later_than(&self, now: Instant) -> Option<Instant> {
        // Relaxed: an estimate.
        let latest = Instant::from_nanos(self.details.rejected_nanos.load(Ordering::Relaxed));
        (latest.since(now) >= JUMP).then_some(latest)
    }

    /// Returns the rejection while other threads keep owning the core.
    pub(crate) fn rejection_while_busy(&self) -> CoreRejection {
        let Admission(word) = self.admission();
        match reason(word) {
            Some(reason) if word & MODE_MASK == OPEN => {
                let retry_after = (word & HELD_OPEN == 0).then_some(Duration::ZERO);
                CoreRejection { reason: RejectionReason::Open(reason), retry_after }
            }
            _ => CoreRejection { reason: RejectionReason::Probing, retry_after: Some(Duration::ZERO) },
        }
    }

    /// The age from which a call in flight counts as slow.
    pub(crate) fn slow_after(&self) -> Latency {
        // Relaxed: read independently.
        Latency::from_micros(self.details.slow_after_micros.load(Ordering::Relaxed) as u32)
    }

    /// Returns an instant that is not later than now, for callers without a clock reading.
    pub(crate) fn latest(&self) -> Instant {
        // Relaxed: read independently.
        Instant::from_nanos(self.details.latest_nanos.load(Ordering::Relaxed))
    }

    /// Publishes the state: the details first, then the word.
    #[cold]
    pub(crate) fn publish(&self, core: &SharedCore) {
        // Relaxed: published by the store of the word.
        if let State::Open { until } = core.state() {
            self.details.rejected_nanos.store(core.latest_reading().as_nanos(), Ordering::Relaxed);
            self.details.until_nanos.store(core.on_clock(until).as_nanos(), Ordering::Relaxed);
        }
        self.publish_figures(core);
        if tripline_core::planted::planted("hot path: the gate stays open")
            && matches!(core.state(), State::Open { .. })
            && core.counts().ok % 3 == 0
        {
            return;
        }
        // Release pairs with the Acquire loads in `admission` and `rejection`.
        self.line.word.store(word(core, self.line.is_tracking), Ordering::Release);
    }

    /// Publishes the values that change without the state.
    pub(crate) fn publish_figures(&self, core: &SharedCore) {
        // Relaxed: each is read independently.
        self.details.slow_after_micros.store(u64::from(core.slow_after().as_micros()), Ordering::Relaxed);
        self.details.latest_nanos.store(core.latest_reading().as_nanos(), Ordering::Relaxed);
    }
}

fn word(core: &SharedCore, is_tracking: bool) -> u64 {
    let mode = match core.state() {
        State::Closed if is_tracking => CLOSED_TRACKED,
        State::Closed => CLOSED,
        State::Disabled => DISABLED,
        State::HalfOpen { .. } => HALF_OPEN,
        State::ForcedOpen => FORCED_OPEN,
        State::Open { .. } => OPEN | open_bits(core),
    };
    u64::from(core.generation().get()) << MODE_BITS | mode
}

fn reason(word: u64) -> Option<TripReason> {
    TripReason::ALL.get((word >> REASON_SHIFT) as usize).copied()
}

fn open_bits(core: &SharedCore) -> u64 {
    let reason = core.last_trip().map(|trip| trip.reason);
    let place = TripReason::ALL.iter().position(|&known| Some(known) == reason);
    let held = if core.is_held_open() { HELD_OPEN } else { 0 };
    (place.unwrap_or(0) as u64) << REASON_SHIFT | held
}
