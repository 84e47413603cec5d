//! The state of a run: the world, the process, and the knowledge about both.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tripline_core::Instant;
use tripline_runtime::test_util::World;
use tripline_runtime::{BreakerName, DurableState, LaneRecord};

use super::alert_service::{PagerAlert, Scope};
use super::config_file::SimFile;
use super::disk::StateFile;
use super::extras::Extras;
use super::operator::{Answer, Command};
use super::peer::Peer;
use super::platform::SimPlatform;
use super::process::Process;
use super::reader::Received;
use super::seen::Seen;
use super::settings::{self, BREAKERS, Options};
use super::trace::Trace;
use super::truth::Truth;

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A command whose response has not arrived or was not checked.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) breaker: usize,
    pub(super) command: Command,
    pub(super) must_work: bool,
    /// Set by the task that sent it.
    pub(super) answer: Rc<OnceCell<Answer>>,
}

/// The state of a run.
pub(super) struct Simulation {
    pub(super) world: World,
    pub(super) platform: Arc<SimPlatform>,
    pub(super) file: SimFile,
    /// The other replica, if the process is in a fleet.
    pub(super) peer: Option<Peer>,
    pub(super) process: Option<Process>,
    pub(super) truths: Vec<Truth>,
    pub(super) sent: Vec<Sent>,
    pub(super) readers: Vec<Rc<RefCell<Received>>>,
    pub(super) seen: Seen,
    pub(super) extras: Extras,
    pub(super) options: Options,
    pub(super) trace: Trace,
}

impl Simulation {
    pub(super) fn new(seed: u64, with_trace: bool) -> Self {
        let world = World::new(seed);
        let now = world.now();
        let platform = Arc::new(SimPlatform::new(world.clock(), seed));
        Self {
            peer: Peer::join(&world, &platform.engine, seed),
            platform,
            file: SimFile::new(settings::text(seed), seed),
            process: None,
            truths: BREAKERS.iter().map(|_| Truth::new(now)).collect(),
            sent: Vec::new(),
            readers: Vec::new(),
            seen: Seen::new(now),
            extras: Extras::new(seed),
            options: Options::of(seed),
            trace: Trace::new(with_trace),
            world,
        }
    }

    /// Adds a line to the trace, if there is one.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        self.trace.note(self.world.now(), line);
    }

    /// Records what the process could not save before it ended. Numbers of incidents that were never saved are given
    /// again. An alert of such an incident stays open at the pager if the disk failed from before it was sent until
    /// the process ended: a page does not wait for a disk that fails, and no later process can know of it.
    pub(super) fn forget_unsaved(&mut self, now: Instant) {
        let is_failing = self.seen.is_unsaved_excused(now);
        let last = |breaker: &str| {
            // The incidents of a fleet are not on disk.
            let Ok(name) = breaker.parse() else { return u64::MAX };
            let left = self.platform.disk.left(&name).ok().flatten();
            left.map_or(0, |state| state.staging.last_incident)
        };
        let is_excused = |alert: &PagerAlert| {
            let files = self.platform.disk.files();
            let file = files.iter().find(|(name, _)| name.as_str() == alert.breaker).map(|(_, file)| file);
            is_failing && file.is_some_and(|file| file.has_tried(alert.incident))
        };
        self.platform.network.state().service.forget_after(last, is_excused);
        self.platform
            .network
            .state()
            .service
            .lose(|alert| alert.scope != Scope::Fleet && is_failing && self.is_only_tried(alert));
        for (truth, name) in self.truths.iter_mut().zip(BREAKERS) {
            let Ok(name) = name.parse() else { continue };
            let left = self.platform.disk.left(&name).ok().flatten().and_then(|state| state.staging.open);
            let files = self.platform.disk.files();
            let has_ended = |file: &StateFile| file.attempted.iter().any(|state| state.staging.open != left);
            truth.is_close_lost |= is_failing && self.options.fallback_close;
            truth.is_end_lost = is_failing && left.is_some() && files.get(&name).is_some_and(has_ended);
        }
        self.seen.pages.retain(|(breaker, incident, _), _| *incident <= last(breaker));
        for ((breaker, _), newest) in &mut self.seen.newest {
            *newest = (*newest).min(last(breaker));
        }
        if is_failing {
            self.repeat_ends();
        }
    }

    /// An end that was delivered, which could not be saved, is delivered again by the process that finds it pending: at its start, or when an
    /// edit of the file adds the breaker again.
    fn repeat_ends(&mut self) {
        let files = self.platform.disk.files();
        let names: Vec<BreakerName> = files.keys().cloned().collect();
        drop(files);
        for name in names {
            let Some(left) = self.platform.disk.left(&name).ok().flatten() else { continue };
            let pending = left.lanes.iter().flat_map(|lane| &lane.incidents).map(|entry| entry.incident);
            let incidents: Vec<String> = pending.map(|number| format!("{}:{number}:", name.as_str())).collect();
            self.seen.deliveries.retain(|id, _| {
                !(id.ends_with(":resolved") && incidents.iter().any(|incident| id.starts_with(incident)))
            });
        }
    }

    /// Records that a start finds damaged states, and returns their breakers. It starts without them: no process knows of their alerts any
    /// more, which stay open until they are opened again, and their incidents are numbered anew.
    pub(super) fn forget_damaged(&mut self) -> Vec<BreakerName> {
        let damaged = self.platform.disk.damaged();
        let is_forgotten = |breaker: &str| damaged.iter().any(|name| name.as_str() == breaker);
        let last = |breaker: &str| if is_forgotten(breaker) { 0 } else { u64::MAX };
        for (truth, _) in self.truths.iter_mut().zip(BREAKERS).filter(|(_, name)| is_forgotten(name)) {
            truth.is_close_lost |= self.options.fallback_close;
        }
        let service = &mut self.platform.network.state().service;
        service.forget_after(last, |_| true);
        service.lose(|alert| is_forgotten(&alert.breaker));
        self.seen.pages.retain(|(breaker, _, _), _| !is_forgotten(breaker));
        self.seen.newest.retain(|(breaker, _), _| !is_forgotten(breaker));
        damaged
    }

    /// Whether the process tried to save that this alert of a saved incident is sent, and could not. Alerts of members are not looked up:
    /// all count.
    fn is_only_tried(&self, alert: &PagerAlert) -> bool {
        let knows = |state: &DurableState| {
            let of_kind = |lane: &&LaneRecord| lane.sink != "webhook" && lane.kind.as_str() == alert.kind;
            let mut incidents = state.lanes.iter().filter(of_kind).flat_map(|lane| &lane.incidents);
            incidents.any(|record| record.incident == alert.incident)
        };
        if !alert.key.is_empty() {
            return true;
        }
        let Ok(name) = alert.breaker.parse() else { return false };
        let is_saved = self.platform.disk.left(&name).ok().flatten().is_some_and(|state| knows(&state));
        let files = self.platform.disk.files();
        !is_saved && files.get(&name).is_some_and(|file| file.attempted.iter().any(knows))
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
        for truth in &mut self.truths {
            truth.touched = truth.touched.max(now);
            truth.commanded = None;
        }
    }
}
