//! One target of a supervisor: a breaker, or a family represented by its shared member.

use std::time::Duration;

use tripline_core::planted::planted;
use tripline_core::{Event, EventKind, Instant, MemoryState, Observation, StateKind};

use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::dispatch::{FamilyStore, Intake, Outbox};
use crate::fleet::local::Members;
use crate::hot_path::samples::SharedCore;
use crate::incidents::alert::Alert;
use crate::incidents::alert_stager::DueAlert;
use crate::incidents::staging_control::StagingControl;
use crate::memory::{MemoryReading, MemorySource};
use crate::supervisor::agenda::{Agenda, Task};
use crate::supervisor::alert_poll::{self, Subject};
use crate::supervisor::family::WatchedFamily;
use crate::supervisor::fleet_place::{self, FleetPlace};
use crate::supervisor::member_pages::{FamilyPlace, MemberPages};
use crate::supervisor::readings::Readings;
use crate::supervisor::target::SupervisedBreaker;
use crate::supervisor::timers::MIN_SLEEP;
use crate::sync::Arc;

#[derive(Debug)]
pub(crate) struct Watched {
    breaker: Breaker,
    family: Option<WatchedFamily>,
    /// The members with incidents of their own.
    pages: Option<MemberPages>,
    /// Whether every incident of a member is its own; otherwise the members have one together.
    is_per_key: bool,
    memory: Option<Arc<dyn MemorySource>>,
    memory_due: Instant,
    memory_interval: Duration,
    memory_known: Option<bool>,
    memory_state: Option<MemoryState>,
    staging: StagingControl,
    outbox: Outbox,
    events_dropped: u32,
    fleet: Option<FleetPlace>,
}

impl Watched {
    pub(crate) fn new(
        place: usize,
        target: SupervisedBreaker,
        clock: &dyn Clock,
        intake: &Arc<Intake>,
        agenda: &Arc<Agenda>,
    ) -> Self {
        let SupervisedBreaker { breaker, family, memory, sinks, staging, store, kept, fleet, is_per_key } = target;
        let is_per_key = is_per_key && family.is_some();
        let members = kept.as_ref().map(|kept| kept.members.clone()).unwrap_or_default();
        let has_pages = is_per_key || (family.is_some() && !members.is_empty());
        let together = store.clone().filter(|_| has_pages).map(|store| FamilyStore::new(store, kept.as_ref()));
        let store = together.as_ref().map(|together| together.part(None)).or(store);
        let outbox = intake.outbox(breaker.name(), None, &sinks, store, kept.as_ref());
        let pages = family.clone().filter(|_| has_pages).map(|family| {
            let (agenda, intake, staging) = (agenda.clone(), intake.clone(), staging.clone());
            let at = FamilyPlace { place, agenda, intake, sinks, staging, store: together };
            let mut pages = MemberPages::new(family, is_per_key, at);
            pages.resume(&members, clock);
            pages
        });
        let of_fleet = family.clone().filter(|_| !is_per_key);
        let mut family = family.map(WatchedFamily::new);
        if let Some(kept) = kept.filter(|kept| kept.breaker == *breaker.name()) {
            let together = family.as_mut().filter(|_| !is_per_key);
            alert_poll::resume(&breaker, together, &kept, clock);
        }
        let fleet =
            fleet.map(|fleet| FleetPlace::new(fleet.join(&breaker, of_fleet, outbox.of_fleet(), staging.clone())));
        breaker.watchers().add(Task::Target(place), agenda);
        staging.watchers().add(Task::Target(place), agenda);
        if let Some(family) = &family {
            family.begin(place, agenda);
        }
        Self {
            fleet,
            family,
            pages,
            is_per_key,
            memory,
            memory_due: Instant::ZERO,
            memory_interval: Duration::ZERO,
            memory_known: None,
            memory_state: None,
            staging,
            outbox,
            events_dropped: 0,
            breaker,
        }
    }

    /// Removes the supervisor of this agenda.
    pub(crate) fn leave(&self, agenda: &Arc<Agenda>) {
        self.breaker.watchers().remove(agenda);
        self.staging.watchers().remove(agenda);
        if let Some(family) = &self.family {
            family.leave(agenda);
        }
    }

    pub(crate) fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Whether no incident is on, no alert is pending or open, and everything is saved. Never in a fleet, which ends incidents later.
    pub(crate) fn is_settled(&self) -> bool {
        let is_over = match &self.family {
            Some(family) => family.incident().is_none_or(|incident| incident.end.is_some()),
            None => true,
        };
        is_over
            && self.fleet.is_none()
            && !self.breaker.read(tripline_core::Breaker::is_in_incident)
            && self.pages.as_ref().is_none_or(MemberPages::is_empty)
            && self.outbox.is_idle()
    }

    /// Frees the lanes, which are settled.
    pub(crate) fn retire(&self, intake: &Intake) {
        intake.remove(&self.outbox);
    }

    /// Logs and stages the remaining events at the end of the supervisor.
    pub(crate) fn end(&mut self, clock: &dyn Clock) {
        self.log_events();
        self.stage_alerts(clock);
        if let Some(pages) = &mut self.pages {
            pages.close(clock);
        }
        self.outbox.close();
    }

    /// Polls a member of the family. Returns when to poll again.
    pub(crate) fn look_after_member(&mut self, key: &Arc<str>, clock: &dyn Clock) -> Option<Instant> {
        let family = self.family.as_mut()?;
        let own = self.is_per_key || self.pages.as_ref().is_some_and(|pages| pages.contains(key));
        let (next, has_changed) = family.look_after_member(key, own, clock.now());
        if has_changed && !self.is_per_key {
            // The family is polled next, and stages its alerts.
            self.breaker.watchers().call();
        }
        let staged = self.pages.as_mut().and_then(|pages| pages.look_after(key, clock));
        [next, staged].into_iter().flatten().min()
    }

    /// Handles everything that is due at `now`. Returns when to poll again.
    pub(crate) fn look_after(&mut self, now: Instant, clock: &dyn Clock, readings: &mut Readings) -> Option<Instant> {
        // A clock that was set back must not delay the next reading.
        let interval = self.breaker.read(|core| core.policy().sample_interval).max(MIN_SLEEP);
        self.memory_due = self.memory_due.min(now + interval);
        if std::mem::replace(&mut self.memory_interval, interval) != interval {
            // The last reading is fresh for a time that depends on the interval, so memory is read at once.
            self.memory_due = now;
        }
        if now >= self.memory_due {
            // Reading may have taken a while. Targets that share a reading are due together again.
            self.memory_due = self.sample_memory(clock, readings).unwrap_or(now) + interval;
        }
        let now = clock.now();
        self.breaker.handle_timeout(now);
        self.log_events();
        let stage = self.stage_alerts(clock).map(|span| now + span.max(MIN_SLEEP));
        let memory = self.memory.is_some().then_some(self.memory_due);
        // A deadline that has already passed waits for something else; polling again at once would spin.
        let deadline = self.breaker.next_deadline(now).map(|at| if at > now { at } else { now + MIN_SLEEP });
        let sweep = self.family.as_mut().map(|family| family.sweep(now));
        [memory, stage, deadline, sweep].into_iter().flatten().min()
    }

    /// Reads memory, or takes the reading of this poll. Returns when it was read.
    fn sample_memory(&mut self, clock: &dyn Clock, readings: &mut Readings) -> Option<Instant> {
        let source = self.memory.as_ref()?;
        let read = readings.read(source, clock);
        let reading: Option<&MemoryReading> = read.reading.as_ref().ok();
        let known = reading.is_some_and(|reading| reading.sample.ratio().is_some());
        // A warning once, not one per reading.
        if self.memory_known.replace(known) != Some(known) {
            let (breaker, source) = (self.breaker.name().as_str(), source.name());
            match &read.reading {
                Ok(reading) if known => {
                    tracing::info!(breaker, source, level = reading.level.as_deref(), "memory is known");
                }
                Ok(_) => tracing::warn!(breaker, source, "memory has no limit; the memory rule cannot trip"),
                Err(error) => tracing::warn!(breaker, source, %error, "memory is unknown; the memory rule cannot trip"),
            }
        }
        let is_above = |reading: &&MemoryReading| reading.sample.ratio().is_some_and(|ratio| ratio > 0.8);
        if planted("supervisor: exhausted memory is not sampled") && reading.as_ref().is_some_and(is_above) {
            return Some(read.at);
        }
        self.breaker.handle_memory_reading(read.at, reading.cloned());
        if let Some(family) = &self.family {
            family.handle_memory(read.at, reading);
        }
        Some(read.at)
    }

    fn log_events(&mut self) {
        while let Some(event) = self.breaker.poll_event() {
            self.log(&event);
        }
        let dropped = self.breaker.read(tripline_core::Breaker::events_dropped);
        if dropped != self.events_dropped {
            let lost = dropped.wrapping_sub(self.events_dropped);
            tracing::warn!(
                breaker = self.breaker.name().as_str(),
                lost,
                "events were lost: they came faster than they were read"
            );
            self.events_dropped = dropped;
        }
    }

    fn log(&mut self, event: &Event) {
        let breaker = self.breaker.name().as_str();
        match event.kind {
            EventKind::Transition { from, to, .. } if from == to => tracing::info!(breaker, "reset"),
            EventKind::Transition { from, to, cause } => {
                if to == StateKind::Open {
                    self.breaker.incident().tripped();
                }
                tracing::info!(
                    breaker,
                    from = from.as_str(),
                    to = to.as_str(),
                    cause = cause.as_str(),
                    "state changed"
                );
            }
            EventKind::Memory(state) => {
                let before = self.memory_state.replace(state);
                match state {
                    MemoryState::Exhausted => {
                        let sample = self.breaker.read(tripline_core::Breaker::memory_sample);
                        let (used, limit) = (sample.map(|s| s.used), sample.and_then(|s| s.limit));
                        let level = self.breaker.memory_level();
                        tracing::warn!(breaker, level = level.as_deref(), used, limit, "memory is exhausted");
                    }
                    MemoryState::Ok if before == Some(MemoryState::Exhausted) => {
                        tracing::info!(breaker, "memory is below its threshold again");
                    }
                    // A failed reading was logged when it was read; only a stale one is logged here.
                    MemoryState::Unknown if self.memory_known == Some(true) => {
                        tracing::warn!(breaker, "the last memory reading is too old; the memory rule cannot trip");
                    }
                    _ => {}
                }
            }
            EventKind::MemoryForecast { runs_out: true } => {
                let seconds = self.breaker.memory_exhausted_in().map(|left| left.as_secs());
                tracing::warn!(breaker, seconds, "memory is forecast to run out");
            }
            // It also ends if memory is exhausted or unknown, which was logged, and if the horizon is 0 now.
            EventKind::MemoryForecast { runs_out: false } if self.is_memory_forecast() => {
                tracing::info!(breaker, "memory is no longer forecast to run out");
            }
            EventKind::FalseTrip => {
                let trip = self.breaker.read(tripline_core::Breaker::last_trip);
                let after = trip.map_or(Duration::ZERO, |trip| event.at.since(trip.at));
                self.breaker.incident().false_trip(event.at, after);
                let seconds = after.as_secs_f64();
                tracing::info!(breaker, seconds, "the trip was a false one: its first probes were all good");
            }
            EventKind::ClockJumpedBack => tracing::warn!(breaker, "the clock was set back; time goes on"),
            _ => {}
        }
    }

    fn is_memory_forecast(&self) -> bool {
        self.breaker.read(|core| core.memory_state() == MemoryState::Ok && !core.memory_horizon().is_zero())
    }

    /// Hands over due alerts. Returns when to poll again, even if nothing happens.
    fn stage_alerts(&mut self, clock: &dyn Clock) -> Option<Duration> {
        let policy = self.staging.policy();
        if let Some(pages) = &mut self.pages {
            pages.apply(policy);
        }
        // Before the stager is locked: a family reads its members.
        let together = self.family.as_mut().filter(|_| !self.is_per_key).map(WatchedFamily::observe);
        let (observation, worst) = together.map_or((None, None), |(seen, worst)| (Some(seen), Some(worst)));
        let worst = worst.unwrap_or_else(|| self.breaker.clone());
        let key = self.breaker.key().filter(|_| self.is_per_key);
        let subject = Subject { breaker: self.breaker.name(), key };
        let local = |core: &SharedCore, seen: &Observation| fleet_place::local(core, seen, policy);
        let (record, poll, local) = alert_poll::poll(subject, &self.breaker, observation, &worst, policy, clock, local);
        let family = self.family.as_ref().filter(|_| !self.is_per_key).map(|family| family.summary(&worst));
        let alert = |due: &DueAlert| alert_poll::alert(subject, due, &policy, clock, &worst, family.clone());
        let alerts: Vec<Alert> = match &mut self.fleet {
            None => poll.due.iter().map(alert).collect(),
            Some(place) => {
                let local = family.as_ref().map_or(local, |summary| local.of_family(summary.open));
                let members = family.clone().map(|summary| Members { worst: worst.clone(), summary });
                place.alerts(local, members, &poll.due, poll.current, alert)
            }
        };
        self.outbox.record(&alerts, record);
        self.staging.set_pending(self.breaker.name(), key, poll.pending);
        poll.again_in
    }
}
