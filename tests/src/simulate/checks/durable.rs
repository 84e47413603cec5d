//! What must be true of the state that survives.

use std::time::Duration;

use tripline_core::StateKind;
use tripline_runtime::DurableState;

use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::violation::{Check, hold};

/// A state takes less, in bytes.
const MAX_STATE: usize = 64 * 1_024;

/// What is on disk is what was acknowledged, or what was to be saved after it.
pub(super) fn before_start(simulation: &mut Simulation) -> Check {
    let names: Vec<_> = simulation.platform.disk.files().keys().cloned().collect();
    for name in names {
        let left =
            simulation.platform.disk.left(&name).map_err(|error| ("durable state", format!("{name}: {error}")))?;
        let files = simulation.platform.disk.files();
        let Some(file) = files.get(&name) else { continue };
        // Times are written to the millisecond.
        let is = |state: &DurableState| left.as_ref().is_some_and(|left| same(left, state));
        let is_known =
            file.acknowledged.iter().chain(&file.attempted).any(is) || left.is_none() && file.acknowledged.is_none();
        hold(is_known, "durable state", || {
            format!("{name}: {left:?} is on disk, {:?} was acknowledged", file.acknowledged)
        })?;
    }
    Ok(())
}

fn same(one: &DurableState, other: &DurableState) -> bool {
    let staging = |state: &DurableState| {
        (state.staging.last_incident, state.staging.open.map(|open| (open.cause, open.trip, open.alert, open.is_drill)))
    };
    let lanes = |state: &DurableState| -> Vec<_> {
        let of_lane = |lane: &tripline_runtime::LaneRecord| {
            let incidents: Vec<_> =
                lane.incidents.iter().map(|it| (it.incident, it.earlier, it.alias.clone())).collect();
            (lane.sink.clone(), lane.kind, incidents)
        };
        state.lanes.iter().map(of_lane).collect()
    };
    one.operator == other.operator && staging(one) == staging(other) && lanes(one) == lanes(other)
}

/// What lasts for so long is on disk, where that works.
const SAVED_WITHIN: Duration = Duration::from_secs(6);

/// A process goes on with what was left.
pub(super) fn started(simulation: &mut Simulation) -> Check {
    let Some(process) = &simulation.process else { return Ok(()) };
    let seen = &simulation.seen;
    for ((breaker, name), truth) in process.breakers.iter().zip(BREAKERS).zip(&simulation.truths) {
        let before = truth.left_off;
        let Some(ended) = seen.ended else { continue };
        if seen.is_disk_faulty
            || seen.disk_faulty_at.is_some_and(|at| at >= before.since)
            || ended < before.since + SAVED_WITHIN
        {
            continue;
        }
        let (kind, incident) = breaker.read(|core| (core.state().kind(), core.is_in_incident()));
        let is_off = kind == StateKind::Disabled;
        let is_forced = kind == StateKind::ForcedOpen;
        hold(is_off || is_forced == before.is_forced, "operators' commands survive", || {
            format!("{name}: {kind}, before: {before:?}")
        })?;
        hold(is_off || incident || !before.in_incident, "incidents survive", || {
            format!("{name}: in an incident: {incident}, before: {before:?}")
        })?;
    }
    for (breaker, name) in process.breakers.iter().zip(BREAKERS) {
        let Ok(Some(left)) = simulation.platform.disk.left(breaker.name()) else { continue };
        let (kind, incident) = breaker.read(|core| (core.state().kind(), core.is_in_incident()));
        let is_off = kind == StateKind::Disabled;
        hold(is_off || !left.operator.disabled, "operators' commands survive", || {
            format!("{name}: {kind}, {:?}", left.operator)
        })?;
        let is_forced = kind == StateKind::ForcedOpen;
        let was_forced = left.operator.forced_open && !is_off;
        hold(is_forced == was_forced, "operators' commands survive", || {
            format!("{name}: {kind}, {:?}", left.operator)
        })?;
        let was_on = left.staging.open.is_some();
        // Memory is read at once.
        let is_new = simulation.seen.memory_percent > 50 || simulation.seen.is_memory_stale;
        let is_simulated = left.operator.simulates_latency || left.operator.simulates_memory;
        let goes_on = is_off || incident == was_on || is_simulated || (incident && is_new);
        hold(goes_on, "incidents survive", || format!("{name}: in an incident: {incident}, before: {was_on}"))?;
    }
    Ok(())
}

/// After a quiet quarter of an hour nothing waits, and it is written down.
pub(super) fn settled(simulation: &mut Simulation) -> Check {
    for (name, file) in &*simulation.platform.disk.files() {
        let Some(state) = &file.acknowledged else { continue };
        hold(state.staging.open.is_none(), "durable state", || format!("{name}: the incident is still open on disk"))?;
        let waiting: Vec<_> = state.lanes.iter().filter(|lane| !lane.incidents.is_empty()).collect();
        hold(waiting.is_empty(), "durable state", || format!("{name}: {waiting:?}"))?;
        hold(file.attempted.is_empty(), "durable state", || format!("{name}: not all is saved"))?;
        hold(file.size() < MAX_STATE, "memory is bounded", || format!("{name}: {} bytes on disk", file.size()))?;
        let (disabled, forced) = (state.operator.disabled, state.operator.forced_open);
        hold(!disabled && !forced, "durable state", || format!("{name}: {:?}", state.operator))?;
    }
    Ok(())
}
