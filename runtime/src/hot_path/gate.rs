//! The state as far as admission goes, in one word that every thread can read.

use std::time::Duration;

use tripline_core::{
    Breaker as Core, Generation, Instant, Latency, Rejection as CoreRejection, RejectionReason, State, TripReason,
};

use crate::hot_path::call_token::CallToken;
use crate::hot_path::stripes::Kind;
use crate::sync::{AtomicU64, Ordering};

/// The state as far as admission goes, published by the owner of the core after each change.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Gate {
    word: AtomicU64,
    waiting: Waiting,
    is_tracking: bool,
    details: Details,
}

/// Which calls may wait in a stripe; on the line of the word, with which it is read.
#[derive(Debug)]
struct Waiting {
    /// Good calls that end before this instant, in nanoseconds, may wait.
    until_nanos: AtomicU64,
    /// A call that took longer is slow.
    good_up_to_micros: AtomicU64,
    /// Good calls that end before this instant and have this token change the window and a count only.
    plain_until_nanos: AtomicU64,
    plain_token: AtomicU64,
}

/// Until when good calls may wait, published by the owner of the core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitingRule {
    pub(crate) until: Instant,
    pub(crate) good_up_to: Latency,
    pub(crate) plain_until: Instant,
    pub(crate) plain_token: CallToken,
}

/// Read only when the word says so; on other cache lines than the word.
#[derive(Debug)]
#[repr(align(128))]
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
    pub(crate) fn new<const N: usize>(core: &Core<N>, is_tracking: bool) -> Self {
        let details = Details {
            until_nanos: AtomicU64::new(0),
            slow_after_micros: AtomicU64::new(u64::from(core.slow_after().as_micros())),
            latest_nanos: AtomicU64::new(0),
            rejected_nanos: AtomicU64::new(0),
        };
        Self {
            word: AtomicU64::new(word(core, is_tracking)),
            waiting: Waiting {
                until_nanos: AtomicU64::new(0),
                good_up_to_micros: AtomicU64::new(0),
                plain_until_nanos: AtomicU64::new(0),
                plain_token: AtomicU64::new(0),
            },
            is_tracking,
            details,
        }
    }

    /// Whether a call is admitted without asking the core. One load.
    #[inline]
    pub(crate) fn admission(&self) -> Admission {
        // Acquire pairs with the Release store in `publish`: a thread that reads a generation sees what the
        // owner did before.
        Admission(self.word.load(Ordering::Acquire))
    }

    /// Whether a successful call may wait in its stripe, and how; if at all, the breaker is closed. One of an earlier generation
    /// may wait too.
    #[inline]
    pub(crate) fn may_wait(&self, token: CallToken, end: Instant, latency: Latency) -> Option<Kind> {
        let (end, rule) = (end.as_nanos(), &self.waiting);
        // Relaxed, here and below: stored before the word that was acquired when the call was admitted. An outdated one lets a call
        // wait that ends while the owner makes the change, as if it had ended before.
        if u64::from(latency.as_micros()) > rule.good_up_to_micros.load(Ordering::Relaxed) {
            return None;
        }
        // A call that is plain may wait.
        let is_plain = end < rule.plain_until_nanos.load(Ordering::Relaxed)
            && token.call() == rule.plain_token.load(Ordering::Relaxed);
        if is_plain {
            return Some(Kind::Plain);
        }
        (end < rule.until_nanos.load(Ordering::Relaxed)).then_some(Kind::Other)
    }

    /// Publishes which good calls may wait, as far as that has changed.
    #[inline]
    pub(crate) fn publish_waiting(&self, rule: WaitingRule) {
        if rule.until > Instant::ZERO {
            publish_if_changed(&self.waiting.good_up_to_micros, rule.good_up_to.as_micros().into());
            publish_if_changed(&self.waiting.plain_token, rule.plain_token.call());
        }
        publish_if_changed(&self.waiting.plain_until_nanos, rule.plain_until.as_nanos());
        publish_if_changed(&self.waiting.until_nanos, rule.until.as_nanos());
    }

    /// From now on records are not overwritten, until the next [`Gate::publish_waiting`].
    #[inline]
    pub(crate) fn keep_waiting(&self) {
        publish_if_changed(&self.waiting.plain_until_nanos, 0);
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
    pub(crate) fn publish<const N: usize>(&self, core: &Core<N>) {
        // Relaxed: published by the store of the word.
        if let State::Open { until } = core.state() {
            self.details.rejected_nanos.store(core.on_clock(core.latest()).as_nanos(), Ordering::Relaxed);
            self.details.until_nanos.store(core.on_clock(until).as_nanos(), Ordering::Relaxed);
        }
        self.publish_figures(core);
        // Release pairs with the Acquire loads in `admission` and `rejection`.
        self.word.store(word(core, self.is_tracking), Ordering::Release);
    }

    /// Publishes the figures that change without the state.
    pub(crate) fn publish_figures<const N: usize>(&self, core: &Core<N>) {
        // Relaxed: each is read for itself.
        self.details.slow_after_micros.store(u64::from(core.slow_after().as_micros()), Ordering::Relaxed);
        self.details.latest_nanos.store(core.on_clock(core.latest()).as_nanos(), Ordering::Relaxed);
    }
}

/// A store only where it changes something leaves the cache line with those who read it.
#[inline]
fn publish_if_changed(word: &AtomicU64, value: u64) {
    // Relaxed: written by owners of the core only, one after the other; read for itself.
    if word.load(Ordering::Relaxed) != value {
        word.store(value, Ordering::Relaxed);
    }
}

fn word<const N: usize>(core: &Core<N>, is_tracking: bool) -> u64 {
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

fn open_bits<const N: usize>(core: &Core<N>) -> u64 {
    let reason = core.last_trip().map(|trip| trip.reason);
    let place = TripReason::ALL.iter().position(|&known| Some(known) == reason);
    let held = if core.is_held_open() { HELD_OPEN } else { 0 };
    (place.unwrap_or(0) as u64) << REASON_SHIFT | held
}
