//! Kills the replica that makes the step of a given number.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, missing_debug_implementations)]

use std::sync::{Arc, Mutex};

use super::FleetWorld;

/// Counts the steps of all replicas; the one that makes step `kill_at` gets no further.
#[derive(Clone, Default)]
pub struct KillPlan(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    steps: Vec<String>,
    kill_at: Option<usize>,
    killed: Option<String>,
}

impl KillPlan {
    /// Kills at this step, counted from 0 from now on; at none where it is left out.
    pub fn of(fleet: &FleetWorld, kill_at: Option<usize>) -> Self {
        let plan = Self::default();
        plan.0.lock().unwrap().kill_at = kill_at;
        let of_engine = plan.clone();
        fleet.engine.on_step(Arc::new(move |step| of_engine.look(step.replica.as_str(), &step.call, step.is_done)));
        let of_pager = plan.clone();
        fleet.pager.on_step(Arc::new(move |replica, call, is_done| of_pager.look(replica, call, is_done)));
        plan
    }

    fn look(&self, replica: &str, call: &str, is_done: bool) -> bool {
        let mut state = self.0.lock().unwrap();
        if state.killed.as_deref() == Some(replica) {
            // Nothing that it had begun goes on.
            return true;
        }
        let number = state.steps.len();
        state.steps.push(format!("{} {call}", if is_done { "after" } else { "before" }));
        let ends = state.kill_at == Some(number);
        if ends {
            state.killed = Some(replica.to_owned());
        }
        ends
    }

    /// The steps that were made, by name.
    pub fn steps(&self) -> Vec<String> {
        self.0.lock().unwrap().steps.clone()
    }

    /// The number of the replica that was to be killed, once.
    pub fn take_killed(&self, fleet: &FleetWorld) -> Option<usize> {
        let killed = self.0.lock().unwrap().killed.clone()?;
        fleet.replicas.iter().position(|replica| replica.name == killed)
    }
}
