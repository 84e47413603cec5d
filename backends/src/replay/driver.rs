//! Puts the records on the line of time and lets the breaker live through them.

use std::collections::VecDeque;
use std::time::Duration;

use tripline_runtime::core::{Cause, EventKind, Generation, Latency, MemorySample, Outcome, Policy, StateKind};

use super::error::ReplayError;
use super::limits::max_records_held;
use super::observe::{Change, Done, DoneCall, Observer, TripAt, View};
use super::record::Record;
use super::replayed_breaker::{Call, ReplayedBreaker};
use super::schedule::{Event, Kind, Schedule};

/// The index of an event that belongs to no record.
const NO_RECORD: u64 = u64::MAX;

/// One breaker on its way through a recording. It is fed with records and lives as far as no record that is still to come
/// can change what happens.
#[derive(Debug)]
pub(super) struct Driver<O> {
    /// The time of the last record that was taken; nothing that is still to come starts more than `longest` before it.
    read_to: Option<i64>,
    all_read: bool,
    longest: i64,
    /// The maximum number of records held; beyond it, time advances to the end of the oldest one.
    max_held: usize,
    /// Time advances to here although earlier calls may still come.
    forced_to: i64,
    /// How long a call that is stalled counts; `None` where stalls are not looked for.
    stalls_count_for: Option<i64>,
    schedule: Schedule,
    /// Records that were taken and not yet reported, in their order; the first is number `done`.
    held: VecDeque<Held>,
    done: u64,
    /// The instant of the event in hand; `None` before the first one.
    now: Option<i64>,
    last_deadline: Option<i64>,
    breaker: ReplayedBreaker,
    /// Time begins here at the latest; `None`: with the first event.
    origin: Option<i64>,
    generation: Generation,
    totals: Totals,
    observer: O,
}

/// The records that a driver has taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) records: u64,
    /// Calls that were longer than is looked ahead.
    pub(super) shortened: u64,
    /// Calls that count as started later, because too many records are held.
    pub(super) started_late: u64,
    /// The most records that were held at once.
    pub(super) peak_held: usize,
}

/// A record on its way.
#[derive(Debug)]
struct Held {
    at: i64,
    /// As it is replayed, not longer than `longest`.
    latency: i64,
    outcome: Outcome,
    memory: Option<MemorySample>,
    call: Option<Call>,
    admitted: Option<bool>,
    /// The pending events of a record: the end of its call, its reading.
    parts_left: u8,
    view: Option<View>,
}

impl<O: Observer> Driver<O> {
    /// `longest` is how far records may start before those that are taken, in nanoseconds.
    pub(super) fn new(policy: &Policy, stall_detection: bool, longest: i64, observer: O) -> Result<Self, ReplayError> {
        Self::among(1, policy, stall_detection, longest, observer)
    }

    /// As [`Driver::new`], one of `breakers` that are driven at once: together they hold a bounded number of records.
    pub(super) fn among(
        breakers: usize,
        policy: &Policy,
        stall_detection: bool,
        longest: i64,
        observer: O,
    ) -> Result<Self, ReplayError> {
        let breaker = ReplayedBreaker::new(policy, stall_detection)?;
        let stalls_count_for = stall_detection.then(|| nanos(policy.latency_max_age));
        Ok(Self::of(breaker, max_records_held(breakers), stalls_count_for, longest, observer))
    }

    /// A driver of this breaker, which was never driven. `stalls_count_for` is how long a call that is stalled counts.
    pub(super) fn of(
        breaker: ReplayedBreaker,
        max_held: usize,
        stalls_count_for: Option<i64>,
        longest: i64,
        observer: O,
    ) -> Self {
        Self {
            read_to: None,
            all_read: false,
            longest,
            max_held,
            forced_to: i64::MIN,
            stalls_count_for,
            schedule: Schedule::default(),
            held: VecDeque::new(),
            done: 0,
            now: None,
            last_deadline: None,
            breaker,
            origin: None,
            generation: Generation::default(),
            totals: Totals::default(),
            observer,
        }
    }

    /// Takes the next record and lives as far as it can.
    pub(super) fn take(&mut self, record: &Record) -> Result<(), ReplayError> {
        self.read_to = Some(record.at);
        self.hold(record);
        self.live()?;
        while self.held.len() > self.max_held {
            let Some(oldest) = self.held.front().map(|held| held.at) else { break };
            self.forced_to = oldest;
            self.live()?;
        }
        Ok(())
    }

    /// Time begins at `origin`, as for other breakers on the same clock. Has no effect on a driver that has begun.
    pub(super) fn share_origin(&mut self, origin: i64) {
        self.origin = Some(origin);
    }

    /// No record that is still to come ends before `at`: lives as far as that allows.
    pub(super) fn pass_to(&mut self, at: i64) -> Result<(), ReplayError> {
        self.read_to = self.read_to.max(Some(at));
        self.live()
    }

    /// Lives up to `at`, although earlier calls may still come: these count as started later.
    pub(super) fn force_to(&mut self, at: i64) -> Result<(), ReplayError> {
        self.forced_to = self.forced_to.max(at);
        self.live()
    }

    /// Number of records that were taken and not yet dealt with.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The time of the first of these.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.held.front().map(|held| held.at)
    }

    /// There are no more records: runs to the end.
    pub(super) fn finish(self) -> Result<(O, Totals), ReplayError> {
        self.finish_with_breaker().map(|(observer, totals, _)| (observer, totals))
    }

    /// As [`Driver::finish`]; hands the breaker over too.
    pub(super) fn finish_with_breaker(mut self) -> Result<(O, Totals, ReplayedBreaker), ReplayError> {
        self.all_read = true;
        self.live()?;
        if let Some(now) = self.now {
            self.observer.ends(now, self.breaker.percentile());
        }
        Ok((self.observer, self.totals, self.breaker))
    }

    pub(super) fn observer(&self) -> &O {
        &self.observer
    }

    /// Ends before the records do.
    pub(super) fn into_observer(self) -> O {
        self.observer
    }

    fn live(&mut self) -> Result<(), ReplayError> {
        while let Some(event) = self.next_event() {
            if self.now.is_none() {
                self.breaker.begin(self.origin.map_or(event.at, |origin| origin.min(event.at)));
                self.observer.begins(event.at);
            }
            self.now = Some(event.at);
            self.handle(event);
            self.release()?;
        }
        Ok(())
    }

    // ----- the line of time

    /// Takes the next event, if no record that is still to come can bring an earlier one.
    fn next_event(&mut self) -> Option<Event> {
        let event = self.schedule.first().filter(|event| self.is_read_beyond(event.at))?;
        let deadline = self.deadline().filter(|&deadline| deadline < event);
        if deadline.is_none() {
            self.schedule.take_first();
        }
        Some(deadline.unwrap_or(event))
    }

    /// What the breaker itself waits for. At one instant it is asked once, so that a deadline which stays cannot stop time.
    fn deadline(&self) -> Option<Event> {
        let now = self.now?;
        let at = self.breaker.next_deadline()?.max(now);
        let event = Event { at, kind: Kind::Deadline, index: NO_RECORD };
        (self.last_deadline != Some(at)).then_some(event)
    }

    fn is_read_beyond(&self, at: i64) -> bool {
        self.all_read
            || at <= self.forced_to
            || self.read_to.is_some_and(|read_to| read_to.saturating_sub(self.longest) > at)
    }

    fn hold(&mut self, &Record { at, call, memory, .. }: &Record) {
        let index = self.totals.records;
        let mut held = Held {
            at,
            latency: 0,
            outcome: Outcome::Ok,
            memory,
            call: None,
            admitted: None,
            parts_left: u8::from(call.is_some()) + u8::from(memory.is_some()),
            view: None,
        };
        if let Some(call) = call {
            held.outcome = call.outcome;
            // Time that has passed by force does not come back.
            let start = at.saturating_sub(call.latency.min(self.longest)).max(self.forced_to).min(at);
            held.latency = at.saturating_sub(start);
            self.totals.shortened += u64::from(call.latency > self.longest);
            self.totals.started_late += u64::from(held.latency < call.latency.min(self.longest));
            self.schedule.add(start, Kind::Start, index);
        }
        if memory.is_some() {
            self.schedule.add(at, Kind::Memory, index);
        }
        self.totals.records += 1;
        self.held.push_back(held);
        self.totals.peak_held = self.totals.peak_held.max(self.held.len());
    }

    // ----- living through it

    fn handle(&mut self, event: Event) {
        let index = match event.kind {
            Kind::Finish => self.end(event),
            Kind::Stall => self.stall(event),
            Kind::Memory => self.read_memory(event),
            Kind::Deadline => self.pass_deadline(event),
            Kind::Start => {
                self.start(event);
                // Starting a call trips nothing; what does is that samples have aged beside calls that hang.
                None
            }
        };
        self.take_events(index);
    }

    fn start(&mut self, Event { at, index, .. }: Event) {
        self.breaker.go_to(at);
        let call = self.breaker.start();
        let admitted = call.is_some();
        self.observer.started(at, admitted);
        let slow_at = at.saturating_add(self.breaker.slow_after());
        let Some(held) = self.held_mut(index) else { return };
        held.call = call;
        held.admitted = Some(admitted);
        let end = held.at;
        self.schedule.add(end, Kind::Finish, index);
        // At the same instant finishing comes first, and the call is never seen to be stalled.
        if admitted && self.stalls_count_for.is_some() && slow_at < end {
            self.schedule.add(slow_at, Kind::Stall, index);
        }
    }

    fn end(&mut self, Event { at, index, .. }: Event) -> Option<u64> {
        self.breaker.go_to(at);
        let held = self.held_mut(index)?;
        let (latency, outcome) = (held.latency, held.outcome);
        if let Some(call) = held.call.take() {
            self.breaker.finish(call, latency, outcome);
        }
        self.part_done(index);
        Some(index)
    }

    fn read_memory(&mut self, Event { at, index, .. }: Event) -> Option<u64> {
        self.breaker.go_to(at);
        if let Some(sample) = self.held_mut(index)?.memory {
            self.breaker.read_memory(sample);
        }
        self.part_done(index);
        Some(index)
    }

    /// Counts all calls that become stalled at an instant at once; returns the one with which the breaker tripped, if it did.
    fn stall(&mut self, event: Event) -> Option<u64> {
        let mut stalled = vec![event.index];
        while let Some(next) = self.schedule.take_like(event) {
            stalled.push(next.index);
        }
        for &index in &stalled {
            self.forget_stall_later(index, event.at);
        }
        stalled.retain(|&index| self.is_of_this_generation(index));
        self.breaker.go_to(event.at);
        let culprit = match &*stalled {
            [] | [_] => 0,
            several => self.breaker.tripping_stall(u16::try_from(several.len()).unwrap_or(u16::MAX)).unwrap_or(0),
        };
        self.breaker.let_time_pass();
        stalled.get(usize::from(culprit)).copied()
    }

    /// A call that is in flight for longer than samples count no longer counts as stalled either.
    fn forget_stall_later(&mut self, index: u64, now: i64) {
        let Some(longest) = self.stalls_count_for else { return };
        let Some(held) = self.held_mut(index) else { return };
        let start = held.at.saturating_sub(held.latency);
        let (end, at) = (held.at, start.saturating_add(longest).saturating_add(1));
        if at > now && at < end {
            self.schedule.add(at, Kind::Deadline, NO_RECORD);
        }
    }

    fn pass_deadline(&mut self, event: Event) -> Option<u64> {
        self.last_deadline = Some(event.at);
        self.breaker.go_to(event.at);
        self.breaker.let_time_pass();
        None
    }

    /// Counts one more event of a record; after its last one the breaker is observed.
    fn part_done(&mut self, index: u64) {
        let Some(held) = self.held_mut(index) else { return };
        held.parts_left = held.parts_left.saturating_sub(1);
        if held.parts_left > 0 {
            return;
        }
        let at = held.at;
        // Looking lets time pass, so it is done either way, and every observer sees the same changes.
        let view = if self.observer.wants_view(at) {
            Some(self.breaker.view())
        } else {
            self.breaker.look();
            None
        };
        if let Some(held) = self.held_mut(index) {
            held.view = view;
        }
    }

    fn take_events(&mut self, index: Option<u64>) {
        while let Some(event) = self.breaker.poll_event() {
            let EventKind::Transition { from, to, cause } = event.kind else { continue };
            let at = self.breaker.time_of(&event);
            let mut change = Change { at, to, trip: None, is_recovery: false };
            if let Cause::Trip(reason) = cause {
                // A bad probe opens the breaker again, which is no trip.
                if from == StateKind::Closed {
                    // By nothing but time: the call that has been out for longest is the one that is overdue.
                    let index = index.or_else(|| self.oldest_in_flight()).unwrap_or(self.done);
                    let (stalled, why) = (self.breaker.stalled_at_trip(), self.breaker.why());
                    change.trip = Some(TripAt { index, at, reason, stalled, why });
                }
            } else {
                change.is_recovery = to == StateKind::Closed;
            }
            self.observer.changed(&change);
            self.generation = event.generation;
        }
    }

    // ----- the records in hand

    fn held_mut(&mut self, index: u64) -> Option<&mut Held> {
        self.held.get_mut(usize::try_from(index.checked_sub(self.done)?).ok()?)
    }

    fn is_of_this_generation(&mut self, index: u64) -> bool {
        let generation = self.generation;
        let call = self.held_mut(index).and_then(|held| held.call.as_ref());
        call.is_some_and(|call| call.generation() == generation)
    }

    fn oldest_in_flight(&self) -> Option<u64> {
        let of_this_generation =
            |held: &Held| held.call.as_ref().is_some_and(|call| call.generation() == self.generation);
        let numbered = (self.done..).zip(&self.held).filter(|(_, held)| of_this_generation(held));
        numbered.min_by_key(|(index, held)| (held.at.saturating_sub(held.latency), *index)).map(|(index, _)| index)
    }

    /// Lets go of the records that have been dealt with, in their order.
    fn release(&mut self) -> Result<(), ReplayError> {
        while let Some(held) = self.held.front().filter(|held| held.parts_left == 0) {
            let latency = Latency::from(Duration::from_nanos(held.latency.unsigned_abs()));
            let call = held.admitted.map(|admitted| DoneCall { admitted, latency, outcome: held.outcome });
            let done = Done { at: held.at, call, view: held.view };
            self.observer.done(&done)?;
            self.held.pop_front();
            self.done += 1;
        }
        Ok(())
    }
}

pub(super) fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}
