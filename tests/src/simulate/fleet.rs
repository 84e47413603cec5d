//! Replicas of one service that share their incidents, on virtual time: partitions, lost answers, kills, a late pager.

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_core::fleet::PageAt;
use tripline_core::{AlertKind, Instant, StateKind};
use tripline_runtime::FleetPart;
use tripline_runtime::test_util::Schedule;
use tripline_runtime::test_util::faults::FaultPlan;

use super::fleet_commands::Commands;
use super::fleet_options::FleetOptions;
use super::fleet_script::{EngineFault, FleetFault, PagerFault, replicas};
use super::random::Random;
use super::script::{Script, Step, What};
use super::trace::Trace;
use super::violation::{Check, hold};
use crate::fleet_world::pager::Delivery;
use crate::fleet_world::{FleetWorld, Replica};
use crate::sim_support::{FAST, SLOW, s, staging};

/// After the last fault and the last unwell replica, an alert may stay open for so long.
const MAX_OPEN: Duration = s(60);
/// gather 5 s, grace 11 s, lease 20 s, fallback 15 s + 30 s, and one attempt of 10 s.
const MAX_SILENT: Duration = s(5 + 11 + 20 + 45 + 10);
/// A replica that was killed counts as unwell for so long.
const HOLD: Duration = s(30);
/// So long after a fault a stage may be sent twice: leases, fallback and the second close are over then.
const HEALED_WITHIN: Duration = s(240);

/// Runs a script of a fleet.
pub(super) struct FleetRun<'s> {
    script: &'s Script,
    fleet: FleetWorld,
    start: Instant,
    schedule: Schedule<Event>,
    active: BTreeMap<usize, FleetFault>,
    lives: Vec<u32>,
    is_dead: Vec<bool>,
    options: FleetOptions,
    commands: Commands,
    /// Until then something was out of order.
    faulty_until: Instant,
    healed_at: Instant,
    /// An alert was opened or closed without the engine. If its sender ended before it reaches the engine, nothing would know of that: the
    /// replicas here have no `state_dir`. None is ended meanwhile.
    has_sent_alone: bool,
    /// The stages that were sent: by incident, kind and stage, the last time of each, and whether something was out of order then.
    sent: BTreeMap<(u64, AlertKind, &'static str), (Instant, bool)>,
    pub(super) trace: Trace,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Begin(usize),
    End(usize),
    /// An operator enables all breakers.
    Enable,
    Settled,
}

impl<'s> FleetRun<'s> {
    pub(super) fn new(script: &'s Script, with_trace: bool) -> Self {
        let count = replicas(script.seed);
        let mut fleet = FleetWorld::new(script.seed, staging(s(90), s(0)));
        let options = FleetOptions::of(script.seed);
        options.apply(&mut fleet);
        // Each replica has a clock of its own; the rule of the fleet depends on none.
        let mut random = Random::new(script.seed, 10);
        fleet.skew = random.one_of(&[Duration::ZERO, s(30), s(9 * 3_600)]);
        fleet.lag = Duration::from_millis(random.one_of(&[0, 20, 500]));
        fleet.drift_ppm = random.one_of(&[0, 200, 10_000]);
        fleet.start(count);
        let start = fleet.world.now();
        Self {
            script,
            start,
            schedule: Schedule::default(),
            active: BTreeMap::new(),
            lives: vec![0; count],
            is_dead: vec![false; count],
            options,
            commands: Commands::new(count),
            faulty_until: start,
            healed_at: start,
            has_sent_alone: false,
            sent: BTreeMap::new(),
            trace: Trace::new(with_trace),
            fleet,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.fleet.world.now()
    }

    pub(super) fn live(&mut self, count: &mut dyn FnMut()) -> Check {
        for (index, step) in self.script.steps.iter().enumerate() {
            self.schedule.add(self.start + step.at, 1, Event::Begin(index));
        }
        for hour in 0..self.script.end.as_secs().div_ceil(3_600) {
            self.schedule.add(self.start + s(hour * 3_600 + 41 * 60), 2, Event::Enable);
            self.schedule.add(self.start + s(hour * 3_600 + 59 * 60), 2, Event::Settled);
        }
        self.apply();
        let end = self.start + self.script.end;
        while self.now() < end {
            while let Some(event) = self.schedule.pop_due(self.now()) {
                self.handle(event)?;
            }
            self.call();
            self.fleet.advance(s(1));
            self.fleet.pager.settle_late();
            count();
            self.check()?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Check {
        let now = self.now();
        match event {
            Event::Begin(index) => {
                let Some(Step { lasts, what: What::Fleet(fault), .. }) = self.script.steps.get(index).copied() else {
                    return Ok(());
                };
                self.trace.note(now, || format!("{fault:?} for {lasts:?}"));
                self.schedule.add(now + lasts, 1, Event::End(index));
                self.active.insert(index, fault);
                self.begin(fault);
            }
            Event::End(index) => {
                if let Some(fault) = self.active.remove(&index) {
                    self.end(fault);
                }
            }
            Event::Enable => (0..self.lives.len()).for_each(|number| self.enable(number)),
            Event::Settled => return self.settled(),
        }
        self.apply();
        Ok(())
    }

    fn begin(&mut self, fault: FleetFault) {
        match fault {
            FleetFault::Unwell { first, count } => {
                self.replicas_from(first, count).for_each(|number| self.trip(number));
            }
            FleetFault::Kill(number) if !self.is_dead[number] && !self.has_sent_alone => {
                self.fleet.kill(number);
                self.mark_dead(number);
            }
            FleetFault::Stop(number) if !self.is_dead[number] && !self.has_sent_alone => {
                self.fleet.replicas[number].stop.stop(s(10));
                self.fleet.world.run_until_idle();
                self.mark_dead(number);
            }
            FleetFault::Forget => {
                self.fleet.engine.forget();
                self.sent.clear();
            }
            FleetFault::Command { through, action } if !self.is_dead[through] => {
                self.commands.send(&self.fleet, through, action);
            }
            FleetFault::Enable(number) => self.enable(number),
            _ => {}
        }
    }

    fn heal(&mut self, number: usize) {
        if !self.is_meant_unwell(number) && self.fleet.replicas[number].unwell_since.is_some() {
            self.fleet.heal(number);
            self.healed_at = self.now();
        }
    }

    fn enable(&mut self, number: usize) {
        if !self.is_dead[number] {
            self.fleet.replicas[number].breaker.enable();
            self.commands.enabled(number);
        }
    }

    /// Each breaker that is open or meant to be gets one call a second.
    fn call(&mut self) {
        if !self.options.has_calls {
            return;
        }
        for number in (0..self.lives.len()).filter(|number| !self.is_dead[*number]).collect::<Vec<_>>() {
            let is_meant_unwell = self.is_meant_unwell(number);
            if is_meant_unwell || self.fleet.replicas[number].breaker.state() != StateKind::Closed {
                self.fleet.call(number, 1, if is_meant_unwell { SLOW } else { FAST });
            }
        }
    }

    fn end(&mut self, fault: FleetFault) {
        match fault {
            FleetFault::Unwell { first, count } if !self.options.has_calls => {
                self.replicas_from(first, count).for_each(|number| self.heal(number));
            }
            FleetFault::Kill(number) | FleetFault::Stop(number) if self.is_dead[number] => {
                self.fleet.kill(number);
                self.lives[number] += 1;
                self.fleet.restart(number, self.lives[number]);
                self.is_dead[number] = false;
                self.commands.restarted(number, self.now());
                if self.is_meant_unwell(number) {
                    self.trip(number);
                }
            }
            _ => {}
        }
    }

    /// The numbers of `count` replicas from `first` on; after the last one comes the first.
    fn replicas_from(&self, first: usize, count: usize) -> impl Iterator<Item = usize> + use<> {
        let all = self.lives.len();
        (0..count.min(all)).map(move |offset| (first + offset) % all)
    }

    fn is_meant_unwell(&self, number: usize) -> bool {
        self.active.values().any(|fault| match *fault {
            FleetFault::Unwell { first, count } => self.replicas_from(first, count).any(|other| other == number),
            _ => false,
        })
    }

    fn trip(&mut self, number: usize) {
        if !self.is_dead[number] && self.fleet.replicas[number].unwell_since.is_none() {
            self.fleet.trip(number);
        }
    }

    fn mark_dead(&mut self, number: usize) {
        self.is_dead[number] = true;
        self.fleet.replicas[number].unwell_since = None;
        self.healed_at = self.now() + HOLD;
    }

    /// The faults of the links and of the pager.
    fn apply(&self) {
        let engine = self.active.values().rev().find_map(|fault| match fault {
            FleetFault::Engine(fault) => Some(*fault),
            _ => None,
        });
        for (number, replica) in self.fleet.replicas.iter().enumerate() {
            let is_cut_off = self.active.values().any(|fault| match *fault {
                FleetFault::Partition { first, count } => self.replicas_from(first, count).any(|other| other == number),
                _ => false,
            });
            let fault = if is_cut_off { Some(EngineFault::Hanging) } else { engine };
            let seed = self.script.seed ^ number as u64;
            replica.link.set_plan(fault.map_or_else(|| FaultPlan::new(seed), |fault| fault.plan(seed)));
        }
        let has = |fault| self.active.values().any(|active| *active == FleetFault::Pager(fault));
        let pager = &self.fleet.pager;
        pager.set_down(has(PagerFault::Down));
        pager.set_slow(if has(PagerFault::Slow) || has(PagerFault::Late) { s(12) } else { s(1) });
        pager.set_late(if has(PagerFault::Late) { s(15) } else { Duration::ZERO });
    }

    fn check(&mut self) -> Check {
        let now = self.now();
        if self.active.values().any(|fault| fault.is_disturbance()) {
            self.faulty_until = now;
        }
        self.see_incidents();
        let faulty_until = self.faulty_until;
        let was_faulty = |within: Duration| now < faulty_until + within;
        for delivery in self.fleet.pager.take_deliveries() {
            self.check_delivery(now, &delivery, was_faulty(HEALED_WITHIN))?;
        }
        let (open, pager) = (self.fleet.pager.open_alerts(), &self.fleet.pager);
        self.has_sent_alone &= was_faulty(HOLD);
        hold(open <= 1, "one alert per incident", || format!("{open} alerts are open; {:?}", pager.log().last()))?;
        let since = self.fleet.replicas.iter().filter_map(|replica| replica.unwell_since).min();
        let is_over = since.is_none() && now > self.healed_at + MAX_OPEN && !was_faulty(MAX_OPEN + HOLD);
        hold(!is_over || open == 0, "open after health", || format!("all are well since {:?}", self.healed_at))?;
        self.commands.check(&self.fleet, !was_faulty(HOLD))?;
        self.check_probes(was_faulty(HEALED_WITHIN))?;
        let unwell = self.fleet.replicas.iter().filter(|replica| replica.unwell_since.is_some()).count();
        let pages = match self.fleet.page_at {
            PageAt::Count(least) => unwell >= least as usize,
            PageAt::Millionths(share) => unwell > 0 && unwell * 1_000_000 >= self.members() * share as usize,
        };
        let newest = self.fleet.replicas.iter().filter_map(|replica| replica.unwell_since).max();
        let is_due = pages && newest.is_some_and(|since| now > since + MAX_SILENT) && !was_faulty(MAX_SILENT);
        hold(!is_due || open == 1, "paged", || format!("{unwell} are unwell since {since:?}, and there is no alert"))
    }

    /// The number of members as the replicas know it: one that was killed counts for some minutes.
    fn members(&self) -> usize {
        let members = self.fleet.replicas.iter().map(|replica| replica.fleet.status().members as usize);
        members.max().unwrap_or_default()
    }

    /// Records since when each replica is in an incident.
    fn see_incidents(&mut self) {
        let now = self.now();
        for (replica, is_dead) in self.fleet.replicas.iter_mut().zip(&self.is_dead) {
            let is_unwell = !is_dead && replica.breaker.read(tripline_core::Breaker::is_in_incident);
            if !is_unwell && replica.unwell_since.is_some() {
                self.healed_at = now;
            }
            replica.unwell_since = is_unwell.then(|| replica.unwell_since.unwrap_or(now));
        }
    }

    /// Checks that no more replicas probe at once than may.
    fn check_probes(&self, was_faulty: bool) -> Check {
        let Some(most) = self.options.max_probes(self.members()) else { return Ok(()) };
        let is_probing = |replica: &&Replica| replica.breaker.state() == StateKind::HalfOpen;
        let probing: Vec<&str> = self.fleet.replicas.iter().filter(is_probing).map(|it| it.name.as_str()).collect();
        hold(was_faulty || probing.len() <= most, "the budget of probes", || format!("{most} may probe: {probing:?}"))
    }

    fn check_delivery(&mut self, now: Instant, delivery: &Delivery, was_faulty: bool) -> Check {
        self.trace.note(now, || format!("pager: {} {} {:?}", delivery.kind.as_str(), delivery.stage, delivery.part));
        let Some(FleetPart::All { epoch, has_doubled: false, is_repeated: false, .. }) = &delivery.part else {
            let is_alone = delivery.part == Some(FleetPart::Alone);
            self.has_sent_alone |= is_alone;
            return hold(!is_alone || was_faulty, "pages alone", || format!("{delivery:?}, and the engine works"));
        };
        let before = self.sent.insert((*epoch, delivery.kind, delivery.stage), (now, was_faulty));
        // One that took effect without an acknowledgement is due again, an escalation once a breaker is open.
        let is_excused = was_faulty || before.is_none_or(|(_, was_faulty)| was_faulty);
        hold(is_excused, "one page per incident and stage", || {
            format!("incident {epoch}: {} {} came again, first {before:?}", delivery.kind.as_str(), delivery.stage)
        })?;
        if delivery.is_end {
            let oldest = self.fleet.replicas.iter().filter_map(|replica| replica.unwell_since).min();
            let is_on = oldest.is_some_and(|since| now > since + s(30));
            hold(!is_on || was_faulty, "closed while unwell", || {
                format!("incident {epoch} is closed, and a replica is unwell since {oldest:?}")
            })?;
        }
        Ok(())
    }

    /// At the end of an hour, of which the last quarter had no fault.
    fn settled(&mut self) -> Check {
        let open = self.fleet.pager.open_alerts();
        hold(open == 0, "settled", || format!("{open} alerts are open"))?;
        for replica in &self.fleet.replicas {
            let (kind, status) = (replica.breaker.state(), replica.fleet.status());
            hold(kind == StateKind::Closed, "settled", || format!("{} is {kind}", replica.name))?;
            hold(status.is_up && !status.is_alone, "settled", || format!("{}: {status:?}", replica.name))?;
            let all = u32::try_from(self.fleet.replicas.len()).unwrap_or(u32::MAX);
            hold(status.members == all, "settled", || format!("{} of {all} members", status.members))?;
        }
        Ok(())
    }
}
