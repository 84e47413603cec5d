//! Whom `tripline serve` tells of incidents, and where it writes them down.

use std::sync::Arc;

use tripline_runtime::{Clock, SupervisedBreaker};

use super::CliError;
use crate::alerts::Alerting;
use crate::api::{AlertsView, PendingAlert};
use crate::config::Config;
use crate::state_dir::StateDir;

/// Has the breaker of `watch` page people, after a restart from where `state_dir` says that it stood.
pub(super) fn connect(
    alerting: &Alerting,
    config: &Config,
    watch: SupervisedBreaker,
) -> Result<SupervisedBreaker, CliError> {
    let watch = alerting.connect(watch);
    let Some(root) = &config.state_dir else { return Ok(watch) };
    let opened = StateDir::open(root, &config.breaker.name).map_err(CliError::new)?;
    tracing::info!(state_dir = %root.display(), "incidents and alerts survive a restart");
    Ok(opened.connect(watch))
}

/// Makes sure in the background that the alert service knows the key: nobody waits for that.
pub(super) fn start(alerting: &Alerting, clock: Arc<dyn Clock>) {
    smol::spawn(alerting.clone().run(clock)).detach();
}

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
