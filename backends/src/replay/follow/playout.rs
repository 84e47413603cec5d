//! Calls of a log that is written now, played to the breaker at their own distances.

use std::collections::{BTreeMap, VecDeque};

use tripline_runtime::core::{Generation, Outcome};

use crate::replay::record::Record;
use crate::replay::replayed_breaker::{Call, ReplayedBreaker};
use crate::replay::schedule::{Event, Kind, Schedule};

/// How often the generation is looked at while no calls are held.
const LOOK_EVERY: i64 = 1_000_000_000;

/// Plays calls to a breaker whose clock goes by itself. Instants are those of this clock, in nanoseconds.
///
/// A call whose line comes after its start was to be played is judged by the generation that was current then: it asks now if
/// that still is, and else changes nothing, as its result would come back stale.
#[derive(Debug)]
pub(super) struct Playout {
    breaker: ReplayedBreaker,
    /// How long a call that is stalled counts; `None` where stalls are not looked for.
    stalls_count_for: Option<i64>,
    longest: i64,
    schedule: Schedule,
    calls: BTreeMap<u64, Held>,
    next: u64,
    played_to: i64,
    /// When a call was last played.
    last_call: i64,
    /// When the generation was last looked at.
    looked_at: i64,
    /// Since when which generation was current, as far back as a call may have started.
    pub(super) generations: VecDeque<(i64, Generation)>,
    /// Calls whose place was not known in time, and that are not counted as asked.
    pub(super) unplaced: u64,
}

#[derive(Debug)]
struct Held {
    end: i64,
    latency: i64,
    outcome: Outcome,
    call: Option<Call>,
}

impl Playout {
    pub(super) fn new(mut breaker: ReplayedBreaker, longest: i64, played_to: i64) -> Self {
        breaker.use_own_time();
        let generation = breaker.generation();
        Self {
            stalls_count_for: breaker.stalls_count_for(),
            breaker,
            longest,
            schedule: Schedule::default(),
            calls: BTreeMap::new(),
            next: 0,
            played_to,
            last_call: played_to,
            looked_at: played_to,
            generations: VecDeque::from([(i64::MIN, generation)]),
            unplaced: 0,
        }
    }

    /// Takes a call that is played `distance` after its own time.
    pub(super) fn take(&mut self, record: &Record, distance: i64) {
        let Some(call) = record.call else { return };
        let end = record.at.saturating_add(distance).max(self.played_to);
        let start = end.saturating_sub(call.latency.min(self.longest));
        if start < self.played_to && self.generation_at(start) != self.breaker.generation() {
            self.unplaced += 1;
            return;
        }
        self.calls.insert(self.next, Held { end, latency: call.latency, outcome: call.outcome, call: None });
        self.schedule.add(start.max(self.played_to), Kind::Start, self.next);
        self.next += 1;
    }

    /// Number of calls that were taken and have not ended.
    pub(super) fn held(&self) -> usize {
        self.calls.len()
    }

    /// Plays what is due at `now`.
    pub(super) fn play(&mut self, now: i64) {
        let had_calls = self.next_due().is_some();
        while let Some(event) = self.schedule.first().filter(|event| event.at <= now) {
            self.schedule.take_first();
            self.last_call = now;
            self.breaker.go_to(event.at);
            match event.kind {
                Kind::Start => self.start(event),
                Kind::Finish => self.finish(event),
                _ => self.breaker.let_time_pass(),
            }
        }
        self.played_to = self.played_to.max(now);
        // Of thousands of members most have no calls at a time.
        if had_calls || self.played_to.saturating_sub(self.looked_at) >= LOOK_EVERY {
            self.note_generation(self.played_to);
        }
    }

    /// Whether no call is held, and none was played for `patience`.
    pub(super) fn is_idle(&self, patience: i64) -> bool {
        self.calls.is_empty() && self.played_to.saturating_sub(self.last_call) >= patience
    }

    /// When the next call is due; `None` where none is held.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.schedule.first().map(|event| event.at)
    }

    fn start(&mut self, Event { at, index, .. }: Event) {
        let Some(held) = self.calls.get_mut(&index) else { return };
        held.call = self.breaker.start();
        let (end, is_admitted) = (held.end, held.call.is_some());
        if !is_admitted {
            self.calls.remove(&index);
            return;
        }
        self.schedule.add(end, Kind::Finish, index);
        let Some(counts_for) = self.stalls_count_for else { return };
        for at in [at.saturating_add(self.breaker.slow_after()), at.saturating_add(counts_for).saturating_add(1)] {
            if at < end {
                self.schedule.add(at, Kind::Stall, index);
            }
        }
    }

    fn finish(&mut self, Event { at, index, .. }: Event) {
        if let Some(Held { latency, outcome, call: Some(call), .. }) = self.calls.remove(&index) {
            self.breaker.finish(call, latency, outcome);
            self.note_generation(at);
        }
    }

    fn generation_at(&self, at: i64) -> Generation {
        let before = self.generations.iter().rev().find(|(since, _)| *since <= at);
        before.or(self.generations.front()).map_or_else(|| self.breaker.generation(), |(_, generation)| *generation)
    }

    fn note_generation(&mut self, at: i64) {
        self.looked_at = at;
        let generation = self.breaker.generation();
        if self.generations.back().is_none_or(|(_, last)| *last != generation) {
            self.generations.push_back((at, generation));
        }
        // The one that was current then is kept.
        let oldest = at.saturating_sub(self.longest);
        while self.generations.get(1).is_some_and(|(since, _)| *since <= oldest) {
            self.generations.pop_front();
        }
    }
}
