//! Requests of operators to the API.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Reset,
    ForceOpen,
    Disable,
    Enable,
    SimulateMemory,
    SimulateLatency,
    EndSimulations,
    SetThreshold,
    SetWait,
    SetWindow,
    SetSettings,
    TestPage,
    /// To all replicas of the fleet.
    DisableAll,
    EnableAll,
    ResetAll,
}

impl Command {
    pub(super) const ALL: [Self; 12] = [
        Self::Reset,
        Self::ForceOpen,
        Self::Disable,
        Self::Enable,
        Self::SimulateMemory,
        Self::SimulateLatency,
        Self::EndSimulations,
        Self::SetThreshold,
        Self::SetWait,
        Self::SetWindow,
        Self::SetSettings,
        Self::TestPage,
    ];

    /// Those that change settings.
    pub(super) const CHANGES: [Self; 4] = [Self::SetThreshold, Self::SetWait, Self::SetWindow, Self::SetSettings];

    /// Those to all replicas.
    pub(super) const TO_ALL: [Self; 3] = [Self::DisableAll, Self::EnableAll, Self::ResetAll];

    /// Path behind `/breakers/NAME`, and body.
    fn request(self) -> (&'static str, Value) {
        match self {
            Self::Reset => ("reset", json!({"confirm": true})),
            Self::ForceOpen => ("force-open", json!({"confirm": true})),
            Self::Disable => ("disabled", json!({})),
            Self::Enable => ("enabled", json!({"enabled": true})),
            Self::SimulateMemory => ("trigger-by-memory", json!({"confirm": true})),
            Self::SimulateLatency => ("trigger-by-latency", json!({"confirm": true})),
            Self::EndSimulations => ("restore-memory-check", json!({})),
            Self::SetThreshold => ("latency", json!({"latency": 400})),
            Self::SetWait => ("settings", json!({"wait_time": 7})),
            Self::SetWindow => ("settings", json!({"latency_window_size": 30})),
            Self::SetSettings => ("settings", json!({"minimum_samples": 6, "wait_backoff": 1.5})),
            Self::TestPage => ("alerts/test", json!({"confirm": true})),
            Self::DisableAll => ("fleet-command", json!({"action": "disable", "confirm": true})),
            Self::EnableAll => ("fleet-command", json!({"action": "enable", "confirm": true})),
            Self::ResetAll => ("fleet-command", json!({"action": "reset", "confirm": true})),
        }
    }
}

/// A response of the API.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Sends a command to a breaker.
pub(super) async fn command(router: Router, breaker: &str, command: Command) -> Answer {
    let (path, body) = command.request();
    let request = Request::post(format!("/breakers/{breaker}/{path}"))
        .header("host", "localhost:8080")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    send(router, request).await
}

/// Reads a path.
pub(super) async fn get(router: Router, path: &str) -> Answer {
    send(router, Request::get(path).header("host", "localhost:8080").body(Body::empty())).await
}

async fn send(router: Router, request: Result<Request<Body>, http::Error>) -> Answer {
    let Ok(request) = request else { return Answer { status: 0, text: "no request".to_owned() } };
    let Ok(response) = router.oneshot(request).await;
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap_or_default();
    Answer { status, text: String::from_utf8_lossy(&bytes).into_owned() }
}
