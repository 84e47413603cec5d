//! One run: time passes from event to event, and after each the invariants are checked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use tripline_core::Instant;
use tripline_runtime::DrainReport;
use tripline_runtime::test_util::{Schedule, World};

use super::callers;
use super::checks;
use super::config_file::SimFile;
use super::operator::{self, Answer, Command};
use super::platform::SimPlatform;
use super::process::Process;
use super::random::Random;
use super::reader;
use super::script::{Mood, Script, What};
use super::settings::{self, BREAKERS};
use super::truth::Truth;
use super::violation::{Check, Violation, clock_time};

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// What happened, line by line, where that was asked for.
    pub trace: Vec<String>,
    /// Virtual time that passed.
    pub passed: Duration,
    /// Steps after each of which the invariants were checked.
    pub events: u64,
}

/// What the simulation itself has planned.
#[derive(Debug, Clone, Copy)]
enum Event {
    Ask(usize),
    Finish(usize, u64),
    Begin(usize),
    End(usize),
    Start,
    Stopped,
    Minute,
    Repair(Repair),
    Settled,
}

/// How everything is put in order towards the end of an hour.
#[derive(Debug, Clone, Copy)]
enum Repair {
    File,
    Operators,
}

/// A command whose answer did not come yet, or was not looked at.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) breaker: usize,
    pub(super) command: Command,
    pub(super) must_work: bool,
    pub(super) answer: Option<Answer>,
}

/// A run.
pub(super) struct Simulation<'s> {
    script: &'s Script,
    pub(super) world: World,
    pub(super) platform: SimPlatform,
    pub(super) file: SimFile,
    pub(super) process: Option<Process>,
    pub(super) truths: Vec<Truth>,
    pub(super) sent: Rc<RefCell<Vec<Sent>>>,
    pub(super) seen: checks::Seen,
    findings: Rc<RefCell<Vec<(&'static str, String)>>>,
    drained: Rc<RefCell<Option<DrainReport>>>,
    schedule: Schedule<Event>,
    active: BTreeMap<usize, What>,
    random: Random,
    calls: u64,
    trace: Option<Vec<String>>,
}

/// Runs a script, and stops at the first invariant that does not hold.
pub fn run(script: &Script, with_trace: bool) -> Outcome {
    let mut simulation = Simulation::new(script, with_trace);
    let start = simulation.world.now();
    let mut events = 0;
    let ended = catch_unwind(AssertUnwindSafe(|| simulation.run(&mut events)));
    let at = simulation.world.now();
    let found = match ended {
        Ok(found) => found,
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(("panic", text.unwrap_or_default()))
        }
    };
    let violation = found.err().map(|(invariant, detail)| Violation { invariant, at, detail });
    if let Some(violation) = &violation {
        simulation.note(|| format!("VIOLATION {violation}"));
    }
    let trace = simulation.trace.take().unwrap_or_default();
    if let Some(process) = simulation.process.take() {
        process.kill();
    }
    Outcome { violation, trace, passed: at.since(start), events }
}

impl<'s> Simulation<'s> {
    fn new(script: &'s Script, with_trace: bool) -> Self {
        let (world, seed) = (World::new(script.seed), script.seed);
        let platform = SimPlatform::new(world.clock(), seed);
        let now = world.now();
        Self {
            script,
            file: SimFile::new(settings::text(seed), seed),
            truths: BREAKERS.iter().map(|_| Truth::new(now)).collect(),
            seen: checks::Seen::new(now),
            platform,
            world,
            process: None,
            sent: Rc::default(),
            findings: Rc::default(),
            drained: Rc::default(),
            schedule: Schedule::default(),
            active: BTreeMap::new(),
            random: Random::new(seed, 7),
            calls: 0,
            trace: with_trace.then(Vec::new),
        }
    }

    fn run(&mut self, events: &mut u64) -> Check {
        let start = self.world.now();
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
        self.schedule.add(start, 0, Event::Start);
        self.schedule.add(start + MINUTE, 4, Event::Minute);
        while self.world.now() < end {
            let next = self.schedule.next_at().unwrap_or(end).min(end);
            self.world.step(next);
            self.adopt();
            while let Some(event) = self.schedule.pop_due(self.world.now()) {
                self.handle(event)?;
                self.world.run_until_idle();
                self.adopt();
            }
            *events += 1;
            self.check()?;
        }
        Ok(())
    }

    fn adopt(&self) {
        if let Some(process) = &self.process {
            process.adopt(&self.world, &self.platform);
        }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{} {}", clock_time(self.world.now()), line()));
        }
    }

    /// After every event.
    fn check(&mut self) -> Check {
        if let Some(found) = self.findings.borrow_mut().pop() {
            return Err(found);
        }
        checks::after_event(self)
    }

    fn handle(&mut self, event: Event) -> Check {
        let now = self.world.now();
        match event {
            Event::Ask(breaker) => self.ask(breaker, now),
            Event::Finish(breaker, number) => {
                if let Some(process) = &self.process {
                    self.truths[breaker].finish(&process.breakers[breaker], number, now);
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
                self.schedule.add(now + MINUTE, 4, Event::Minute);
                return checks::every_minute(self);
            }
            Event::Repair(Repair::File) => {
                self.file.state().is_read_only = false;
                self.file.write(settings::text(self.script.seed));
                self.seen.file_changed = now;
                self.touch_all();
            }
            Event::Repair(Repair::Operators) => {
                for breaker in 0..BREAKERS.len() {
                    for command in [Command::Enable, Command::EndSimulations, Command::Reset] {
                        self.operate(breaker, command, true);
                    }
                }
            }
            Event::Settled => return checks::settled(self),
        }
        Ok(())
    }

    fn ask(&mut self, breaker: usize, now: Instant) {
        let mood = self.truths[breaker].mood;
        self.schedule.add(now + callers::gap(mood, &mut self.random), 3, Event::Ask(breaker));
        let planned = callers::plan(mood, &mut self.random);
        let Some(process) = &self.process else { return };
        self.calls += 1;
        if self.truths[breaker].ask(&process.breakers[breaker], self.calls, planned.is_bad, planned.outcome) {
            self.schedule.add(now + planned.latency, 0, Event::Finish(breaker, self.calls));
        }
    }

    fn begin(&mut self, index: usize) {
        let Some(step) = self.script.steps.get(index).copied() else { return };
        self.note(|| format!("{step}"));
        let now = self.world.now();
        match step.what {
            What::Edit(edit) => {
                self.file.edit(edit);
                self.seen.file_changed = now;
                self.touch_all();
            }
            What::Operate { breaker, command } => self.operate(breaker, command, false),
            What::Read { breaker } => self.read(breaker),
            What::Kill => {
                if let Some(process) = self.process.take() {
                    process.kill();
                    let pause = self.random.millis(1_000, 20_000);
                    self.down(pause);
                }
            }
            What::Restart => {
                let stop = self.process.as_mut().and_then(|process| process.stop(Duration::from_secs(10)));
                if let Some(stop) = stop {
                    let drained = self.drained.clone();
                    drained.borrow_mut().take();
                    self.world.spawn(async move {
                        let report = stop.await;
                        *drained.borrow_mut() = Some(report);
                    });
                    self.seen.is_stopping = true;
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

    /// What holds now, of everything that lasts: of several of a kind the one that began last.
    fn apply_faults(&mut self) {
        let now = self.world.now();
        let active: Vec<What> = self.active.values().copied().collect();
        let last = |pick: &dyn Fn(&What) -> bool| active.iter().rev().find(|what| pick(what)).copied();
        for (index, truth) in self.truths.iter_mut().enumerate() {
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
        if percent > 50 || self.seen.memory_percent > 50 {
            self.seen.memory_bad_at = Some(now);
        }
        self.seen.memory_percent = percent;
        self.platform.memory.set_percent(percent);
        let memory_fault = match last(&|what| matches!(what, What::MemoryFault(_))) {
            Some(What::MemoryFault(fault)) => Some(fault),
            _ => None,
        };
        self.platform.set_memory_fault(memory_fault);
        let net_fault = match last(&|what| matches!(what, What::Alerts(_))) {
            Some(What::Alerts(fault)) => Some(fault),
            _ => None,
        };
        self.platform.network.state().fault = net_fault;
        let disk_fault = match last(&|what| matches!(what, What::Disk(_))) {
            Some(What::Disk(fault)) => Some(fault),
            _ => None,
        };
        if disk_fault.is_some() || self.seen.is_disk_faulty {
            self.seen.disk_faulty_at = Some(now);
        }
        self.seen.is_disk_faulty = disk_fault.is_some();
        self.platform.set_disk_fault(disk_fault);
        self.file.state().is_read_only = last(&|what| matches!(what, What::ReadOnlyFile)).is_some();
    }

    fn touch_all(&mut self) {
        let now = self.world.now();
        self.truths.iter_mut().for_each(|truth| truth.touched = now);
    }

    fn operate(&mut self, breaker: usize, command: Command, must_work: bool) {
        let now = self.world.now();
        let Some(process) = &self.process else { return };
        if self.seen.is_stopping {
            return;
        }
        let truth = &mut self.truths[breaker];
        truth.touched = now;
        match command {
            Command::SimulateLatency | Command::SimulateMemory => truth.is_simulated = true,
            Command::EndSimulations | Command::Reset => truth.is_simulated = false,
            _ => {}
        }
        let sent = self.sent.clone();
        let number = sent.borrow().len();
        sent.borrow_mut().push(Sent { at: now, breaker, command, must_work, answer: None });
        let router = process.router.clone();
        let task = async move {
            let answer = operator::command(router, BREAKERS[breaker], command).await;
            if let Some(sent) = sent.borrow_mut().get_mut(number) {
                sent.answer = Some(answer);
            }
        };
        process.spawn(&self.world, task);
    }

    fn read(&mut self, breaker: usize) {
        let Some(process) = &self.process else { return };
        let (router, findings) = (process.router.clone(), self.findings.clone());
        process.spawn(&self.world, async move {
            if let Err(found) = reader::follow(router, BREAKERS[breaker]).await {
                findings.borrow_mut().push(found);
            }
        });
    }

    fn stopped(&mut self) -> Check {
        let Some(process) = self.process.take() else { return Ok(()) };
        let report = self.drained.borrow_mut().take();
        process.kill();
        self.down(Duration::from_secs(2));
        checks::stopped(self, report)
    }

    /// The process is gone.
    fn down(&mut self, pause: Duration) {
        let now = self.world.now();
        self.note(|| "the process is gone".to_owned());
        self.seen.is_stopping = false;
        self.seen.restarted = Some(now);
        self.sent.borrow_mut().clear();
        self.truths.iter_mut().for_each(|truth| truth.restarted(now));
        self.world.run_until_idle();
        self.schedule.add(now + pause, 2, Event::Start);
    }

    fn start(&mut self) -> Check {
        if self.process.is_some() {
            return Ok(());
        }
        checks::before_start(self)?;
        self.platform.restarted();
        match Process::start(&self.world, &self.platform, &self.file) {
            Ok(process) => {
                self.note(|| "the process starts".to_owned());
                self.process = Some(process);
                let now = self.world.now();
                self.truths.iter_mut().for_each(|truth| truth.restarted(now));
                self.seen.restarted = Some(now);
                checks::started(self)
            }
            Err(why) => {
                // As a service manager that starts it again and again.
                self.note(|| format!("the process does not start: {why}"));
                let now = self.world.now();
                self.schedule.add(now + Duration::from_secs(10), 2, Event::Start);
                checks::not_started(self, &why)
            }
        }
    }
}

pub(super) const MINUTE: Duration = Duration::from_secs(60);
