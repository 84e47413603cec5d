//! All breakers at once: the list, and what operators do with many.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use serde::Serialize;
use tripline_runtime::Breaker;
use tripline_runtime::core::StateKind;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::breaker_row::Row;
use crate::api::change::Changed;
use crate::api::error::ApiError;
use crate::api::input::{Actor, FromPayload, ValidJson, rejected};
use crate::api::json::ApiJson;
use crate::api::openapi::{PostErrors, QueryErrors};
use crate::api::payload::Payload;
use crate::api::scope::{CircuitScope, LiveHandle, change_all};
use crate::api::state::ApiState;
use crate::circuit::{Circuit, Circuits};
use crate::config::Change;
use crate::text::matches_glob;

/// Breakers of one page, where the query does not say it.
pub(super) const USUAL_PAGE: usize = 100;
/// Breakers of one page, at most.
const MAX_PAGE: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(breakers))
        .routes(routes!(reset_breakers))
        .routes(routes!(enable_breakers))
        .routes(routes!(disable_breakers))
}

/// Which breakers, and how many.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described here; the handler reads the query itself")]
struct ListQuery {
    /// Only those in this state: `closed`, `open`, `half_open`, `disabled` or `forced_open`.
    state: Option<String>,
    /// Only those whose name matches; `*` stands for any characters, `?` for one.
    r#match: Option<String>,
    /// How many at most, 1 to 1000. Default: 100.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<u16>,
    /// Only those behind the breaker of this name: the `next` of the page before.
    after: Option<String>,
}

/// A page of breakers.
#[derive(Serialize, ToSchema)]
struct Breakers {
    /// In the order of the configuration.
    breakers: Vec<Row>,
    /// The `after` of the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

/// All breakers, page by page.
#[utoipa::path(get, path = "/breakers", tag = "figures", params(ListQuery),
    responses((status = 200, description = "A page of breakers.", body = Breakers), QueryErrors))]
async fn breakers(State(circuits): State<Circuits>, Query(query): Query<BTreeMap<String, String>>) -> Answer<Breakers> {
    let state = query.get("state").map(|word| state_of(word)).transpose()?;
    let limit = query.get("limit").map_or(Ok(USUAL_PAGE), |text| limit_of(text))?;
    let pattern = query.get("match").map_or("*", String::as_str);
    let mut all: Vec<Circuit> = circuits.iter().collect();
    if let Some(after) = query.get("after") {
        let place = all.iter().position(|circuit| circuit.name().as_str() == after);
        let place = place.ok_or_else(|| ApiError::bad_value("after", shown(after), "the name of a breaker"))?;
        all.drain(..=place);
    }
    let is_wanted = |circuit: &&Circuit| {
        // A family is in every state that one of its members is in.
        let is_in = |wanted: StateKind| match circuit.family() {
            Some(family) => family.members().iter().any(|member| member.state() == wanted),
            None => circuit.breaker().state() == wanted,
        };
        matches_glob(pattern, circuit.name().as_str()) && state.is_none_or(is_in)
    };
    let mut rows = Vec::new();
    let mut next = None;
    for circuit in all.iter().filter(is_wanted) {
        if rows.len() == limit {
            next = rows.last().map(|row: &Row| row.name.clone());
            break;
        }
        rows.push(Row::of(circuit));
    }
    Ok(ApiJson(Breakers { breakers: rows, next }))
}

pub(super) fn state_of(word: &str) -> Result<StateKind, ApiError> {
    let known = StateKind::ALL.into_iter().find(|state| state.as_str() == word);
    known.ok_or_else(|| ApiError::bad_value("state", shown(word), StateKind::ALL.map(StateKind::as_str).join(", ")))
}

pub(super) fn limit_of(text: &str) -> Result<usize, ApiError> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| ApiError::bad_value("limit", shown(text), format!("1 to {MAX_PAGE}")))
}

/// The beginning of a rejected text, for a message.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

/// Which breakers an operation is about.
#[derive(ToSchema)]
#[expect(dead_code, reason = "`confirm` is checked and not kept")]
struct Selection {
    /// Must be true.
    #[schema(nullable = false)]
    confirm: bool,
    /// Only those whose name matches; `*` stands for any characters, `?` for one. Null or left out: all.
    r#match: Option<String>,
}

impl FromPayload for Selection {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        match payload.flag("confirm")? {
            Some(true) => {}
            given => {
                let given = given.map_or("missing", |_| "false");
                return Err(ApiError::bad_value("confirm", given, "true"));
            }
        }
        let pattern = payload.optional_text("match", "a pattern of names, as in \"pay*\"")?;
        Ok(Self { confirm: true, r#match: pattern.map(str::to_owned) })
    }
}

impl Selection {
    /// The circuits that it names; at least one.
    fn of(&self, circuits: &Circuits) -> Result<Vec<Circuit>, ApiError> {
        let pattern = self.r#match.as_deref().unwrap_or("*");
        let found: Vec<Circuit> =
            circuits.iter().filter(|circuit| matches_glob(pattern, circuit.name().as_str())).collect();
        if found.is_empty() {
            return Err(ApiError::bad_value("match", shown(pattern), "a pattern that a breaker's name matches"));
        }
        Ok(found)
    }
}

/// The breakers that were operated.
#[derive(Serialize, ToSchema)]
struct Operated {
    /// The names, in the order of the configuration.
    breakers: Vec<String>,
}

impl Operated {
    fn of(circuits: &[Circuit]) -> Self {
        Self { breakers: circuits.iter().map(|circuit| circuit.name().to_string()).collect() }
    }
}

/// Resets all breakers, or those that match, as `/breaker/reset` does one.
#[utoipa::path(post, path = "/breakers/reset", tag = "operating", request_body = Selection,
    responses((status = 200, description = "They are reset.", body = Operated), PostErrors))]
async fn reset_breakers(
    State(circuits): State<Circuits>,
    who: Actor,
    ValidJson(selection): ValidJson<Selection>,
) -> Answer<Operated> {
    let found = selection.of(&circuits)?;
    for circuit in &found {
        circuit.breakers().iter().for_each(Breaker::reset);
    }
    log("reset", &found, &who);
    Ok(ApiJson(Operated::of(&found)))
}

/// Enables all breakers, or those that match, as `/breaker/enabled` does one.
#[utoipa::path(post, path = "/breakers/enable", tag = "operating", request_body = Selection,
    responses((status = 200, description = "They are enabled.", body = Changed<Operated>), PostErrors))]
async fn enable_breakers(
    State(circuits): State<Circuits>,
    State(live): State<LiveHandle>,
    who: Actor,
    ValidJson(selection): ValidJson<Selection>,
) -> Answer<Changed<Operated>> {
    set_enabled(selection.of(&circuits)?, live, &who, true).await
}

/// Disables all breakers, or those that match, as `/breaker/disabled` does one.
#[utoipa::path(post, path = "/breakers/disable", tag = "operating", request_body = Selection,
    responses((status = 200, description = "They are disabled.", body = Changed<Operated>), PostErrors))]
async fn disable_breakers(
    State(circuits): State<Circuits>,
    State(live): State<LiveHandle>,
    who: Actor,
    ValidJson(selection): ValidJson<Selection>,
) -> Answer<Changed<Operated>> {
    set_enabled(selection.of(&circuits)?, live, &who, false).await
}

async fn set_enabled(found: Vec<Circuit>, live: LiveHandle, who: &Actor, on: bool) -> Answer<Changed<Operated>> {
    let change = Change::set("enabled", on).map_err(rejected("enabled"))?;
    let scopes: Vec<CircuitScope> =
        found.iter().map(|circuit| CircuitScope::of(circuit.clone(), live.clone())).collect();
    let applied = change_all(&scopes, &change, who).await?;
    for circuit in &found {
        // Also where the configuration says so already, and the breaker was switched beside it.
        circuit.breakers().iter().for_each(if on { Breaker::enable } else { Breaker::disable });
    }
    log(if on { "enable" } else { "disable" }, &found, who);
    Ok(ApiJson(Changed::new(Operated::of(&found), applied)))
}

fn log(action: &str, found: &[Circuit], who: &Actor) {
    let names: Vec<&str> = found.iter().map(|circuit| circuit.name().as_str()).collect();
    tracing::info!(action, breakers = names.join(", "), by = %who, "operated");
}
