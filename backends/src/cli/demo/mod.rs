//! The demo endpoint behind each breaker, and the scenarios that slow it down.

mod load;

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use http::StatusCode;
use serde::{Serialize, Serializer};
use tower_service::Service as _;
use tripline_runtime::{Breaker, InvalidKey};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{ApiError, ApiJson, FromPayload, Payload, PostErrors, ValidJson};
use crate::circuit::{Circuit, Circuits};
use crate::config::KeySource;
use crate::memory::MockMemory;
use crate::tower::{BreakerLayer, service_unavailable_because};
use load::{Load, MAX_DELAY, Scenario, Target};

/// The demo service behind the breakers.
#[derive(Debug, Clone)]
pub(super) struct Demo {
    circuits: Circuits,
    load: Load,
}

impl Demo {
    /// Creates the service: behind the first of `circuits`, and behind each of them under its name. `memory` is the mock
    /// memory, if the configuration selects it.
    pub(super) fn new(circuits: Circuits, memory: Option<MockMemory>) -> Self {
        Self { circuits, load: Load::new(memory) }
    }

    pub(super) fn router(self) -> OpenApiRouter {
        OpenApiRouter::new()
            .routes(routes!(test))
            .routes(routes!(test_named))
            .routes(routes!(test_member))
            .routes(routes!(set_delay))
            .routes(routes!(trigger))
            .routes(routes!(scenarios))
            .with_state(self)
    }

    /// Answers `request`, which `breaker` protects.
    async fn answer(self, breaker: Result<Breaker, InvalidKey>, request: Request) -> Response {
        let Ok(breaker) = breaker else {
            return ApiError::new(StatusCode::BAD_REQUEST, "the key has control characters").into_response();
        };
        let protection = BreakerLayer::new(breaker.clone()).respond_with(service_unavailable_because(breaker.clone()));
        let load = self.load;
        let endpoint = async move || {
            let delay = load.next_delay(&breaker);
            let clock = breaker.clock();
            clock.sleep_until(clock.now() + delay).await;
            ApiJson(Tested { status: "ok", delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) })
        };
        let mut endpoint: MethodRouter<(), Infallible> = get(endpoint).layer(protection);
        endpoint.call(request).await.unwrap_or_else(|never| match never {})
    }

    /// The breakers that a request body selects: a breaker, or of a family all members or that of a key; otherwise all.
    fn selected(
        &self,
        DemoSelection { breaker, key }: &DemoSelection,
    ) -> Result<(Option<Target>, Vec<Breaker>), ApiError> {
        let Some(name) = breaker else {
            return match key {
                Some(key) => Err(ApiError::bad_value("key", shown(key), "none without the breaker, its family")),
                None => Ok((None, self.circuits.iter().flat_map(|circuit| circuit.breakers()).collect())),
            };
        };
        let circuit = self.circuits.get(name);
        let circuit = circuit.ok_or_else(|| ApiError::bad_value("breaker", shown(name), "a name of GET /breakers"))?;
        let Some(key) = key else { return Ok((Some(Target::named(circuit.name())), circuit.breakers())) };
        let family = circuit
            .family()
            .ok_or_else(|| ApiError::bad_value("key", shown(key), format!("none, because {name} is not a family")))?;
        let member = family
            .member(key)
            .ok_or_else(|| ApiError::bad_value("key", shown(key), format!("a key of GET /breakers/{name}/keys")))?;
        Ok((Some(Target::of(&member)), vec![member]))
    }
}

/// The breaker of `circuit` for `request`; for a family, the member of the request's key.
fn guard(circuit: &Circuit, request: &Request) -> Result<Breaker, InvalidKey> {
    let Some(family) = circuit.family() else { return Ok(circuit.breaker().clone()) };
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let key = match &circuit.config().family.key {
        Some(KeySource::Header(name)) => header(name).map(str::to_owned),
        Some(KeySource::Host) => header("host").map(str::to_owned),
        // The path is /test/NAME, which contains nothing to decode.
        Some(KeySource::PathSegment(place)) => request.uri().path().split('/').nth((*place).into()).map(str::to_owned),
        _ => None,
    };
    family.get(&key.unwrap_or_default())
}

/// The response of the endpoint behind the breaker.
#[derive(Serialize, ToSchema)]
struct Tested {
    /// `ok`.
    status: &'static str,
    /// The delay of the request, in milliseconds.
    delay_ms: u64,
}

/// Why a call was rejected.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described here; the tower layer writes it")]
struct Rejection {
    error: String,
    breaker: String,
    reason: String,
    /// Time until a retry is worthwhile, in milliseconds; null if it is unknown.
    #[schema(required)]
    retry_after_ms: Option<u64>,
    /// The evidence on which the breaker opened, on one line; null unless the breaker opened by itself.
    #[schema(required)]
    why: Option<String>,
    /// Whether an operator simulates the condition.
    drill: bool,
}

/// The demo endpoint behind the first breaker.
#[utoipa::path(get, path = "/test", tag = "demo", responses(
    (status = 200, description = "It was called.", body = Tested),
    (status = 503, description = "The breaker rejects it.", body = Rejection)))]
async fn test(State(demo): State<Demo>, request: Request) -> Response {
    let Some(circuit) = demo.circuits.first() else {
        return ApiError::new(StatusCode::NOT_FOUND, "there is no breaker").into_response();
    };
    demo.answer(guard(&circuit, &request), request).await
}

/// The demo endpoint behind the breaker of this name; of a family, behind the member of the request's key.
#[utoipa::path(get, path = "/test/{name}", tag = "demo", params(("name" = String, Path, description = "The name of the breaker.")),
    responses(
        (status = 200, description = "It was called.", body = Tested),
        (status = 404, description = "There is no breaker of this name.", body = ApiError),
        (status = 503, description = "The breaker rejects it.", body = Rejection)))]
async fn test_named(State(demo): State<Demo>, Path(name): Path<String>, request: Request) -> Response {
    let Some(circuit) = demo.circuits.get(&name) else { return no_such_breaker(&name) };
    demo.answer(guard(&circuit, &request), request).await
}

/// The demo endpoint behind the member of this key, which the first call creates.
#[utoipa::path(get, path = "/test/{name}/keys/{key}", tag = "demo",
    params(("name" = String, Path, description = "The name of the family, percent-encoded."),
        ("key" = String, Path, description = "The key of the member, percent-encoded.")),
    responses(
        (status = 200, description = "It was called.", body = Tested),
        (status = 400, description = "The key has control characters.", body = ApiError),
        (status = 404, description = "There is no family of this name.", body = ApiError),
        (status = 503, description = "The breaker rejects it.", body = Rejection)))]
async fn test_member(
    State(demo): State<Demo>,
    Path((name, key)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Some(circuit) = demo.circuits.get(&name) else { return no_such_breaker(&name) };
    let Some(family) = circuit.family() else {
        let words = format!("{name} is not a family and has no keys; GET /breakers lists breakers");
        return ApiError::new(StatusCode::NOT_FOUND, words).into_response();
    };
    demo.answer(family.get(&key), request).await
}

fn no_such_breaker(name: &str) -> Response {
    let words = format!("there is no breaker {}; GET /breakers lists them", shown(name));
    ApiError::new(StatusCode::NOT_FOUND, words).into_response()
}

/// The breakers that a request body is about.
#[derive(Serialize, ToSchema)]
struct DemoSelection {
    /// The breaker; null or left out for all breakers.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<String>,
    /// The key of a member, if the breaker is a family; null or left out for all members.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl FromPayload for DemoSelection {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let text = |field, allowed| Ok(payload.optional_text(field, allowed)?.map(str::to_owned));
        Ok(Self {
            breaker: text("breaker", "a name of GET /breakers")?,
            key: text("key", "a key of GET /breakers/{name}/keys")?,
        })
    }
}

/// The delay of the endpoint.
#[derive(Serialize, ToSchema)]
struct Delay {
    /// A duration like `500ms` or `2s`, at most `60s`.
    #[schema(example = "500ms")]
    delay: String,
    #[serde(flatten)]
    selection: DemoSelection,
}

const DELAYS: &str = "a duration like \"500ms\" or \"2s\", at most 60s";

impl FromPayload for Delay {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { delay: payload.text("delay", DELAYS)?.to_owned(), selection: DemoSelection::read(payload)? })
    }
}

/// Sets the delay of the endpoint.
#[utoipa::path(post, path = "/test/delay", tag = "demo", request_body = Delay, responses(
    (status = 200, description = "It takes so long now.", body = Delay), PostErrors))]
async fn set_delay(State(demo): State<Demo>, ValidJson(new): ValidJson<Delay>) -> Result<ApiJson<Delay>, ApiError> {
    let delay = humantime::parse_duration(&new.delay)
        .ok()
        .filter(|&delay| delay <= MAX_DELAY)
        .ok_or_else(|| ApiError::bad_value("delay", shown(&new.delay), DELAYS))?;
    let (target, _) = demo.selected(&new.selection)?;
    demo.load.set_delay(target.as_ref(), delay);
    Ok(ApiJson(Delay { delay: humantime::format_duration(delay).to_string(), selection: new.selection }))
}

/// A scenario and the breakers that it applies to.
#[derive(Serialize, ToSchema)]
struct Start {
    #[schema(inline)]
    scenario: Scenario,
    #[serde(flatten)]
    selection: DemoSelection,
}

impl FromPayload for Start {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let allowed = Scenario::ALL.map(Scenario::as_str).join(", ");
        let text = payload.text("scenario", &allowed)?;
        let scenario = Scenario::ALL.into_iter().find(|scenario| scenario.as_str() == text);
        let scenario = scenario.ok_or_else(|| ApiError::bad_value("scenario", shown(text), allowed))?;
        Ok(Self { scenario, selection: DemoSelection::read(payload)? })
    }
}

impl Serialize for Scenario {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl ToSchema for Scenario {}

impl PartialSchema for Scenario {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Self::ALL.map(Self::as_str))).into()
    }
}

/// A scenario that was started.
#[derive(Serialize, ToSchema)]
struct Begun {
    #[schema(inline)]
    scenario: Scenario,
    /// The effect of the scenario.
    effect: &'static str,
    #[serde(flatten)]
    selection: DemoSelection,
}

/// Starts a scenario.
#[utoipa::path(post, path = "/test/trigger", tag = "demo", request_body = Start, responses(
    (status = 200, description = "It has begun.", body = Begun), PostErrors))]
async fn trigger(State(demo): State<Demo>, ValidJson(start): ValidJson<Start>) -> Result<ApiJson<Begun>, ApiError> {
    let Start { scenario, selection } = start;
    let (target, breakers) = demo.selected(&selection)?;
    demo.load.start(scenario, target.as_ref(), &breakers)?;
    Ok(ApiJson(Begun { scenario, effect: scenario.effect(), selection }))
}

/// The available scenarios.
#[derive(Serialize, ToSchema)]
struct Scenarios {
    /// The effect of each scenario.
    scenarios: BTreeMap<&'static str, &'static str>,
}

/// Lists the available scenarios.
#[utoipa::path(get, path = "/test/scenarios", tag = "demo",
    responses((status = 200, description = "The scenarios.", body = Scenarios)))]
async fn scenarios() -> ApiJson<Scenarios> {
    let scenarios = Scenario::ALL.map(|scenario| (scenario.as_str(), scenario.effect())).into();
    ApiJson(Scenarios { scenarios })
}

/// The beginning of a rejected text, for an error message.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}
