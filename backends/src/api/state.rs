//! What the handlers share.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRef;
use tripline_runtime::DeliveryStats;

use super::events::Publishers;
use super::guard::ListenAddr;
use super::scope::LiveHandle;
use super::token::{RequiredToken, Token};
use crate::circuit::Circuits;
use crate::reload::LiveConfig;

/// Reads the resident memory of this process, in bytes; `None` where it is unknown.
pub type ResidentReader = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// What the handlers share; clones share the same things.
#[derive(Clone)]
pub struct ApiState {
    circuits: Circuits,
    listen: SocketAddr,
    resident_memory: Option<ResidentReader>,
    deliveries: Option<DeliveryStats>,
    token: Option<Token>,
    live: Option<LiveConfig>,
    publishers: Publishers,
    is_recorded: bool,
}

impl ApiState {
    /// The API of these circuits, on a server that listens on `listen`. The routes under `/breaker` are about the first one.
    pub fn new(circuits: impl Into<Circuits>, listen: SocketAddr) -> Self {
        Self {
            circuits: circuits.into(),
            listen,
            resident_memory: None,
            deliveries: None,
            token: None,
            live: None,
            publishers: Publishers::default(),
            is_recorded: false,
        }
    }

    /// Shows the resident memory of this process among the metrics.
    #[must_use]
    pub fn resident_memory(self, reader: ResidentReader) -> Self {
        Self { resident_memory: Some(reader), ..self }
    }

    /// Shows what became of the alerts among the metrics.
    #[must_use]
    pub fn deliveries(self, deliveries: DeliveryStats) -> Self {
        Self { deliveries: Some(deliveries), ..self }
    }

    /// Asks for this bearer token everywhere but at `GET /`, `/health` and `/test`.
    #[must_use]
    pub fn token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Changes settings through this configuration, which should have the circuits among its appliers. Without one, changes
    /// apply to the circuit and are saved nowhere.
    #[must_use]
    pub fn live(self, live: LiveConfig) -> Self {
        Self { live: Some(live), ..self }
    }

    /// Records the events of every circuit from the making of the router on, on smol's global executor, so that readers of
    /// `/breaker/events` get what happened before they came. Without this recording begins with the first reader.
    #[must_use]
    pub fn record_events(self) -> Self {
        Self { is_recorded: true, ..self }
    }

    /// Begins to record, where that was asked for.
    pub(super) fn start_recording(&self) {
        if self.is_recorded {
            let live = LiveHandle(self.live.clone());
            self.circuits.iter().for_each(|circuit| self.publishers.record(&circuit, &live));
        }
    }

    pub(super) fn live_config(&self) -> Option<&LiveConfig> {
        self.live.as_ref()
    }

    pub(super) fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    pub(super) fn required_token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    pub(super) fn delivery_stats(&self) -> Option<&DeliveryStats> {
        self.deliveries.as_ref()
    }

    pub(super) fn resident_bytes(&self) -> Option<u64> {
        self.resident_memory.as_ref().and_then(|read| read())
    }
}

impl FromRef<ApiState> for Circuits {
    fn from_ref(state: &ApiState) -> Self {
        state.circuits.clone()
    }
}

impl FromRef<ApiState> for LiveHandle {
    fn from_ref(state: &ApiState) -> Self {
        Self(state.live.clone())
    }
}

impl FromRef<ApiState> for Publishers {
    fn from_ref(state: &ApiState) -> Self {
        state.publishers.clone()
    }
}

impl FromRef<ApiState> for RequiredToken {
    fn from_ref(state: &ApiState) -> Self {
        Self(state.token.clone())
    }
}

impl FromRef<ApiState> for ListenAddr {
    fn from_ref(state: &ApiState) -> Self {
        Self(state.listen)
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState")
            .field("circuits", &self.circuits)
            .field("listen", &self.listen)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}
