//! The state of `[opsgenie]`: its configuration without secrets, and whether the service was reached.

use std::collections::BTreeMap;

use serde::Serialize;
use tripline_runtime::Triggers;

use crate::config::OpsGenie;

/// How alerts are sent to `OpsGenie` or its successor. An empty text means not set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct OpsGenieStatus {
    /// Whether alerts are sent.
    pub enabled: bool,
    /// Whether the service has accepted a request with this key.
    pub initialized: bool,
    /// Why the last request failed; null if it succeeded.
    #[cfg_attr(feature = "api", schema(required))]
    pub last_error: Option<String>,
    /// The required fields that are missing.
    pub validation: Validation,
    /// `***` if a key is set; null if none is.
    #[cfg_attr(feature = "api", schema(required))]
    pub api_key: Option<&'static str>,
    /// `opsgenie` or `jsm`.
    pub provider: &'static str,
    /// `us` or `eu`.
    pub region: &'static str,
    /// The base URL in use.
    pub api_url: String,
    /// `P1` to `P5`.
    pub priority: &'static str,
    /// The key of this name in `[opsgenie]`.
    pub source: String,
    /// `service` or `host`.
    pub alert_scope: &'static str,
    /// The key of this name in `[opsgenie]`.
    pub team: String,
    /// The key of this name in `[opsgenie]`.
    pub environment: String,
    /// Identifier of the service.
    pub service_id: String,
    /// The earlier name of `service_id`.
    pub bookmaker_id: String,
    /// The key of this name in `[opsgenie]`.
    pub hostname: String,
    /// The key of this name in `[opsgenie]`.
    pub business: String,
    /// The key of this name in `[opsgenie]`.
    pub additional_context: String,
    /// The key of this name in `[opsgenie]`.
    pub service_tier: String,
    /// The events that alerts are sent for.
    #[serde(flatten)]
    pub triggers: TriggerFlags,
    /// The key of this name in `[opsgenie]`.
    pub include_latency_metrics: bool,
    /// The key of this name in `[opsgenie]`.
    pub include_memory_metrics: bool,
    /// The key of this name in `[opsgenie]`.
    pub include_system_info: bool,
    /// Minimum time from an alert to the first alert of a later incident of the same kind, in seconds; 0 = no cooldown.
    pub cooldown_seconds: u32,
    /// Time from the start of an incident to its escalated alert, in seconds; 0 = one alert at once.
    pub time_before_send_alert: u32,
    /// `P1` to `P5`.
    pub initial_alert_priority: &'static str,
    /// `P1` to `P5`.
    pub escalated_alert_priority: &'static str,
    /// The key of this name in `[opsgenie]`.
    pub tags: Vec<String>,
    /// The key of this name in `[opsgenie]`.
    pub api_name: String,
    /// The key of this name in `[opsgenie]`.
    pub api_version: String,
    /// The key of this name in `[opsgenie]`.
    pub api_namespace: String,
    /// The key of this name in `[opsgenie]`.
    pub api_description: String,
    /// The key of this name in `[opsgenie]`.
    pub api_owner: String,
    /// The key of this name in `[opsgenie]`.
    pub api_priority: String,
    /// The key of this name in `[opsgenie]`.
    pub api_dependencies: Vec<String>,
    /// The key of this name in `[opsgenie]`.
    pub api_endpoints: Vec<String>,
    /// The key of this name in `[opsgenie]`.
    pub api_custom_attributes: BTreeMap<String, String>,
    /// The key of this name in `[opsgenie]`.
    pub contact_details: ContactsStatus,
}

/// Whether the configuration has everything that alerts need. Alerts are sent even if required fields are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Validation {
    /// Whether nothing is missing.
    pub valid: bool,
    /// Keys of `[opsgenie]` that are not set, `api_key` included. Without `api_key` nothing is sent.
    pub missing: Vec<&'static str>,
}

/// Contacts in the text of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ContactsStatus {
    /// The key of this name in `[opsgenie]`.
    pub primary_contact: String,
    /// The key of this name in `[opsgenie]`.
    pub escalation_team: String,
    /// The key of this name in `[opsgenie]`.
    pub slack_channel: String,
    /// The key of this name in `[opsgenie]`.
    pub phone_number: String,
    /// The key of this name in `[opsgenie]`.
    pub additional_emails: Vec<String>,
}

impl Validation {
    /// Checks a configuration to which the environment has been applied.
    pub fn of(config: &OpsGenie) -> Self {
        let key = config.api_key.is_none().then_some("api_key");
        let missing: Vec<_> = key.into_iter().chain(config.missing_fields()).collect();
        Self { valid: missing.is_empty(), missing }
    }
}

/// The events that alerts are sent for: [`Triggers`] under the names of their keys in `[opsgenie]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct TriggerFlags {
    /// An alert when the breaker opens.
    pub trigger_on_breaker_open: bool,
    /// A note in the closing message that the breaker was reset.
    pub trigger_on_breaker_reset: bool,
    /// An alert when memory is short, unless `trigger_on_breaker_open` covers it.
    pub trigger_on_memory_threshold: bool,
    /// An alert when latency is too high, unless `trigger_on_breaker_open` covers it.
    pub trigger_on_latency_threshold: bool,
}

impl TriggerFlags {
    /// The keys, in the order of the fields.
    pub const KEYS: [&str; 4] = [
        "trigger_on_breaker_open",
        "trigger_on_breaker_reset",
        "trigger_on_memory_threshold",
        "trigger_on_latency_threshold",
    ];
}

impl From<Triggers> for TriggerFlags {
    fn from(triggers: Triggers) -> Self {
        Self {
            trigger_on_breaker_open: triggers.breaker_open,
            trigger_on_breaker_reset: triggers.breaker_reset,
            trigger_on_memory_threshold: triggers.memory_threshold,
            trigger_on_latency_threshold: triggers.latency_threshold,
        }
    }
}

impl OpsGenieStatus {
    /// The status of a configuration. `initialized` and `last_error` come from the sink.
    pub fn of(opsgenie: &OpsGenie, initialized: bool, last_error: Option<String>) -> Self {
        let contacts = opsgenie.contact_details.clone();
        let given = opsgenie.clone();
        Self {
            enabled: given.enabled,
            initialized,
            last_error,
            validation: Validation::of(opsgenie),
            api_key: given.api_key.is_some().then_some("***"),
            provider: given.provider.as_str(),
            region: given.region.as_str(),
            api_url: opsgenie.base_url().to_owned(),
            priority: given.priority.as_str(),
            source: given.source,
            alert_scope: given.alert_scope.as_str(),
            team: given.team,
            environment: given.environment,
            service_id: opsgenie.service_id().to_owned(),
            bookmaker_id: opsgenie.service_id().to_owned(),
            hostname: opsgenie.host().to_owned(),
            business: opsgenie.business().to_owned(),
            additional_context: given.additional_context,
            service_tier: given.service_tier,
            triggers: given.triggers.into(),
            include_latency_metrics: given.include_latency_metrics,
            include_memory_metrics: given.include_memory_metrics,
            include_system_info: given.include_system_info,
            cooldown_seconds: given.alert_cooldown_seconds,
            time_before_send_alert: given.time_before_send_alert,
            initial_alert_priority: given.initial_alert_priority.as_str(),
            escalated_alert_priority: given.escalated_alert_priority.as_str(),
            tags: given.tags,
            api_name: given.api_name,
            api_version: given.api_version,
            api_namespace: given.api_namespace,
            api_description: given.api_description,
            api_owner: given.api_owner,
            api_priority: given.api_priority,
            api_dependencies: given.api_dependencies,
            api_endpoints: given.api_endpoints,
            api_custom_attributes: given.api_custom_attributes,
            contact_details: ContactsStatus {
                primary_contact: contacts.primary_contact,
                escalation_team: contacts.escalation_team,
                slack_channel: contacts.slack_channel,
                phone_number: contacts.phone_number,
                additional_emails: contacts.additional_emails,
            },
        }
    }
}
