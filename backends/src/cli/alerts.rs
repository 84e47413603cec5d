//! How `tripline serve` pages people, and where it keeps the state of incidents.

use std::sync::Arc;

use tripline_runtime::{Clock, SupervisedBreaker};

use super::CliError;
use crate::alerts::Alerting;
use crate::config::Config;
use crate::http_client::{HyperClient, Proxies};
use crate::state_dir::StateDir;

/// A client with the proxies of the environment.
pub(super) fn client() -> HyperClient {
    let (proxies, problems) = Proxies::of_environment(&|name| std::env::var(name).ok());
    for problem in problems {
        tracing::warn!("environment: {problem}; it is not used");
    }
    HyperClient::default().proxies(proxies)
}

/// Has the breaker of `watch` page people, after a restart from where `state_dir` says that it stood.
pub(super) fn connect(
    alerting: &Alerting,
    config: &Config,
    watch: SupervisedBreaker,
) -> Result<SupervisedBreaker, CliError> {
    let watch = alerting.connect(watch);
    let Some(root) = &config.state_dir else { return Ok(watch) };
    let opened = StateDir::open(root, &config.name).map_err(CliError::new)?;
    tracing::info!(state_dir = %root.display(), "incidents and alerts survive a restart");
    Ok(opened.connect(watch))
}

/// Makes sure in the background that the alert service knows the key; nothing waits for that.
pub(super) fn start(alerting: &Alerting, clock: Arc<dyn Clock>) {
    smol::spawn(alerting.clone().run(clock)).detach();
}
