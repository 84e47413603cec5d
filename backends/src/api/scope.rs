//! The circuit that a request is about, as handlers take it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::StatusCode;
use http::request::Parts;
use tripline_runtime::{BreakerName, DeliveryStats, Fleet, SinkRejection};

use super::error::ApiError;
use super::input::Actor;
use crate::circuit::{Circuit, Circuits};
use crate::config::{BreakerConfig, Change, Config, RejectedValue, differences};
use crate::reload::{Applied, ChangeError, LiveConfig};

/// The parts of the process that a circuit's routes report on beside the circuit.
#[derive(Debug, Clone)]
pub(super) struct LiveHandle {
    /// The configuration that changes go through; `None` where no configuration file is used and changes are not saved.
    pub(super) config: Option<LiveConfig>,
    /// The statistics of alert deliveries.
    pub(super) deliveries: Option<DeliveryStats>,
    /// The fleet that the process is in.
    pub(super) fleet: Option<Fleet>,
}

impl LiveHandle {
    /// Why the configuration file is not in force.
    pub(super) fn config_error(&self) -> Option<String> {
        self.config.as_ref()?.config_error()
    }

    /// The incident of this circuit in the fleet, as text; `None` where the process belongs to no fleet.
    pub(super) fn fleet_summary(&self, circuit: &Circuit) -> Option<String> {
        let status = self.fleet.as_ref()?.status();
        let breaker = status.breakers.iter().find(|breaker| breaker.name == *circuit.name())?;
        Some(status.summary(breaker))
    }

    /// The incident of each breaker in the fleet, as text; empty where the process belongs to no fleet.
    pub(super) fn fleet_summaries(&self) -> BTreeMap<BreakerName, String> {
        let Some(status) = self.fleet.as_ref().map(Fleet::status) else { return BTreeMap::new() };
        status.breakers.iter().map(|breaker| (breaker.name.clone(), status.summary(breaker))).collect()
    }

    /// The current rejections of the alert sinks.
    pub(super) fn rejections(&self) -> Vec<SinkRejection> {
        self.deliveries.as_ref().map(DeliveryStats::rejections).unwrap_or_default()
    }

    /// Why alerts of this circuit do not reach people: what a sink rejects, else what the alert service last answered.
    pub(super) fn alert_problem(&self, circuit: &Circuit) -> Option<String> {
        let rejections = self.rejections();
        let mut of_circuit = rejections.iter().filter(|rejection| rejection.breaker == *circuit.name());
        let rejected = of_circuit.next().map(ToString::to_string);
        rejected.or_else(|| circuit.alerts()?.last_error().map(|error| format!("alert service: {error}")))
    }
}

/// The breaker that the path of a request names; without one the request is about the first.
#[derive(Debug, Clone)]
pub(super) struct BreakerInPath(pub(super) String);

/// The key of a family's member that the path of a request names.
#[derive(Debug, Clone)]
pub(super) struct KeyInPath(pub(super) String);

/// The circuit that a request is about, and the way to change its settings: the one that the path names, else the first. A
/// handler that takes it answers 404 where there is none.
#[derive(Debug)]
pub(super) struct CircuitScope {
    circuit: Circuit,
    live: LiveHandle,
    /// It is a member of the family of its name.
    is_member: bool,
}

impl<S> FromRequestParts<S> for CircuitScope
where
    S: Send + Sync,
    Circuits: FromRef<S>,
    LiveHandle: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let circuits = Circuits::from_ref(state);
        let circuit = match parts.extensions.get::<BreakerInPath>() {
            Some(BreakerInPath(name)) => circuits.get(name).ok_or_else(|| no_such_breaker(name))?,
            None => circuits.first().ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is no breaker"))?,
        };
        let live = LiveHandle::from_ref(state);
        match parts.extensions.get::<KeyInPath>() {
            None => Ok(Self { circuit, live, is_member: false }),
            Some(KeyInPath(key)) => {
                let member = circuit.member(key).ok_or_else(|| no_such_key(&circuit, key))?;
                Ok(Self { circuit: member, live, is_member: true })
            }
        }
    }
}

impl Deref for CircuitScope {
    type Target = Circuit;

    fn deref(&self) -> &Circuit {
        &self.circuit
    }
}

/// At most this many characters of a name are sent back.
const SHOWN_CHARACTERS: usize = 80;

fn no_such_breaker(name: &str) -> ApiError {
    let shown: String = name.chars().take(SHOWN_CHARACTERS).collect();
    ApiError::new(StatusCode::NOT_FOUND, format!("there is no breaker {shown:?}; GET /breakers lists them"))
}

fn no_such_key(circuit: &Circuit, key: &str) -> ApiError {
    let shown: String = key.chars().take(SHOWN_CHARACTERS).collect();
    let name = circuit.name();
    let words = if circuit.family().is_some() {
        format!("{name} has no key {shown:?} now; GET /breakers/{name}/keys lists them")
    } else {
        format!("{name} is not a family and has no key {shown:?}; GET /breakers lists breakers")
    };
    ApiError::new(StatusCode::NOT_FOUND, words)
}

impl CircuitScope {
    /// A request about `circuit`.
    pub(super) const fn of(circuit: Circuit, live: LiveHandle) -> Self {
        Self { circuit, live, is_member: false }
    }

    /// Whether it is a member of a family.
    pub(super) const fn is_member(&self) -> bool {
        self.is_member
    }

    /// The circuit.
    pub(super) fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// The configuration that its changes go through.
    pub(super) fn live(&self) -> &LiveHandle {
        &self.live
    }

    /// Why the configuration file is not in force.
    pub(super) fn config_error(&self) -> Option<String> {
        self.live.config_error()
    }

    /// The settings in force.
    pub(super) fn config(&self) -> Arc<BreakerConfig> {
        match &self.live.config {
            Some(live) => {
                let config = live.config();
                // One that a reload has just removed keeps what it had.
                config
                    .settings_of(self.circuit.name().as_str())
                    .map_or_else(|| self.circuit.config(), |own| Arc::new(own.clone()))
            }
            None => self.circuit.config(),
        }
    }

    /// The process's settings with those of this circuit at the top; without a configuration file the defaults of the process.
    pub(super) fn whole_config(&self) -> Arc<Config> {
        let process = self.live.config.as_ref().map_or_else(Arc::default, LiveConfig::config);
        Arc::new(process.view_of(&self.config()))
    }

    /// Changes some settings in what is running, and in the file if there is one.
    pub(super) async fn change(&self, change: Change, actor: &Actor) -> Result<Applied, ApiError> {
        if self.is_member {
            let words = format!("a member has the settings of its family; change those of {}", self.circuit.name());
            return Err(ApiError::conflict(words));
        }
        if let Some(live) = &self.live.config {
            let is_named = !live.config().breakers.is_empty();
            let change =
                if is_named { change.of_breaker(self.circuit.name()).map_err(not_of_breaker)? } else { change };
            return live.change(change, &actor.to_string()).await.map_err(|error| rejected(&error));
        }
        let mut old = Config::default();
        old.breaker = BreakerConfig::clone(&self.circuit.config());
        let mut new = old.clone();
        change.apply_to(&mut new);
        for difference in differences(&old, &new) {
            let (key, old, new) = (difference.key.as_str(), &difference.old, &difference.new);
            tracing::info!(key, %old, %new, by = %actor, saved = false, "setting changed");
        }
        self.circuit.apply(&old.breaker, &new.breaker);
        Ok(Applied::unsaved("there is no configuration file"))
    }
}

/// The same change of several breakers, of which there is at least one: where a file names them, in one step.
pub(super) async fn change_all(scopes: &[CircuitScope], change: &Change, actor: &Actor) -> Result<Applied, ApiError> {
    let live = scopes.first().and_then(|scope| scope.live.config.as_ref());
    if let Some(live) = live.filter(|live| !live.config().breakers.is_empty()) {
        let mut all = Change::none();
        for scope in scopes {
            all = all.and(change.clone().of_breaker(scope.circuit.name()).map_err(not_of_breaker)?);
        }
        return live.change(all, &actor.to_string()).await.map_err(|error| rejected(&error));
    }
    let mut applied = Applied::unsaved("nothing was changed");
    for scope in scopes {
        applied = scope.change(change.clone(), actor).await?;
    }
    Ok(applied)
}

fn not_of_breaker(rejected: RejectedValue) -> ApiError {
    let words = format!("{} applies to all breakers and cannot be set for one; change it in the file", rejected.key);
    ApiError::new(StatusCode::CONFLICT, words).field(rejected.key, rejected.allowed)
}

fn rejected(error: &ChangeError) -> ApiError {
    let status = match error {
        ChangeError::Ended => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    ApiError::new(status, error.to_string())
}
