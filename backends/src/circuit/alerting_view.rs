//! The state of [`Alerting`], as the API asks for it.

use crate::alerts::Alerting;
use crate::alerts::view::{AlertsView, PendingAlert};

impl AlertsView for Alerting {
    fn initialized(&self) -> bool {
        self.view().opsgenie.initialized
    }

    fn pending(&self) -> Vec<PendingAlert> {
        let pending = self.view().pending.into_iter();
        pending
            .map(|alert| PendingAlert {
                incident: alert.incident,
                kind: alert.kind.to_owned(),
                cause: alert.cause.to_owned(),
                stage: alert.stage.map(str::to_owned),
                started_at: alert.started_at,
                due_at: alert.due_at,
            })
            .collect()
    }
}
