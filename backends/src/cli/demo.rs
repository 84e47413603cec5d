//! The demo endpoint behind the breaker, and the scenarios that make it slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tripline_runtime::Breaker;

use crate::http::{ApiError, ApiJson, Payload};
use crate::memory::MockMemory;
use crate::tower::{BreakerLayer, service_unavailable};

/// What `/test` takes when nothing is wrong.
const NORMAL_DELAY: Duration = Duration::from_millis(20);
/// How many requests a latency spike makes slow.
const SPIKE_REQUESTS: u64 = 100;
/// The longest delay that can be set.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// The service behind the breaker.
#[derive(Debug, Clone)]
pub(super) struct Demo {
    breaker: Breaker,
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
    pub(super) fn new(breaker: Breaker, memory: Option<MockMemory>) -> Self {
        let slowness = Slowness { delay_micros: AtomicU64::new(micros(NORMAL_DELAY)), spike_left: AtomicU64::new(0) };
        Self { breaker, memory, slowness: Arc::new(slowness) }
    }

    pub(super) fn router(self) -> Router {
        let protection = BreakerLayer::new(self.breaker.clone()).respond_with(service_unavailable);
        Router::new()
            .route("/test", get(test).layer(protection))
            .route("/test/delay", post(set_delay))
            .route("/test/trigger", post(trigger))
            .route("/test/scenarios", get(scenarios))
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
        (Duration::from(self.breaker.slow_after()) * 2).min(LONGEST_DELAY)
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

async fn test(State(demo): State<Demo>) -> ApiJson<Value> {
    let delay = demo.next_delay();
    smol::Timer::after(delay).await;
    ApiJson(json!({ "status": "ok", "delay_ms": u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) }))
}

async fn set_delay(State(demo): State<Demo>, payload: Payload) -> Result<ApiJson<Value>, ApiError> {
    let allowed = "a duration like \"500ms\" or \"2s\", at most 60s";
    let text = payload.text("delay", allowed)?;
    let delay = humantime::parse_duration(text)
        .ok()
        .filter(|&delay| delay <= LONGEST_DELAY)
        .ok_or_else(|| ApiError::bad_value("delay", shown(text), allowed))?;
    demo.set_delay(delay);
    Ok(ApiJson(json!({ "delay": humantime::format_duration(delay).to_string() })))
}

async fn trigger(State(demo): State<Demo>, payload: Payload) -> Result<ApiJson<Value>, ApiError> {
    let allowed = Scenario::ALL.map(Scenario::as_str).join(", ");
    let text = payload.text("scenario", &allowed)?;
    let scenario = Scenario::ALL.into_iter().find(|scenario| scenario.as_str() == text);
    let scenario = scenario.ok_or_else(|| ApiError::bad_value("scenario", shown(text), allowed))?;
    demo.start(scenario)?;
    Ok(ApiJson(json!({ "scenario": scenario.as_str(), "effect": scenario.effect() })))
}

async fn scenarios() -> ApiJson<Value> {
    let all = Scenario::ALL.map(|scenario| (scenario.as_str().to_owned(), Value::from(scenario.effect())));
    ApiJson(json!({ "scenarios": Value::Object(all.into_iter().collect()) }))
}

/// A refused text, as far as it helps.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
