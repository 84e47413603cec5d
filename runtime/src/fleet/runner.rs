//! The loop of one process: beats, reports, and sends the claimed stages.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures_lite::future;
use tripline_core::Instant;
use tripline_core::fleet::{FleetView, Probe, ReplicaText, Report, Terms, text};
use tripline_core::planted::planted;

use crate::breaker::name::BreakerName;
use crate::fleet::engine::{Beat, EngineError, Heartbeat};
use crate::fleet::send::Sending;
use crate::fleet::shared::{Fleet, Inner, State};
use crate::supervisor::shutdown::ShutdownHandle;
use crate::sync::Arc;

/// Interval between two beats, varied by [`BEAT_JITTER`].
const BEAT: Duration = Duration::from_secs(5);
const BEAT_JITTER: f64 = 0.1;
/// Maximum time from the execution of a command to the next beat.
const SAY_DONE: Duration = Duration::from_secs(1);
/// Minimum interval between reports on a breaker whose stage is due.
const MIN_SYNC: Duration = Duration::from_millis(200);
/// Spread of the reports on a due stage, so that replicas do not report at the same instant: the unwell ones first.
const UNWELL_SPREAD: Duration = Duration::from_millis(300);
const HEALTHY_SPREAD: Duration = Duration::from_secs(2);

/// Takes part in a fleet until it is stopped together with its supervisor; a future for any executor.
#[derive(Debug)]
#[must_use = "a runner does nothing until `run`"]
pub struct FleetRunner {
    fleet: Fleet,
    stop: ShutdownHandle,
}

impl FleetRunner {
    /// Creates the runner of `fleet`. There must be only one.
    pub const fn new(fleet: Fleet, stop: ShutdownHandle) -> Self {
        Self { fleet, stop }
    }

    /// Runs until it is stopped, then finishes the stages being sent, for as long as the time to drain lasts, and leaves the fleet,
    /// which takes 3 s at the longest. A stage that is not finished is left to the other replicas: they send it while enough of them are
    /// unwell, and otherwise close the alert.
    pub async fn run(self) {
        let inner = &self.fleet.inner;
        let replica = inner.settings.replica.as_str();
        let mut sending = Sends::default();
        future::or(self.take_part(&mut sending), self.stop.drain_is_over(&*inner.clock)).await;
        if !sending.0.is_empty() {
            tracing::warn!(replica, stages = sending.0.len(), "stopped before the fleet's alerts were delivered");
        }
        if let Err(error) = inner.within(inner.engine.leave(&inner.settings.replica)).await {
            tracing::warn!(replica, %error, "the fleet was not left");
        }
    }

    /// Takes part until it is stopped and no stage is being sent.
    async fn take_part(&self, sending: &mut Sends) {
        let inner = &self.fleet.inner;
        let (mut beat_at, mut looked_at) = (Instant::ZERO, Instant::ZERO);
        loop {
            // Listens first, then checks, so that no change in between is missed.
            let (stopped, changed) = (self.stop.listen(), inner.listen());
            if self.stop.is_set() {
                break;
            }
            let now = inner.clock.now();
            let is_set_back = now < looked_at;
            looked_at = now;
            if is_set_back {
                inner.set_back(now);
            }
            if inner.take_beat_now() || is_set_back {
                beat_at = now;
            }
            if now >= beat_at {
                let wait = sending.beside(beat(inner)).await;
                beat_at = inner.clock.now() + wait;
            }
            sending.beside(report_all(inner)).await.into_iter().for_each(|send| sending.start(send));
            let now = inner.clock.now();
            let alone_from = inner.fall_back(now);
            let reports = inner.next_report().map(|at| at.max(now + Duration::from_millis(1)));
            let next = [Some(beat_at), alone_from, reports].into_iter().flatten().min().unwrap_or(beat_at);
            let wait = future::or(future::or(stopped, changed), inner.clock.sleep_until(next));
            sending.beside(wait).await;
        }
        sending.finish().await;
    }
}

/// Reports that this replica is alive, marks the breakers to report on, and executes commands. Returns the time until the next
/// beat.
async fn beat(inner: &Arc<Inner>) -> Duration {
    let mut beat = Beat::of(&inner.settings.replica);
    beat.commands_done = inner.settings.takes_commands.then(|| inner.state().done);
    let mut has_commands = false;
    match inner.within(inner.engine.beat(&beat)).await {
        Ok(Heartbeat { members, in_incident, commands }) => {
            inner.reached(None);
            has_commands = inner.settings.takes_commands && inner.carry_out(&commands);
            let mut state = inner.state();
            state.members = members;
            for (name, entry) in &mut state.breakers {
                if entry.needs_report() || in_incident.contains(name) {
                    entry.sync_at = Some(Instant::ZERO);
                }
            }
        }
        Err(error) => inner.failed(&error),
    }
    let random = inner.state().random.f64();
    // The next beat reports the execution.
    if has_commands { SAY_DONE.mul_f64(random) } else { BEAT.mul_f64(1.0 + BEAT_JITTER * (2.0 * random - 1.0)) }
}

/// Sends the due reports. Returns the stages to send.
async fn report_all(inner: &Arc<Inner>) -> Vec<Sending> {
    let mut sends = Vec::new();
    for name in inner.due_reports() {
        match report(inner, &name).await {
            Ok(send) => sends.extend(send),
            Err(error) => {
                inner.failed(&error);
                inner.report_failed(&name);
                // Any other error would meet the other reports too; the next beat tries again.
                if !matches!(error, EngineError::ForeignKey { .. }) {
                    inner.put_off_reports();
                    break;
                }
            }
        }
    }
    sends
}

async fn report(inner: &Arc<Inner>, name: &BreakerName) -> Result<Option<Sending>, EngineError> {
    let replica = &inner.settings.replica;
    let began = inner.clock.now();
    let Some((report, terms)) = inner.prepare(name, replica, began) else { return Ok(None) };
    if planted("fleet: a report is not sent") {
        return Ok(None);
    }
    let view = inner.within(inner.engine.sync(name, &report, &terms)).await?;
    inner.reached(Some(name));
    let send = inner.answered(name, view, &report, began);
    if inner.settings.probe_millionths > 0 {
        inner.hold_probes_of(name);
    }
    Ok(send)
}

impl Inner {
    /// Returns the breakers whose report is due.
    fn due_reports(&self) -> Vec<BreakerName> {
        let now = self.clock.now();
        let state = self.state();
        let due = state.breakers.iter().filter(|(_, entry)| entry.sync_at.is_some_and(|at| at <= now));
        due.map(|(name, _)| name.clone()).collect()
    }

    /// Returns when the next report is due.
    fn next_report(&self) -> Option<Instant> {
        self.state().breakers.values().filter_map(|entry| entry.sync_at).min()
    }

    /// Records that the report on a breaker failed; it is due again after the next successful beat.
    fn report_failed(&self, name: &BreakerName) {
        if let Some(entry) = self.state().breakers.get_mut(name) {
            entry.sync_at = None;
            entry.has_failed = true;
        }
    }

    /// Delays all reports until the next successful beat.
    fn put_off_reports(&self) {
        self.state().breakers.values_mut().for_each(|entry| entry.sync_at = None);
    }

    /// Returns the report on a breaker, and its terms.
    fn prepare<'a>(&self, name: &BreakerName, replica: &'a ReplicaText, now: Instant) -> Option<(Report<'a>, Terms)> {
        let mut state = self.state();
        let entry = state.breakers.get_mut(name)?;
        entry.sync_at = None;
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX / 4);
        let mut report = Report::of(replica);
        report.open = entry.local.is_open;
        report.unwell = entry.local.unwell.map(|(kind, _)| kind);
        report.cause = entry.local.unwell.map(|(_, cause)| text(cause.as_str())).unwrap_or_default();
        report.can_deliver = entry.can_deliver(now);
        report.known = entry.knowledge(now);
        report.paged = entry.outbox.paged();
        report.closed_alone_ms = entry.outbox.closed_alone(now).map(millis);
        report.probe = entry.probe(now);
        let mut terms = Terms::default();
        terms.hold_ms = millis(entry.local.recovery_time).max(terms.ttl_ms);
        terms.escalate_after_ms = millis(entry.local.escalate_after);
        terms.cooldown_ms = millis(entry.local.cooldown);
        terms.page_at = self.settings.page_at;
        terms.probe_millionths = self.settings.probe_millionths;
        Some((report, terms))
    }

    /// Takes the response to `report` and returns the stages to send. `began` is when the report was sent; leases count from there.
    fn answered(
        self: &Arc<Self>,
        name: &BreakerName,
        view: FleetView,
        report: &Report<'_>,
        began: Instant,
    ) -> Option<Sending> {
        let mut state = self.state();
        let State { breakers, random, members, claims, .. } = &mut *state;
        let entry = breakers.get_mut(name)?;
        *members = view.members;
        if let Some(paged) = report.paged {
            entry.outbox.release(paged.kinds);
        }
        if report.closed_alone_ms.is_some() {
            entry.outbox.forget_closed(began);
        }
        if entry.is_gone {
            breakers.remove(name);
            return None;
        }
        let is_unclaimed = view.due_in_ms == Some(0) && view.claim.is_none();
        entry.unclaimed_since = is_unclaimed.then(|| entry.unclaimed_since.unwrap_or(began));
        entry.learn(view.known, began);
        if let Some(due_in) = view.due_in_ms {
            let spread = if entry.local.unwell.is_some() { UNWELL_SPREAD } else { HEALTHY_SPREAD };
            let wait = Duration::from_millis(due_in).max(MIN_SYNC) + spread.mul_f64(random.f64());
            entry.report_by(began + wait);
        }
        if let Some(at) = entry.take_permission(report.probe == Probe::Asks, view.may_probe, began, random.f64()) {
            entry.report_by(at);
        }
        let claim = view.claim.filter(|_| !entry.is_sending);
        let send = claim.map(|claim| Sending::new(self.clone(), name, entry, claim, &view, began));
        *claims += u64::from(send.is_some());
        entry.is_sending |= send.is_some();
        entry.view = Some(view);
        send
    }
}

/// The stages being sent.
#[derive(Default)]
struct Sends(Vec<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Sends {
    fn start(&mut self, send: Sending) {
        self.0.push(Box::pin(send.run()));
    }

    /// Waits for `work`, and sends meanwhile.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        future::poll_fn(|context| {
            self.0.retain_mut(|send| send.as_mut().poll(context).is_pending());
            work.as_mut().poll(context)
        })
        .await
    }

    async fn finish(&mut self) {
        future::poll_fn(|context| {
            self.0.retain_mut(|send| send.as_mut().poll(context).is_pending());
            if self.0.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
