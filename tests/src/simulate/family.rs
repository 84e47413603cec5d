//! A family of breakers on virtual time: tenants that come and go, some of them bad, more of them than there is room for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tripline_core::{Instant, Outcome, Policy, Ratio, StateKind};
use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultySink};
use tripline_runtime::test_util::{RecordingSink, Schedule, World};
use tripline_runtime::{Breaker, Family, FamilyLimits, MockMemory, ShutdownHandle, SupervisedBreaker, Supervision};

use super::family_alerts;
use super::family_script::{FamilyFault, TENANTS};
use super::mood::Mood;
use super::random::Random;
use super::script::{Script, Step, What};
use super::trace::Trace;
use super::violation::{Check, hold};
use crate::sim_support::{ms, quick_but, s};

/// The key of the member that guards the keys without room.
const SHARED: &str = "*";
/// A tenant of which every call is bad is found within this time.
const DETECTED_WITHIN: Duration = s(60);
/// Unused members are gone this much later than they may.
const GONE_WITHIN: Duration = s(120);
/// There are no calls in the last part of an hour.
const CALLS_END: Duration = s(45 * 60);
/// Before that every member that is not closed is called.
const ALL_CALL: Duration = s(38 * 60);
const SETTLED: Duration = s(59 * 60);
const IDLE: Duration = s(180);
/// Time after a fault of the alerts within which they are sent: the longest wait between two attempts, and an attempt.
const ALERTS_RETRIED_WITHIN: Duration = s(400);

/// What is known of a tenant's breaker.
#[derive(Debug, Clone, Copy)]
struct Known {
    generation: u32,
    /// It must not go: it is not closed, or in an incident.
    must_stay: bool,
    is_open: bool,
    in_incident_since: Option<Instant>,
}

/// Runs a script of a family.
pub(super) struct FamilyRun<'s> {
    script: &'s Script,
    world: World,
    family: Family,
    policy: Policy,
    /// Each member has incidents and alerts of its own.
    is_per_key: bool,
    memory: Arc<MockMemory>,
    pager: Arc<RecordingSink>,
    link: Arc<FaultySink>,
    _stop: ShutdownHandle,
    start: Instant,
    schedule: Schedule<Event>,
    active: BTreeMap<usize, FamilyFault>,
    random: Random,
    keys: u64,
    known: BTreeMap<String, Known>,
    overflows: u64,
    /// Since when all calls of a tenant are bad, and when one of them was bad last.
    bad_since: [Option<Instant>; TENANTS],
    bad_at: [Option<Instant>; TENANTS],
    memory_bad_at: Option<Instant>,
    shared_bad_at: Option<Instant>,
    touched: Instant,
    alerts_faulty_until: Instant,
    pub(super) trace: Trace,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Begin(usize),
    End(usize),
    Settled,
}

impl<'s> FamilyRun<'s> {
    pub(super) fn new(script: &'s Script, with_trace: bool) -> Option<Self> {
        let world = World::new(script.seed);
        let mut random = Random::new(script.seed, 12);
        let policy = quick_but(|policy| policy.failure_rate_threshold = share(0.5));
        let room = 3 + random.below(6);
        let members = Breaker::builder(world.clock()).name("tenants".parse().ok()?).policy(policy.clone());
        let limits = FamilyLimits::default().max_keys(room).idle_time(IDLE);
        let family = Family::new(members, limits).ok()?;
        let (memory, pager) = (Arc::new(MockMemory::default()), Arc::new(RecordingSink::default()));
        let link = Arc::new(FaultySink::new(pager.clone(), world.clock(), FaultPlan::new(script.seed)));
        let is_per_key = Random::new(script.seed, 61).chance(0.4);
        let target = SupervisedBreaker::family(&family).per_key(is_per_key);
        let stop = world.supervise([target.memory(memory.clone()).sink(link.clone())]);
        let start = world.now();
        Some(Self {
            script,
            family,
            policy,
            is_per_key,
            memory,
            pager,
            link,
            _stop: stop,
            start,
            schedule: Schedule::default(),
            active: BTreeMap::new(),
            random,
            keys: 0,
            known: BTreeMap::new(),
            overflows: 0,
            bad_since: [None; TENANTS],
            bad_at: [None; TENANTS],
            memory_bad_at: None,
            shared_bad_at: None,
            touched: start,
            alerts_faulty_until: start,
            trace: Trace::new(with_trace),
            world,
        })
    }

    pub(super) fn now(&self) -> Instant {
        self.world.now()
    }

    pub(super) fn live(&mut self, count: &mut dyn FnMut()) -> Check {
        for (index, step) in self.script.steps.iter().enumerate() {
            self.schedule.add(self.start + step.at, 1, Event::Begin(index));
        }
        for hour in 0..self.script.end.as_secs().div_ceil(3_600) {
            self.schedule.add(self.start + s(hour * 3_600) + SETTLED, 2, Event::Settled);
        }
        let end = self.start + self.script.end;
        while self.now() < end {
            while let Some(event) = self.schedule.pop_due(self.now()) {
                self.handle(event)?;
            }
            self.calls()?;
            let pause = self.random.millis(200, 1_500);
            self.world.advance(pause);
            count();
            self.check()?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Check {
        let now = self.now();
        match event {
            Event::Begin(index) => {
                let Some(Step { lasts, what: What::Family(fault), .. }) = self.script.steps.get(index).copied() else {
                    return Ok(());
                };
                self.trace.note(now, || format!("{fault:?} for {lasts:?}"));
                self.schedule.add(now + lasts, 1, Event::End(index));
                self.active.insert(index, fault);
                self.change(fault, true)
            }
            Event::End(index) => match self.active.remove(&index) {
                Some(fault) => self.change(fault, false),
                None => Ok(()),
            },
            Event::Settled => self.settled(),
        }
    }

    fn change(&mut self, fault: FamilyFault, begins: bool) -> Check {
        let now = self.now();
        match fault {
            FamilyFault::Bad { tenant, .. } => {
                let is_bad = self.mood(tenant) != Mood::Healthy;
                self.bad_since[tenant] = self.bad_since[tenant].filter(|_| is_bad).or(is_bad.then_some(now));
            }
            FamilyFault::Flood(count) if begins => {
                for _ in 0..count {
                    self.keys += 1;
                    let key = format!("new-{}", self.keys);
                    self.call(&key, None, ms(10), Outcome::Ok)?;
                }
            }
            FamilyFault::Memory => {
                let is_full = self.active.values().any(|fault| *fault == FamilyFault::Memory);
                self.memory.set_percent(if is_full { 97 } else { 50 });
            }
            FamilyFault::Room(room) if begins => self.family.set_limits(self.family.limits().max_keys(room)),
            FamilyFault::Wait(wait) if begins => {
                self.policy.wait_time = s(wait);
                let changed = self.family.set_policy(&self.policy);
                hold(changed.is_ok(), "settings", || format!("{changed:?}"))?;
            }
            FamilyFault::ForceOpen(tenant) => {
                self.touched = now;
                if let Some(member) = self.family.member(&name(tenant)) {
                    if begins {
                        member.force_open();
                    } else {
                        member.reset();
                        // It is closed, and may make room at once.
                        self.known.remove(&name(tenant));
                    }
                }
            }
            FamilyFault::Alerts => {
                let plan = FaultPlan::new(self.script.seed);
                let plan = plan.with(Fault::Hang(s(20)), share(0.3)).with(Fault::Drop, share(0.5));
                self.link.set_plan(if begins { plan } else { FaultPlan::new(self.script.seed) });
            }
            _ => {}
        }
        Ok(())
    }

    fn mood(&self, tenant: usize) -> Mood {
        let moods = self.active.values().rev().filter_map(|fault| match fault {
            FamilyFault::Bad { tenant: other, mood } if *other == tenant => Some(*mood),
            _ => None,
        });
        moods.into_iter().next().unwrap_or(Mood::Healthy)
    }

    /// Some tenants call.
    fn calls(&mut self) -> Check {
        let in_hour = Duration::from_secs(self.now().since(self.start).as_secs() % 3_600);
        if in_hour > CALLS_END {
            return Ok(());
        }
        if in_hour > ALL_CALL {
            self.probes()?;
        }
        for tenant in 0..TENANTS {
            let mood = self.mood(tenant);
            if mood == Mood::Healthy && self.random.chance(0.6) {
                continue;
            }
            let (latency, outcome) = match mood {
                Mood::Slow | Mood::Shaky => (ms(400), Outcome::Ok),
                Mood::Failing => (ms(10), Outcome::Failed),
                Mood::Hanging => (s(120), Outcome::Ok),
                Mood::Healthy => (ms(10), Outcome::Ok),
            };
            self.call(&name(tenant), Some(tenant), latency, outcome)?;
            if mood != Mood::Healthy {
                // A call that hangs is bad until it ends.
                self.bad_at[tenant] = Some(self.now() + latency);
            }
        }
        Ok(())
    }

    /// Calls each member that is not closed: an open breaker waits for a call, and a key may not come back by itself.
    fn probes(&mut self) -> Check {
        for member in self.family.members() {
            let Some(key) = member.key().filter(|_| member.state() != StateKind::Closed) else { continue };
            if key == SHARED {
                self.world.request(&member, ms(10), Outcome::Ok);
            } else {
                self.call(key, None, ms(10), Outcome::Ok)?;
            }
        }
        Ok(())
    }

    /// One call, which some breaker must guard: the key's own, or the shared one where there is no room.
    fn call(&mut self, key: &str, tenant: Option<usize>, latency: Duration, outcome: Outcome) -> Check {
        let breaker = self.family.get(key).map_err(|error| ("keys", format!("{key}: {error}")))?;
        let is_shared = breaker.key() != Some(key);
        if is_shared {
            hold(breaker.key() == self.family.shared().key(), "guarded", || {
                format!("{key} is guarded by {:?}", breaker.key())
            })?;
            self.overflows += 1;
        }
        let is_bad = latency > ms(100) || outcome == Outcome::Failed;
        if is_shared && is_bad {
            self.shared_bad_at = Some(self.now() + latency);
        }
        let kind = breaker.state();
        let was_open = self.known.get(key).is_some_and(|known| known.is_open) && !is_shared;
        let is_admitted = self.world.request(&breaker, latency, outcome);
        if is_admitted && was_open {
            let is_still = matches!(breaker.state(), StateKind::Open | StateKind::ForcedOpen);
            hold(!(is_still && kind == breaker.state()), "an open breaker admits nothing", || {
                format!("{key} is {kind} and admits a call")
            })?;
        }
        hold(self.family.overflows() == self.overflows, "overflows", || {
            format!("{} are counted, {} calls had no room", self.family.overflows(), self.overflows)
        })?;
        // A tenant that has no breaker of its own cannot be judged alone.
        if let Some(tenant) = tenant.filter(|_| is_shared) {
            self.bad_since[tenant] = self.bad_since[tenant].map(|_| self.now());
        }
        Ok(())
    }

    fn check(&mut self) -> Check {
        let now = self.now();
        if self.active.values().any(|fault| *fault == FamilyFault::Memory) {
            self.memory_bad_at = Some(now);
        }
        let mut seen = BTreeMap::new();
        for member in self.family.members() {
            let Some(key) = member.key().map(str::to_owned) else { continue };
            let (kind, generation, in_incident) =
                member.read(|core| (core.state().kind(), core.generation().get(), core.is_in_incident()));
            let is_supervised = matches!(member.supervision(), Supervision::Running { .. });
            hold(is_supervised, "supervised", || format!("{key}: {:?}", member.supervision()))?;
            let before = self.known.get(&key);
            if before.is_none_or(|before| before.generation != generation) {
                self.trace.note(now, || format!("{key}: {kind}, generation {generation}"));
            }
            // A member that must stay is the same as before.
            if let Some(before) = before.filter(|before| before.must_stay) {
                hold(generation >= before.generation, "no open member makes room", || {
                    format!("{key} is {kind}, generation {generation}, and was {before:?}")
                })?;
            }
            let is_new = before.is_none_or(|before| before.generation != generation);
            if is_new && kind == StateKind::Open {
                self.trip_has_reason(&key)?;
            }
            self.is_found(&key, kind)?;
            let (must_stay, is_open) = (kind != StateKind::Closed || in_incident, kind == StateKind::Open);
            let since = before.and_then(|before| before.in_incident_since).unwrap_or(now);
            let in_incident_since = in_incident.then_some(since);
            seen.insert(key, Known { generation, must_stay, is_open, in_incident_since });
        }
        for (key, before) in self.known.iter().filter(|(_, before)| before.must_stay) {
            hold(seen.contains_key(key), "no open member makes room", || format!("{key} is gone, and was {before:?}"))?;
        }
        self.known = seen;
        if self.active.values().any(|fault| *fault == FamilyFault::Alerts) {
            self.alerts_faulty_until = now + ALERTS_RETRIED_WITHIN;
        }
        let incidents = self.known.iter().filter_map(|(key, known)| Some((key.as_str(), known.in_incident_since?)));
        let is_calm = now > self.alerts_faulty_until;
        family_alerts::check(&self.pager, self.is_per_key, incidents, is_calm.then_some(now))
    }

    /// Checks that a member is judged by its own calls: it opens only after one of them was bad, or by memory.
    fn trip_has_reason(&self, key: &str) -> Check {
        let now = self.now();
        let is_recent = |at: Option<Instant>, span: Duration| at.is_some_and(|at| now < at + span);
        let of_tenant = (0..TENANTS).find(|tenant| name(*tenant) == key);
        let bad_at = of_tenant.map_or(self.shared_bad_at, |tenant| self.bad_at[tenant]);
        let has_reason = is_recent(self.memory_bad_at, s(60)) || is_recent(bad_at, s(3_600));
        hold(has_reason, "trips", || format!("{key} opened, and none of its calls was bad"))
    }

    /// Checks that a tenant with only bad calls is found.
    fn is_found(&self, key: &str, kind: StateKind) -> Check {
        let now = self.now();
        let Some(tenant) = (0..TENANTS).find(|tenant| name(*tenant) == key) else { return Ok(()) };
        let is_missed = kind == StateKind::Closed
            && self.bad_since[tenant].is_some_and(|since| now > since + DETECTED_WITHIN)
            && now > self.touched + DETECTED_WITHIN;
        hold(!is_missed, "detection", || {
            format!("{key} is closed, and all calls are bad since {:?}", self.bad_since[tenant])
        })
    }

    /// Checks the end of an hour, after some time without calls.
    fn settled(&mut self) -> Check {
        let open = family_alerts::open(&self.pager);
        hold(open.is_empty(), "open after health", || format!("{open:?}"))?;
        let held: Vec<&String> = self.known.iter().filter(|(_, known)| known.must_stay).map(|(key, _)| key).collect();
        let is_idle = SETTLED.saturating_sub(CALLS_END) > IDLE + GONE_WITHIN;
        let left = self.family.len();
        hold(!is_idle || left <= held.len(), "idle members go", || format!("{left} are left; not closed: {held:?}"))
    }
}

fn name(tenant: usize) -> String {
    format!("tenant-{tenant}")
}

fn share(share: f64) -> Ratio {
    Ratio::new(share).unwrap_or(Ratio::ONE)
}
