//! Merges a report into the state of a fleet.

use super::incident::{FleetIncident, FleetState};
use super::report::{Claim, FleetView, Known, Paged, Probe, Report};
use super::stage::{DueStage, FleetStage};
use super::terms::{FleetContext, Terms};
use super::{ReplicaSet, ReplicaText, rank};
use crate::planted::planted;

/// Merges a report into `state`: counts replicas, merges the replica's knowledge, finds the stage that is due and
/// grants a claim.
///
/// This is the complete rule. Engines with compare-and-set call it in a loop; others run it inside the store. O(1),
/// plus the operations of the sets.
pub fn merge<S: ReplicaSet>(
    state: &mut FleetState<S>,
    report: &Report<'_>,
    terms: &Terms,
    context: FleetContext,
) -> FleetView {
    let now = context.now_ms;
    let FleetState { open, unwell, probing, incident } = state;
    if incident.set_clock(now, terms) {
        for set in [&mut *open, &mut *unwell, &mut *probing] {
            set.prune_after(now);
        }
    }
    incident.adopt(&report.known, now);
    count(open, report.replica, report.open, now, terms.ttl_ms);
    count(unwell, report.replica, report.unwell.is_some(), now, terms.hold_ms);
    let may_probe = terms.probe_millionths > 0 && may_probe(probing, report, terms, context);
    let (open, mut unwell) = (open.count(), unwell.count());
    if planted("fleet: replicas that are unwell are not counted") {
        unwell = 0;
    }
    if let Some(age_ms) = report.closed_alone_ms {
        take_closed(incident, now.saturating_sub(age_ms), terms, now);
    }
    if let Some(paged) = report.paged {
        take_over(incident, paged, &report.known, now);
    }
    take_unwell(incident, report, now);
    incident.empty_since_ms = (unwell == 0).then(|| incident.empty_since_ms.unwrap_or(now));
    if incident.noted == 0 && incident.stage > FleetStage::Pending {
        (incident.noted, incident.noted_ms) = (open, now);
    }
    end_silently(incident, terms, now);
    let claim = grant(incident, report, terms, context, open, unwell);
    FleetView {
        known: incident.known(now),
        open,
        unwell,
        members: context.members,
        first: incident.first.clone(),
        cause: incident.cause.clone(),
        due_in_ms: incident.next_due_ms(terms, context, open, unwell).map(|at| at.saturating_sub(now)),
        claim,
        may_probe,
    }
}

fn count<S: ReplicaSet>(set: &mut S, replica: &ReplicaText, is_member: bool, now: u64, lasts_ms: u64) {
    if is_member {
        set.insert(replica, now);
    } else {
        set.remove(replica);
    }
    set.prune(now.saturating_sub(lasts_ms));
}

/// Grants permission to probe while fewer replicas than the budget hold it. Asking again does not extend a permission, so that a
/// replica without calls does not keep it. A half-open replica counts with or without permission.
fn may_probe<S: ReplicaSet>(probing: &mut S, report: &Report<'_>, terms: &Terms, context: FleetContext) -> bool {
    let (now, replica) = (context.now_ms, report.replica);
    probing.prune(now.saturating_sub(terms.probe_lease_ms));
    match report.probe {
        Probe::None => probing.remove(replica),
        Probe::Probing => probing.insert(replica, now),
        Probe::Asks if probing.contains(replica) => return true,
        Probe::Asks if probing.count() < terms.probes(context.members) || planted("fleet: every replica may probe") => {
            // Recorded earlier than now, so that it expires before the record of a half-open replica.
            probing.insert(replica, now.saturating_sub(terms.probe_lease_ms.saturating_sub(terms.probe_grant_ms)));
            return true;
        }
        Probe::Asks => {}
    }
    false
}

/// Adds the alerts that a replica paged alone to the incident, which closes them. They take the place of the incident's own pages
/// only where the receiver confirmed them and no close may have ended them; otherwise the page is due, under the same alias.
fn take_over(incident: &mut FleetIncident, paged: Paged, known: &Known, now: u64) {
    let Some(gravest) = paged.kinds.iter().next() else { return };
    let stage = if incident.is_unclosed_since(known) { paged.confirmed } else { FleetStage::Pending };
    if !incident.active || incident.closing {
        incident.begin(now);
    }
    incident.advance(Some(gravest), stage, paged.kinds);
}

/// A replica closed its alert without the engine. The alias is shared, so that also ended the page of the fleet. A page that may have been
/// sent before the close becomes due again as the next incident, without a cooldown: receivers deduplicate by the incident's number. In
/// every other case the incident gets a new number, so that pages that other replicas sent alone before the close do not count.
fn take_closed(incident: &mut FleetIncident, closed_ms: u64, terms: &Terms, now: u64) {
    if incident.active && incident.closing {
        // The close of the fleet ends the same alerts.
        return;
    }
    let is_claimed = !incident.claimed_by.is_empty() && now < incident.claimed_until_ms;
    let may_be_paged = incident.active && (incident.stage > FleetStage::Pending || is_claimed);
    // The close may take effect up to one lease late.
    let closed_until = closed_ms.saturating_add(terms.lease_ms);
    let is_page_newer = incident.created.is_some_and(|(kind, at)| Some(kind) == incident.kind && at > closed_until);
    if may_be_paged && !is_page_newer {
        incident.begin(now);
        incident.created = None;
    } else {
        incident.renumber(now);
        if !incident.active && incident.stage == FleetStage::Pending {
            incident.stage = FleetStage::Settled;
        }
    }
    // An engine that lost its state does not take a stage from a replica that knows an earlier number.
    incident.before = incident.epoch;
}

fn take_unwell(incident: &mut FleetIncident, report: &Report<'_>, now: u64) {
    let Some(kind) = report.unwell else { return };
    if !incident.active || incident.closing {
        incident.begin(now);
    }
    if rank(Some(kind)) > rank(incident.kind) {
        // A more severe alert replaces the one that was sent.
        (incident.kind, incident.stage) = (Some(kind), FleetStage::Pending);
    }
    if incident.first.is_empty() {
        incident.first.clone_from(report.replica);
        incident.cause.clone_from(&report.cause);
    }
}

/// Ends an incident of which no alert was sent, without an alert.
fn end_silently(incident: &mut FleetIncident, terms: &Terms, now: u64) {
    let is_over = incident.empty_since_ms.is_some_and(|since| now >= since.saturating_add(terms.settle_ms));
    if incident.active && is_over && incident.sent.is_empty() {
        (incident.active, incident.stage) = (false, FleetStage::Settled);
    }
}

fn grant(
    incident: &mut FleetIncident,
    report: &Report<'_>,
    terms: &Terms,
    context: FleetContext,
    open: u32,
    unwell: u32,
) -> Option<Claim> {
    let now = context.now_ms;
    if !report.can_deliver && incident.claimed_by == *report.replica {
        incident.release();
    }
    let due = incident.due_stage(terms, context, open, unwell)?;
    let gravest_sent = incident.sent.iter().next();
    let kind = match due {
        // An alert of this kind may not have been sent, where the incident ends before its page.
        DueStage::Resolved | DueStage::ResolvedAgain => {
            incident.kind.filter(|kind| incident.sent.contains(*kind)).or(gravest_sent).or(incident.kind)
        }
        _ => incident.kind.or(gravest_sent),
    }?;
    let is_claimed = !incident.claimed_by.is_empty() && now < incident.claimed_until_ms;
    if !report.can_deliver || is_claimed && !planted("fleet: a lease is not waited for") {
        return None;
    }
    incident.claimed_by.clone_from(report.replica);
    incident.claimed_until_ms = now.saturating_add(terms.lease_ms);
    incident.fence = incident.fence.saturating_add(1);
    match due {
        DueStage::Initial => {
            incident.sent = incident.sent.with(kind);
            incident.created = Some((kind, now));
        }
        DueStage::Resolved => incident.closing = true,
        _ => {}
    }
    Some(Claim { due, epoch: incident.epoch, fence: incident.fence, kind, sent: incident.sent, open })
}

impl FleetIncident {
    /// Releases the claim.
    pub(super) fn release(&mut self) {
        self.claimed_by.clear();
        self.claimed_until_ms = 0;
    }
}
