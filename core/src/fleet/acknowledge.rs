//! Acknowledgement of a stage that was sent.

use super::incident::FleetIncident;
use super::report::Claim;
use super::stage::{DueStage, FleetStage};
use super::{KindSet, ReplicaText};

/// Records that `replica` has sent the stage of `claim`, and ends the claim. Returns false, without effect, if the
/// replica no longer holds that claim: the epoch, the fence or the owner differs.
pub fn acknowledge(incident: &mut FleetIncident, replica: &ReplicaText, claim: &Claim, now_ms: u64) -> bool {
    let is_ours = claim.epoch == incident.epoch && claim.fence == incident.fence && incident.claimed_by == *replica;
    if !is_ours {
        return false;
    }
    incident.release();
    match claim.due {
        DueStage::Initial | DueStage::Escalated if incident.kind == Some(claim.kind) && incident.active => {
            let stage = if claim.due == DueStage::Initial { FleetStage::Initial } else { FleetStage::Escalated };
            incident.stage = incident.stage.max(stage);
            (incident.noted, incident.noted_ms) = (incident.noted.max(claim.open).max(1), now_ms);
        }
        DueStage::Note => (incident.noted, incident.noted_ms) = (incident.noted.max(claim.open), now_ms),
        DueStage::Resolved if incident.active => {
            (incident.active, incident.closing, incident.stage) = (false, false, FleetStage::Resolved);
            incident.resolved_ms = now_ms;
        }
        // A kind of higher severity has replaced this one, or the incident is over.
        DueStage::Initial | DueStage::Escalated | DueStage::Resolved => {}
        DueStage::ResolvedAgain => {
            incident.stage = FleetStage::Settled;
            incident.sent = KindSet::default();
        }
    }
    true
}
