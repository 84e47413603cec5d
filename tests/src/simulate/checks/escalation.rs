//! Invariants of the stages of alerts: their order, their times, and the cooldown.

use std::time::Duration;

use tripline_backends::alerts::staging_policy;
use tripline_core::{EscalationPolicy, Instant};

use super::super::alert_service::Hook;
use super::super::seen::{CALM, Seen};
use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::violation::{Check, hold};

/// Time without a fault of the disk, whose saves a stage waits for, after which no stage is late.
const DISK_CALM: Duration = Duration::from_secs(180);
/// Time within which a stage that is due must arrive.
const SENT_WITHIN: Duration = Duration::from_secs(30);
/// Difference between the time of a stage and its arrival, while nothing is faulty.
const JITTER: Duration = Duration::from_secs(2);

/// Checks a message that arrives for the first time. The stages of a fleet follow its own rule.
pub(super) fn take(simulation: &mut Simulation, hook: &Hook) -> Check {
    if simulation.peer.is_some() {
        return Ok(());
    }
    let (now, is_calm) = (simulation.world.now(), is_calm(simulation));
    let Some(policy) = policy(simulation, &hook.breaker) else { return Ok(()) };
    let index = BREAKERS.iter().position(|name| *name == hook.breaker);
    let incident = index.and_then(|index| simulation.truths[index].incident);
    let Hook { breaker, incident: number, kind, stage, .. } = hook;
    let stages = &mut simulation.seen.stages;
    let others = |other: &(String, u64, String)| other.0 == *breaker && other.1 == *number && other.2 != *kind;
    let has_other_kind = stages.received.keys().any(others);
    let key = (breaker.clone(), *number, kind.clone());
    let before = stages.received.entry(key).or_default();
    let detail = || format!("{breaker}: incident {number} {kind} {stage} after {before:?}");
    let is_staged = !policy.escalate_after.is_zero();
    let belongs = match stage.as_str() {
        "single" => !is_staged,
        "initial" | "escalated" => is_staged,
        _ => true,
    };
    hold(belongs, "stages", detail)?;
    if is_calm {
        let is_repeated = before.iter().any(|(earlier, _)| earlier == stage);
        let is_over = before.iter().any(|(earlier, _)| matches!(earlier.as_str(), "resolved" | "taken_over"));
        hold(!is_repeated && !is_over, "stages", detail)?;
    }
    if is_calm && stage == "escalated" {
        let due = incident.map(|(_, since)| since + policy.escalate_after);
        hold(due.is_none_or(|due| now + JITTER > due), "escalated too early", detail)?;
        let is_first = before.is_empty() && !has_other_kind && policy.cooldown.is_zero();
        hold(!is_first, "the first stage is sent", detail)?;
    }
    let is_end = matches!(stage.as_str(), "resolved" | "taken_over");
    if before.is_empty() && !is_end {
        let last = stages.first.get(&(breaker.clone(), kind.clone())).copied();
        // An alert that takes the place of another one does not wait.
        let is_early = last.is_some_and(|last| now + JITTER < last + policy.cooldown) && !has_other_kind;
        hold(!(is_calm && is_early), "cooldown", || format!("{}, the last one began at {last:?}", detail()))?;
        stages.first.insert((breaker.clone(), kind.clone()), now);
    }
    before.push((stage.clone(), now));
    Ok(())
}

/// Checks that an incident that lasts is escalated, where its breaker is not closed.
pub(super) fn every_minute(simulation: &Simulation) -> Check {
    if !is_calm(simulation) || simulation.process.is_none() || simulation.peer.is_some() {
        return Ok(());
    }
    let now = simulation.world.now();
    for (truth, name) in simulation.truths.iter().zip(BREAKERS) {
        let (Some(policy), Some((_, since)), Some(not_closed_since)) =
            (policy(simulation, name), truth.incident, truth.not_closed_since)
        else {
            continue;
        };
        let is_due = now > (since + policy.escalate_after).max(not_closed_since) + SENT_WITHIN;
        let is_waiting = |stages: &Vec<(String, Instant)>| matches!(stages.as_slice(), [(stage, at)] if stage == "initial" && *at >= since);
        let mut all = simulation.seen.stages.received.iter();
        let waiting = all.find(|((breaker, ..), stages)| breaker == name && is_waiting(stages));
        hold(!is_due || waiting.is_none(), "escalated", || {
            format!("{name}: in an incident since {since:?}, not closed since {not_closed_since:?}: {waiting:?}")
        })?;
    }
    Ok(())
}

/// Whether nothing has delayed or repeated a stage, and the present process has sent all of them.
fn is_calm(simulation: &Simulation) -> bool {
    let now = simulation.world.now();
    let seen = &simulation.seen;
    !Seen::is_recent(simulation.platform.network.state().faulty_at, now, CALM)
        && !Seen::is_recent(seen.disk_faulty_at, now, DISK_CALM)
        && !Seen::is_recent(seen.restarted, now, CALM)
        && !seen.is_disk_faulty
        && !seen.is_stopping
}

fn policy(simulation: &Simulation, breaker: &str) -> Option<EscalationPolicy> {
    let config = simulation.process.as_ref()?.live.config();
    config.settings_of(breaker).map(|settings| staging_policy(&settings.opsgenie))
}
