//! Invariants of the breakers beside the two of every run: those that the file adds and removes, and a family.

use std::time::Duration;

use smol::block_on;
use tripline_core::{Instant, StateKind};
use tripline_runtime::{Breaker, Supervision};

use super::super::extras::{FAMILY, KEYS, MAX_KEYS, OPTIONAL};
use super::super::operator::get;
use super::super::process::Process;
use super::super::seen::{CALM, Seen};
use super::super::state::Simulation;
use super::super::violation::{Check, hold};

/// Time within which a service with only bad calls must be found.
const DETECTED_WITHIN: Duration = Duration::from_secs(120);
/// Time within which the alert of a removed breaker must be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(90);

pub(super) fn every_minute(simulation: &mut Simulation) -> Check {
    let now = simulation.world.now();
    let is_restarted = Seen::is_recent(simulation.seen.restarted, now, CLOSED_WITHIN);
    let Some(process) = simulation.process.as_ref().filter(|_| !simulation.seen.is_stopping && !is_restarted) else {
        simulation.extras.gone_since = None;
        return Ok(());
    };
    present(process)?;
    members(process)?;
    detected(simulation, process)?;
    let is_gone = process.circuits.get(OPTIONAL).is_none();
    let gone_since = is_gone.then(|| simulation.extras.gone_since.unwrap_or(now));
    simulation.extras.gone_since = gone_since;
    removed(simulation, gone_since)
}

/// Checks that there is a supervised breaker for each one in the configuration, and no other.
fn present(process: &Process) -> Check {
    let config = process.live.config();
    for settings in config.all_breakers() {
        let name = settings.name.as_str();
        let Some(circuit) = process.circuits.get(name) else {
            return Err((
                "an added breaker guards",
                format!("{name} is in the configuration, and there is no breaker"),
            ));
        };
        let (kind, is_supervised) = (circuit.breaker().state(), is_supervised(circuit.breaker()));
        hold(is_supervised, "an added breaker guards", || format!("{name} is not supervised"))?;
        let status = block_on(get(process.router.clone(), &format!("/breakers/{name}/status")));
        // That of a family is about all members.
        let is_shown = status.status == 200 && (name == FAMILY || status.json()["state"] == kind.as_str());
        hold(is_shown, "status", || format!("{name} is {kind}: {} {}", status.status, status.text))?;
    }
    let (there, meant) = (process.circuits.iter().count(), config.all_breakers().len());
    hold(there == meant, "a removed breaker is gone", || format!("{there} breakers, {meant} in the configuration"))
}

fn is_supervised(breaker: &Breaker) -> bool {
    matches!(breaker.supervision(), Supervision::Running { .. })
}

/// Checks the list of the family's keys.
fn members(process: &Process) -> Check {
    let Some(family) = process.circuits.family(FAMILY) else { return Ok(()) };
    let answer = block_on(get(process.router.clone(), &format!("/breakers/{FAMILY}/keys")));
    let body = answer.json();
    let listed: Vec<(&str, &str)> = body["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| (row["key"].as_str().unwrap_or_default(), row["state"].as_str().unwrap_or_default()))
        .collect();
    let members = family.members();
    hold(listed.len() == members.len() && listed.len() <= MAX_KEYS + 1, "keys", || {
        format!("{} of {} members: {}", listed.len(), members.len(), answer.text)
    })?;
    for member in &members {
        let row = (member.key().unwrap_or_default(), member.state().as_str());
        hold(listed.contains(&row), "keys", || format!("{row:?}: {}", answer.text))?;
        hold(is_supervised(member), "supervised", || format!("{} of {FAMILY} is not supervised", row.0))?;
    }
    Ok(())
}

/// Checks that unhealthy services are found.
fn detected(simulation: &Simulation, process: &Process) -> Check {
    let (now, extras, touched) = (simulation.world.now(), &simulation.extras, simulation.truths[0].touched);
    let optional = process.circuits.get(OPTIONAL).map(|circuit| circuit.breaker().clone());
    let tenant = process.circuits.family(FAMILY).and_then(|family| family.member(KEYS[0]));
    for (breaker, since) in [(optional, extras.optional_bad_since), (tenant, extras.tenant_bad_since)] {
        let (Some(breaker), Some(since)) = (breaker, since) else { continue };
        let is_missed = breaker.state() == StateKind::Closed && now > since.max(touched) + DETECTED_WITHIN;
        let enabled = breaker.read(|core| core.policy().enabled);
        hold(!(is_missed && enabled), "detection", || {
            format!("{} {:?} is closed, and every call is bad since {since:?}", breaker.name(), breaker.key())
        })?;
    }
    Ok(())
}

/// Checks that a removed breaker has no open alert.
fn removed(simulation: &Simulation, gone_since: Option<Instant>) -> Check {
    let now = simulation.world.now();
    let network = simulation.platform.network.state();
    let is_calm = !Seen::is_recent(network.faulty_at, now, CALM) && simulation.is_engine_calm(CALM);
    if !is_calm || gone_since.is_none_or(|since| now < since + CLOSED_WITHIN) {
        return Ok(());
    }
    let open = network.service.open().find(|alert| alert.breaker == OPTIONAL && !alert.is_test() && !alert.is_lost);
    hold(open.is_none(), "a removed breaker's alert is closed", || format!("{open:?}, gone since {gone_since:?}"))
}
