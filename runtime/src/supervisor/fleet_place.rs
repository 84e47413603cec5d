//! A supervised breaker's part in a fleet: which of its alerts it sends itself.

use tripline_core::{AlertKind, EscalationPolicy, Observation, Stage, StateKind};

use crate::fleet::local::Local;
use crate::fleet::part::FleetPart;
use crate::fleet::shared::FleetMember;
use crate::hot_path::samples::SharedCore;
use crate::incidents::alert::Alert;
use crate::incidents::alert_stager::DueAlert;

/// Reports how a breaker fares, and picks the alerts that its own replica sends: none while the fleet is reached.
#[derive(Debug)]
pub(super) struct FleetPlace {
    member: FleetMember,
    /// The alert that was handed over last while paging alone: incident, kind and stage.
    alone: Option<(u64, AlertKind, Stage)>,
}

/// How the breaker fares, for the fleet.
pub(super) fn local(core: &SharedCore, seen: &Observation, policy: EscalationPolicy) -> Local {
    let incident = seen.incident.filter(|incident| incident.end.is_none());
    let unwell = incident.and_then(|incident| Some((policy.triggers.kind_for(&incident)?, incident.cause)));
    Local {
        is_open: matches!(core.state().kind(), StateKind::Open | StateKind::HalfOpen | StateKind::ForcedOpen),
        unwell,
        recovery_time: core.policy().recovery_time,
        escalate_after: policy.escalate_after,
        cooldown: policy.cooldown,
    }
}

impl FleetPlace {
    pub(super) const fn new(member: FleetMember) -> Self {
        Self { member, alone: None }
    }

    /// The alerts that go out from here. `current` is the alert of the incident that is on, at the stage that it has reached.
    pub(super) fn alerts(
        &mut self,
        local: Local,
        due: &[DueAlert],
        current: Option<DueAlert>,
        alert: impl Fn(&DueAlert) -> Alert,
    ) -> Vec<Alert> {
        let is_alone = self.member.report(local);
        let closes_alone = is_alone && self.member.closes_alone();
        let of_fleet = |due: &DueAlert| Alert { fleet: Some(FleetPart::Alone), ..alert(due) };
        let mut alerts = Vec::new();
        for end in due.iter().filter(|due| due.stage.is_end()) {
            // What this replica opened before it was in the fleet, it closes itself.
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
