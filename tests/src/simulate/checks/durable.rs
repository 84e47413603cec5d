//! Invariants of the durable state.

use std::path::Path;
use std::time::{Duration, SystemTime};

use tripline_core::StateKind;
use tripline_runtime::{BreakerName, DurableState, LaneRecord};

use super::super::disk::{Disk, StateFile};
use super::super::error_log::ErrorLog;
use super::super::process::Process;
use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::truth::Truth;
use super::super::violation::{Check, hold};

/// Maximum size of a state, in bytes.
const MAX_STATE: usize = 64 * 1_024;

/// Checks that the state on disk is the acknowledged one, or one that was to be saved after it.
pub(super) fn before_start(simulation: &mut Simulation) -> Check {
    let names: Vec<_> = simulation.platform.disk.files().keys().cloned().collect();
    for name in names {
        let left =
            simulation.platform.disk.left(&name).map_err(|error| ("durable state", format!("{name}: {error}")))?;
        let files = simulation.platform.disk.files();
        let Some(file) = files.get(&name).filter(|file| !file.is_damaged()) else { continue };
        let is = |state: &DurableState| left.as_ref().is_some_and(|left| same(left, state));
        let is_known =
            file.acknowledged.iter().chain(&file.attempted).any(is) || left.is_none() && file.acknowledged.is_none();
        hold(is_known, "durable state", || {
            format!("{name}: {left:?} is on disk, {:?} was acknowledged", file.acknowledged)
        })?;
    }
    Ok(())
}

/// Whether all that a state contains is the same, except for what it does not keep.
fn same(left: &DurableState, saved: &DurableState) -> bool {
    *left == kept(saved.clone())
}

/// A state without what is not kept: fractions of a millisecond, and of a pending alert what the dispatcher and the sink set before each
/// attempt (the alias has a field of its own in the record of its incident).
fn kept(mut state: DurableState) -> DurableState {
    state.saved_at = in_millis(state.saved_at);
    if let Some(open) = &mut state.staging.open {
        open.started_at = in_millis(open.started_at);
    }
    for created in &mut state.staging.created {
        created.at = in_millis(created.at);
    }
    let incidents = state.lanes.iter_mut().flat_map(|lane| &mut lane.incidents);
    for alert in incidents.filter_map(|incident| incident.waiting.as_mut()) {
        alert.started_at = in_millis(alert.started_at);
        alert.at = in_millis(alert.at);
        (alert.alias, alert.page) = (None, None);
    }
    state.members = state.members.into_iter().map(kept).collect();
    state
}

fn in_millis(at: SystemTime) -> SystemTime {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(since.as_millis() as u64)
}

/// What lasts for so long is on disk, where that works.
const SAVED_WITHIN: Duration = Duration::from_secs(6);

/// Checks that a process continues from the stored state.
pub(super) fn started(simulation: &mut Simulation) -> Check {
    let Some(process) = &simulation.process else { return Ok(()) };
    let seen = &simulation.seen;
    // A replica that starts executes the commands of the last minute.
    let now = simulation.world.now();
    let may_be_commanded = |truth: &Truth| now < truth.may_be_commanded_until;
    for ((breaker, name), truth) in process.breakers.iter().zip(BREAKERS).zip(&simulation.truths) {
        let before = truth.left_off;
        let Some(ended) = seen.ended else { continue };
        if seen.is_disk_faulty
            || may_be_commanded(truth)
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
    for ((breaker, name), truth) in process.breakers.iter().zip(BREAKERS).zip(&simulation.truths) {
        if may_be_commanded(truth) {
            continue;
        }
        let Ok(Some(left)) = simulation.platform.disk.left(breaker.name()) else { continue };
        let (kind, incident, is_enabled) =
            breaker.read(|core| (core.state().kind(), core.is_in_incident(), core.policy().enabled));
        let is_off = kind == StateKind::Disabled;
        // One that is forced open stays so until it is reset, also where it is disabled.
        hold(!(is_enabled && left.operator.disabled), "operators' commands survive", || {
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

/// Checks that damaged states are set aside and reported, and that the process starts without them.
pub(super) fn started_without(simulation: &mut Simulation, damaged: &[BreakerName], errors: &ErrorLog) -> Check {
    let now = simulation.world.now();
    for name in damaged {
        simulation.note(|| format!("{name}: its state is damaged"));
        // From here on as after any other loss of the disk.
        simulation.seen.disk_faulty_at = Some(now);
        let is_set_aside = !simulation.platform.disk.files().get(name).is_some_and(StateFile::is_damaged);
        hold(is_set_aside, "damage is found", || format!("{name} goes on from a damaged state"))?;
        let path = Disk::path(Path::new("/state"), name);
        hold(errors.has(&path.display().to_string()), "damage is reported", || path.display().to_string())?;
        let breakers = simulation.process.iter().flat_map(|process| &process.breakers);
        for breaker in breakers.filter(|breaker| breaker.name() == name) {
            let (kind, incident) = breaker.read(|core| (core.state().kind(), core.is_in_incident()));
            // Memory is read at once.
            let is_new = simulation.seen.memory_percent > 50 || simulation.seen.is_memory_stale;
            let is_fresh = kind != StateKind::ForcedOpen && (!incident || is_new);
            hold(is_fresh, "damage is found", || format!("{name} is {kind}, in an incident: {incident}"))?;
        }
    }
    Ok(())
}

/// Checks after a quiet quarter of an hour that nothing waits, and that this is saved.
pub(super) fn settled(simulation: &mut Simulation) -> Check {
    for (name, file) in &*simulation.platform.disk.files() {
        // That of a breaker that was removed is not read.
        let is_there = |process: &Process| process.circuits.get(name.as_str()).is_some();
        let Some(state) = file.acknowledged.as_ref().filter(|_| simulation.process.as_ref().is_some_and(is_there))
        else {
            continue;
        };
        hold(state.staging.open.is_none(), "durable state", || format!("{name}: the incident is still open on disk"))?;
        let is_pending = |lane: &&LaneRecord| !lane.incidents.is_empty() || lane.has_closed_alone;
        let waiting: Vec<_> = state.lanes.iter().filter(is_pending).collect();
        hold(waiting.is_empty(), "durable state", || format!("{name}: {waiting:?}"))?;
        hold(file.attempted.is_empty(), "durable state", || format!("{name}: not all is saved"))?;
        hold(file.size() < MAX_STATE, "memory is bounded", || format!("{name}: {} bytes on disk", file.size()))?;
        let (disabled, forced) = (state.operator.disabled, state.operator.forced_open);
        hold(!disabled && !forced, "durable state", || format!("{name}: {:?}", state.operator))?;
    }
    Ok(())
}
