//! Invariants of what the process holds: tasks, sleeps, readings.

use smol::block_on;

use super::super::operator::get;
use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::violation::{Check, hold};

/// Maximum number of tasks after a start.
const MAX_TASKS: usize = 32;
/// Tasks of a breaker that an edit of the file adds: one records its events, one runs its alerting.
const TASKS_OF_ADDED: usize = 2;
/// Calls that may be in flight at one instant, each a task: of the three breakers and of the five keys of the family.
const CALLS: usize = 8;
/// Readings of six hours.
const MAX_READINGS: usize = 6 * 360;

/// Records the tasks of a process that has just started. Those of earlier processes have ended.
pub(super) fn started(simulation: &mut Simulation) -> Check {
    let tasks = simulation.world.tasks();
    simulation.seen.tasks_at_start = tasks;
    simulation.seen.breakers_at_start = breakers(simulation);
    hold(tasks <= MAX_TASKS, "tasks end", || format!("{tasks} tasks after the start"))
}

/// Checks the process after a quiet quarter of an hour, in which no reader is left.
pub(super) fn settled(simulation: &mut Simulation) -> Check {
    let (tasks, sleepers) = (simulation.world.tasks(), simulation.world.clock().sleepers());
    simulation.note(|| format!("settled: {tasks} tasks, {sleepers} sleeps"));
    let at_start = simulation.seen.tasks_at_start;
    let added = breakers(simulation).saturating_sub(simulation.seen.breakers_at_start);
    let most = at_start + added * TASKS_OF_ADDED + CALLS;
    hold(tasks <= most, "tasks end", || format!("{tasks} tasks, after the start {at_start}, {added} breakers added"))?;
    // In a quiet process a task waits for one deadline.
    hold(sleepers <= tasks, "sleeps end", || format!("{sleepers} sleeps of {tasks} tasks"))?;
    let Some(process) = &simulation.process else { return Ok(()) };
    for name in BREAKERS {
        let history = block_on(get(process.router.clone(), &format!("/breakers/{name}/history"))).json();
        let readings = history["at_ms"].as_array().map_or(0, Vec::len);
        let is_bounded = (1..=MAX_READINGS).contains(&readings);
        hold(is_bounded, "memory is bounded", || format!("{name}: {readings} readings in the history"))?;
    }
    Ok(())
}

/// The number of breakers in the configuration in force.
fn breakers(simulation: &Simulation) -> usize {
    simulation.process.as_ref().map_or(0, |process| process.live.config().all_breakers().len())
}
