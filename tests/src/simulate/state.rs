//! A run as it stands: the world, the process, and what is known of both.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tripline_core::Instant;
use tripline_runtime::test_util::World;

use super::config_file::SimFile;
use super::operator::{Answer, Command};
use super::platform::SimPlatform;
use super::process::Process;
use super::seen::Seen;
use super::settings::{self, BREAKERS};
use super::trace::Trace;
use super::truth::Truth;

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A command whose answer did not come yet, or was not looked at.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) breaker: usize,
    pub(super) command: Command,
    pub(super) must_work: bool,
    pub(super) answer: Option<Answer>,
}

/// A run as it stands.
pub(super) struct Simulation {
    pub(super) world: World,
    pub(super) platform: SimPlatform,
    pub(super) file: SimFile,
    pub(super) process: Option<Process>,
    pub(super) truths: Vec<Truth>,
    pub(super) sent: Rc<RefCell<Vec<Sent>>>,
    pub(super) seen: Seen,
    pub(super) trace: Trace,
}

impl Simulation {
    pub(super) fn new(seed: u64, with_trace: bool) -> Self {
        let world = World::new(seed);
        let now = world.now();
        Self {
            platform: SimPlatform::new(world.clock(), seed),
            file: SimFile::new(settings::text(seed), seed),
            process: None,
            truths: BREAKERS.iter().map(|_| Truth::new(now)).collect(),
            sent: Rc::default(),
            seen: Seen::new(now),
            trace: Trace::new(with_trace),
            world,
        }
    }

    /// Adds a line to the trace, where there is one.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        self.trace.note(self.world.now(), line);
    }

    /// Runs the tasks that the process has spawned.
    pub(super) fn adopt(&self) {
        if let Some(process) = &self.process {
            process.adopt(&self.world, &self.platform);
        }
    }

    /// Something else than their services touches all breakers.
    pub(super) fn touch_all(&mut self) {
        let now = self.world.now();
        self.truths.iter_mut().for_each(|truth| truth.touched = now);
    }
}
