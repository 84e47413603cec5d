//! Alerts to `OpsGenie` or its successor.

use serde::Serialize;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{AllOfBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::alerts::{AlertsView, OpsGenieStatus, TriggerFlags};
use crate::api::change::Changed;
use crate::api::error::ApiError;
use crate::api::input::{Actor, FromPayload, ValidJson, rejected};
use crate::api::json::ApiJson;
use crate::api::openapi::{PostErrors, ReadErrors};
use crate::api::payload::Payload;
use crate::api::scope::CircuitScope;
use crate::api::setting_body::body;
use crate::api::state::ApiState;
use crate::config::{Change, OpsGenie};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(opsgenie_status))
        .routes(routes!(toggle))
        .routes(routes!(priority))
        .routes(routes!(triggers))
        .routes(routes!(tags))
        .routes(routes!(cooldown))
}

/// Applies the change and returns the result of `read`.
async fn change<T>(
    scope: &CircuitScope,
    who: &Actor,
    change: Change,
    read: impl Fn(&OpsGenie) -> T,
) -> Answer<Changed<T>> {
    let applied = scope.change(change, who).await?;
    Ok(ApiJson(Changed::new(read(&scope.config().opsgenie), applied)))
}

/// How alerts are sent to `OpsGenie` or its successor, and which required fields are missing.
#[utoipa::path(get, path = "/breaker/opsgenie/status", tag = "alerts",
    responses((status = 200, description = "The configuration.", body = OpsGenieStatus), ReadErrors))]
async fn opsgenie_status(scope: CircuitScope) -> Answer<OpsGenieStatus> {
    let initialized = scope.alerts().is_some_and(AlertsView::initialized);
    let last_error = scope.alerts().and_then(AlertsView::last_error);
    Ok(ApiJson(OpsGenieStatus::of(&scope.config().opsgenie, initialized, last_error)))
}

/// Whether alerts are sent.
#[derive(Serialize, ToSchema)]
struct Toggle {
    enabled: bool,
}

body!(NewToggle, "opsgenie.enabled", ["enabled"]);

/// Switches sending alerts on or off.
#[utoipa::path(post, path = "/breaker/opsgenie/toggle", tag = "alerts", request_body = NewToggle,
    responses((status = 200, description = "It is in force.", body = Changed<Toggle>), PostErrors))]
async fn toggle(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewToggle(set)): ValidJson<NewToggle>,
) -> Answer<Changed<Toggle>> {
    change(&scope, &who, set, |opsgenie| Toggle { enabled: opsgenie.enabled }).await
}

/// The priority of alerts without stages.
#[derive(Serialize, ToSchema)]
struct AlertPriority {
    priority: String,
}

body!(NewPriority, "opsgenie.priority", ["priority"]);

/// Sets the priority of alerts without stages.
#[utoipa::path(post, path = "/breaker/opsgenie/priority", tag = "alerts", request_body = NewPriority,
    responses((status = 200, description = "It is in force.", body = Changed<AlertPriority>), PostErrors))]
async fn priority(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewPriority(set)): ValidJson<NewPriority>,
) -> Answer<Changed<AlertPriority>> {
    let read = |opsgenie: &OpsGenie| AlertPriority { priority: opsgenie.priority.to_string() };
    change(&scope, &who, set, read).await
}

/// At least one of the triggers.
struct SomeTriggers(Vec<(&'static str, bool)>);

impl FromPayload for SomeTriggers {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let mut given = Vec::new();
        for key in TriggerFlags::KEYS {
            given.extend(payload.flag(key)?.map(|on| (key, on)));
        }
        if given.is_empty() {
            return Err(ApiError::missing(
                "trigger_on_breaker_open",
                format!("any of {}", TriggerFlags::KEYS.join(", ")),
            ));
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
        for key in TriggerFlags::KEYS {
            all = all.property(key, flag());
            one_of_them = one_of_them.item(ObjectBuilder::new().property(key, flag()).required(key));
        }
        AllOfBuilder::new().item(all).item(one_of_them).into()
    }
}

/// Sets the events that alerts are sent for. Fields that are left out keep their value.
#[utoipa::path(post, path = "/breaker/opsgenie/triggers", tag = "alerts", request_body = SomeTriggers,
    responses((status = 200, description = "It is in force.", body = Changed<TriggerFlags>), PostErrors))]
async fn triggers(
    scope: CircuitScope,
    who: Actor,
    ValidJson(SomeTriggers(given)): ValidJson<SomeTriggers>,
) -> Answer<Changed<TriggerFlags>> {
    let mut set = Change::none();
    for (field, on) in given {
        set = set.and(Change::set(&format!("opsgenie.{field}"), on).map_err(rejected(field))?);
    }
    change(&scope, &who, set, |opsgenie| opsgenie.triggers.into()).await
}

/// Tags of every alert.
#[derive(Serialize, ToSchema)]
struct Tags {
    tags: Vec<String>,
}

body!(NewTags, "opsgenie.tags", ["tags"]);

/// Replaces the tags of every alert.
#[utoipa::path(post, path = "/breaker/opsgenie/tags", tag = "alerts", request_body = NewTags,
    responses((status = 200, description = "It is in force.", body = Changed<Tags>), PostErrors))]
async fn tags(scope: CircuitScope, who: Actor, ValidJson(NewTags(set)): ValidJson<NewTags>) -> Answer<Changed<Tags>> {
    change(&scope, &who, set, |opsgenie| Tags { tags: opsgenie.tags.clone() }).await
}

/// Minimum time from an alert to the first alert of a later incident of the same kind.
#[derive(Serialize, ToSchema)]
struct Cooldown {
    /// In seconds; 0 = no cooldown.
    cooldown_seconds: u32,
}

body!(NewCooldown, "opsgenie.alert_cooldown_seconds", ["cooldown_seconds"]);

/// Sets the cooldown of alerts.
#[utoipa::path(post, path = "/breaker/opsgenie/cooldown", tag = "alerts", request_body = NewCooldown,
    responses((status = 200, description = "It is in force.", body = Changed<Cooldown>), PostErrors))]
async fn cooldown(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewCooldown(set)): ValidJson<NewCooldown>,
) -> Answer<Changed<Cooldown>> {
    let read = |opsgenie: &OpsGenie| Cooldown { cooldown_seconds: opsgenie.alert_cooldown_seconds };
    change(&scope, &who, set, read).await
}
