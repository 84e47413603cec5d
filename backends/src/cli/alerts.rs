//! Whom `tripline serve` tells of incidents, and where it writes them down.

use std::sync::Arc;

use tripline_runtime::{Clock, Watch};

use super::Failure;
use crate::alerts::Alerting;
use crate::config::Config;
use crate::state_dir::StateDir;

/// Has the breaker of `watch` page people, after a restart from where `state_dir` says that it stood.
pub(super) fn connect(alerting: &Alerting, config: &Config, watch: Watch) -> Result<Watch, Failure> {
    let watch = alerting.connect(watch);
    let Some(root) = &config.state_dir else { return Ok(watch) };
    let opened = StateDir::open(root, &config.name).map_err(Failure::new)?;
    tracing::info!(state_dir = %root.display(), "incidents and alerts survive a restart");
    Ok(opened.connect(watch))
}

/// Makes sure in the background that the alert service knows the key: nobody waits for that.
pub(super) fn start(alerting: &Alerting, clock: Arc<dyn Clock>) {
    smol::spawn(alerting.clone().run(clock)).detach();
}
