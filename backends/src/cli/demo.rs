//! The demo endpoint behind the breaker, and the scenarios that make it slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use std::collections::BTreeMap;

use std::convert::Infallible;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use http::StatusCode;
use serde::Serialize;
use tower_service::Service as _;
use tripline_runtime::Breaker;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{ApiError, ApiJson, FromPayload, Payload, PostErrors, ValidJson};
use crate::circuit::Circuits;
use crate::memory::MockMemory;
use crate::tower::{BreakerLayer, service_unavailable_because};

/// What `/test` takes when nothing is wrong.
const NORMAL_DELAY: Duration = Duration::from_millis(20);
/// How many requests a latency spike makes slow.
const SPIKE_REQUESTS: u64 = 100;
/// The longest delay that can be set.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// The service behind the breaker.
#[derive(Debug, Clone)]
pub(super) struct Demo {
    breaker: Breaker,
    circuits: Circuits,
    /// The mock memory, where the configuration asks for it.
    memory: Option<MockMemory>,
    slowness: Arc<Slowness>,
}

#[derive(Debug)]
struct Slowness {
    delay_micros: AtomicU64,
    spike_left: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Scenario {
    HighLatency,
    LatencySpike,
    MemoryOverload,
    ResetNormal,
}

impl Demo {
    /// Behind `breaker`, and under their names behind each of `circuits`.
    pub(super) fn new(breaker: Breaker, circuits: Circuits, memory: Option<MockMemory>) -> Self {
        let slowness = Slowness { delay_micros: AtomicU64::new(micros(NORMAL_DELAY)), spike_left: AtomicU64::new(0) };
        Self { breaker, circuits, memory, slowness: Arc::new(slowness) }
    }

    pub(super) fn router(self) -> OpenApiRouter {
        let protection =
            BreakerLayer::new(self.breaker.clone()).respond_with(service_unavailable_because(self.breaker.clone()));
        OpenApiRouter::new()
            .routes(routes!(test))
            // On what stands above only.
            .route_layer(protection)
            .routes(routes!(test_named))
            .routes(routes!(set_delay))
            .routes(routes!(trigger))
            .routes(routes!(scenarios))
            .with_state(self)
    }

    fn set_delay(&self, delay: Duration) {
        // Relaxed: a number that stands on its own.
        self.slowness.delay_micros.store(micros(delay), Ordering::Relaxed);
        self.slowness.spike_left.store(0, Ordering::Relaxed);
    }

    /// How long this request takes.
    fn next_delay(&self) -> Duration {
        // Relaxed: as in `set_delay`.
        let spike =
            self.slowness.spike_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if spike.is_ok() {
            return self.slow();
        }
        Duration::from_micros(self.slowness.delay_micros.load(Ordering::Relaxed))
    }

    /// Clearly slower than the threshold in force.
    fn slow(&self) -> Duration {
        (Duration::from(self.breaker.slow_after()) * 2).min(MAX_DELAY)
    }

    fn start(&self, scenario: Scenario) -> Result<(), ApiError> {
        match scenario {
            Scenario::HighLatency => self.set_delay(self.slow()),
            // Relaxed: as in `set_delay`.
            Scenario::LatencySpike => self.slowness.spike_left.store(SPIKE_REQUESTS, Ordering::Relaxed),
            Scenario::MemoryOverload => match &self.memory {
                Some(memory) => memory.set_percent(99),
                None if self.breaker.simulate_memory() => {}
                None => {
                    return Err(ApiError::conflict("the breaker is disabled or forced open; enable or reset it first"));
                }
            },
            Scenario::ResetNormal => {
                self.set_delay(NORMAL_DELAY);
                if let Some(memory) = &self.memory {
                    memory.set_percent(50);
                }
                self.breaker.undo_simulations();
            }
        }
        Ok(())
    }
}

impl Scenario {
    const ALL: [Self; 4] = [Self::HighLatency, Self::LatencySpike, Self::MemoryOverload, Self::ResetNormal];

    const fn as_str(self) -> &'static str {
        match self {
            Self::HighLatency => "high_latency",
            Self::LatencySpike => "latency_spike",
            Self::MemoryOverload => "memory_overload",
            Self::ResetNormal => "reset_normal",
        }
    }

    const fn effect(self) -> &'static str {
        match self {
            Self::HighLatency => "every request takes twice the threshold",
            Self::LatencySpike => "the next 100 requests take twice the threshold",
            Self::MemoryOverload => "memory runs out: mock memory is filled, of real memory it is simulated",
            Self::ResetNormal => "requests are fast and memory is half used again; the breaker recovers by itself",
        }
    }
}

/// The answer of the endpoint behind the breaker.
#[derive(Serialize, ToSchema)]
struct Tested {
    /// `ok`.
    status: &'static str,
    /// How long it was made to take.
    delay_ms: u64,
}

/// Why a call was rejected.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described here; the tower layer writes it")]
struct Rejection {
    error: String,
    breaker: String,
    reason: String,
    /// Null where the time is unknown.
    #[schema(required)]
    retry_after_ms: Option<u64>,
    /// The evidence that the breaker opened on, as one line; null while it is not open by itself.
    #[schema(required)]
    why: Option<String>,
    /// An operator simulates it.
    drill: bool,
}

/// An endpoint behind the breaker.
#[utoipa::path(get, path = "/test", tag = "demo", responses(
    (status = 200, description = "It was called.", body = Tested),
    (status = 503, description = "The breaker rejects it.", body = Rejection)))]
async fn test(State(demo): State<Demo>) -> ApiJson<Tested> {
    let delay = demo.next_delay();
    smol::Timer::after(delay).await;
    ApiJson(Tested { status: "ok", delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) })
}

/// The same endpoint behind the breaker of this name.
#[utoipa::path(get, path = "/test/{name}", tag = "demo", params(("name" = String, Path, description = "The name of the breaker.")),
    responses(
        (status = 200, description = "It was called.", body = Tested),
        (status = 404, description = "There is no breaker of this name.", body = ApiError),
        (status = 503, description = "The breaker rejects it.", body = Rejection)))]
async fn test_named(State(demo): State<Demo>, Path(name): Path<String>, request: Request) -> Response {
    let Some(circuit) = demo.circuits.get(&name) else {
        let words = format!("there is no breaker {}; GET /breakers lists them", shown(&name));
        return ApiError::new(StatusCode::NOT_FOUND, words).into_response();
    };
    let breaker = circuit.breaker().clone();
    let protection = BreakerLayer::new(breaker.clone()).respond_with(service_unavailable_because(breaker));
    let endpoint = get(test).layer(protection).with_state::<()>(demo);
    let mut endpoint: MethodRouter<(), Infallible> = endpoint;
    endpoint.call(request).await.unwrap_or_else(|never| match never {})
}

/// How long the endpoint takes.
#[derive(Serialize, ToSchema)]
struct Delay {
    /// A duration like `500ms` or `2s`, at most `60s`.
    #[schema(example = "500ms")]
    delay: String,
}

const DELAYS: &str = "a duration like \"500ms\" or \"2s\", at most 60s";

impl FromPayload for Delay {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { delay: payload.text("delay", DELAYS)?.to_owned() })
    }
}

/// Sets how long the endpoint takes.
#[utoipa::path(post, path = "/test/delay", tag = "demo", request_body = Delay, responses(
    (status = 200, description = "It takes so long now.", body = Delay), PostErrors))]
async fn set_delay(State(demo): State<Demo>, ValidJson(new): ValidJson<Delay>) -> Result<ApiJson<Delay>, ApiError> {
    let delay = humantime::parse_duration(&new.delay)
        .ok()
        .filter(|&delay| delay <= MAX_DELAY)
        .ok_or_else(|| ApiError::bad_value("delay", shown(&new.delay), DELAYS))?;
    demo.set_delay(delay);
    Ok(ApiJson(Delay { delay: humantime::format_duration(delay).to_string() }))
}

impl FromPayload for Scenario {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let allowed = Self::ALL.map(Self::as_str).join(", ");
        let text = payload.text("scenario", &allowed)?;
        let scenario = Self::ALL.into_iter().find(|scenario| scenario.as_str() == text);
        scenario.ok_or_else(|| ApiError::bad_value("scenario", shown(text), allowed))
    }
}

impl ToSchema for Scenario {}

impl PartialSchema for Scenario {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Self::ALL.map(Self::as_str)));
        ObjectBuilder::new().property("scenario", words).required("scenario").into()
    }
}

/// A scenario has begun.
#[derive(Serialize, ToSchema)]
struct Begun {
    scenario: &'static str,
    /// What it does.
    effect: &'static str,
}

/// Begins a scenario.
#[utoipa::path(post, path = "/test/trigger", tag = "demo", request_body = Scenario, responses(
    (status = 200, description = "It has begun.", body = Begun), PostErrors))]
async fn trigger(
    State(demo): State<Demo>,
    ValidJson(scenario): ValidJson<Scenario>,
) -> Result<ApiJson<Begun>, ApiError> {
    demo.start(scenario)?;
    Ok(ApiJson(Begun { scenario: scenario.as_str(), effect: scenario.effect() }))
}

/// The scenarios that there are.
#[derive(Serialize, ToSchema)]
struct Scenarios {
    /// What each does.
    scenarios: BTreeMap<&'static str, &'static str>,
}

/// The scenarios that there are.
#[utoipa::path(get, path = "/test/scenarios", tag = "demo",
    responses((status = 200, description = "The scenarios.", body = Scenarios)))]
async fn scenarios() -> ApiJson<Scenarios> {
    let scenarios = Scenario::ALL.map(|scenario| (scenario.as_str(), scenario.effect())).into();
    ApiJson(Scenarios { scenarios })
}

/// The beginning of a rejected text, for a message.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
