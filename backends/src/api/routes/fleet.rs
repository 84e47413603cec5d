//! The fleet.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use http::StatusCode;
use serde::Serialize;
use tripline_runtime::core::fleet::Action;
use tripline_runtime::{CommandError, FleetBreaker, FleetStatus};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::error::ApiError;
use crate::api::input::{Actor, FromPayload, ValidJson};
use crate::api::json::ApiJson;
use crate::api::openapi::{CommandErrors, FleetErrors, PostErrors};
use crate::api::payload::Payload;
use crate::api::scope::CircuitScope;
use crate::api::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(fleet)).routes(routes!(command)).routes(routes!(progress))
}

/// The fleet as this replica sees it.
#[derive(Serialize, ToSchema)]
struct FleetBody {
    /// The name of this replica.
    replica: String,
    /// The engine answered the last call.
    up: bool,
    /// Why it did not; null while it does.
    #[schema(required)]
    error: Option<String>,
    /// This replica pages alone, because the engine is out of reach.
    alone: bool,
    /// The replicas of the fleet.
    members: u32,
    /// Stages that this replica sent, or tried to send, for all.
    claims: u64,
    /// How often this replica began to page alone.
    fallbacks: u64,
    /// Its breakers, by name.
    breakers: Vec<FleetBreakerBody>,
}

/// The incident of one breaker in the fleet.
#[derive(Serialize, ToSchema)]
struct FleetBreakerBody {
    /// The breaker.
    name: String,
    /// As in alerts: `37 of 1,000 replicas open, first: web-17`.
    summary: String,
    /// Replicas whose breaker is not closed; 0 where there is no incident.
    open: u32,
    /// Replicas whose incident runs.
    unwell: u32,
    /// The host whose breaker opened first; null where there is no incident, or it is unknown.
    #[schema(required)]
    first: Option<String>,
    /// `pending`, `initial`, `escalated` or `resolved`; null where there is no incident.
    #[schema(required)]
    stage: Option<&'static str>,
    /// For how long the incident has been on, in seconds; null where there is none.
    #[schema(required)]
    age_seconds: Option<u64>,
}

/// The fleet as this replica sees it: whether its engine is reached, its members and the incidents of its breakers.
#[utoipa::path(get, path = "/fleet", tag = "process",
    responses((status = 200, description = "The fleet.", body = FleetBody),
        FleetErrors))]
async fn fleet(State(api): State<ApiState>) -> Answer<FleetBody> {
    let status = api.fleet_handle().ok_or_else(no_fleet)?.status();
    let breakers = status.breakers.iter().map(|breaker| of_breaker(&status, breaker)).collect();
    let FleetStatus { replica, is_up, error, is_alone, members, claims, fallbacks, .. } = status;
    Ok(ApiJson(FleetBody { replica, up: is_up, error, alone: is_alone, members, claims, fallbacks, breakers }))
}

fn no_fleet() -> ApiError {
    ApiError::conflict("this process is in no fleet; see [fleet] in the configuration")
}

/// What all replicas are to do.
struct Order(Action);

/// What `action` may be.
const ACTIONS: &str = "\"disable\", \"enable\" or \"reset\"";

impl FromPayload for Order {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let name = payload.text("action", ACTIONS)?;
        let action = Action::from_name(name).ok_or_else(|| ApiError::bad_value("action", name, ACTIONS))?;
        match payload.flag("confirm")? {
            Some(true) => Ok(Self(action)),
            Some(false) => Err(ApiError::bad_value("confirm", false, "true")),
            None => Err(ApiError::missing("confirm", "true")),
        }
    }
}

impl ToSchema for Order {}

impl PartialSchema for Order {
    fn schema() -> RefOr<Schema> {
        let action = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Action::ALL.map(Action::as_str)));
        let confirm = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]));
        let both = ObjectBuilder::new().property("action", action).property("confirm", confirm);
        both.required("action").required("confirm").into()
    }
}

/// A command to all replicas.
#[derive(Serialize, ToSchema)]
struct CommandBody {
    /// Its number, for `/fleet/command?number=`.
    number: u64,
    /// `disable`, `enable` or `reset`.
    action: &'static str,
    /// To which breaker.
    breaker: String,
}

/// Commands all replicas of the fleet to disable, enable or reset this breaker.
///
/// Each executes it within about 6 s; no configuration file changes. Only if `fleet.commands` is true.
#[utoipa::path(post, path = "/breaker/fleet-command", tag = "operating", request_body = Order,
    responses((status = 200, description = "The engine has it.", body = CommandBody),
        (status = 503, description = "The fleet's engine is not reached.", body = ApiError), PostErrors))]
async fn command(scope: CircuitScope, who: Actor, ValidJson(Order(action)): ValidJson<Order>) -> Answer<CommandBody> {
    if scope.is_member() {
        let words = "a command to all replicas is for the whole family; without the fleet it is for this key";
        return Err(ApiError::conflict(words));
    }
    let fleet = scope.live().fleet.clone().ok_or_else(no_fleet)?;
    let number = fleet.command(action, scope.name()).await.map_err(|error| command_error(&error))?;
    let (action, breaker) = (action.as_str(), scope.name().to_string());
    tracing::warn!(number, action, breaker, client = %who, "all replicas were commanded over HTTP");
    Ok(ApiJson(CommandBody { number, action, breaker }))
}

/// The progress of a command.
#[derive(Serialize, ToSchema)]
struct ProgressBody {
    /// Replicas that have executed it.
    done: u32,
    /// The replicas of the fleet.
    members: u32,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the query is read by hand, so that a bad value is answered like any other")]
struct ProgressQuery {
    /// The number of the command.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    number: u64,
}

/// How many replicas have executed a command, or a later one.
#[utoipa::path(get, path = "/fleet/command", tag = "process", params(ProgressQuery),
    responses((status = 200, description = "So many of so many.", body = ProgressBody),
        (status = 503, description = "The fleet's engine is not reached.", body = ApiError), CommandErrors))]
async fn progress(State(api): State<ApiState>, Query(query): Query<BTreeMap<String, String>>) -> Answer<ProgressBody> {
    const NUMBER: &str = "the number that POST /breaker/fleet-command answered";
    let number = match query.get("number").map(|given| (given, given.parse())) {
        None => return Err(ApiError::new(StatusCode::BAD_REQUEST, "number is missing").field("number", NUMBER)),
        Some((given, Err(_))) => return Err(ApiError::bad_value("number", format!("{given:?}"), NUMBER)),
        Some((_, Ok(number))) => number,
    };
    let fleet = api.fleet_handle().ok_or_else(no_fleet)?;
    let progress = fleet.command_progress(number).await.map_err(|error| command_error(&error))?;
    Ok(ApiJson(ProgressBody { done: progress.done, members: progress.members }))
}

fn command_error(error: &CommandError) -> ApiError {
    match error {
        CommandError::Engine(_) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        _ => ApiError::conflict(error.to_string()),
    }
}

fn of_breaker(status: &FleetStatus, breaker: &FleetBreaker) -> FleetBreakerBody {
    FleetBreakerBody {
        name: breaker.name.to_string(),
        summary: status.summary(breaker),
        open: breaker.open,
        unwell: breaker.unwell,
        first: breaker.first.clone(),
        stage: breaker.stage,
        age_seconds: breaker.age.map(|age| age.as_secs()),
    }
}
