//! Calls in flight that hang, counted without knowing the calls.
//!
//! Time is cut into short epochs. A call that starts adds one to the entrance word, which tells it its epoch; that is its whole
//! cost, and the word needs no capacity. The owner of the core closes an epoch from time to time and takes over how many came
//! in; a call that ends is taken off its epoch. What is left of an epoch that is older than the threshold hangs.
//!
//! All calls of an epoch are taken to have started with its last one. So no call is taken to be older than it is, and each counts
//! at the latest an eighth of the threshold (or 10 ms) after it has become older than that, if somebody looks as often as
//! [`Stalls::next_look`] says.

use std::time::Duration;

use heapless::Deque;
use tripline_core::{Generation, Instant};

use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Epochs that are remembered. Those younger than the threshold are about 18; older ones are merged as needed.
const EPOCHS: usize = 48;
/// A threshold has so many epochs. A call's start is known to within two of them.
const EPOCHS_PER_THRESHOLD: u32 = 16;
const SHORTEST_EPOCH: Duration = Duration::from_millis(5);

/// Where calls come in.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Entrance {
    /// From the top: whether nobody looks, the number of the epoch (31 bits), how many came in since it began.
    word: AtomicU64,
    /// When the last call that came in started, in nanoseconds; [`UNKNOWN`] where it read no clock.
    last_start: AtomicU64,
    /// When the epoch began, and from when on it is long enough.
    opened_at: AtomicU64,
    closes_at: AtomicU64,
    withdrawn: Withdrawn,
}

/// Calls that left without a report to the owner of the core, by the low bits of their epoch.
#[derive(Debug)]
#[repr(align(128))]
struct Withdrawn {
    any: AtomicBool,
    by_epoch: [AtomicU32; WITHDRAWN],
}

const WITHDRAWN: usize = 64;

const UNKNOWN: u64 = u64::MAX;
/// A clock that shows this much less than before was set back; the core takes the decision.
const JUMP_NANOS: u64 = 1_000_000_000;

/// Whoever looks for calls that hang has gone to sleep, because there were none; the next to come in wakes him.
const UNWATCHED: u64 = 1 << 63;
const EPOCH_MASK: u32 = u32::MAX >> 1;

/// The number of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u32);

/// The low bits of the number of an epoch: what a call keeps of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochMark(u32);

impl EpochMark {
    pub(crate) const BITS: u32 = 24;

    /// The lowest bits of `bits`.
    pub(crate) const fn new(bits: u64) -> Self {
        Self(bits as u32 & ((1 << Self::BITS) - 1))
    }

    pub(crate) const fn get(self) -> u64 {
        self.0 as u64
    }
}

impl Epoch {
    /// How many epochs ago the one with this mark was.
    fn since(self, mark: EpochMark) -> u32 {
        self.0.wrapping_sub(mark.0) & ((1 << EpochMark::BITS) - 1)
    }

    fn next(self) -> Self {
        Self(self.0.wrapping_add(1) & EPOCH_MASK)
    }

    fn before(self, epochs: u32) -> Self {
        Self(self.0.wrapping_sub(epochs) & EPOCH_MASK)
    }

    fn is_at_or_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) & EPOCH_MASK <= EPOCH_MASK / 2
    }
}

/// What makes a call stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StallRule {
    /// Only calls of this generation count.
    pub(crate) generation: Generation,
    /// From this age on a call counts.
    pub(crate) after: Duration,
    /// Beyond this age it no longer does.
    pub(crate) until: Duration,
    /// How often the clock was set back.
    pub(crate) clock_jumps: u32,
}

impl Entrance {
    pub(crate) fn new() -> Self {
        let by_epoch = std::array::from_fn(|_| AtomicU32::new(0));
        Self {
            word: AtomicU64::new(0),
            last_start: AtomicU64::new(UNKNOWN),
            opened_at: AtomicU64::new(0),
            closes_at: AtomicU64::new(0),
            withdrawn: Withdrawn { any: AtomicBool::new(false), by_epoch },
        }
    }

    /// A call that came in leaves without a report.
    #[cold]
    pub(crate) fn withdraw(&self, mark: EpochMark) {
        if let Some(count) = self.withdrawn.by_epoch.get(mark.0 as usize % WITHDRAWN) {
            // Relaxed: published by the store below.
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Release pairs with the Acquire swap in `take_withdrawn`.
        self.withdrawn.any.store(true, Ordering::Release);
    }

    fn take_withdrawn(&self, mut leave: impl FnMut(EpochMark, u32)) {
        // Relaxed: a look; what it misses now the next one sees.
        if !self.withdrawn.any.load(Ordering::Relaxed) {
            return;
        }
        // Acquire pairs with the Release store in `withdraw`.
        self.withdrawn.any.swap(false, Ordering::Acquire);
        for (low, count) in (0_u64..).zip(&self.withdrawn.by_epoch) {
            // Relaxed: acquired above; a later one sets `any` again.
            match count.swap(0, Ordering::Relaxed) {
                0 => {}
                left => leave(EpochMark::new(low), left),
            }
        }
    }

    /// A call comes in; also tells whether somebody must be woken to look after it. One addition.
    #[inline]
    pub(crate) fn enter(&self, start: Option<Instant>) -> (EpochMark, bool) {
        // Relaxed: the addition and the owner's swap are ordered by being on the same word, and nothing else depends on them.
        let word = self.word.fetch_add(1, Ordering::Relaxed);
        // Relaxed: an estimate. Who is overtaken here by a call that started later dates that one a little too early.
        self.last_start.store(start.map_or(UNKNOWN, Instant::as_nanos), Ordering::Relaxed);
        (EpochMark::new(word >> 32), word & UNWATCHED != 0 && self.watch())
    }

    /// Whether the epoch should be closed before a call that starts at `start` comes in, or that call would make the others of
    /// its epoch look young.
    #[inline]
    pub(crate) fn is_due(&self, start: Instant) -> bool {
        // Relaxed: an estimate.
        start.as_nanos() >= self.closes_at.load(Ordering::Relaxed) || self.is_set_back(start)
    }

    /// Whether a clock that shows `start` was set back since the epoch began.
    #[inline]
    pub(crate) fn is_set_back(&self, start: Instant) -> bool {
        // Relaxed: an estimate.
        start.as_nanos().saturating_add(JUMP_NANOS) <= self.opened_at.load(Ordering::Relaxed)
    }

    /// True for one of those who find it unwatched.
    #[cold]
    fn watch(&self) -> bool {
        // Relaxed: as in `enter`.
        self.word.fetch_and(!UNWATCHED, Ordering::Relaxed) & UNWATCHED != 0
    }

    /// Nobody looks from now on; false, and nothing changes, if a call came in since the current epoch began.
    fn unwatch(&self) -> bool {
        // Relaxed: as in `enter`; a call that comes in after this sees it, one before it is seen.
        let word = self.word.load(Ordering::Relaxed);
        word as u32 == 0
            && self.word.compare_exchange(word, word | UNWATCHED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// How many came in since the current epoch began.
    fn count(&self) -> u32 {
        // Relaxed: as in `enter`.
        self.word.load(Ordering::Relaxed) as u32
    }

    /// Begins `epoch`; tells how many came in before, and when the last of them started. Whether somebody looks stays as it is.
    fn begin(&self, epoch: Epoch, opened_at: Instant, closes_at: Instant) -> (u32, Option<Instant>) {
        // Relaxed: as in `enter`.
        self.opened_at.store(opened_at.as_nanos(), Ordering::Relaxed);
        self.closes_at.store(closes_at.as_nanos(), Ordering::Relaxed);
        let last_start = self.last_start.load(Ordering::Relaxed);
        let begun = |word: u64| Some(u64::from(epoch.0) << 32 | word & UNWATCHED);
        // Relaxed: as in `enter`. It never gives up, so both arms hold the word before.
        let (Ok(word) | Err(word)) = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, begun);
        (word as u32, (last_start != UNKNOWN).then(|| Instant::from_nanos(last_start)))
    }
}

/// Where the time of a look comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Now {
    /// A clock that was read just now.
    Clock(Instant),
    /// The end of a call, which may have been read a while ago.
    EndOfCall(Instant),
}

impl Now {
    pub(crate) const fn instant(self) -> Instant {
        match self {
            Self::Clock(now) | Self::EndOfCall(now) => now,
        }
    }
}

/// The owner's book of who is still in flight.
#[derive(Debug)]
pub(crate) struct Stalls {
    rule: Option<StallRule>,
    current: Epoch,
    opened_at: Instant,
    closes_at: Instant,
    /// When an epoch is to be closed, or the calls of one become stalled.
    look_at: Instant,
    left_current: u32,
    /// All that came in before the current epoch began, and all that left.
    came: u64,
    left: u64,
    /// Calls of epochs before this one are not looked after any more.
    first: Epoch,
    /// Closed epochs that calls may still be in flight of, oldest first.
    closed: Deque<Closed, EPOCHS>,
    /// The calls of the oldest so many of these hang.
    counted: usize,
    stalled: u16,
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    /// The newest epoch that is counted here; those between it and the entry before it were merged into this.
    epoch: Epoch,
    out: u32,
    /// No call of it started later than this. Where the last one read no clock it is [`NOT_KNOWN`] before one more epoch is
    /// closed: the end of a call may have been read before other calls came in. Never before that of the entry before it.
    started_by: Instant,
}

/// Later than any look: not known yet.
const NOT_KNOWN: Instant = Instant::MAX;

impl Stalls {
    pub(crate) fn new() -> Self {
        Self {
            rule: None,
            current: Epoch(0),
            opened_at: Instant::ZERO,
            closes_at: Instant::ZERO,
            look_at: Instant::ZERO,
            left_current: 0,
            came: 0,
            left: 0,
            first: Epoch(0),
            closed: Deque::new(),
            counted: 0,
            stalled: 0,
        }
    }

    /// A call with this mark that ends at `end` came in during the current epoch; nothing hangs, and there is nothing to look for.
    #[inline]
    pub(crate) fn is_quiet(&self, mark: EpochMark, end: Instant) -> bool {
        self.current.since(mark) == 0 && end < self.look_at && self.stalled == 0
    }

    /// Such a call came back. Always true.
    #[inline]
    pub(crate) fn leave_quietly(&mut self) -> bool {
        self.left = self.left.wrapping_add(1);
        self.left_current = self.left_current.wrapping_add(1);
        true
    }

    /// A call of this epoch came back. O(epochs since it started).
    pub(crate) fn leave(&mut self, mark: EpochMark) {
        self.left = self.left.wrapping_add(1);
        let behind = self.current.since(mark);
        if behind == 0 {
            self.left_current = self.left_current.wrapping_add(1);
        } else {
            self.leave_closed(self.current.before(behind));
        }
    }

    /// Takes off who left without a report: of the newest epoch with these low bits, as nobody knows better.
    fn take_withdrawn(&mut self, entrance: &Entrance) {
        entrance.take_withdrawn(|low, count| {
            let behind = self.current.0.wrapping_sub(low.0) as usize % WITHDRAWN;
            let mark = EpochMark::new(u64::from(self.current.before(behind as u32).0));
            for _ in 0..count {
                self.leave(mark);
            }
        });
    }

    fn leave_closed(&mut self, epoch: Epoch) {
        if !epoch.is_at_or_after(self.first) {
            return;
        }
        let newer = self.closed.iter().rev().take_while(|closed| closed.epoch.is_at_or_after(epoch)).count();
        let index = self.closed.len().saturating_sub(newer);
        let Some(closed) = self.closed.get_mut(index).filter(|closed| closed.out > 0) else { return };
        closed.out = closed.out.saturating_sub(1);
        if index < self.counted {
            self.stalled = self.stalled.saturating_sub(1);
        }
    }

    /// How many calls are stalled at `now`. O(1), but for once an epoch.
    pub(crate) fn stalled(&mut self, now: Now, rule: StallRule, entrance: &Entrance) -> u16 {
        if self.rule != Some(rule) {
            self.change_rule(now, rule, entrance);
        } else if now.instant() >= self.closes_at {
            self.close(now, rule, entrance);
        } else if now.instant() >= self.look_at {
            self.count(now.instant(), rule);
        }
        self.stalled
    }

    /// Calls that are in flight, those of earlier generations too.
    pub(crate) fn in_flight(&mut self, entrance: &Entrance) -> u64 {
        self.take_withdrawn(entrance);
        self.came.wrapping_add(u64::from(entrance.count())).saturating_sub(self.left)
    }

    /// When to look again; `None` = not before somebody is woken by [`Entrance::enter`].
    pub(crate) fn next_look(&self, now: Instant, rule: StallRule, entrance: &Entrance) -> Option<Instant> {
        if self.closed.is_empty() && entrance.unwatch() {
            return None;
        }
        Some(self.look_at.max(now).min(now + epoch_length(rule)))
    }

    /// Calls of another generation are not looked after any more; with other times all are looked at again.
    fn change_rule(&mut self, now: Now, rule: StallRule, entrance: &Entrance) {
        let before = self.rule.replace(rule);
        if before.is_some_and(|before| before.generation == rule.generation) {
            self.close(now, rule, entrance);
            if before.is_some_and(|before| before.clock_jumps != rule.clock_jumps) {
                self.date_back(now.instant());
                self.count(now.instant(), rule);
            }
            return;
        }
        self.begin(now.instant(), rule, entrance);
        self.first = self.current;
        self.closed.clear();
        self.counted = 0;
        self.stalled = 0;
    }

    /// The clock was set back: what started later than now, on it, starts now.
    fn date_back(&mut self, now: Instant) {
        for closed in &mut self.closed {
            closed.started_by = closed.started_by.min(now);
        }
    }

    fn close(&mut self, now: Now, rule: StallRule, entrance: &Entrance) {
        self.take_withdrawn(entrance);
        let latest =
            self.closed.iter().rev().find_map(|closed| (closed.started_by != NOT_KNOWN).then_some(closed.started_by));
        let now_at_the_latest = now.instant().max(latest.unwrap_or(Instant::ZERO));
        for closed in self.closed.iter_mut().rev().take_while(|closed| closed.started_by == NOT_KNOWN) {
            closed.started_by = now_at_the_latest;
        }
        let (epoch, opened_at, left) = (self.current, self.opened_at, self.left_current);
        let (came, last_start) = self.begin(now.instant(), rule, entrance);
        let out = came.saturating_sub(left);
        if out > 0 {
            self.make_room();
            let started_by = match (last_start, now) {
                (Some(last_start), _) => last_start.max(opened_at),
                (None, Now::Clock(now)) => now,
                (None, Now::EndOfCall(_)) => NOT_KNOWN,
            };
            let started_by = self.closed.back().map_or(started_by, |before| before.started_by.max(started_by));
            // There is room now.
            let _ = self.closed.push_back(Closed { epoch, out, started_by });
        }
        self.count(now.instant(), rule);
    }

    /// Begins the next epoch; tells how many calls came in in the last one, and when the last of them started.
    fn begin(&mut self, now: Instant, rule: StallRule, entrance: &Entrance) -> (u32, Option<Instant>) {
        self.current = self.current.next();
        self.opened_at = now;
        self.left_current = 0;
        self.closes_at = now + epoch_length(rule);
        self.look_at = self.closes_at;
        let (came, last_start) = entrance.begin(self.current, now, self.closes_at);
        self.came = self.came.wrapping_add(u64::from(came));
        (came, last_start)
    }

    /// Merges the two oldest epochs: they have most likely been counted already, and only become too old a little later.
    fn make_room(&mut self) {
        if self.closed.is_full()
            && let Some(oldest) = self.closed.pop_front()
            && let Some(next) = self.closed.front_mut()
        {
            next.out = next.out.saturating_add(oldest.out);
            self.counted = self.counted.saturating_sub(1);
        }
    }

    fn count(&mut self, now: Instant, rule: StallRule) {
        while let Some(oldest) = self.closed.front()
            && (oldest.out == 0 || oldest.age(now) > rule.until)
        {
            self.first = oldest.epoch.next();
            let _ = self.closed.pop_front();
        }
        self.counted = self.closed.iter().take_while(|closed| now >= closed.started_by + rule.after).count();
        let stalled = self.closed.iter().take(self.counted).fold(0_u32, |sum, closed| sum.saturating_add(closed.out));
        self.stalled = u16::try_from(stalled).unwrap_or(u16::MAX);
        let next = self.closed.get(self.counted).map_or(Instant::MAX, |closed| closed.started_by + rule.after);
        self.look_at = self.closes_at.min(next);
    }
}

impl Closed {
    fn age(&self, now: Instant) -> Duration {
        now.since(self.started_by)
    }
}

fn epoch_length(rule: StallRule) -> Duration {
    (rule.after / EPOCHS_PER_THRESHOLD).max(SHORTEST_EPOCH)
}
