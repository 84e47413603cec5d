//! The fleet of a configuration.

use std::sync::Arc;

use tripline_runtime::core::fleet::text;
use tripline_runtime::{Clock, Fleet, FleetSettings};

use super::error::AppError;
use super::platform::Platform;
use crate::config::{Config, shared_alert_warning};

/// The fleet that `config` asks for, if any. Nothing is connected yet.
pub(super) fn fleet(
    config: &Config,
    platform: &dyn Platform,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Fleet>, AppError> {
    if let Some(warning) = shared_alert_warning(config) {
        tracing::warn!("{warning}");
    }
    let settings = &config.fleet;
    let service = [&settings.service, &config.breaker.opsgenie.api_name].into_iter().find(|name| !name.is_empty());
    let service = service.map_or("default", String::as_str);
    let Some(engine) = platform.fleet_engine(settings, service)? else { return Ok(None) };
    let name = platform.replica_name(config.state_dir.as_deref());
    tracing::info!(replica = name, service, namespace = settings.namespace, "one replica of the fleet pages for all");
    let mut of_replica = FleetSettings::new(text(&name), platform.seed());
    of_replica.page_at = settings.page_at;
    of_replica.fallback_after = settings.fallback_after;
    of_replica.fallback_close = settings.fallback_close;
    of_replica.probe_millionths = (settings.probe_share * 1e6).ceil() as u32;
    of_replica.takes_commands = settings.commands;
    Ok(Some(Fleet::new(engine, of_replica, clock.clone())))
}
