//! Engines of a fleet: the stores that all replicas of a service share.
//!
//! The guide is `docs/fleet.md`; the rule is in [`tripline_runtime::core::fleet`].

#[cfg(feature = "fleet-redis")]
mod redis;

use std::fmt;
use std::sync::Arc;

use tripline_runtime::FleetEngine;

use crate::config::{Fleet, FleetEngineKind};

#[cfg(feature = "fleet-redis")]
pub use self::redis::{RedisFleet, RedisUrlError};

/// The error of a fleet's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetError {
    /// No address is set.
    NoUrl,
    /// The address is invalid or not supported.
    #[cfg(feature = "fleet-redis")]
    Url(RedisUrlError),
    /// This program was built without the engine.
    NotBuilt,
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl => f.write_str("fleet.url is not set, nor is TRIPLINE_FLEET_URL in the environment"),
            #[cfg(feature = "fleet-redis")]
            Self::Url(error) => write!(f, "fleet.url: {error}"),
            Self::NotBuilt => f.write_str("fleet.engine: this program was built without the feature `fleet-redis`"),
        }
    }
}

impl std::error::Error for FleetError {}

/// Returns the engine of `config` for the replicas of `service`; `None` if it is off. Does not connect yet.
///
/// # Errors
/// [`FleetError`] if the address is missing or cannot be used.
pub fn open(config: &Fleet, service: &str) -> Result<Option<Arc<dyn FleetEngine>>, FleetError> {
    match config.engine {
        FleetEngineKind::Off => Ok(None),
        FleetEngineKind::Redis => {
            let url = config.url.as_ref().ok_or(FleetError::NoUrl)?;
            redis_engine(url.expose(), &config.namespace, service).map(Some)
        }
    }
}

#[cfg(feature = "fleet-redis")]
fn redis_engine(url: &str, namespace: &str, service: &str) -> Result<Arc<dyn FleetEngine>, FleetError> {
    Ok(Arc::new(RedisFleet::new(url, namespace, service).map_err(FleetError::Url)?))
}

#[cfg(not(feature = "fleet-redis"))]
fn redis_engine(_url: &str, _namespace: &str, _service: &str) -> Result<Arc<dyn FleetEngine>, FleetError> {
    Err(FleetError::NotBuilt)
}
