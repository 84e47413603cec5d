//! All breakers at once: the list, and what operators do with many.

use axum::extract::State;
use serde::Serialize;
use tripline_runtime::Breaker;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::page::{PageOf, PageQuery, shown};
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

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(breakers))
        .routes(routes!(reset_breakers))
        .routes(routes!(enable_breakers))
        .routes(routes!(disable_breakers))
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
#[utoipa::path(get, path = "/breakers", tag = "figures", params(PageQuery),
    responses((status = 200, description = "A page of breakers.", body = Breakers), QueryErrors))]
async fn breakers(State(circuits): State<Circuits>, State(live): State<LiveHandle>, page: PageOf) -> Answer<Breakers> {
    let mut all: Vec<Circuit> = circuits.iter().collect();
    if let Some(after) = &page.after {
        let place = all.iter().position(|circuit| circuit.name().as_str() == after);
        let place = place.ok_or_else(|| ApiError::bad_value("after", shown(after), "the name of a breaker"))?;
        all.drain(..=place);
    }
    let wanted = all.iter().filter(|circuit| {
        // A family is in every state that one of its members is in.
        page.wants(circuit.name().as_str(), |state| match circuit.family() {
            Some(family) => family.members().iter().any(|member| member.state() == state),
            None => circuit.breaker().state() == state,
        })
    });
    let fleet = live.fleet_summaries();
    let row = |circuit: &Circuit| Row::of(circuit, fleet.get(circuit.name()).cloned());
    let (breakers, next) = page.rows(wanted, |circuit| row(circuit), |circuit| circuit.name().to_string());
    Ok(ApiJson(Breakers { breakers, next }))
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
