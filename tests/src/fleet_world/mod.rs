//! Replicas of one service in a `World`, each with a breaker, a supervisor, a dispatcher and a fleet runner, and their
//! shared pager.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, missing_debug_implementations)]

pub mod kill_plan;
pub mod pager;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::sim_support::{SLOW, quick, report_many};
use tripline_core::Instant;
use tripline_core::fleet::{PageAt, text};
use tripline_runtime::test_util::faults::{FaultPlan, FaultyEngine, SkewedClock};
use tripline_runtime::test_util::{MemoryFleet, World};
use tripline_runtime::{
    Breaker, Clock, EscalationPolicy, Family, FamilyLimits, Fleet, FleetRunner, FleetSettings, ShutdownHandle,
    StagingControl, SupervisedBreaker, SupervisionHandle, supervise,
};

use pager::Pager;

/// The key of the family's member in each replica.
const KEY: &str = "acme";

/// A fleet and its pager.
pub struct FleetWorld {
    /// Time, and the executor.
    pub world: World,
    /// The engine that all replicas reach, unless their links have faults.
    pub engine: MemoryFleet,
    /// The alert service.
    pub pager: Arc<Pager>,
    /// The processes, those that were killed included.
    pub replicas: Vec<Replica>,
    /// How alerts are staged.
    pub staging: EscalationPolicy,
    /// How many must be unwell before they page.
    pub page_at: PageAt,
    /// The share of probes that the fleet allows, in millionths; 0 where it does not limit them.
    pub probe_millionths: u32,
    /// Whether a replica that paged alone closes its alert alone.
    pub fallback_close: bool,
    /// Whether operators' commands apply to all replicas.
    pub takes_commands: bool,
    /// The breaker of each replica is a member of a family.
    pub is_family: bool,
    /// The time of day of every replica is off by up to this span, and jumps.
    pub skew: Duration,
    /// The monotonic time of every replica lags by up to this span, and jumps.
    pub lag: Duration,
    /// It runs faster or slower by up to this, in millionths.
    pub drift_ppm: i32,
    /// The clock of the replicas that start from now on, in place of one with that time of day.
    pub clock: Option<Arc<dyn Clock>>,
}

/// One process.
pub struct Replica {
    /// Its name in the fleet.
    pub name: String,
    /// Its breaker.
    pub breaker: Breaker,
    /// The family that the breaker is a member of.
    family: Option<Family>,
    /// Its part in the fleet.
    pub fleet: Fleet,
    /// Its way to the engine, without faults to start with.
    pub link: Arc<FaultyEngine>,
    /// Stops it.
    pub stop: ShutdownHandle,
    supervision: SupervisionHandle,
    kill: Rc<Kill>,
    /// Since when its incident runs.
    pub unwell_since: Option<Instant>,
}

/// Ends tasks as SIGKILL ends a process.
#[derive(Default)]
struct Kill {
    set: Cell<bool>,
    wakers: Cell<Vec<Waker>>,
}

impl Kill {
    fn kill(&self) {
        self.set.set(true);
        self.wakers.take().into_iter().for_each(Waker::wake);
    }

    async fn until_killed(self: Rc<Self>, task: impl Future<Output = ()>) {
        let mut task = pin!(task);
        poll_fn(|context| {
            if self.set.get() {
                return Poll::Ready(());
            }
            let mut wakers = self.wakers.take();
            wakers.retain(|waker| !waker.will_wake(context.waker()));
            wakers.push(context.waker().clone());
            self.wakers.set(wakers);
            task.as_mut().poll(context)
        })
        .await;
    }
}

impl FleetWorld {
    /// A fleet without replicas.
    pub fn new(seed: u64, staging: EscalationPolicy) -> Self {
        let world = World::new(seed);
        let engine = MemoryFleet::new(world.clock(), seed);
        let pager = Arc::new(Pager::new(world.clock(), seed));
        Self {
            engine,
            pager,
            replicas: Vec::new(),
            staging,
            page_at: PageAt::Count(1),
            probe_millionths: 0,
            fallback_close: false,
            takes_commands: false,
            is_family: false,
            skew: Duration::ZERO,
            lag: Duration::ZERO,
            drift_ppm: 0,
            clock: None,
            world,
        }
    }

    /// Returns a fleet of `replicas` that have run for 20 s.
    pub fn running(seed: u64, staging: EscalationPolicy, replicas: usize) -> Self {
        let mut fleet = Self::new(seed, staging);
        fleet.start(replicas);
        fleet.advance(Duration::from_secs(20));
        fleet
    }

    /// Starts so many more replicas.
    pub fn start(&mut self, count: usize) {
        for _ in 0..count {
            let number = self.replicas.len();
            let replica = self.process(number, 0);
            self.replicas.push(replica);
        }
        self.world.run_until_idle();
    }

    /// A new process in the place of one that was killed or stopped.
    pub fn restart(&mut self, number: usize, life: u32) {
        self.replicas[number] = self.process(number, life);
    }

    fn process(&self, number: usize, life: u32) -> Replica {
        let name = format!("web-{number}-{life:04}");
        let seed = u64::try_from(number).unwrap() << 16 | u64::from(life);
        let clock = self.clock.clone().unwrap_or_else(|| {
            let clock = SkewedClock::new(self.world.clock(), seed, Duration::from_secs(30));
            // Fast and slow ones by turns.
            let drift = self.drift_ppm * (i32::try_from(number % 5).unwrap() - 2) / 2;
            Arc::new(clock.time_of_day(self.skew).monotonic(self.lag).drift(drift))
        });
        let mut settings = FleetSettings::new(text(&name), seed);
        settings.page_at = self.page_at;
        settings.probe_millionths = self.probe_millionths;
        settings.fallback_close = self.fallback_close;
        settings.takes_commands = self.takes_commands;
        let link = Arc::new(FaultyEngine::new(Arc::new(self.engine.clone()), clock.clone(), FaultPlan::new(seed)));
        let fleet = Fleet::new(link.clone(), settings, clock.clone());
        let builder = Breaker::builder(clock.clone()).policy(quick()).seed(seed);
        let (breaker, family, target) = if self.is_family {
            let family = Family::new(builder, FamilyLimits::default()).unwrap();
            let target = SupervisedBreaker::family(&family);
            (family.get(KEY).unwrap(), Some(family), target)
        } else {
            let breaker = builder.build().unwrap();
            (breaker.clone(), None, SupervisedBreaker::new(breaker))
        };
        let target =
            target.sink(Arc::new(self.pager.of(&name))).staging(StagingControl::new(self.staging)).fleet(fleet.clone());
        let (supervisor, dispatcher, stop) = supervise(clock, [target], seed);
        let (kill, supervision) = (Rc::new(Kill::default()), supervisor.handle());
        self.world.spawn(kill.clone().until_killed(supervisor.run()));
        self.world.spawn(kill.clone().until_killed(async {
            dispatcher.run().await;
        }));
        self.world.spawn(kill.clone().until_killed(FleetRunner::new(fleet.clone(), stop.clone()).run()));
        Replica { name, breaker, family, fleet, link, stop, supervision, kill, unwell_since: None }
    }

    /// Every replica gets another breaker while it runs, whose alerts go to `pager`.
    pub fn add_breaker(&self, name: &str, pager: &Arc<Pager>) -> Vec<Breaker> {
        let add = |replica: &Replica| {
            let builder = Breaker::builder(self.world.clock()).policy(quick()).name(name.parse().unwrap());
            let breaker = builder.build().unwrap();
            let target = SupervisedBreaker::new(breaker.clone()).sink(Arc::new(pager.of(&replica.name)));
            let target = target.staging(StagingControl::new(self.staging)).fleet(replica.fleet.clone());
            assert!(replica.supervision.add(target));
            breaker
        };
        let breakers = self.replicas.iter().map(add).collect();
        self.world.run_until_idle();
        breakers
    }

    /// The engine loses its state whenever an initial stage is about to be acknowledged.
    pub fn forget_before_acknowledgements(&self) {
        let engine = self.engine.clone();
        self.engine.on_step(Arc::new(move |step| {
            if step.call == "acknowledge initial" && !step.is_done {
                engine.forget();
            }
            false
        }));
    }

    /// The breaker of a replica opens.
    pub fn trip(&mut self, number: usize) {
        self.call(number, 5, SLOW);
        self.replicas[number].unwell_since.get_or_insert(self.world.now());
        self.world.run_until_idle();
    }

    /// A replica has so many calls, each of which takes `latency` and ends now.
    pub fn call(&mut self, number: usize, count: usize, latency: Duration) {
        let replica = &mut self.replicas[number];
        if let Some(family) = &replica.family {
            // One that was not used for a while is not a member any more.
            replica.breaker = family.get(KEY).unwrap();
        }
        report_many(&replica.breaker, count, latency, tripline_core::Outcome::Ok);
    }

    /// Its incident is over.
    pub fn heal(&mut self, number: usize) {
        let replica = &mut self.replicas[number];
        replica.breaker.reset();
        replica.unwell_since = None;
        self.world.run_until_idle();
    }

    /// SIGKILL. Its breaker is not looked at any more.
    pub fn kill(&mut self, number: usize) {
        self.replicas[number].kill.kill();
        self.world.run_until_idle();
    }

    /// The result of `call`, which must not wait for time to pass.
    pub fn run<T: 'static>(&self, call: impl Future<Output = T> + 'static) -> T {
        let answer = Rc::new(Cell::new(None));
        let to = answer.clone();
        self.world.spawn(async move { to.set(Some(call.await)) });
        self.world.run_until_idle();
        answer.take().expect("it waits for time to pass")
    }

    /// Lets time pass.
    pub fn advance(&self, span: Duration) {
        self.world.advance(span);
    }
}
