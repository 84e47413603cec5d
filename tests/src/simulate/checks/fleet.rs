//! Invariants of a process that is one replica of a fleet.

use std::time::Duration;

use smol::block_on;

use super::super::alert_service::{Hook, Scope};
use super::super::operator::get;
use super::super::seen::Seen;
use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::violation::{Check, hold};

/// So long after a fault of the engine a replica may send an alert alone, or the fleet a stage twice: leases, fallback and
/// the second close are over then.
const HEALED_WITHIN: Duration = Duration::from_secs(240);
/// gather 5 s, and what a claim needs to send a close that is no longer due: 20 s.
const MAX_LATE_CLOSE: Duration = Duration::from_secs(30);

/// Checks an alert of a process in a fleet.
pub(super) fn take(simulation: &Simulation, hook: &Hook) -> Check {
    let Some(peer) = &simulation.peer else {
        return hold(hook.scope == Scope::Own, "no fleet", || format!("{hook:?}"));
    };
    let Hook { breaker, incident, kind, stage, scope, .. } = hook;
    let now = simulation.world.now();
    let has_healed = simulation.is_engine_calm(HEALED_WITHIN);
    hold(*scope != Scope::Own, "the fleet pages", || format!("{breaker}: {kind} {stage} of this replica"))?;
    hold(*scope != Scope::Alone || !has_healed, "pages alone", || {
        format!("{breaker}: {kind} {stage}, the engine works")
    })?;
    if *scope != Scope::Fleet || stage != "resolved" || !has_healed {
        return Ok(());
    }
    let Some(index) = BREAKERS.iter().position(|name| name == breaker) else { return Ok(()) };
    let is_long = |since: Option<tripline_core::Instant>| since.is_some_and(|since| now > since + MAX_LATE_CLOSE);
    let is_restarted = Seen::is_recent(simulation.seen.restarted, now, HEALED_WITHIN);
    let own_since = simulation.truths[index].tripped_since.filter(|_| !is_restarted && simulation.process.is_some());
    let peer_since = peer.unwell_since(index);
    hold(!is_long(own_since) && !is_long(peer_since), "closed while unwell", || {
        format!("{breaker}: incident {incident} is closed; unwell since {own_since:?}, the peer since {peer_since:?}")
    })
}

/// Whether the fleet has an incident of this breaker, as far as the process knows.
pub(super) fn has_incident(simulation: &Simulation, breaker: &str) -> bool {
    let Some(process) = &simulation.process else { return false };
    let fleet = block_on(get(process.router.clone(), "/fleet")).json();
    let mut breakers = fleet["breakers"].as_array().into_iter().flatten();
    breakers.any(|row| row["name"] == breaker && !row["stage"].is_null())
}

/// Checks what the process says of the fleet, where the engine has worked for a while.
pub(super) fn every_minute(simulation: &Simulation) -> Check {
    let (Some(process), Some(_)) = (&simulation.process, &simulation.peer) else { return Ok(()) };
    let now = simulation.world.now();
    if !simulation.is_engine_calm(HEALED_WITHIN) || Seen::is_recent(simulation.seen.restarted, now, HEALED_WITHIN) {
        return Ok(());
    }
    let fleet = block_on(get(process.router.clone(), "/fleet"));
    let body = fleet.json();
    let is_whole = body["up"] == true && body["alone"] == false && body["members"] == 2;
    hold(fleet.status == 200 && is_whole, "the fleet is whole", || format!("{} {}", fleet.status, fleet.text))
}

/// Checks that the incidents of the fleet are over.
pub(super) fn settled(simulation: &Simulation) -> Check {
    let (Some(process), Some(_)) = (&simulation.process, &simulation.peer) else { return Ok(()) };
    every_minute(simulation)?;
    let fleet = block_on(get(process.router.clone(), "/fleet"));
    let body = fleet.json();
    let breakers = body["breakers"].as_array().cloned().unwrap_or_default();
    let is_over = breakers.len() == process.live.config().all_breakers().len()
        && breakers.iter().all(|breaker| breaker["stage"].is_null());
    hold(is_over, "settled", || format!("the fleet: {}", fleet.text))
}
