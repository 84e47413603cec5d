//! What is known of the commands to all replicas.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tripline_core::fleet::{Action, COMMAND_LASTS_MS};
use tripline_core::{Instant, StateKind};

use super::violation::{Check, hold};
use crate::fleet_world::FleetWorld;
use crate::sim_support::s;

/// Every replica that reaches the engine has executed a command within this time: the interval of beats, and the time of a call.
pub(super) const EXECUTED_WITHIN: Duration = s(12);
/// After this time no replica executes a command any more.
pub(super) const LASTS: Duration = Duration::from_millis(COMMAND_LASTS_MS).saturating_add(s(30));

/// What is known of the commands to all replicas.
#[derive(Debug)]
pub(super) struct Commands {
    answers: Rc<RefCell<Vec<(Action, bool)>>>,
    /// Whether the breaker of each replica is enabled, where that is known.
    is_enabled: Vec<Option<bool>>,
    /// Those that the replicas may be about to execute, in order.
    placed: Vec<(Action, Instant)>,
    /// The replicas whose breakers were enabled meanwhile, before or after they executed them.
    enabled: Vec<usize>,
    last_at: Option<Instant>,
}

impl Commands {
    pub(super) fn new(replicas: usize) -> Self {
        Self {
            answers: Rc::default(),
            is_enabled: vec![Some(true); replicas],
            placed: Vec::new(),
            enabled: Vec::new(),
            last_at: None,
        }
    }

    /// Sends a command through a replica.
    pub(super) fn send(&mut self, fleet: &FleetWorld, through: usize, action: Action) {
        self.last_at = Some(fleet.world.now());
        let replica = &fleet.replicas[through];
        let (of, name, answers) = (replica.fleet.clone(), replica.breaker.name().clone(), self.answers.clone());
        fleet.world.spawn(async move {
            let is_placed = of.command(action, &name).await.is_ok();
            answers.borrow_mut().push((action, is_placed));
        });
    }

    /// Records that an operator enabled the breaker of one replica.
    pub(super) fn enabled(&mut self, number: usize) {
        self.is_enabled[number] = Some(true);
        self.enabled.push(number);
    }

    /// Records that a new process takes the place of a replica.
    pub(super) fn restarted(&mut self, number: usize, now: Instant) {
        self.is_enabled[number] = (!self.is_recent(now)).then_some(true);
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.last_at.is_some_and(|at| now < at + LASTS)
    }

    /// Checks that every replica has executed what was commanded, and nothing twice. `is_calm` where nothing disturbs the fleet.
    pub(super) fn check(&mut self, fleet: &FleetWorld, is_calm: bool) -> Check {
        let now = fleet.world.now();
        let answers = self.answers.take();
        if !is_calm && self.is_recent(now) {
            // Some may execute it, and some not.
            self.placed.clear();
            self.is_enabled.fill(None);
            return Ok(());
        }
        for (action, is_placed) in answers {
            hold(is_placed, "a command is placed", || format!("{action:?}, and nothing disturbs the fleet"))?;
            self.placed.push((action, now));
        }
        if self.placed.last().is_some_and(|(_, at)| now < *at + EXECUTED_WITHIN) {
            return Ok(());
        }
        let has_placed = !self.placed.is_empty();
        for (action, _) in self.placed.drain(..) {
            match action {
                Action::Disable => self.is_enabled.fill(Some(false)),
                Action::Enable => self.is_enabled.fill(Some(true)),
                Action::Reset => {}
            }
        }
        for number in self.enabled.drain(..).filter(|_| has_placed) {
            self.is_enabled[number] = None;
        }
        for (replica, is_enabled) in fleet.replicas.iter().zip(&self.is_enabled) {
            let kind = replica.breaker.state();
            let is_as_meant = is_enabled.is_none_or(|is_enabled| is_enabled == (kind != StateKind::Disabled));
            hold(is_as_meant, "commands to all replicas", || {
                format!("{} is {kind}, enabled: {is_enabled:?}", replica.name)
            })?;
        }
        Ok(())
    }
}
