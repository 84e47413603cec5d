//! The members of a family.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Serialize;
use serde_json::Number;
use tripline_runtime::Breaker;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::breakers::{USUAL_PAGE, limit_of, shown, state_of};
use crate::api::error::ApiError;
use crate::api::json::ApiJson;
use crate::api::openapi::QueryErrors;
use crate::api::state::ApiState;
use crate::circuit::Circuits;
use crate::text::{matches_glob, tidy};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(keys))
}

/// Which members, and how many.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described here; the handler reads the query itself")]
struct KeysQuery {
    /// Only those in this state: `closed`, `open`, `half_open`, `disabled` or `forced_open`.
    state: Option<String>,
    /// Only those whose key matches; `*` stands for any characters, `?` for one.
    r#match: Option<String>,
    /// How many at most, 1 to 1000. Default: 100.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<u16>,
    /// Only those behind this key: the `next` of the page before.
    after: Option<String>,
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
    /// `closed`, `open`, `half_open`, `disabled` or `forced_open`.
    state: &'static str,
    /// Open, half-open or forced open.
    triggered: bool,
    /// Why it opened last; null unless it is open, half-open or forced open now.
    #[schema(required)]
    trip_reason: Option<&'static str>,
    /// The percentile of the window, in milliseconds; null while it is empty.
    #[schema(value_type = Option<f64>, required)]
    current_percentile_ms: Option<Number>,
}

impl KeyRow {
    fn of(member: &Breaker) -> Self {
        member.read(|core| {
            let state = core.state().kind();
            Self {
                key: member.key().unwrap_or_default().to_owned(),
                state: state.as_str(),
                triggered: state.is_triggered(),
                trip_reason: core.last_trip().filter(|_| state.is_triggered()).map(|trip| trip.reason.as_str()),
                current_percentile_ms: core.percentile().and_then(|latency| tidy(latency.as_millis_f64())),
            }
        })
    }
}

/// The members of a family, page by page.
///
/// Each has the routes of `/breaker` under `/breakers/{name}/keys/{key}`, but for its events and for changes of settings, which are the
/// family's.
#[utoipa::path(get, path = "/breakers/{name}/keys", tag = "figures",
    params(("name" = String, Path, description = "The name of the family, percent-encoded."), KeysQuery),
    responses((status = 200, description = "A page of members.", body = Keys), QueryErrors))]
async fn keys(
    State(circuits): State<Circuits>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer<Keys> {
    let family = circuits.family(&name).ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            format!("there is no family {}; GET /breakers lists breakers", shown(&name)),
        )
    })?;
    let state = query.get("state").map(|word| state_of(word)).transpose()?;
    let limit = query.get("limit").map_or(Ok(USUAL_PAGE), |text| limit_of(text))?;
    let pattern = query.get("match").map_or("*", String::as_str);
    let after = query.get("after").map_or("", String::as_str);
    let mut members = family.members();
    members.sort_by(|one, other| one.key().cmp(&other.key()));
    let is_wanted = |member: &&Breaker| {
        let key = member.key().unwrap_or_default();
        (after.is_empty() || key > after)
            && matches_glob(pattern, key)
            && state.is_none_or(|wanted| wanted == member.state())
    };
    let mut rows: Vec<KeyRow> = members.iter().filter(is_wanted).take(limit + 1).map(KeyRow::of).collect();
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|row| row.key.clone());
    Ok(ApiJson(Keys { keys: rows, next }))
}
