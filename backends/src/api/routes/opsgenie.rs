//! Alerts to `OpsGenie` or its successor.

use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{AllOfBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use crate::alerts::{AlertsView, OpsGenieStatus};
use crate::api::change::Changed;
use crate::api::error::ApiError;
use crate::api::input::{Actor, FromPayload, ValidJson, refused};
use crate::api::json::ApiJson;
use crate::api::openapi::{PostErrors, ReadErrors};
use crate::api::payload::Payload;
use crate::api::state::ApiState;
use crate::config::{Change, OpsGenie, Priority, RefusedValue};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(opsgenie_status))
        .routes(routes!(toggle))
        .routes(routes!(priority))
        .routes(routes!(triggers))
        .routes(routes!(tags))
        .routes(routes!(cooldown))
}

/// Makes the change, and answers what `read` then gives.
async fn change<T>(
    api: &ApiState,
    who: &Actor,
    field: &'static str,
    change: Result<Change, RefusedValue>,
    read: impl Fn(&OpsGenie) -> T,
) -> Answer<Changed<T>> {
    let applied = api.change(change.map_err(refused(field))?, who).await?;
    Ok(ApiJson(Changed::new(read(&api.config()?.opsgenie), applied)))
}

/// How alerts are sent to `OpsGenie` or its successor, and what still lacks.
#[utoipa::path(get, path = "/breaker/opsgenie/status", tag = "alerts",
    responses((status = 200, description = "The configuration.", body = OpsGenieStatus), ReadErrors))]
async fn opsgenie_status(State(api): State<ApiState>) -> Answer<OpsGenieStatus> {
    let initialized = api.alerts_view().is_some_and(AlertsView::initialized);
    let last_error = api.alerts_view().and_then(AlertsView::last_error);
    Ok(ApiJson(OpsGenieStatus::of(&api.config()?.opsgenie, initialized, last_error)))
}

/// Whether alerts are sent.
#[derive(Serialize, ToSchema)]
struct Toggle {
    enabled: bool,
}

impl FromPayload for Toggle {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { enabled: payload.needed_flag("enabled")? })
    }
}

/// Switches sending alerts on or off.
#[utoipa::path(post, path = "/breaker/opsgenie/toggle", tag = "alerts", request_body = Toggle,
    responses((status = 200, description = "It is in force.", body = Changed<Toggle>), PostErrors))]
async fn toggle(State(api): State<ApiState>, who: Actor, ValidJson(new): ValidJson<Toggle>) -> Answer<Changed<Toggle>> {
    let set = Change::set("opsgenie.enabled", new.enabled);
    change(&api, &who, "enabled", set, |opsgenie| Toggle { enabled: opsgenie.enabled }).await
}

/// The priority of alerts that are not staged.
#[derive(Serialize)]
struct AlertPriority {
    priority: String,
}

impl FromPayload for AlertPriority {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { priority: payload.text("priority", &Priority::WORDS.join(", "))?.to_owned() })
    }
}

impl ToSchema for AlertPriority {}

impl PartialSchema for AlertPriority {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Priority::WORDS.iter().copied()));
        ObjectBuilder::new().property("priority", words).required("priority").into()
    }
}

/// Sets the priority of alerts that are not staged.
#[utoipa::path(post, path = "/breaker/opsgenie/priority", tag = "alerts", request_body = AlertPriority,
    responses((status = 200, description = "It is in force.", body = Changed<AlertPriority>), PostErrors))]
async fn priority(
    State(api): State<ApiState>,
    who: Actor,
    ValidJson(new): ValidJson<AlertPriority>,
) -> Answer<Changed<AlertPriority>> {
    let set = Change::set("opsgenie.priority", new.priority.as_str());
    let read = |opsgenie: &OpsGenie| AlertPriority { priority: opsgenie.priority.to_string() };
    change(&api, &who, "priority", set, read).await
}

/// What alerts are sent for.
#[derive(Serialize, ToSchema)]
struct Triggers {
    trigger_on_breaker_open: bool,
    trigger_on_breaker_reset: bool,
    trigger_on_memory_threshold: bool,
    trigger_on_latency_threshold: bool,
}

impl Triggers {
    const KEYS: [&str; 4] = [
        "trigger_on_breaker_open",
        "trigger_on_breaker_reset",
        "trigger_on_memory_threshold",
        "trigger_on_latency_threshold",
    ];

    fn of(opsgenie: &OpsGenie) -> Self {
        Self {
            trigger_on_breaker_open: opsgenie.trigger_on_breaker_open,
            trigger_on_breaker_reset: opsgenie.trigger_on_breaker_reset,
            trigger_on_memory_threshold: opsgenie.trigger_on_memory_threshold,
            trigger_on_latency_threshold: opsgenie.trigger_on_latency_threshold,
        }
    }
}

/// At least one of the triggers.
struct SomeTriggers(Vec<(&'static str, bool)>);

impl FromPayload for SomeTriggers {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let mut given = Vec::new();
        for key in Triggers::KEYS {
            given.extend(payload.flag(key)?.map(|on| (key, on)));
        }
        if given.is_empty() {
            return Err(ApiError::missing("trigger_on_breaker_open", format!("any of {}", Triggers::KEYS.join(", "))));
        }
        Ok(Self(given))
    }
}

impl ToSchema for SomeTriggers {}

impl PartialSchema for SomeTriggers {
    fn schema() -> RefOr<Schema> {
        let flag = || ObjectBuilder::new().schema_type(Type::Boolean);
        let mut all = ObjectBuilder::new();
        let mut one_of_them = AnyOfBuilder::new();
        for key in Triggers::KEYS {
            all = all.property(key, flag());
            one_of_them = one_of_them.item(ObjectBuilder::new().property(key, flag()).required(key));
        }
        AllOfBuilder::new().item(all).item(one_of_them).into()
    }
}

/// Sets what alerts are sent for. What is left out stays as it is.
#[utoipa::path(post, path = "/breaker/opsgenie/triggers", tag = "alerts", request_body = SomeTriggers,
    responses((status = 200, description = "It is in force.", body = Changed<Triggers>), PostErrors))]
async fn triggers(
    State(api): State<ApiState>,
    who: Actor,
    ValidJson(SomeTriggers(given)): ValidJson<SomeTriggers>,
) -> Answer<Changed<Triggers>> {
    let all = given.into_iter().map(|(key, on)| Change::set(&format!("opsgenie.{key}"), on));
    let set = all.reduce(|all, next| Ok(all?.and(next?))).unwrap_or_else(|| Ok(Change::none()));
    change(&api, &who, "trigger_on_breaker_open", set, Triggers::of).await
}

/// Tags of every alert.
#[derive(Serialize)]
struct Tags {
    tags: Vec<String>,
}

impl FromPayload for Tags {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { tags: payload.texts("tags", "up to 100 texts, each 1 to 1000 characters")? })
    }
}

impl ToSchema for Tags {}

impl PartialSchema for Tags {
    fn schema() -> RefOr<Schema> {
        let tag = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(1_000));
        let tags = ArrayBuilder::new().items(tag).max_items(Some(100));
        ObjectBuilder::new().property("tags", tags).required("tags").into()
    }
}

/// Replaces the tags of every alert.
#[utoipa::path(post, path = "/breaker/opsgenie/tags", tag = "alerts", request_body = Tags,
    responses((status = 200, description = "It is in force.", body = Changed<Tags>), PostErrors))]
async fn tags(State(api): State<ApiState>, who: Actor, ValidJson(new): ValidJson<Tags>) -> Answer<Changed<Tags>> {
    let set = Change::set("opsgenie.tags", new.tags);
    change(&api, &who, "tags", set, |opsgenie| Tags { tags: opsgenie.tags.clone() }).await
}

/// So long after an incident a new one of the same kind waits for its first alert.
#[derive(Serialize, ToSchema)]
struct Cooldown {
    /// In seconds; 0 = it does not wait.
    #[schema(minimum = 0, maximum = 604_800)]
    cooldown_seconds: u32,
}

impl FromPayload for Cooldown {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { cooldown_seconds: payload.whole("cooldown_seconds", 0, 604_800, "seconds")? })
    }
}

/// Sets by how much the next incident's first alert is delayed.
#[utoipa::path(post, path = "/breaker/opsgenie/cooldown", tag = "alerts", request_body = Cooldown,
    responses((status = 200, description = "It is in force.", body = Changed<Cooldown>), PostErrors))]
async fn cooldown(
    State(api): State<ApiState>,
    who: Actor,
    ValidJson(new): ValidJson<Cooldown>,
) -> Answer<Changed<Cooldown>> {
    let set = Change::set("opsgenie.alert_cooldown_seconds", new.cooldown_seconds);
    let read = |opsgenie: &OpsGenie| Cooldown { cooldown_seconds: opsgenie.alert_cooldown_seconds };
    change(&api, &who, "cooldown_seconds", set, read).await
}
