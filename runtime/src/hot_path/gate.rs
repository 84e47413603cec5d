//! The state as far as admission goes, in one word that every thread can read.

use std::time::Duration;

use event_listener::Event as Notification;
use tripline_core::{Generation, Instant, Latency, Rejection as CoreRejection, RejectionReason, State, TripReason};

use crate::hot_path::samples::SharedCore;
use crate::hot_path::stripes::Stripes;
use crate::supervisor::agenda::Watchers;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// The state as far as admission goes, published by the owner of the core after each change.
#[derive(Debug)]
pub(crate) struct Gate {
    line: Line,
    details: Details,
    /// Whether and how listeners are notified of a change.
    pub(crate) changes: Changes,
}

/// On a cache line of its own, which every call reads.
#[derive(Debug)]
#[repr(align(64))]
struct Line {
    word: AtomicU64,
    /// `None` where each call goes to the core.
    stripes: Option<Box<Stripes>>,
    is_tracking: bool,
}

/// How listeners are notified of a change.
#[derive(Debug)]
pub(crate) struct Changes {
    /// An event was emitted of which listeners were not notified yet.
    pub(crate) is_dirty: AtomicBool,
    pub(crate) notification: Notification,
    pub(crate) watchers: Watchers,
}

/// Read only when the word says so.
#[derive(Debug)]
struct Details {
    /// While open: when the wait is over, on the clock.
    until_nanos: AtomicU64,
    slow_after_micros: AtomicU64,
    latest_nanos: AtomicU64,
    /// While open: the latest reading that was rejected without the core, and at first the one at which it opened.
    rejected_nanos: AtomicU64,
}

/// The word: from below, three bits of mode, 32 of generation, and while open the index of the reason in [`TripReason::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission(pub(crate) u64);

const MODE_BITS: u32 = 3;
const MODE_MASK: u64 = (1 << MODE_BITS) - 1;
/// Closed, calls in flight are not tracked.
const CLOSED: u64 = 0;
const DISABLED: u64 = 1;
/// The modes below this one admit without more to do.
const FIRST_WITH_MORE: u64 = 2;
/// Closed, calls in flight are tracked.
const CLOSED_TRACKED: u64 = 2;
const HALF_OPEN: u64 = 3;
const FORCED_OPEN: u64 = 4;
const OPEN: u64 = 5;
/// Memory or a simulation keeps it open, whatever its wait.
const HELD_OPEN: u64 = 1 << 36;
const REASON_SHIFT: u32 = 40;

impl Admission {
    /// Admitted, with nothing more to do.
    #[inline]
    pub(crate) const fn is_free(self) -> bool {
        self.0 & MODE_MASK < FIRST_WITH_MORE
    }

    /// Admitted, and to be tracked.
    #[inline]
    pub(crate) const fn is_tracked(self) -> bool {
        self.0 & MODE_MASK == CLOSED_TRACKED
    }

    #[inline]
    pub(crate) const fn generation(self) -> Generation {
        Generation::new((self.0 >> MODE_BITS) as u32)
    }
}

/// A reading that lies this far behind means that the clock was set back, or is an old one; the core must see it.
pub(crate) const JUMP: Duration = Duration::from_secs(1);

impl Gate {
    pub(crate) fn new(core: &SharedCore, is_tracking: bool, stripes: Option<Box<Stripes>>) -> Self {
        let details = Details {
            until_nanos: AtomicU64::new(0),
            slow_after_micros: AtomicU64::new(u64::from(core.slow_after().as_micros())),
            latest_nanos: AtomicU64::new(0),
            rejected_nanos: AtomicU64::new(0),
        };
        let notification = Notification::new();
        // The first notification allocates; after this none does.
        notification.notify(0);
        Self {
            line: Line { word: AtomicU64::new(word(core, is_tracking)), stripes, is_tracking },
            details,
            changes: Changes { is_dirty: AtomicBool::new(false), notification, watchers: Watchers::default() },
        }
    }

    /// The stripes in which good calls wait; `None` where each call goes to the core.
    #[inline]
    pub(crate) fn stripes(&self) -> Option<&Stripes> {
        self.line.stripes.as_deref()
    }

    /// Whether a call is admitted without asking the core. One load.
    #[inline]
    pub(crate) fn admission(&self) -> Admission {
        // Acquire pairs with the Release store in `publish`: a thread that reads a generation sees what the
        // owner did before.
        Admission(self.line.word.load(Ordering::Acquire))
    }

    /// The rejection that needs no core: while open and the wait is not over, or forced open.
    pub(crate) fn rejection(&self, now: Instant) -> Option<CoreRejection> {
        let Admission(word) = self.admission();
        match word & MODE_MASK {
            FORCED_OPEN => Some(CoreRejection { reason: RejectionReason::ForcedOpen, retry_after: None }),
            OPEN => {
                // Relaxed: stored before the word that was acquired above. If the breaker has opened once more meanwhile, they are
                // of that opening, and as good an answer.
                let until = Instant::from_nanos(self.details.until_nanos.load(Ordering::Relaxed));
                if now >= until || self.rejected_later_than(now).is_some() {
                    return None;
                }
                // Relaxed: an estimate; a thread that is overtaken here sets it back a little.
                self.details.rejected_nanos.store(now.as_nanos(), Ordering::Relaxed);
                Some(CoreRejection {
                    reason: RejectionReason::Open(reason(word)?),
                    retry_after: Some(until.since(now)),
                })
            }
            _ => None,
        }
    }

    /// The latest reading that was rejected without the core, or at which the breaker opened, if it lies so far ahead of `now` that
    /// the clock was set back.
    pub(crate) fn rejected_later_than(&self, now: Instant) -> Option<Instant> {
        // Relaxed: an estimate.
        let latest = Instant::from_nanos(self.details.rejected_nanos.load(Ordering::Relaxed));
        (latest.since(now) >= JUMP).then_some(latest)
    }

    /// The answer while other threads own the core all the time.
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

    /// The age from which a call in flight is slow.
    pub(crate) fn slow_after(&self) -> Latency {
        // Relaxed: read for itself.
        Latency::from_micros(self.details.slow_after_micros.load(Ordering::Relaxed) as u32)
    }

    /// An instant that is not later than now, for callers without a reading of the clock.
    pub(crate) fn latest(&self) -> Instant {
        // Relaxed: read for itself.
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

    /// Publishes the figures that change without the state.
    pub(crate) fn publish_figures(&self, core: &SharedCore) {
        // Relaxed: each is read for itself.
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
