//! What `GET /breaker/opsgenie/status` tells.

use serde::Serialize;

use super::mandatory::Validation;
use crate::config::OpsGenie;

/// The configuration without secrets, under the keys of `[opsgenie]`, and how things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OpsGenieStatus {
    /// Alerts are sent.
    pub enabled: bool,
    /// The service has taken a request with this key.
    pub initialized: bool,
    /// Why the last request failed; `None` where it did not.
    pub last_error: Option<String>,
    /// What the configuration lacks.
    pub validation: Validation,
    /// `opsgenie` or `jsm`.
    pub provider: &'static str,
    /// `us` or `eu`.
    pub region: &'static str,
    /// The address in use.
    pub api_url: String,
    /// `***`, or `None` where there is no key.
    pub api_key: Option<&'static str>,
    /// Priority of an alert that is not staged.
    pub priority: &'static str,
    /// Priority of the first stage.
    pub initial_alert_priority: &'static str,
    /// Priority of the second stage.
    pub escalated_alert_priority: &'static str,
    /// Seconds to the second stage; 0 = not staged.
    pub time_before_send_alert: u32,
    /// Seconds by which a next incident's first alert is delayed.
    pub alert_cooldown_seconds: u32,
    /// What alerts are sent for.
    #[serde(flatten)]
    pub triggers: Triggers,
    /// Latencies in the alert.
    pub include_latency_metrics: bool,
    /// Memory in the alert.
    pub include_memory_metrics: bool,
    /// Process and machine in the alert.
    pub include_system_info: bool,
    /// Who the alert says it comes from.
    pub source: String,
    /// `service` or `host`.
    pub alert_scope: &'static str,
    /// Tags of every alert.
    pub tags: Vec<String>,
    /// The team that is paged.
    pub team: String,
    /// Deployment environment.
    pub environment: String,
    /// Identifier of the service.
    pub bookmaker_id: String,
    /// The host that alerts name.
    pub hostname: String,
    /// Business unit.
    pub business: String,
    /// Name of the protected API.
    pub api_name: String,
    /// Its version.
    pub api_version: String,
    /// What its name is unique within.
    pub api_namespace: String,
}

/// What alerts are sent for, by the keys of `[opsgenie]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Triggers {
    /// The breaker opened.
    pub trigger_on_breaker_open: bool,
    /// Say so in the close when it recovers.
    pub trigger_on_breaker_reset: bool,
    /// Memory runs out.
    pub trigger_on_memory_threshold: bool,
    /// Latency is too high.
    pub trigger_on_latency_threshold: bool,
}

impl OpsGenieStatus {
    pub(super) fn of(config: &OpsGenie, initialized: bool, last_error: Option<String>) -> Self {
        Self {
            enabled: config.enabled,
            initialized,
            last_error,
            validation: Validation::of(config),
            provider: config.provider.as_str(),
            region: config.region.as_str(),
            api_url: config.base_url().to_owned(),
            api_key: config.api_key.as_ref().map(|_| "***"),
            priority: config.priority.as_str(),
            initial_alert_priority: config.initial_alert_priority.as_str(),
            escalated_alert_priority: config.escalated_alert_priority.as_str(),
            time_before_send_alert: config.time_before_send_alert,
            alert_cooldown_seconds: config.alert_cooldown_seconds,
            triggers: Triggers {
                trigger_on_breaker_open: config.trigger_on_breaker_open,
                trigger_on_breaker_reset: config.trigger_on_breaker_reset,
                trigger_on_memory_threshold: config.trigger_on_memory_threshold,
                trigger_on_latency_threshold: config.trigger_on_latency_threshold,
            },
            include_latency_metrics: config.include_latency_metrics,
            include_memory_metrics: config.include_memory_metrics,
            include_system_info: config.include_system_info,
            source: config.source.clone(),
            alert_scope: config.alert_scope.as_str(),
            tags: config.tags.clone(),
            team: config.team.clone(),
            environment: config.environment.clone(),
            bookmaker_id: config.service_id().to_owned(),
            hostname: config.host().to_owned(),
            business: config.business().to_owned(),
            api_name: config.api_name.clone(),
            api_version: config.api_version.clone(),
            api_namespace: config.api_namespace.clone(),
        }
    }
}
