//! Invariants of alerts.

use std::time::Duration;

use tripline_core::Instant;
use tripline_runtime::LaneRecord;

use super::super::alert_service::{Hook, PagerAlert, Scope};
use super::super::extras::OPTIONAL;
use super::super::seen::{CALM, Seen};
use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::violation::{Check, hold};
use super::escalation;

/// Time within which a fleet closes an alert twice after a breaker was added.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);
/// Time within which an incident must be paged, cooldown included.
const PAGED_WITHIN: Duration = Duration::from_secs(180);

pub(super) fn after_event(simulation: &mut Simulation) -> Check {
    let hooks = std::mem::take(&mut simulation.platform.network.state().service.new_hooks);
    hooks.iter().try_for_each(|hook| take(simulation, hook))
}

fn take(simulation: &mut Simulation, hook: &Hook) -> Check {
    let Hook { breaker, incident, kind, stage, delivery, .. } = hook;
    simulation.note(|| format!("webhook: {breaker} incident {incident} {kind} {stage} ({:?})", hook.scope));
    super::fleet::take(simulation, hook)?;
    let now = simulation.world.now();
    simulation.seen.changed = now;
    let faulty_at = simulation.platform.network.state().faulty_at;
    let is_engine_calm = simulation.is_engine_calm(CALM);
    let seen = &mut simulation.seen;
    let is_durable = !Seen::is_recent(seen.disk_faulty_at, now, 2 * CALM) && !seen.is_disk_faulty;
    let is_calm = !Seen::is_recent(faulty_at, now, CALM) && !Seen::is_recent(seen.restarted, now, CALM);
    let is_quiet = is_calm && is_durable && is_engine_calm;
    let mut id = delivery.clone();
    if hook.scope == Scope::Fleet && stage == "resolved" && seen.deliveries.contains_key(&id) {
        // A fleet closes an alert a second time, in case it was created after the first close.
        id.push_str(" again");
    }
    let again = seen.deliveries.insert(id, hook.at);
    // A close whose acknowledgement the engine did not receive waits until an edit of the file adds the breaker again.
    let is_late = hook.scope == Scope::Fleet && breaker == OPTIONAL && now.since(seen.file_changed) < CLOSED_WITHIN;
    hold(!is_quiet || again.is_none() || is_late, "delivered once", || {
        format!("{delivery} came again, first {again:?}")
    })?;
    if !hook.key.is_empty() {
        // The incidents of a member that comes back to its family are counted from 1.
        return Ok(());
    }
    if again.is_none() {
        escalation::take(simulation, hook)?;
    }
    let seen = &mut simulation.seen;
    if is_durable {
        let newest = seen.newest.entry((hook.numbered_by(), kind.clone())).or_default();
        hold(incident >= newest, "order of alerts", || {
            format!("{breaker}: incident {incident} {kind} after {newest}")
        })?;
        *newest = *incident;
    }
    if matches!(stage.as_str(), "single" | "initial") && !hook.is_note() {
        let first = seen.pages.entry((hook.numbered_by(), *incident, kind.clone())).or_insert_with(|| delivery.clone());
        hold(!is_durable || first == delivery, "one page per incident", || format!("{delivery} after {first}"))?;
    }
    if hook.scope == Scope::Fleet {
        // The engine and the replicas know of its incidents.
        return Ok(());
    }
    let is_slow = simulation.platform.is_disk_only_slow() && !simulation.seen.is_unsaved_excused(now);
    if is_durable || is_slow && !Seen::is_recent(simulation.seen.restarted, now, CALM) {
        let files = simulation.platform.disk.files();
        let file = files.iter().find(|(name, _)| name.as_str() == breaker).map(|(_, file)| file);
        let state = file.and_then(|file| file.acknowledged.as_ref());
        let of_hook = |lane: &&LaneRecord| lane.sink == "webhook" && lane.kind.as_str() == kind;
        let lane = state.and_then(|state| state.lanes.iter().find(of_hook));
        let is_known = lane.is_some_and(|lane| lane.incidents.iter().any(|it| it.incident == *incident));
        let is_handed_over = hook.scope == Scope::Alone && super::fleet::has_incident(simulation, breaker);
        hold(is_known || is_handed_over, "written down before it is sent", || {
            format!("{breaker}: incident {incident} {kind} {stage}")
        })?;
    }
    if stage == "resolved" && is_durable {
        let files = simulation.platform.disk.files();
        let state =
            files.iter().find(|(name, _)| name.as_str() == breaker).and_then(|(_, file)| file.acknowledged.clone());
        let is_on = state.is_some_and(|state| state.staging.last_incident == *incident && state.staging.open.is_some());
        hold(!is_on, "closed while the incident is on", || format!("{breaker}: incident {incident} {kind}"))?;
    }
    Ok(())
}

pub(super) fn every_minute(simulation: &mut Simulation) -> Check {
    let now = simulation.world.now();
    let network = simulation.platform.network.state();
    let is_calm = !Seen::is_recent(network.faulty_at, now, CALM)
        && !Seen::is_recent(simulation.seen.restarted, now, PAGED_WITHIN)
        && !Seen::is_recent(simulation.seen.disk_faulty_at, now, PAGED_WITHIN)
        && simulation.process.is_some()
        && !simulation.seen.is_disk_faulty
        && simulation.is_engine_calm(PAGED_WITHIN);
    for (index, (truth, name)) in simulation.truths.iter_mut().zip(BREAKERS).enumerate() {
        let is_long = |since: Option<Instant>| since.is_some_and(|since| now.since(since) > PAGED_WITHIN);
        let own_since = truth.tripped_since;
        let peer_since = simulation.peer.as_ref().and_then(|peer| peer.unwell_since(index));
        truth.is_close_lost &= own_since.is_some() || peer_since.is_some();
        let (is_own_due, is_peer_due) = (!truth.is_end_lost && is_long(own_since), is_long(peer_since));
        let pages_together = simulation.options.pages_together;
        let is_due = if pages_together { is_own_due && is_peer_due } else { is_own_due || is_peer_due };
        let is_paged = network.service.open().any(|alert| alert.breaker == name && !alert.is_test());
        hold(!(is_calm && is_due) || is_paged || truth.is_close_lost, "paged", || {
            format!("{name} is unwell since {own_since:?}, the peer since {peer_since:?}, and the pager has no alert")
        })?;
    }
    if !Seen::is_recent(simulation.seen.disk_faulty_at, now, 2 * CALM) && !simulation.seen.is_disk_faulty {
        let is_engine_calm = simulation.is_engine_calm(CALM);
        let is_counted = |alert: &&PagerAlert| !alert.is_test() && alert.is_numbered();
        for alert in network.service.open().filter(is_counted) {
            if alert.scope != Scope::Own && !is_engine_calm {
                continue;
            }
            let times = network.service.opened(alert);
            hold(times <= 1, "one page per incident", || {
                format!("{} incident {} {} was opened {times} times", alert.breaker, alert.incident, alert.kind)
            })?;
        }
    }
    Ok(())
}

/// Checks that no alert is open after recovery.
pub(super) fn settled(simulation: &mut Simulation) -> Check {
    let network = simulation.platform.network.state();
    let known = network.service.open().filter(|alert| !alert.is_lost && !alert.is_test());
    let open: Vec<String> = known.map(|alert| format!("{} {}", alert.alias, alert.incident)).collect();
    hold(open.is_empty(), "open after health", || open.join(", "))
}
