//! Counts the hanging calls in flight without storing the calls.
//!
//! Time is divided into short epochs. A call that starts adds one to the epochs' word, whose old value contains its
//! epoch, or to the count of its thread's stripe: that is its whole cost, and the number of calls is not limited. The
//! owner of the core closes an epoch from time to time and takes over its count; a call that ends is subtracted from its
//! epoch. The remaining calls of an epoch that is older than the threshold hang.
//!
//! All calls of an epoch are treated as having started with its last one or later, spread over another epoch. (Counted
//! at once, a few slow calls of many would come in a row and look like the beginning of a step.) No call is therefore
//! taken to be older than it is. Each counts at the latest an eighth of the threshold (or 10 ms) after it has become
//! older than the threshold, if the detector is polled as often as [`StallDetector::next_look`] requires.

use std::time::Duration;

use tripline_core::{Generation, Instant};

use crate::breaker::size::StallEpochs;
use crate::hot_path::in_flight::{CANCELLED_EPOCHS, Epoch, EpochMark, InFlightEpochs};

/// Epochs per threshold. A call's start is known to within two of them.
const EPOCHS_PER_THRESHOLD: u32 = 16;
const MIN_EPOCH: Duration = Duration::from_millis(5);
/// Maximum number of steps in which the calls of one epoch become stalled.
const STEPS_OF_AN_EPOCH: u32 = 8;
/// Number of closed epochs for which memory is added at once.
const CLOSED_STEP: usize = 4;

/// When a call is stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StallRule {
    /// Only calls of this generation count.
    pub(crate) generation: Generation,
    /// Age from which a call counts.
    pub(crate) after: Duration,
    /// Age beyond which it no longer counts.
    pub(crate) until: Duration,
    /// How often the clock was set back.
    pub(crate) clock_jumps: u32,
}

/// The source of the time of a poll.
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

/// The calls in flight by epoch; part of the owner's state.
#[derive(Debug)]
pub(crate) struct StallDetector {
    rule: Option<StallRule>,
    current: Epoch,
    opened_at: Instant,
    closes_at: Instant,
    /// When an epoch must be closed, or the calls of one become stalled.
    look_at: Instant,
    /// Calls of the current epoch: those taken over from stripes so far, and those that left.
    came_current: u32,
    left_current: u32,
    /// No call came in during the last epoch.
    was_quiet: bool,
    /// Totals of calls admitted, without those of the current epoch on threads without a stripe, and of calls that left.
    came: u64,
    left: u64,
    /// Calls that were dropped without a report and are not counted by the core yet.
    dropped: u32,
    /// Calls of epochs before this one are no longer tracked.
    first: Epoch,
    /// Closed epochs that may still have calls in flight, oldest first.
    closed: Vec<Closed>,
    max_closed: u8,
    /// Number of oldest entries whose calls hang.
    counted: u16,
    stalled: u16,
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    /// The newest epoch that is counted here; those between it and the entry before it were merged into this one.
    epoch: Epoch,
    out: u32,
    /// No call of it started later than this. If the last call read no clock, it is [`NOT_KNOWN`] until one more epoch is
    /// closed, because the end of a call may have been read before other calls were admitted. Never before that of the
    /// previous entry.
    started_by: Instant,
}

/// Later than any poll: not known yet.
const NOT_KNOWN: Instant = Instant::MAX;

impl StallDetector {
    pub(crate) fn new(epochs: StallEpochs) -> Self {
        let (max_closed, closed) = match epochs {
            // Allocated now, so that no call allocates.
            StallEpochs::Many => (48, Vec::with_capacity(48)),
            StallEpochs::Few => (16, Vec::new()),
        };
        Self {
            rule: None,
            current: Epoch(0),
            opened_at: Instant::ZERO,
            closes_at: Instant::ZERO,
            look_at: Instant::ZERO,
            came_current: 0,
            left_current: 0,
            was_quiet: false,
            came: 0,
            left: 0,
            dropped: 0,
            first: Epoch(0),
            closed,
            max_closed,
            counted: 0,
            stalled: 0,
        }
    }

    /// Number of calls that were stalled at the last poll, less those that have left since.
    #[inline]
    pub(crate) fn counted_stalled(&self) -> u16 {
        self.stalled
    }

    /// Until this instant a call that ends changes the number of stalled calls only by leaving.
    #[inline]
    pub(crate) fn look_at(&self) -> Instant {
        self.look_at
    }

    /// Whether a call with this mark that ends at `end` was admitted during the current epoch, no call hangs, and no
    /// poll is due.
    #[inline]
    pub(crate) fn is_fast(&self, mark: EpochMark, end: Instant) -> bool {
        self.current.since(mark) == 0 && end < self.look_at && self.stalled == 0
    }

    /// Records the end of this many such calls. Always returns true.
    #[inline]
    pub(crate) fn leave_fast(&mut self, calls: u64) -> bool {
        self.left = self.left.wrapping_add(calls);
        // More than 2^32 calls do not come in within an epoch.
        self.left_current = self.left_current.wrapping_add(calls as u32);
        true
    }

    /// The mark of calls that are admitted now.
    #[inline]
    pub(crate) fn current_mark(&self) -> EpochMark {
        EpochMark::new(self.current.0.into())
    }

    /// Records the end of a call of this epoch. O(epochs since it started).
    pub(crate) fn leave(&mut self, mark: EpochMark, epochs: &InFlightEpochs) {
        self.leave_many(mark, 1, epochs);
    }

    /// This many calls of this epoch ended. O(epochs since they started).
    pub(crate) fn leave_many(&mut self, mark: EpochMark, calls: u64, epochs: &InFlightEpochs) {
        self.left = self.left.wrapping_add(calls);
        let behind = self.current.since(mark);
        // More than 2^32 calls do not come in within an epoch.
        let calls = calls as u32;
        if behind == 0 {
            self.left_current = self.left_current.wrapping_add(calls);
        } else {
            self.leave_closed(self.current.before(behind), calls, epochs);
        }
    }

    /// Removes the calls that left without a report, from the newest epoch with these low bits, because no more is
    /// known.
    fn take_cancelled(&mut self, epochs: &InFlightEpochs) {
        let dropped = epochs.take_cancelled(|low, count| {
            let behind = self.current.0.wrapping_sub(low.0) as usize % CANCELLED_EPOCHS;
            let mark = EpochMark::new(u64::from(self.current.before(behind as u32).0));
            self.leave_many(mark, count.into(), epochs);
        });
        self.dropped = self.dropped.saturating_add(dropped);
    }

    /// Returns how many calls were dropped without a report since this was last called.
    pub(crate) fn take_dropped(&mut self, epochs: &InFlightEpochs) -> u64 {
        self.take_cancelled(epochs);
        std::mem::take(&mut self.dropped).into()
    }

    fn leave_closed(&mut self, epoch: Epoch, calls: u32, epochs: &InFlightEpochs) {
        if !epoch.is_at_or_after(self.first) {
            return;
        }
        if self.closed.get(self.index_of(epoch)).is_none_or(|closed| closed.out < calls) {
            // They were admitted on a stripe, and counted there after the last poll.
            self.take_arrivals(epochs);
        }
        let index = self.index_of(epoch);
        let Some(closed) = self.closed.get_mut(index) else { return };
        let left = calls.min(closed.out);
        closed.out = closed.out.saturating_sub(left);
        if index < usize::from(self.counted) {
            self.stalled = self.stalled.saturating_sub(u16::try_from(left).unwrap_or(u16::MAX));
        }
    }

    /// Index of the entry that counts calls of this epoch; beyond the last entry if there is none yet.
    fn index_of(&self, epoch: Epoch) -> usize {
        let newer = self.closed.iter().rev().take_while(|closed| closed.epoch.is_at_or_after(epoch)).count();
        self.closed.iter().len().saturating_sub(newer)
    }

    /// Takes over the calls that were admitted on stripes.
    fn take_arrivals(&mut self, epochs: &InFlightEpochs) {
        epochs.take(|epoch, calls| self.arrived(epoch, calls));
    }

    fn arrived(&mut self, epoch: Epoch, calls: u32) {
        self.came = self.came.wrapping_add(calls.into());
        if epoch == self.current {
            self.came_current = self.came_current.saturating_add(calls);
        } else if epoch.is_at_or_after(self.first) {
            self.arrived_late(epoch, calls);
        }
    }

    /// Calls whose count was stored while their epoch was closed, or right after.
    fn arrived_late(&mut self, epoch: Epoch, calls: u32) {
        let index = self.index_of(epoch);
        if let Some(closed) = self.closed.get_mut(index) {
            closed.out = closed.out.saturating_add(calls);
        } else {
            self.add(Closed { epoch, out: calls, started_by: NOT_KNOWN });
        }
    }

    /// Returns the number of calls stalled at `now`. O(1), except once per epoch.
    pub(crate) fn stalled(&mut self, now: Now, rule: StallRule, epochs: &InFlightEpochs) -> u16 {
        if self.rule != Some(rule) {
            self.change_rule(now, rule, epochs);
        } else if now.instant() >= self.closes_at {
            self.close(now, rule, epochs);
        } else if now.instant() >= self.look_at {
            self.take_arrivals(epochs);
            self.take_cancelled(epochs);
            self.count(now.instant(), rule);
        }
        self.stalled
    }

    /// Number of calls in flight, including those of earlier generations.
    pub(crate) fn in_flight(&mut self, epochs: &InFlightEpochs) -> u64 {
        self.take_arrivals(epochs);
        self.take_cancelled(epochs);
        self.came.wrapping_add(u64::from(epochs.count())).saturating_sub(self.left)
    }

    /// Returns when to poll again; `None` = not before [`InFlightEpochs::increment`] requests it.
    pub(crate) fn next_look(&self, now: Instant, rule: StallRule, epochs: &InFlightEpochs) -> Option<Instant> {
        // Where calls came in a moment ago, the next one would wake the supervisor at once.
        if self.was_quiet && self.closed.is_empty() && self.came_current == 0 && epochs.unwatch() {
            return None;
        }
        Some(self.look_at.max(now).min(now + epoch_length(rule)))
    }

    /// Applies a new rule. Calls of an earlier generation are no longer tracked; if the ages change, all calls are
    /// evaluated again.
    fn change_rule(&mut self, now: Now, rule: StallRule, epochs: &InFlightEpochs) {
        let before = self.rule.replace(rule);
        if before.is_some_and(|before| before.generation == rule.generation) {
            self.close(now, rule, epochs);
            if before.is_some_and(|before| before.clock_jumps != rule.clock_jumps) {
                self.date_back(now.instant());
                self.count(now.instant(), rule);
            }
            return;
        }
        self.begin(now.instant(), rule, epochs);
        self.first = self.current;
        self.closed.clear();
        self.counted = 0;
        self.stalled = 0;
    }

    /// Corrects for a clock that was set back: an epoch that started later than now starts now.
    fn date_back(&mut self, now: Instant) {
        for closed in &mut self.closed {
            closed.started_by = closed.started_by.min(now);
        }
    }

    fn close(&mut self, now: Now, rule: StallRule, epochs: &InFlightEpochs) {
        self.take_cancelled(epochs);
        let latest =
            self.closed.iter().rev().find_map(|closed| (closed.started_by != NOT_KNOWN).then_some(closed.started_by));
        let now_at_the_latest = now.instant().max(latest.unwrap_or(Instant::ZERO));
        for closed in self.closed.iter_mut().rev().take_while(|closed| closed.started_by == NOT_KNOWN) {
            closed.started_by = now_at_the_latest;
        }
        let (epoch, opened_at, left) = (self.current, self.opened_at, self.left_current);
        let (came, last_start) = self.begin(now.instant(), rule, epochs);
        let out = came.saturating_sub(left);
        if out > 0 {
            let started_by = match (last_start, now) {
                (Some(last_start), _) => last_start.max(opened_at),
                (None, Now::Clock(now)) => now,
                (None, Now::EndOfCall(_)) => NOT_KNOWN,
            };
            let started_by = self.closed.last().map_or(started_by, |before| before.started_by.max(started_by));
            self.add(Closed { epoch, out, started_by });
        }
        // Those that left while the epoch was closed.
        self.take_cancelled(epochs);
        self.count(now.instant(), rule);
    }

    /// Begins the next epoch. Returns the number of calls admitted in the last one, and the start of the last of them.
    fn begin(&mut self, now: Instant, rule: StallRule, epochs: &InFlightEpochs) -> (u32, Option<Instant>) {
        let ended = self.current;
        self.current = ended.next();
        self.opened_at = now;
        self.left_current = 0;
        self.closes_at = now + epoch_length(rule);
        self.look_at = self.closes_at;
        let unstriped = epochs.begin(self.current, now, self.closes_at);
        self.came = self.came.wrapping_add(u64::from(unstriped));
        let mut came = std::mem::take(&mut self.came_current).saturating_add(unstriped);
        epochs.take(|epoch, calls| {
            if epoch == ended {
                self.came = self.came.wrapping_add(calls.into());
                came = came.saturating_add(calls);
            } else {
                self.arrived(epoch, calls);
            }
        });
        self.was_quiet = came == 0;
        (came, epochs.last_start(ended, unstriped))
    }

    /// Adds an epoch. At the maximum the two oldest are merged first: most likely they count already, and only become too old
    /// slightly later.
    fn add(&mut self, closed: Closed) {
        if self.closed.len() >= usize::from(self.max_closed) {
            let oldest = self.closed.remove(0);
            if let Some(next) = self.closed.first_mut() {
                next.out = next.out.saturating_add(oldest.out);
                self.counted = self.counted.saturating_sub(1);
            }
        }
        if self.closed.len() == self.closed.capacity() {
            // Few epochs have calls in flight, unless calls hang.
            self.closed.reserve_exact(CLOSED_STEP);
        }
        self.closed.push(closed);
    }

    fn count(&mut self, now: Instant, rule: StallRule) {
        let over = self.closed.iter().take_while(|oldest| oldest.out == 0 || oldest.age(now) > rule.until).count();
        if let Some(last) = self.closed.drain(..over).next_back() {
            self.first = last.epoch.next();
        }
        let counted = self.closed.iter().take_while(|closed| now >= closed.started_by + rule.after).count();
        // At most 48 are kept.
        self.counted = counted as u16;
        let (mut stalled, mut next_of_counted) = (0_u32, Instant::MAX);
        for closed in self.closed.iter().take(self.counted.into()) {
            let of_this = closed.stalled(now, rule);
            stalled = stalled.saturating_add(of_this);
            if of_this < closed.out {
                next_of_counted = now + epoch_length(rule) / closed.out.min(STEPS_OF_AN_EPOCH);
            }
        }
        self.stalled = u16::try_from(stalled).unwrap_or(u16::MAX);
        let next =
            self.closed.get(usize::from(self.counted)).map_or(Instant::MAX, |closed| closed.started_by + rule.after);
        self.look_at = self.closes_at.min(next).min(next_of_counted);
    }
}

impl Closed {
    fn age(&self, now: Instant) -> Duration {
        now.since(self.started_by)
    }

    /// Returns how many of its calls hang: one at once, the others spread over the length of an epoch.
    fn stalled(&self, now: Instant, rule: StallRule) -> u32 {
        let (since, length) = (now.since(self.started_by + rule.after), epoch_length(rule));
        if since >= length {
            return self.out;
        }
        let part = since.as_nanos().saturating_mul(self.out.into()).checked_div(length.as_nanos()).unwrap_or_default();
        u32::try_from(part).unwrap_or(u32::MAX).saturating_add(1).min(self.out)
    }
}

fn epoch_length(rule: StallRule) -> Duration {
    (rule.after / EPOCHS_PER_THRESHOLD).max(MIN_EPOCH)
}
