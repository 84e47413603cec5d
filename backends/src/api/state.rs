//! The state that the handlers share.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRef;
use tripline_runtime::{Clock, DeliveryStats, Fleet};

use super::events::Publishers;
use super::guard::AccessRules;
use super::hosts::AllowedHost;
use super::scope::LiveHandle;
use super::spawner::Spawner;
use super::token::{Token, TokenMissing};
use crate::circuit::Circuits;
use crate::http_server::TrustedRequests;
use crate::reload::LiveConfig;

/// Reads the resident memory of this process, in bytes; `None` where it is unknown.
pub type ResidentReader = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// Reads how many lines of the log were dropped.
pub type DroppedLinesReader = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Renders more metrics of this process, as Prometheus text.
pub type MetricsReader = Arc<dyn Fn() -> String + Send + Sync>;

/// The state that the handlers share. Clones share it.
#[derive(Clone)]
pub struct ApiState {
    circuits: Circuits,
    listen: SocketAddr,
    resident_memory: Option<ResidentReader>,
    dropped_log_lines: Option<DroppedLinesReader>,
    more_metrics: Option<MetricsReader>,
    deliveries: Option<DeliveryStats>,
    token: Option<Token>,
    is_open_to_all: bool,
    allowed_hosts: Arc<[AllowedHost]>,
    draining: DrainFlag,
    live: Option<LiveConfig>,
    publishers: Publishers,
    is_recorded: bool,
    fleet: Option<Fleet>,
}

impl ApiState {
    /// The API of these circuits, on a server that listens on `listen`. The routes under `/breaker` are about the first one.
    pub fn new(circuits: impl Into<Circuits>, listen: SocketAddr) -> Self {
        Self {
            circuits: circuits.into(),
            listen,
            resident_memory: None,
            dropped_log_lines: None,
            more_metrics: None,
            deliveries: None,
            token: None,
            is_open_to_all: false,
            allowed_hosts: [].into(),
            draining: DrainFlag::default(),
            live: None,
            publishers: Publishers::default(),
            is_recorded: false,
            fleet: None,
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

    /// Shows the fleet that the process is in. Default: it is in none.
    #[must_use]
    pub fn fleet(self, fleet: Fleet) -> Self {
        Self { fleet: Some(fleet), ..self }
    }

    /// Asks for this bearer token everywhere but at `GET /`, `/health` and `/test`.
    #[must_use]
    pub fn token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Shows how many log lines were dropped among the metrics. Default: not shown.
    #[must_use]
    pub fn dropped_log_lines(self, reader: DroppedLinesReader) -> Self {
        Self { dropped_log_lines: Some(reader), ..self }
    }

    /// Shows more metrics behind those of the breakers. Default: none.
    #[must_use]
    pub fn more_metrics(self, reader: MetricsReader) -> Self {
        Self { more_metrics: Some(reader), ..self }
    }

    /// Lets every client that reaches the server operate the breaker, also where it does not listen on loopback.
    #[must_use]
    pub fn without_token(self) -> Self {
        Self { token: None, is_open_to_all: true, ..self }
    }

    /// Names under which clients reach the server beside loopback names and its own address, such as those of a reverse proxy.
    /// Where there are any, a request without a valid token and for another `Host` is rejected on every listen address.
    #[must_use]
    pub fn allowed_hosts(self, hosts: impl IntoIterator<Item = AllowedHost>) -> Self {
        Self { allowed_hosts: hosts.into_iter().collect(), ..self }
    }

    /// Set it when the server begins to drain, so that `/ready` answers 503.
    pub fn drain_flag(&self) -> &DrainFlag {
        &self.draining
    }

    /// Changes settings through this configuration, which should have the circuits among its appliers. Without one, changes
    /// apply to the circuit and are saved nowhere.
    #[must_use]
    pub fn live(self, live: LiveConfig) -> Self {
        Self { live: Some(live), ..self }
    }

    /// Publishes events by this clock, as tasks of this executor. Default: the system's clock and smol's global executor.
    #[must_use]
    pub fn background(self, clock: Arc<dyn Clock>, spawner: Spawner) -> Self {
        Self { publishers: Publishers::new(clock, spawner), ..self }
    }

    /// Records the events of every circuit from the making of the router on, also of those that come later, so that readers of
    /// `/breaker/events` get what happened before they came. Without this recording begins with the first reader.
    #[must_use]
    pub fn record_events(self) -> Self {
        Self { is_recorded: true, ..self }
    }

    /// Starts recording, where that is configured.
    pub(super) fn start_recording(&self) {
        if self.is_recorded {
            self.publishers.record_all(&self.circuits, &LiveHandle::from_ref(self));
        }
    }

    /// The requests that a server may keep a share of its places for: those with the token.
    pub fn trusted_requests(&self) -> TrustedRequests {
        match self.token.clone() {
            Some(token) => TrustedRequests::new(move |headers| token.is_carried_by(headers)),
            None => TrustedRequests::default(),
        }
    }

    /// The address of the server.
    #[cfg(feature = "app")]
    pub(crate) const fn listen_address(&self) -> SocketAddr {
        self.listen
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

    /// Whether a token is there, is waived, or is not needed.
    pub(super) fn check_token(&self) -> Result<(), TokenMissing> {
        let is_safe = self.token.is_some() || self.is_open_to_all || self.listen.ip().to_canonical().is_loopback();
        if is_safe { Ok(()) } else { Err(TokenMissing { listen: self.listen }) }
    }

    pub(super) fn delivery_stats(&self) -> Option<&DeliveryStats> {
        self.deliveries.as_ref()
    }

    pub(super) const fn fleet_handle(&self) -> Option<&Fleet> {
        self.fleet.as_ref()
    }

    pub(super) fn resident_bytes(&self) -> Option<u64> {
        self.resident_memory.as_ref().and_then(|read| read())
    }

    pub(super) fn rendered_metrics(&self) -> Option<String> {
        self.more_metrics.as_ref().map(|render| render())
    }

    pub(super) fn dropped_lines(&self) -> Option<u64> {
        self.dropped_log_lines.as_ref().map(|read| read())
    }
}

impl FromRef<ApiState> for Circuits {
    fn from_ref(state: &ApiState) -> Self {
        state.circuits.clone()
    }
}

impl FromRef<ApiState> for LiveHandle {
    fn from_ref(state: &ApiState) -> Self {
        Self { config: state.live.clone(), deliveries: state.deliveries.clone(), fleet: state.fleet.clone() }
    }
}

impl FromRef<ApiState> for Publishers {
    fn from_ref(state: &ApiState) -> Self {
        state.publishers.clone()
    }
}

impl FromRef<ApiState> for AccessRules {
    fn from_ref(state: &ApiState) -> Self {
        Self { token: state.token.clone(), listen: state.listen, hosts: state.allowed_hosts.clone() }
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

/// Whether the server drains. Clones share one flag.
#[derive(Debug, Clone, Default)]
pub struct DrainFlag(Arc<AtomicBool>);

impl DrainFlag {
    /// The server takes no new connections from now on.
    pub fn set(&self) {
        // Relaxed: it orders nothing else, as the read below.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was set.
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
