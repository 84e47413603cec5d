//! A supervised breaker's part in a fleet: the alerts that it sends itself.

use tripline_core::{AlertKind, EscalationPolicy, Observation, Stage, State, StateKind};

use crate::fleet::local::{Local, Members, Opening};
use crate::fleet::part::FleetPart;
use crate::fleet::shared::FleetMember;
use crate::hot_path::samples::SharedCore;
use crate::incidents::alert::Alert;
use crate::incidents::alert_stager::DueAlert;

/// Reports the health of a breaker, and selects the alerts that its own replica sends: none while the fleet is
/// reachable.
#[derive(Debug)]
pub(super) struct FleetPlace {
    member: FleetMember,
    /// The alert that was last handed over while paging alone: incident, kind and stage.
    alone: Option<(u64, AlertKind, Stage)>,
}

/// Returns the health of the breaker for the fleet.
pub(super) fn local(core: &SharedCore, seen: &Observation, policy: EscalationPolicy) -> Local {
    let incident = seen.incident.filter(|incident| incident.end.is_none());
    let unwell = incident.and_then(|incident| Some((policy.triggers.kind_for(&incident)?, incident.cause)));
    let state = core.state();
    Local {
        opening: match state {
            State::Open { until } => {
                Some(Opening { generation: core.generation(), until, until_on_clock: core.on_clock(until) })
            }
            _ => None,
        },
        is_probing: state.kind() == StateKind::HalfOpen,
        is_open: matches!(state.kind(), StateKind::Open | StateKind::HalfOpen | StateKind::ForcedOpen),
        unwell,
        recovery_time: core.policy().recovery_time,
        escalate_after: policy.escalate_after,
        cooldown: policy.cooldown,
    }
}

impl Local {
    /// The health of a family with this many open members, from that of its shared member. The probe budget does not apply to members.
    pub(super) const fn of_family(self, open: usize) -> Self {
        Self { is_open: open > 0, opening: None, is_probing: false, ..self }
    }
}

impl FleetPlace {
    pub(super) const fn new(member: FleetMember) -> Self {
        Self { member, alone: None }
    }

    /// Returns the alerts to send from here. `current` is the alert of the active incident, at the stage that it has
    /// reached.
    pub(super) fn alerts(
        &mut self,
        local: Local,
        members: Option<Members>,
        due: &[DueAlert],
        current: Option<DueAlert>,
        alert: impl Fn(&DueAlert) -> Alert,
    ) -> Vec<Alert> {
        let is_alone = self.member.report(local, members);
        let closes_alone = is_alone && self.member.closes_alone();
        let of_fleet = |due: &DueAlert| Alert { fleet: Some(FleetPart::Alone), ..alert(due) };
        let mut alerts = Vec::new();
        for end in due.iter().filter(|due| due.stage.is_end()) {
            // An alert that this replica opened before it joined the fleet is closed by itself.
            alerts.push(alert(end));
            if closes_alone {
                alerts.push(of_fleet(end));
            }
        }
        if !is_alone {
            self.alone = None;
            return alerts;
        }
        if let Some(current) = current {
            let reached = (current.incident.number, current.kind, current.stage);
            if self.alone != Some(reached) {
                self.alone = Some(reached);
                alerts.push(of_fleet(&current));
            }
        }
        alerts
    }
}
