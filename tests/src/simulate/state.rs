//! The state of a run: the world, the process, and the knowledge about both.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tripline_core::Instant;
use tripline_runtime::test_util::World;

use super::config_file::SimFile;
use super::operator::{Answer, Command};
use super::platform::SimPlatform;
use super::process::Process;
use super::seen::Seen;
use super::settings::{self, BREAKERS};
use super::truth::Truth;
use super::violation::clock_time;

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A command whose response has not arrived or was not checked.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) breaker: usize,
    pub(super) command: Command,
    pub(super) must_work: bool,
    pub(super) answer: Option<Answer>,
}

/// The state of a run.
pub(super) struct Simulation {
    pub(super) world: World,
    pub(super) platform: Arc<SimPlatform>,
    pub(super) file: SimFile,
    pub(super) process: Option<Process>,
    pub(super) truths: Vec<Truth>,
    pub(super) sent: Rc<RefCell<Vec<Sent>>>,
    pub(super) seen: Seen,
    pub(super) trace: Option<Vec<String>>,
}

impl Simulation {
    pub(super) fn new(seed: u64, with_trace: bool) -> Self {
        let world = World::new(seed);
        let now = world.now();
        Self {
            platform: Arc::new(SimPlatform::new(world.clock(), seed)),
            file: SimFile::new(settings::text(seed), seed),
            process: None,
            truths: BREAKERS.iter().map(|_| Truth::new(now)).collect(),
            sent: Rc::default(),
            seen: Seen::new(now),
            trace: with_trace.then(Vec::new),
            world,
        }
    }

    /// Adds a line to the trace, if there is one.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{} {}", clock_time(self.world.now()), line()));
        }
    }

    /// Numbers of incidents that were never saved are given again after a restart.
    pub(super) fn forget_unsaved(&mut self) {
        let files = self.platform.disk.files();
        let last = |breaker: &str| {
            let file = files.iter().find(|(name, _)| name.as_str() == breaker).map(|(_, file)| file);
            file.and_then(|file| file.acknowledged.as_ref()).map_or(0, |state| state.staging.last_incident)
        };
        self.platform.network.state().service.forget_after(last);
        self.seen.pages.retain(|(breaker, incident, _), _| *incident <= last(breaker));
        for ((breaker, _), newest) in &mut self.seen.newest {
            *newest = (*newest).min(last(breaker));
        }
    }

    /// Runs the tasks that the process has spawned.
    pub(super) fn adopt(&self) {
        if let Some(process) = &self.process {
            process.adopt(&self.world, &self.platform);
        }
    }

    /// Records that all breakers are affected by something other than their services.
    pub(super) fn touch_all(&mut self) {
        let now = self.world.now();
        self.truths.iter_mut().for_each(|truth| truth.touched = now);
    }
}
