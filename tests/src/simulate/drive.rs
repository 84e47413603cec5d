//! Runs a script: time passes from event to event, and the invariants are checked after each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tripline_core::Instant;
use tripline_runtime::DrainReport;
use tripline_runtime::test_util::Schedule;

use super::callers;
use super::checks;
use super::error_log::ErrorLog;
use super::extras::ExtraStep;
use super::fleet_commands;
use super::fleet_script::FleetFault;
use super::mood::Mood;
use super::operator::{self, Command};
use super::process::Process;
use super::random::Random;
use super::reader::{self, Received};
use super::script::{DiskFault, MemoryFault, Script, What};
use super::settings::{self, BREAKERS, Edit, has_extras};
use super::stages::Stages;
use super::state::{MINUTE, Sent, Simulation};
use super::trace::Trace;
use super::violation::{Check, hold};

/// A planned event of the simulation.
#[derive(Debug, Clone, Copy)]
enum Event {
    Ask(usize),
    Finish(usize, u64),
    Begin(usize),
    End(usize),
    Start,
    Stopped,
    Minute,
    Extras,
    Repair(Repair),
    Settled,
}

/// The repairs towards the end of an hour.
#[derive(Debug, Clone, Copy)]
enum Repair {
    File,
    Operators,
}

/// Maximum number of events per minute; more indicate a task that does not sleep.
const MAX_EVENTS: u32 = 20_000;

/// Drives a run.
pub(super) struct Driver<'s> {
    script: &'s Script,
    run: Simulation,
    findings: Rc<RefCell<Vec<(&'static str, String)>>>,
    drained: Rc<RefCell<Option<DrainReport>>>,
    schedule: Schedule<Event>,
    active: BTreeMap<usize, What>,
    random: Random,
    calls: u64,
    in_minute: u32,
}

impl<'s> Driver<'s> {
    pub(super) fn new(script: &'s Script, with_trace: bool) -> Self {
        Self {
            script,
            run: Simulation::new(script.seed, with_trace),
            findings: Rc::default(),
            drained: Rc::default(),
            schedule: Schedule::default(),
            active: BTreeMap::new(),
            random: Random::new(script.seed, 7),
            calls: 0,
            in_minute: 0,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.run.world.now()
    }

    pub(super) fn take_trace(&mut self) -> Trace {
        std::mem::replace(&mut self.run.trace, Trace::new(false))
    }

    /// Ends the process, where one runs.
    pub(super) fn kill(&mut self) {
        if let Some(process) = self.run.process.take() {
            process.kill();
        }
    }

    /// Runs to the end of the script, calling `count` with every event.
    pub(super) fn live(&mut self, count: &mut dyn FnMut()) -> Check {
        let start = self.run.world.now();
        let end = start + self.script.end;
        for (index, step) in self.script.steps.iter().enumerate() {
            self.schedule.add(start + step.at, 1, Event::Begin(index));
        }
        for breaker in 0..BREAKERS.len() {
            self.schedule.add(start + Duration::from_secs(2), 3, Event::Ask(breaker));
        }
        let hours = self.script.end.as_secs().div_ceil(3_600);
        for hour in (0..hours).map(|hour| start + Duration::from_secs(hour * 3_600)) {
            let minutes = |minutes: u64| hour + Duration::from_secs(minutes * 60);
            self.schedule.add(minutes(42), 2, Event::Repair(Repair::File));
            self.schedule.add(minutes(43), 2, Event::Repair(Repair::Operators));
            self.schedule.add(minutes(59), 4, Event::Settled);
        }
        if has_extras(self.script.seed) {
            self.schedule.add(start + Duration::from_secs(2), 3, Event::Extras);
        }
        self.schedule.add(start, 0, Event::Start);
        self.schedule.add(start + MINUTE, 4, Event::Minute);
        while self.run.world.now() < end {
            let next = self.schedule.next_at().unwrap_or(end).min(end);
            self.run.world.step(next);
            self.run.adopt();
            while let Some(event) = self.schedule.pop_due(self.run.world.now()) {
                self.handle(event)?;
                self.run.world.run_until_idle();
                self.run.adopt();
            }
            count();
            self.in_minute += 1;
            hold(self.in_minute < MAX_EVENTS, "it does not spin", || format!("{MAX_EVENTS} events in a minute"))?;
            self.check()?;
        }
        Ok(())
    }

    /// Checks the invariants after an event.
    fn check(&mut self) -> Check {
        if let Some(found) = self.findings.borrow_mut().pop() {
            return Err(found);
        }
        checks::after_event(&mut self.run)
    }

    fn handle(&mut self, event: Event) -> Check {
        let now = self.run.world.now();
        if !matches!(event, Event::Ask(_) | Event::Finish(..) | Event::Extras | Event::Minute) {
            self.run.seen.changed = now;
        }
        match event {
            Event::Ask(breaker) => self.ask(breaker, now)?,
            Event::Finish(breaker, number) => {
                if let Some(process) = &self.run.process {
                    self.run.truths[breaker].finish(&process.breakers[breaker], number, now);
                }
            }
            Event::Begin(index) => self.begin(index),
            Event::End(index) => {
                self.active.remove(&index);
                self.apply_faults();
            }
            Event::Start => return self.start(),
            Event::Stopped => self.stopped()?,
            Event::Minute => {
                self.in_minute = 0;
                self.schedule.add(now + MINUTE, 4, Event::Minute);
                return checks::every_minute(&mut self.run);
            }
            Event::Extras => {
                let gap = self.run.call_extras();
                self.schedule.add(now + gap, 3, Event::Extras);
            }
            Event::Repair(Repair::File) => {
                self.run.file.state().is_read_only = false;
                self.run.file.write(settings::text(self.script.seed));
                self.run.seen.file_changed = now;
                self.run.touch_all();
            }
            Event::Repair(Repair::Operators) => {
                for breaker in 0..BREAKERS.len() {
                    for command in [Command::Enable, Command::EndSimulations, Command::Reset] {
                        self.operate(breaker, command, true);
                    }
                }
                if has_extras(self.script.seed) {
                    for command in [Command::Enable, Command::EndSimulations, Command::Reset] {
                        self.run.operate_family(false, command, &self.findings);
                    }
                }
            }
            Event::Settled => return checks::settled(&mut self.run),
        }
        Ok(())
    }

    fn ask(&mut self, breaker: usize, now: Instant) -> Check {
        let mood = self.run.truths[breaker].mood;
        let (gap, together) = callers::next(mood, &mut self.random);
        self.schedule.add(now + gap, 3, Event::Ask(breaker));
        for _ in 0..together {
            let planned = callers::plan(mood, &mut self.random);
            let Some(process) = &self.run.process else { return Ok(()) };
            self.calls += 1;
            let (truth, is_supervised) = (&mut self.run.truths[breaker], !self.run.seen.is_stopping);
            if truth.ask(&process.breakers[breaker], self.calls, &planned, now, is_supervised)? {
                self.schedule.add(now + planned.latency, 0, Event::Finish(breaker, self.calls));
            }
        }
        Ok(())
    }

    fn begin(&mut self, index: usize) {
        let Some(step) = self.script.steps.get(index).copied() else { return };
        self.run.note(|| format!("{step}"));
        let now = self.run.world.now();
        match step.what {
            What::Edit(edit) => self.edit(edit),
            What::Extra(ExtraStep::Toggle) => {
                self.run.extras.gone_since = None;
                self.edit(Edit::Optional);
            }
            What::Extra(ExtraStep::Operate { is_member, command }) => {
                self.run.operate_family(is_member, command, &self.findings);
            }
            What::Operate { breaker, command } => self.operate(breaker, command, false),
            What::Fleet(FleetFault::Forget) => self.run.forget_fleet(),
            What::Read { breaker } => self.read(breaker),
            What::Kill => {
                if let Some(process) = self.run.process.take() {
                    process.kill();
                    let pause = self.random.millis(1_000, 20_000);
                    self.down(pause);
                }
            }
            What::Restart => {
                let stop = self.run.process.as_mut().and_then(|process| process.stop(Duration::from_secs(10)));
                if let Some(stop) = stop {
                    let drained = self.drained.clone();
                    drained.borrow_mut().take();
                    self.run.world.spawn(async move {
                        let report = stop.await;
                        *drained.borrow_mut() = Some(report);
                    });
                    self.run.seen.is_stopping = true;
                    self.run.seen.ended = Some(now);
                    self.schedule.add(now + Duration::from_secs(17), 2, Event::Stopped);
                }
            }
            _ => {
                self.active.insert(index, step.what);
                self.schedule.add(now + step.lasts, 1, Event::End(index));
                self.apply_faults();
            }
        }
    }

    fn edit(&mut self, edit: Edit) {
        self.run.file.edit(edit);
        self.run.seen.file_changed = self.run.world.now();
        self.run.touch_all();
    }

    /// Applies the lasting faults: of several of one kind the one that began last.
    fn apply_faults(&mut self) {
        let now = self.run.world.now();
        let active: Vec<What> = self.active.values().copied().collect();
        let last = |pick: &dyn Fn(&What) -> bool| active.iter().rev().find(|what| pick(what)).copied();
        for (index, truth) in self.run.truths.iter_mut().enumerate() {
            let mood = match last(&|what| matches!(what, What::Service { breaker, .. } if *breaker == index)) {
                Some(What::Service { mood, .. }) => mood,
                _ => Mood::Healthy,
            };
            if mood != truth.mood {
                truth.mood = mood;
                truth.all_bad_since = (!matches!(mood, Mood::Healthy | Mood::Shaky)).then_some(now);
            }
        }
        let percent = match last(&|what| matches!(what, What::Memory { .. })) {
            Some(What::Memory { percent }) => percent,
            _ => 50,
        };
        if percent > 50 || self.run.seen.memory_percent > 50 || self.run.seen.is_memory_stale {
            self.run.seen.memory_bad_at = Some(now);
        }
        self.run.seen.memory_percent = percent;
        self.run.platform.memory.set_percent(percent);
        let memory_fault = match last(&|what| matches!(what, What::MemoryFault(_))) {
            Some(What::MemoryFault(fault)) => Some(fault),
            _ => None,
        };
        let above_since = self.run.seen.memory_above_since.unwrap_or(now);
        self.run.seen.memory_above_since = (percent >= 80 && memory_fault.is_none()).then_some(above_since);
        self.run.seen.is_memory_stale = memory_fault == Some(MemoryFault::Stale);
        self.run.platform.set_memory_fault(memory_fault);
        let net_fault = match last(&|what| matches!(what, What::Alerts(_))) {
            Some(What::Alerts(fault)) => Some(fault),
            _ => None,
        };
        self.run.platform.network.state().fault = net_fault;
        let disk_fault = match last(&|what| matches!(what, What::Disk(_))) {
            Some(What::Disk(fault)) => Some(fault),
            _ => None,
        };
        if disk_fault.is_some() || self.run.seen.is_disk_faulty {
            self.run.seen.disk_faulty_at = Some(now);
        }
        self.run.seen.is_disk_faulty = disk_fault.is_some();
        let is_failing = disk_fault.is_some_and(|fault| fault != DiskFault::Slow);
        if is_failing || self.run.seen.is_disk_failing {
            self.run.seen.disk_failing_at = Some(now);
        }
        self.run.seen.is_disk_failing = is_failing;
        self.run.platform.set_disk_fault(disk_fault);
        self.run.file.state().is_read_only = last(&|what| matches!(what, What::ReadOnlyFile)).is_some();
        self.run.apply_fleet(&active);
        self.run.apply_extras(&active);
    }

    fn operate(&mut self, breaker: usize, command: Command, must_work: bool) {
        let now = self.run.world.now();
        let Some(process) = &self.run.process else { return };
        if self.run.seen.is_stopping {
            return;
        }
        let truth = &mut self.run.truths[breaker];
        truth.touched = truth.touched.max(now);
        truth.commanded = None;
        if Command::TO_ALL.contains(&command) {
            truth.touched = now + fleet_commands::LASTS;
            truth.may_be_commanded_until = now + fleet_commands::LASTS;
        }
        match command {
            Command::SimulateLatency | Command::SimulateMemory => truth.is_simulated = true,
            Command::EndSimulations | Command::Reset => truth.is_simulated = false,
            _ => {}
        }
        let answer = Rc::default();
        self.run.sent.push(Sent { at: now, breaker, command, must_work, answer: Rc::clone(&answer) });
        let router = process.router.clone();
        let task = async move {
            // It is set once.
            let _ = answer.set(operator::command(router, BREAKERS[breaker], command).await);
        };
        process.spawn(&self.run.world, task);
    }

    fn read(&mut self, breaker: usize) {
        let Some(process) = &self.run.process else { return };
        let (router, findings) = (process.router.clone(), self.findings.clone());
        let random = Random::new(self.script.seed ^ self.run.world.now().as_nanos(), 14);
        let (clock, received) = (self.run.world.clock(), Rc::new(RefCell::new(Received::new(breaker))));
        self.run.readers.push(received.clone());
        process.spawn(&self.run.world, async move {
            if let Err(found) = reader::follow(router, clock, random, received).await {
                findings.borrow_mut().push(found);
            }
        });
    }

    fn stopped(&mut self) -> Check {
        let Some(process) = self.run.process.take() else { return Ok(()) };
        let report = self.drained.borrow_mut().take();
        process.kill();
        self.down(Duration::from_secs(2));
        checks::stopped(&mut self.run, report)
    }

    /// Takes the process down.
    fn down(&mut self, pause: Duration) {
        let now = self.run.world.now();
        self.run.note(|| "the process is gone".to_owned());
        if !std::mem::take(&mut self.run.seen.is_stopping) {
            self.run.seen.ended = Some(now);
        }
        self.run.seen.restarted = Some(now);
        self.run.sent.clear();
        self.run.readers.clear();
        self.run.seen.stages = Stages::default();
        self.run.truths.iter_mut().for_each(|truth| truth.restarted(now));
        self.run.world.run_until_idle();
        self.run.forget_unsaved(now);
        self.schedule.add(now + pause, 2, Event::Start);
    }

    fn start(&mut self) -> Check {
        if self.run.process.is_some() {
            return Ok(());
        }
        checks::before_start(&mut self.run)?;
        let damaged = self.run.forget_damaged();
        self.run.platform.restarted();
        self.run.platform.disk.restarted();
        let errors = ErrorLog::default();
        match errors.during(|| Process::start(&self.run.world, &self.run.platform, &self.run.file)) {
            Ok(process) => {
                self.run.note(|| "the process starts".to_owned());
                self.run.process = Some(process);
                let now = self.run.world.now();
                self.run.truths.iter_mut().for_each(|truth| truth.restarted(now));
                self.run.seen.restarted = Some(now);
                self.run.lose_removed();
                checks::started(&mut self.run)?;
                checks::started_without(&mut self.run, &damaged, &errors)
            }
            Err(why) => {
                // Like a service manager that restarts it repeatedly.
                self.run.note(|| format!("the process does not start: {why}"));
                let now = self.run.world.now();
                self.schedule.add(now + Duration::from_secs(10), 2, Event::Start);
                checks::not_started(&mut self.run, &why)
            }
        }
    }
}
