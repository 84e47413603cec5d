//! The members of a family.

use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use tripline_runtime::Breaker;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::page::{PageOf, PageQuery, shown};
use crate::api::breaker_row::BreakerHealth;
use crate::api::error::ApiError;
use crate::api::json::ApiJson;
use crate::api::openapi::QueryErrors;
use crate::api::state::ApiState;
use crate::circuit::Circuits;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(keys))
}

/// A page of a family's members.
#[derive(Serialize, ToSchema)]
struct Keys {
    /// Sorted by key.
    keys: Vec<KeyRow>,
    /// The `after` of the next page; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

/// One member of a family.
#[derive(Serialize, ToSchema)]
struct KeyRow {
    /// `*` is the shared member, for calls without a key and where there is no room.
    key: String,
    #[serde(flatten)]
    health: BreakerHealth,
}

impl KeyRow {
    fn of(member: &Breaker) -> Self {
        Self { key: key(member).to_owned(), health: BreakerHealth::of(member) }
    }
}

fn key(member: &Breaker) -> &str {
    member.key().unwrap_or_default()
}

/// The members of a family, page by page.
///
/// Each has the routes of `/breaker` under `/breakers/{name}/keys/{key}`, but for its events and for changes of settings, which are the
/// family's.
#[utoipa::path(get, path = "/breakers/{name}/keys", tag = "figures",
    params(("name" = String, Path, description = "The name of the family, percent-encoded."), PageQuery),
    responses((status = 200, description = "A page of members.", body = Keys), QueryErrors))]
async fn keys(State(circuits): State<Circuits>, Path(name): Path<String>, page: PageOf) -> Answer<Keys> {
    let family = circuits.family(&name).ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            format!("there is no family {}; GET /breakers lists breakers", shown(&name)),
        )
    })?;
    let mut members = family.members();
    members.sort_by(|one, other| one.key().cmp(&other.key()));
    let wanted = members.iter().filter(|member| {
        page.after.as_deref().is_none_or(|after| key(member) > after)
            && page.wants(key(member), |state| member.state() == state)
    });
    let (keys, next) = page.rows(wanted, |member| KeyRow::of(member), |member| key(member).to_owned());
    Ok(ApiJson(Keys { keys, next }))
}
