//! What the handlers share.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use tripline_runtime::{Breaker, DeliveryStats, Registry};

use super::alerts::Alerts;
use super::change::DetachedConfig;
use super::error::ApiError;
use super::events::EventLog;
use super::token::Token;
use crate::alerts::AlertsView;
use crate::reload::LiveConfig;

/// Reads the resident memory of this process, in bytes; `None` where it is unknown.
pub type ResidentReader = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// What the handlers share; clones share the same things.
#[derive(Clone)]
pub struct ApiState {
    registry: Registry,
    listen: SocketAddr,
    memory_source: Option<Arc<str>>,
    resident_memory: Option<ResidentReader>,
    deliveries: Option<DeliveryStats>,
    token: Option<Token>,
    config_error: ConfigError,
    live: Option<LiveConfig>,
    detached: DetachedConfig,
    alerts: Option<Alerts>,
    timeline: EventLog,
    is_recorded: bool,
}

impl ApiState {
    /// The API of these breakers, on a server that listens on `listen`. The routes under `/breaker` are about the first one.
    pub fn new(registry: Registry, listen: SocketAddr) -> Self {
        Self {
            registry,
            listen,
            memory_source: None,
            resident_memory: None,
            deliveries: None,
            token: None,
            config_error: ConfigError::default(),
            live: None,
            detached: DetachedConfig::default(),
            alerts: None,
            timeline: EventLog::default(),
            is_recorded: false,
        }
    }

    /// The name of the memory source, for the status. Default: none.
    #[must_use]
    pub fn memory_source(self, name: &str) -> Self {
        Self { memory_source: Some(name.into()), ..self }
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

    /// Changes settings through this configuration, which should have the first breaker among its appliers. Without one,
    /// changes apply to that breaker and are saved nowhere.
    #[must_use]
    pub fn live(self, live: LiveConfig) -> Self {
        Self { live: Some(live), ..self }
    }

    /// The view of alerts. Without it none are pending, and none are sent.
    #[must_use]
    pub fn alerts(self, alerts: Arc<dyn AlertsView>) -> Self {
        Self { alerts: Some(Alerts(alerts)), ..self }
    }

    /// Records what happens to the first breaker in `timeline` from the making of the router on, on smol's global executor, so
    /// that whoever reads `/breaker/events` sees what was before. Without this recording begins with the first reader.
    #[must_use]
    pub fn record(self, timeline: EventLog) -> Self {
        Self { timeline, is_recorded: true, ..self }
    }

    /// Where the reason stands for which the configuration file is not the one in force: set it, and the status shows it.
    pub fn config_error(&self) -> &ConfigError {
        &self.config_error
    }

    /// That, and what [`LiveConfig::config_error`] says.
    pub(super) fn config_problem(&self) -> Option<String> {
        self.config_error.get().or_else(|| self.live.as_ref()?.config_error())
    }

    pub(super) fn live_config(&self) -> Option<&LiveConfig> {
        self.live.as_ref()
    }

    pub(super) fn detached(&self) -> &DetachedConfig {
        &self.detached
    }

    pub(super) fn alerts_view(&self) -> Option<&dyn AlertsView> {
        self.alerts.as_ref().map(|alerts| &*alerts.0)
    }

    /// Why alerts of this breaker do not reach people: what a sink rejects, else what the alert service last answered.
    pub(super) fn alert_problem(&self, breaker: &Breaker) -> Option<String> {
        let rejections = self.deliveries.as_ref().map(DeliveryStats::rejections).unwrap_or_default();
        let mut of_it = rejections.iter().filter(|rejection| rejection.breaker == *breaker.name());
        let rejected = of_it.next().map(ToString::to_string);
        rejected.or_else(|| self.alerts_view()?.last_error().map(|error| format!("alert service: {error}")))
    }

    pub(super) fn timeline(&self) -> &EventLog {
        &self.timeline
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn required_token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }

    pub(super) fn memory_source_name(&self) -> Option<&str> {
        self.memory_source.as_deref()
    }

    pub(super) fn delivery_stats(&self) -> Option<&DeliveryStats> {
        self.deliveries.as_ref()
    }

    pub(super) fn resident_bytes(&self) -> Option<u64> {
        self.resident_memory.as_ref().and_then(|read| read())
    }

    /// The only breaker, or the first one by name.
    pub(super) fn breaker(&self) -> Result<Breaker, ApiError> {
        let first = self.registry.all().into_iter().next();
        first.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is no breaker"))
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState")
            .field("registry", &self.registry)
            .field("listen", &self.listen)
            .field("memory_source", &self.memory_source)
            .field("config_error", &self.config_error)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

/// Why the configuration file is not the one in force; nothing while it is. Clones share one text.
#[derive(Debug, Clone, Default)]
pub struct ConfigError {
    text: Arc<Mutex<Option<String>>>,
}

impl ConfigError {
    /// Sets the reason, or takes it away.
    pub fn set(&self, reason: Option<String>) {
        *self.lock() = reason;
    }

    /// The reason.
    pub fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        // Nothing can panic while it holds the lock.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
