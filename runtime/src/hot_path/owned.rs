//! The core with the calls in flight: the value that the cell gives to one owner at a time.

use std::time::Duration;

use tripline_core::{Generation, Instant, Latency, Outcome, StateKind};

use crate::breaker::size::StallEpochs;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::handoff::Record;
use crate::hot_path::histogram::LatencyHistogram;
use crate::hot_path::in_flight::{EpochMark, InFlightEpochs};
use crate::hot_path::samples::SharedCore;
use crate::hot_path::stall_detector::{Now, StallDetector, StallRule};
use crate::hot_path::stripes::{GoodCall, MAX_WINDOW_OF_SUPERSEDED, PackedToken, Run, Superseded, WaitingRule};

/// The core and the calls in flight.
#[derive(Debug)]
pub(crate) struct ExclusiveState {
    pub(crate) core: SharedCore,
    stalls: Option<StallDetector>,
    /// Boxed, so that a breaker without a histogram stays small.
    pub(crate) histogram: Option<Box<LatencyHistogram>>,
    events_published: u32,
}

/// How a call ended: with an outcome, or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Finished(Outcome, Latency),
    Dropped,
}

/// The report of a permit at the end of its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) token: CallToken,
    pub(crate) end: Instant,
    pub(crate) ending: Ending,
}

impl ExclusiveState {
    pub(crate) fn new(core: SharedCore, stalls: Option<StallEpochs>, latency_histogram: bool) -> Self {
        Self {
            core,
            stalls: stalls.map(StallDetector::new),
            histogram: latency_histogram.then(Box::default),
            events_published: 0,
        }
    }

    /// Does the same as [`ExclusiveState::handle`] for a good call that changes only the window. Returns false, without
    /// effect, if it may change more. Called with empty stripes.
    #[inline]
    pub(crate) fn try_finish_fast(
        &mut self,
        token: CallToken,
        end: Instant,
        latency: Latency,
        outcome: Outcome,
    ) -> bool {
        let done = match (token.epoch(), &mut self.stalls) {
            (None, _) => self.core.try_record_fast(end, token.generation(), latency, outcome),
            (Some(mark), Some(stalls)) => {
                stalls.is_fast(mark, end)
                    && self.core.try_record_fast(end, token.generation(), latency, outcome)
                    && stalls.leave_fast(1)
            }
            (Some(_), None) => false,
        };
        if done {
            self.observe(latency, outcome);
        }
        done
    }

    /// Does the same as [`ExclusiveState::try_finish_fast`] for the calls of the run up to the first that may change more.
    #[inline]
    pub(crate) fn finish_fast_run(&mut self, run: &mut Run<'_, '_>) {
        if self.histogram.is_some() {
            return;
        }
        let generation = self.core.generation();
        match &mut self.stalls {
            None => {
                let token = PackedToken::new(CallToken::untracked(generation));
                self.core.record_fast_run(|end, latency| run.next_call_if(token, end, latency));
            }
            Some(stalls) if stalls.counted_stalled() == 0 => {
                let token = PackedToken::new(CallToken::tracked(generation, stalls.current_mark()));
                let until = stalls.look_at();
                let next = |end: Instant, latency| run.next_call_if(token, end.min(until), latency);
                stalls.leave_fast(self.core.record_fast_run(next));
            }
            Some(_) => {}
        }
    }

    /// Does the same as [`ExclusiveState::try_finish_fast`], also while there is evidence of slow calls.
    fn try_finish_steady(&mut self, token: CallToken, end: Instant, latency: Latency, outcome: Outcome) -> bool {
        let done = match (token.epoch(), &mut self.stalls) {
            (None, _) => self.core.try_record_steady(end, token.generation(), latency, outcome),
            (Some(mark), Some(stalls)) => {
                stalls.is_fast(mark, end)
                    && self.core.try_record_steady(end, token.generation(), latency, outcome)
                    && stalls.leave_fast(1)
            }
            (Some(_), None) => false,
        };
        if done {
            self.observe(latency, outcome);
        }
        done
    }

    /// Adds a finished call to the histogram, if there is one; otherwise it costs one branch.
    #[inline]
    fn observe(&mut self, latency: Latency, outcome: Outcome) {
        if self.histogram.is_some() {
            self.observe_in_histogram(latency, outcome);
        }
    }

    #[inline(never)] // keeps the inlined part small
    fn observe_in_histogram(&mut self, latency: Latency, outcome: Outcome) {
        let counts = outcome != Outcome::Ignored && self.core.state().kind() != StateKind::Disabled;
        if let Some(histogram) = self.histogram.as_deref_mut().filter(|_| counts) {
            histogram.record(latency);
        }
    }

    /// Does the same as [`ExclusiveState::handle`], on a fast path if one is armed. Called with empty stripes.
    pub(crate) fn record(&mut self, report: Report, epochs: &InFlightEpochs) {
        let Report { token, end, ending } = report;
        let is_done = match ending {
            Ending::Finished(outcome, latency) => self.try_finish_steady(token, end, latency, outcome),
            Ending::Dropped => false,
        };
        if !is_done {
            self.handle(report, epochs);
        }
    }

    /// Handles a report, and takes the decision that follows. O(1), as the core's.
    pub(crate) fn handle(&mut self, report: Report, epochs: &InFlightEpochs) {
        if report.ending == Ending::Dropped && self.try_drop(report.token) {
            return;
        }
        self.lower_stalled(Now::EndOfCall(report.end), epochs);
        match report.ending {
            Ending::Finished(outcome, latency) => {
                self.observe(latency, outcome);
                self.core.handle_finished(report.end, report.token.generation(), latency, outcome);
            }
            Ending::Dropped => self.core.handle_dropped(report.token.generation()),
        }
        if let Some(epoch) = report.token.epoch() {
            self.leave(epoch, report.end, epochs);
        }
    }

    /// Removes a call that was dropped during the epoch in which a closed breaker admitted it: it did not hang, so only its count
    /// changes. On a breaker with stripes such a call leaves by [`InFlightEpochs::try_drop`].
    fn try_drop(&mut self, token: CallToken) -> bool {
        let is_young = token.generation() == self.core.generation() && self.core.state().kind() == StateKind::Closed;
        match (token.epoch(), &mut self.stalls) {
            (Some(epoch), Some(stalls)) if is_young && epoch == stalls.current_mark() => {
                self.core.count_dropped(1);
                stalls.leave_fast(1)
            }
            _ => false,
        }
    }

    fn leave(&mut self, epoch: EpochMark, end: Instant, epochs: &InFlightEpochs) {
        if let Some(stalls) = &mut self.stalls {
            stalls.leave(epoch, epochs);
        }
        self.count_stalled(Now::EndOfCall(end), epochs);
    }

    /// Removes calls that are no longer stalled from the core's count: too old, or no longer slow under a raised
    /// threshold. Called before every evaluation of the rules, so that none uses an outdated count. Newly stalled calls
    /// are not added: the next report may finish them.
    pub(crate) fn lower_stalled(&mut self, now: Now, epochs: &InFlightEpochs) {
        if self.core.stalled() > 0
            && let Some((rule, count)) = self.look(now, epochs)
            && count < self.core.stalled()
        {
            self.core.handle_stalled(now.instant(), rule.generation, count);
        }
    }

    /// Sets the core's number of stalled calls at `now`.
    pub(crate) fn count_stalled(&mut self, now: Now, epochs: &InFlightEpochs) {
        let is_planted = tripline_core::planted::planted("hot path: calls that hang are not seen");
        if !is_planted
            && let Some((rule, count)) = self.look(now, epochs)
            && (count > 0 || self.core.stalled() > 0)
        {
            self.core.handle_stalled(now.instant(), rule.generation, count);
        }
    }

    /// Updates the calls in flight, without passing the count to the core.
    pub(crate) fn look(&mut self, now: Now, epochs: &InFlightEpochs) -> Option<(StallRule, u16)> {
        let stalls = self.stalls.as_mut()?;
        let rule = stall_rule(&self.core);
        Some((rule, stalls.stalled(now, rule, epochs)))
    }

    /// Returns which good calls may be handled later, in the order of their ends and before anything else: they change nothing that
    /// is observable meanwhile.
    pub(crate) fn waiting_rule(&self) -> WaitingRule {
        let (stalls, generation) = (self.stalls.as_ref(), self.core.generation());
        let unchanged_until = match stalls {
            None => Instant::MAX,
            // The next call that ends gives the core another count.
            Some(stalls) if stalls.counted_stalled() != self.core.stalled() => Instant::ZERO,
            Some(stalls) => stalls.look_at(),
        };
        // A histogram counts each call, and a large window keeps more of them than a stripe has slots. (The window is full while calls
        // may be superseded.)
        let may_be_superseded =
            self.histogram.is_none() && usize::from(self.core.samples()) <= MAX_WINDOW_OF_SUPERSEDED;
        let plain_until =
            if may_be_superseded { self.core.superseded_until().min(unchanged_until) } else { Instant::ZERO };
        WaitingRule {
            until: self.core.good_calls_wait_until().min(unchanged_until).min(GoodCall::END_LIMIT),
            good_up_to: self.core.slow_after(),
            plain_until: plain_until.min(GoodCall::END_LIMIT),
            plain_token: stalls.map_or(CallToken::untracked(generation), |stalls| {
                CallToken::tracked(generation, stalls.current_mark())
            }),
        }
    }

    /// Counts good calls that no rule looks at, and that the window has dropped since.
    pub(crate) fn count_superseded(&mut self, Superseded { calls, epoch }: Superseded, epochs: &InFlightEpochs) {
        self.core.count_superseded(calls);
        if let Some(stalls) = &mut self.stalls {
            stalls.leave_many(epoch, calls, epochs);
        }
    }

    /// Counts the calls that were dropped without a report.
    pub(crate) fn count_dropped(&mut self, epochs: &InFlightEpochs) {
        if let Some(stalls) = &mut self.stalls {
            self.core.count_dropped(stalls.take_dropped(epochs));
        }
    }

    /// Whether an event was emitted since the last [`ExclusiveState::mark_published`].
    #[inline]
    pub(crate) fn is_dirty(&self) -> bool {
        self.core.events_emitted() != self.events_published
    }

    pub(crate) fn mark_published(&mut self) {
        self.events_published = self.core.events_emitted();
    }

    /// Number of calls in flight; 0 if they are not tracked.
    pub(crate) fn in_flight(&mut self, epochs: &InFlightEpochs) -> u64 {
        self.stalls.as_mut().map_or(0, |stalls| stalls.in_flight(epochs))
    }

    /// Returns when the supervisor should poll again, if nothing else happens.
    pub(crate) fn next_deadline(&self, now: Instant, epochs: &InFlightEpochs) -> Option<Instant> {
        let counts = matches!(self.core.state().kind(), StateKind::Closed | StateKind::HalfOpen);
        let stalls = self.stalls.as_ref().filter(|_| counts);
        let look = stalls.and_then(|stalls| stalls.next_look(now, stall_rule(&self.core), epochs));
        [self.core.poll_timeout(), look].into_iter().flatten().min()
    }

    /// Unpacks a short report: its end is within 104 days of the latest instant, and its generation is the current or a
    /// past one. The end is rounded down to 16 µs; the latency is exact.
    pub(crate) fn unpack(&self, record: Record) -> Report {
        let latest = self.core.latest_reading().as_nanos() >> TICK_SHIFT;
        let ahead = ((record.extra >> EpochMark::BITS).wrapping_sub(latest) << EpochMark::BITS).cast_signed();
        let tick = latest.saturating_add_signed(ahead >> EpochMark::BITS);
        let current = self.core.generation();
        let is_current = record.generation_bits() == u64::from(current.get()) & GENERATION_MASK;
        let generation = if is_current { current } else { Generation::new(current.get().wrapping_sub(1)) };
        let is_tracked = record.meta & TRACKED_BIT != 0;
        Report {
            token: if is_tracked {
                CallToken::tracked(generation, EpochMark::new(record.extra))
            } else {
                CallToken::untracked(generation)
            },
            end: Instant::from_nanos(tick << TICK_SHIFT),
            ending: record.ending(),
        }
    }
}

fn stall_rule(core: &SharedCore) -> StallRule {
    StallRule {
        generation: core.generation(),
        after: Duration::from(core.slow_after()),
        until: core.latency_max_age(),
        clock_jumps: core.clock_jumps(),
    }
}

/// A record's second word: 1, two bits of its ending, whether it is tracked, 28 bits of generation, 32 of latency.
const ENDING_SHIFT: u32 = 1;
const TRACKED_BIT: u64 = 1 << 3;
const GENERATION_SHIFT: u32 = 4;
const GENERATION_MASK: u64 = (1 << 28) - 1;
const LATENCY_SHIFT: u32 = 32;

/// Its first word: 40 bits of time in ticks of 16,384 ns (208 days), 24 of the epoch.
const TICK_SHIFT: u32 = 14;

impl Report {
    #[inline]
    pub(crate) fn pack(self) -> Record {
        let (ending, latency) = match self.ending {
            Ending::Finished(Outcome::Ok, latency) => (0, latency),
            Ending::Finished(Outcome::Failed, latency) => (1, latency),
            Ending::Finished(Outcome::Ignored, latency) => (2, latency),
            Ending::Dropped => (3, Latency::ZERO),
        };
        let generation = u64::from(self.token.generation().get()) & GENERATION_MASK;
        let epoch = self.token.epoch();
        let tracked = if epoch.is_some() { TRACKED_BIT } else { 0 };
        Record {
            extra: self.end.as_nanos() >> TICK_SHIFT << EpochMark::BITS | epoch.map_or(0, EpochMark::get),
            meta: 1
                | ending << ENDING_SHIFT
                | tracked
                | generation << GENERATION_SHIFT
                | u64::from(latency.as_micros()) << LATENCY_SHIFT,
        }
    }
}

impl Record {
    fn generation_bits(self) -> u64 {
        self.meta >> GENERATION_SHIFT & GENERATION_MASK
    }

    fn ending(self) -> Ending {
        let latency = Latency::from_micros((self.meta >> LATENCY_SHIFT) as u32);
        match self.meta >> ENDING_SHIFT & 3 {
            0 => Ending::Finished(Outcome::Ok, latency),
            1 => Ending::Finished(Outcome::Failed, latency),
            2 => Ending::Finished(Outcome::Ignored, latency),
            _ => Ending::Dropped,
        }
    }
}
