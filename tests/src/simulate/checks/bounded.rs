//! Invariants of what the process holds: tasks, sleeps, readings.

use smol::block_on;

use super::super::operator::get;
use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::violation::{Check, hold};

/// Maximum number of tasks after a start.
const MAX_TASKS: usize = 32;
/// Readings of six hours.
const MAX_READINGS: usize = 6 * 360;

/// Records the tasks of a process that has just started. Those of earlier processes have ended.
pub(super) fn started(simulation: &mut Simulation) -> Check {
    let tasks = simulation.world.tasks();
    simulation.seen.tasks_at_start = tasks;
    hold(tasks <= MAX_TASKS, "tasks end", || format!("{tasks} tasks after the start"))
}

/// Checks the process after a quiet quarter of an hour, in which no reader is left.
pub(super) fn settled(simulation: &mut Simulation) -> Check {
    let (tasks, sleepers) = (simulation.world.tasks(), simulation.world.clock().sleepers());
    simulation.note(|| format!("settled: {tasks} tasks, {sleepers} sleeps"));
    let at_start = simulation.seen.tasks_at_start;
    // An edit of the file may have added a breaker, which has a task.
    hold(tasks <= at_start + 1, "tasks end", || format!("{tasks} tasks, after the start {at_start}"))?;
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
