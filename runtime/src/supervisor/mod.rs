//! The supervisor: samples memory, lets time pass, logs events and stages alerts.

#[cfg(feature = "smol")]
pub(crate) mod background;
mod fleet_place;
pub(crate) mod shutdown;
pub(crate) mod target;

use std::future::Future as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use event_listener::EventListener;
use futures_lite::future;
use tripline_core::{EscalationPolicy, Event, EventKind, Instant, MemoryState, Observation, Stage, StateKind};

use crate::breaker::Breaker;
use crate::breaker::driver::Supervised;
use crate::breaker::operations::learned_ms;
use crate::clock::Clock;
use crate::dispatch::durable::DurableState;
use crate::dispatch::{Dispatcher, Outbox};
use crate::incidents::alert::{Alert, DeliveryHistory};
use crate::incidents::alert_stager::{DueAlert, Observed};
use crate::incidents::records::BreakerRecord;
use crate::incidents::staging_control::StagingControl;
use crate::incidents::test_alert::snapshot;
use crate::memory::{MemoryError, MemorySource};
use crate::supervisor::fleet_place::FleetPlace;
use crate::supervisor::shutdown::ShutdownHandle;
use crate::supervisor::target::SupervisedBreaker;
use crate::sync::Arc;

/// Looks after breakers, as a future for any executor. Made together with its [`Dispatcher`] by [`supervise`].
#[derive(Debug)]
#[must_use = "a supervisor does nothing until `run`"]
pub struct Supervisor {
    clock: Arc<dyn Clock>,
    watched: Vec<Watched>,
    stop: ShutdownHandle,
}

#[derive(Debug)]
struct Watched {
    breaker: Breaker,
    memory: Option<Arc<dyn MemorySource>>,
    memory_due: Instant,
    memory_interval: Duration,
    memory_known: Option<bool>,
    memory_state: Option<MemoryState>,
    staging: StagingControl,
    outbox: Outbox,
    events_dropped: u32,
    supervised: Supervised,
    fleet: Option<FleetPlace>,
}

/// Makes a supervisor for these breakers and the dispatcher of their alerts; both run until `stop`.
///
/// `clock` must be the one that the breakers were made with, `seed` feeds the jitter of retries.
pub fn supervise(
    clock: Arc<dyn Clock>,
    targets: impl IntoIterator<Item = SupervisedBreaker>,
    seed: u64,
) -> (Supervisor, Dispatcher, ShutdownHandle) {
    let stop = ShutdownHandle::default();
    let mut dispatcher = Dispatcher::new(clock.clone(), stop.clone(), seed);
    let all = targets.into_iter().map(|watch| Watched::new(watch, &*clock, &mut dispatcher)).collect();
    (Supervisor { clock, watched: all, stop: stop.clone() }, dispatcher, stop)
}

impl Supervisor {
    /// Runs until it is stopped. The future is `Send` and `'static`, and needs nothing from the executor but polling. Dropping it is
    /// safe: events and due alerts wait for the next supervisor.
    pub async fn run(mut self) {
        loop {
            // Listens first, then looks: nothing that happens in between is missed.
            let stopped = self.stop.listen();
            let changed: Vec<_> = self.watched.iter().flat_map(Watched::changed).collect();
            if self.stop.is_set() {
                break;
            }
            let now = self.clock.now();
            self.watched.iter().for_each(|watched| watched.supervised.look_begins(now));
            let next = self.watched.iter_mut().filter_map(|watched| watched.look_after(now, &*self.clock)).min();
            self.watched.iter().for_each(|watched| watched.supervised.look_ends(next));
            let sleep = async {
                match next {
                    Some(deadline) => self.clock.sleep_until(deadline).await,
                    None => future::pending().await,
                }
            };
            future::or(future::or(stopped, sleep), any(changed)).await;
        }
        for watched in &mut self.watched {
            watched.log_events();
            watched.stage_alerts(&*self.clock);
            watched.outbox.close();
        }
    }
}

impl Watched {
    fn new(watch: SupervisedBreaker, clock: &dyn Clock, dispatcher: &mut Dispatcher) -> Self {
        let SupervisedBreaker { breaker, memory, sinks, staging, store, kept, fleet } = watch;
        let outbox = dispatcher.outbox(breaker.name(), &sinks, store, kept.as_ref());
        if let Some(kept) = kept.filter(|kept| kept.breaker == *breaker.name()) {
            resume(&breaker, &kept, clock);
        }
        let fleet = fleet.map(|fleet| FleetPlace::new(fleet.join(&breaker, outbox.of_fleet(), staging.clone())));
        Self {
            fleet,
            memory,
            memory_due: Instant::ZERO,
            memory_interval: Duration::ZERO,
            memory_known: None,
            memory_state: None,
            staging,
            outbox,
            events_dropped: 0,
            supervised: breaker.supervise(),
            breaker,
        }
    }

    fn changed(&self) -> [EventListener; 2] {
        [self.breaker.changed(), self.staging.changed()]
    }

    /// Does what is due at `now`; returns when to look again.
    fn look_after(&mut self, now: Instant, clock: &dyn Clock) -> Option<Instant> {
        // A clock that was set back must not put off the next reading.
        let interval = self.breaker.read(|core| core.policy().sample_interval).max(MIN_SLEEP);
        self.memory_due = self.memory_due.min(now + interval);
        if std::mem::replace(&mut self.memory_interval, interval) != interval {
            // The last reading is believed for a time that depends on the interval: reads at once.
            self.memory_due = now;
        }
        if now >= self.memory_due {
            self.sample_memory(clock);
            // Reading may have taken a while, and so may the breakers before this one.
            self.memory_due = clock.now() + interval;
        }
        let now = clock.now();
        self.breaker.handle_timeout(now);
        self.log_events();
        let stage = self.stage_alerts(clock).map(|span| now + span.max(MIN_SLEEP));
        let memory = self.memory.is_some().then_some(self.memory_due);
        // A deadline that has passed already waits for something else; looking again at once would spin.
        let deadline = self.breaker.next_deadline(now).map(|at| if at > now { at } else { now + MIN_SLEEP });
        [memory, stage, deadline].into_iter().flatten().min()
    }

    fn sample_memory(&mut self, clock: &dyn Clock) {
        let Some(source) = &self.memory else { return };
        // A source that panics must not take the supervisor with it.
        let reading = catch_unwind(AssertUnwindSafe(|| source.read())).unwrap_or_else(|_| {
            Err(MemoryError::Unreadable {
                what: source.name().to_owned(),
                error: io::Error::other("the source panicked"),
            })
        });
        let known = reading.as_ref().is_ok_and(|reading| reading.sample.ratio().is_some());
        // A warning once, not one per reading.
        if self.memory_known.replace(known) != Some(known) {
            let (breaker, source) = (self.breaker.name().as_str(), source.name());
            match &reading {
                Ok(reading) if known => {
                    tracing::info!(breaker, source, level = reading.level.as_deref(), "memory is known");
                }
                Ok(_) => tracing::warn!(breaker, source, "memory has no limit; the memory rule cannot trip"),
                Err(error) => tracing::warn!(breaker, source, %error, "memory is unknown; the memory rule cannot trip"),
            }
        }
        self.breaker.handle_memory_reading(clock.now(), reading.ok());
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
                    // A reading that failed was logged when it was read; only one that went stale is logged here.
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
            // It also ends where memory is exhausted or unknown, which was logged, and where the horizon is 0 now.
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

    /// Hands over alerts that are due; returns when to look again, even if nothing happens.
    fn stage_alerts(&mut self, clock: &dyn Clock) -> Option<Duration> {
        let policy = self.staging.policy();
        let (record, poll, local) = {
            let mut stager = self.breaker.incident();
            let (seen, operator, learned_tolerance_ms, local) = self.breaker.read(|core| {
                let seen = Observed {
                    breaker: self.breaker.name(),
                    observation: Observation::of(core),
                    sample_interval: core.policy().sample_interval,
                    is_drill: self.breaker.is_last_trip_a_drill(core),
                };
                let local = fleet_place::local(core, &seen.observation, policy);
                (seen, self.breaker.operator_record(core), learned_ms(core), local)
            });
            let poll = stager.poll(&seen, policy, clock.system_time());
            (BreakerRecord { staging: poll.record.clone(), operator, learned_tolerance_ms }, poll, local)
        };
        let alert = |due: &DueAlert| alert(&self.breaker, due, &policy, clock);
        let alerts: Vec<Alert> = match &mut self.fleet {
            None => poll.due.iter().map(alert).collect(),
            Some(place) => place.alerts(local, &poll.due, poll.current, alert),
        };
        self.outbox.record(&alerts, record);
        self.staging.set_pending(self.breaker.name(), poll.pending);
        poll.again_in
    }
}

fn alert(breaker: &Breaker, due: &DueAlert, policy: &EscalationPolicy, clock: &dyn Clock) -> Alert {
    let is_over = matches!(due.stage, Stage::Resolved(_));
    Alert {
        breaker: breaker.name().clone(),
        incident: due.incident.number,
        kind: due.kind,
        stage: due.stage,
        announce_reset: is_over && policy.triggers.breaker_reset && due.incident.trip.is_some(),
        cause: due.incident.cause,
        started_at: due.incident.started_at,
        at: clock.system_time(),
        snapshot: snapshot(breaker),
        earlier: DeliveryHistory::default(),
        alias: None,
        is_drill: due.incident.is_drill,
        passed_after: due.passed_after.filter(|_| is_over),
        fleet: None,
        is_test: false,
        page: None,
    }
}

/// Goes on with the incident of an earlier process, with what its operators did and what it learned, unless this breaker's alerts are staged already.
fn resume(breaker: &Breaker, kept: &DurableState, clock: &dyn Clock) {
    let record = &kept.staging;
    let mut stager = breaker.incident();
    if !stager.start_use() {
        return;
    }
    if let Some(open) = &record.open {
        breaker.resume_incident(open.cause, open.trip);
        tracing::info!(
            breaker = breaker.name().as_str(),
            incident = record.last_incident,
            cause = open.cause.as_str(),
            "an incident from before the restart goes on"
        );
    }
    let (latest, incident) = breaker.read(|core| (core.latest(), core.incident()));
    stager.resume(record, latest, incident, clock.system_time());
    drop(stager);
    if let Some(millis) = kept.learned_tolerance_ms {
        breaker.restore_tolerance(Duration::from_millis(millis.into()));
    }
    breaker.restore_operations(kept.operator);
}

/// No breaker is looked after more often than this.
const MIN_SLEEP: Duration = Duration::from_millis(1);

/// Resolves with the first of these.
async fn any(listeners: Vec<EventListener>) {
    let mut listeners = listeners;
    future::poll_fn(|context| {
        for listener in &mut listeners {
            if std::pin::Pin::new(listener).poll(context).is_ready() {
                return std::task::Poll::Ready(());
            }
        }
        std::task::Poll::Pending
    })
    .await;
}
