//! How alerts are configured, without secrets.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::config::OpsGenie;

/// How alerts are sent to `OpsGenie` or its successor. An empty text is one that is not set.
#[derive(Serialize, ToSchema)]
pub(super) struct OpsGenieStatus {
    /// Whether alerts are sent.
    enabled: bool,
    /// Whether somebody is there to send them.
    initialized: bool,
    validation: Validation,
    /// `***` where there is a key; null where there is none.
    #[schema(required)]
    api_key: Option<&'static str>,
    /// `opsgenie` or `jsm`.
    provider: &'static str,
    /// `us` or `eu`.
    region: &'static str,
    /// The base address in use.
    api_url: String,
    /// `P1` to `P5`.
    priority: &'static str,
    source: String,
    /// `service` or `host`.
    alert_scope: &'static str,
    team: String,
    environment: String,
    bookmaker_id: String,
    hostname: String,
    business: String,
    additional_context: String,
    service_tier: String,
    trigger_on_breaker_open: bool,
    trigger_on_breaker_reset: bool,
    trigger_on_memory_threshold: bool,
    trigger_on_latency_threshold: bool,
    include_latency_metrics: bool,
    include_memory_metrics: bool,
    include_system_info: bool,
    /// So long after an incident a new one of the same kind waits for its first alert.
    cooldown_seconds: u32,
    /// 0 = alerts have one stage.
    time_before_send_alert: u32,
    /// `P1` to `P5`.
    initial_alert_priority: &'static str,
    /// `P1` to `P5`.
    escalated_alert_priority: &'static str,
    tags: Vec<String>,
    api_name: String,
    api_version: String,
    api_namespace: String,
    api_description: String,
    api_owner: String,
    api_priority: String,
    api_dependencies: Vec<String>,
    api_endpoints: Vec<String>,
    api_custom_attributes: BTreeMap<String, String>,
    contact_details: Contacts,
}

/// Whether everything is there that alerts need.
#[derive(Serialize, ToSchema)]
struct Validation {
    valid: bool,
    /// The keys that are not set.
    missing: Vec<&'static str>,
}

/// Who to ask.
#[derive(Serialize, ToSchema)]
struct Contacts {
    primary_contact: String,
    escalation_team: String,
    slack_channel: String,
    phone_number: String,
    additional_emails: Vec<String>,
}

pub(super) fn status_of(opsgenie: &OpsGenie, initialized: bool) -> OpsGenieStatus {
    let key = opsgenie.api_key.is_none().then_some("api_key");
    let missing: Vec<_> = key.into_iter().chain(opsgenie.missing_fields()).collect();
    let contacts = opsgenie.contact_details.clone();
    let given = opsgenie.clone();
    OpsGenieStatus {
        enabled: given.enabled,
        initialized,
        validation: Validation { valid: missing.is_empty(), missing },
        api_key: given.api_key.is_some().then_some("***"),
        provider: given.provider.as_str(),
        region: given.region.as_str(),
        api_url: opsgenie.base_url().to_owned(),
        priority: given.priority.as_str(),
        source: given.source,
        alert_scope: given.alert_scope.as_str(),
        team: given.team,
        environment: given.environment,
        bookmaker_id: opsgenie.service_id().to_owned(),
        hostname: opsgenie.host().to_owned(),
        business: opsgenie.business().to_owned(),
        additional_context: given.additional_context,
        service_tier: given.service_tier,
        trigger_on_breaker_open: given.trigger_on_breaker_open,
        trigger_on_breaker_reset: given.trigger_on_breaker_reset,
        trigger_on_memory_threshold: given.trigger_on_memory_threshold,
        trigger_on_latency_threshold: given.trigger_on_latency_threshold,
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
        contact_details: Contacts {
            primary_contact: contacts.primary_contact,
            escalation_team: contacts.escalation_team,
            slack_channel: contacts.slack_channel,
            phone_number: contacts.phone_number,
            additional_emails: contacts.additional_emails,
        },
    }
}
