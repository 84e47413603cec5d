//! The routes for operators.

use serde::Serialize;
use tripline_runtime::Breaker;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::change::Changed;
use crate::api::error::ApiError;
use crate::api::input::{Actor, FromPayload, ValidJson, rejected};
use crate::api::json::ApiJson;
use crate::api::openapi::{PostErrors, ReadErrors};
use crate::api::payload::Payload;
use crate::api::scope::CircuitScope;
use crate::api::state::ApiState;
use crate::config::Change;
use crate::reload::Applied;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(enabled, enable))
        .routes(routes!(disable))
        .routes(routes!(reset))
        .routes(routes!(force_open))
        .routes(routes!(trigger_by_memory))
        .routes(routes!(trigger_by_latency))
        .routes(routes!(restore_memory_check))
}

/// Whether the breaker is enabled.
#[derive(Serialize, ToSchema)]
struct Enabled {
    enabled: bool,
}

/// Nothing, or what GET gives.
#[derive(ToSchema)]
struct EnabledOrNothing {
    /// True where it is left out.
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

impl FromPayload for EnabledOrNothing {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { enabled: payload.flag("enabled")? })
    }
}

/// Nothing, or false.
struct DisabledOrNothing;

impl FromPayload for DisabledOrNothing {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        match payload.flag("enabled")? {
            None | Some(false) => Ok(Self),
            Some(true) => Err(ApiError::bad_value("enabled", true, "false, or no body; /breaker/enabled enables")),
        }
    }
}

impl ToSchema for DisabledOrNothing {}

impl utoipa::PartialSchema for DisabledOrNothing {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        only("enabled", false).into()
    }
}

/// Whether the breaker is enabled.
#[utoipa::path(get, path = "/breaker/enabled", tag = "operating",
    responses((status = 200, description = "Whether it is.", body = Enabled), ReadErrors))]
async fn enabled(scope: CircuitScope) -> Answer<Enabled> {
    Ok(ApiJson(Enabled { enabled: scope.breaker().enabled() }))
}

/// Enables the breaker: a disabled one closes, any other stays as it is.
///
/// What GET gave can be sent back, also where that is false.
#[utoipa::path(post, path = "/breaker/enabled", tag = "operating", request_body = EnabledOrNothing,
    responses((status = 200, description = "It is in force.", body = Changed<Enabled>), PostErrors))]
async fn enable(
    scope: CircuitScope,
    who: Actor,
    ValidJson(given): ValidJson<EnabledOrNothing>,
) -> Answer<Changed<Enabled>> {
    set_enabled(&scope, &who, given.enabled.unwrap_or(true)).await
}

/// Disables the breaker: it admits every call and records none.
#[utoipa::path(post, path = "/breaker/disabled", tag = "operating", request_body = DisabledOrNothing,
    responses((status = 200, description = "It is in force.", body = Changed<Enabled>), PostErrors))]
async fn disable(scope: CircuitScope, who: Actor, _: ValidJson<DisabledOrNothing>) -> Answer<Changed<Enabled>> {
    set_enabled(&scope, &who, false).await
}

async fn set_enabled(scope: &CircuitScope, who: &Actor, on: bool) -> Answer<Changed<Enabled>> {
    if scope.is_member() {
        let breaker = scope.breaker();
        if on {
            breaker.enable();
        } else {
            breaker.disable();
        }
        log(if on { "enable" } else { "disable" }, scope, who);
        let applied = Applied::unsaved("a member's switch is not part of the configuration");
        return Ok(ApiJson(Changed::new(Enabled { enabled: breaker.enabled() }, applied)));
    }
    let applied = scope.change(Change::set("enabled", on).map_err(rejected("enabled"))?, who).await?;
    // Also where the configuration says so already, and the breaker was switched beside it.
    scope.breakers().iter().for_each(if on { Breaker::enable } else { Breaker::disable });
    Ok(ApiJson(Changed::new(Enabled { enabled: scope.breaker().enabled() }, applied)))
}

/// The state that the breaker is in.
#[derive(Serialize, ToSchema)]
struct StateNow {
    /// `closed`, `open`, `half_open`, `disabled` or `forced_open`.
    state: &'static str,
    /// Open, half-open or forced open.
    triggered: bool,
}

impl StateNow {
    fn of(scope: &CircuitScope) -> ApiJson<Self> {
        let kind = scope.breaker().read(|core| core.state().kind());
        ApiJson(Self { state: kind.as_str(), triggered: kind.is_triggered() })
    }
}

struct Confirmation;

impl FromPayload for Confirmation {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        match payload.flag("confirm")? {
            Some(true) => Ok(Self),
            Some(false) => Err(ApiError::bad_value("confirm", false, "true")),
            None => Err(ApiError::bad_value("confirm", "missing", "true")),
        }
    }
}

impl ToSchema for Confirmation {}

impl utoipa::PartialSchema for Confirmation {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        only("confirm", true).required("confirm").into()
    }
}

/// An object whose one field has one value.
fn only(field: &str, value: bool) -> utoipa::openapi::ObjectBuilder {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    let flag = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([value]));
    ObjectBuilder::new().property(field, flag)
}

/// Closes the breaker, forgets the window, undoes simulations and ends the incident.
///
/// Only where it is confirmed: a reset admits all calls at once.
#[utoipa::path(post, path = "/breaker/reset", tag = "operating", request_body = Confirmation,
    responses((status = 200, description = "It is reset.", body = StateNow), PostErrors))]
async fn reset(scope: CircuitScope, who: Actor, _: ValidJson<Confirmation>) -> Answer<StateNow> {
    scope.breakers().iter().for_each(Breaker::reset);
    log("reset", &scope, &who);
    Ok(StateNow::of(&scope))
}

/// Rejects every call until the breaker is reset.
#[utoipa::path(post, path = "/breaker/force-open", tag = "operating",
    responses((status = 200, description = "It is forced open.", body = StateNow), PostErrors))]
async fn force_open(scope: CircuitScope, who: Actor, _: Payload) -> Answer<StateNow> {
    if !scope.breaker().force_open() {
        return Err(ApiError::conflict("the breaker is disabled; enable it first"));
    }
    log("force-open", &scope, &who);
    Ok(StateNow::of(&scope))
}

/// Opens the breaker as if memory were exhausted, until `restore-memory-check` or a reset.
#[utoipa::path(post, path = "/breaker/trigger-by-memory", tag = "operating",
    responses((status = 200, description = "It is simulated.", body = StateNow), PostErrors))]
async fn trigger_by_memory(scope: CircuitScope, who: Actor, _: Payload) -> Answer<StateNow> {
    simulated(&scope, &who, "trigger-by-memory", scope.breaker().simulate_memory())
}

/// Opens the breaker as if calls were slow, until `restore-memory-check` or a reset.
#[utoipa::path(post, path = "/breaker/trigger-by-latency", tag = "operating",
    responses((status = 200, description = "It is simulated.", body = StateNow), PostErrors))]
async fn trigger_by_latency(scope: CircuitScope, who: Actor, _: Payload) -> Answer<StateNow> {
    simulated(&scope, &who, "trigger-by-latency", scope.breaker().simulate_latency())
}

fn simulated(scope: &CircuitScope, who: &Actor, action: &str, done: bool) -> Answer<StateNow> {
    if done {
        log(action, scope, who);
        Ok(StateNow::of(scope))
    } else {
        Err(ApiError::conflict("the breaker is disabled or forced open; enable or reset it first"))
    }
}

/// Undoes what `trigger-by-memory` and `trigger-by-latency` simulate; the breaker recovers by itself.
#[utoipa::path(post, path = "/breaker/restore-memory-check", tag = "operating",
    responses((status = 200, description = "Nothing is simulated.", body = StateNow), PostErrors))]
async fn restore_memory_check(scope: CircuitScope, who: Actor, _: Payload) -> Answer<StateNow> {
    scope.breaker().undo_simulations();
    log("restore-memory-check", &scope, &who);
    Ok(StateNow::of(&scope))
}

fn log(action: &str, scope: &CircuitScope, who: &Actor) {
    tracing::info!(breaker = scope.name().as_str(), action, by = %who, "operated");
}
