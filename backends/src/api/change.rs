//! Changes of the configuration, with a file to save them in or without.

use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use super::input::Actor;
use super::state::ApiState;
use crate::config::{Change, Config, differences};
use crate::reload::{Applied, Applier as _, ChangeError};

/// What GET gives, and whether it is in the configuration file now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Changed<T> {
    #[serde(flatten)]
    body: T,
    /// It is in the configuration file, and so survives a restart.
    saved: bool,
    /// Why it is not; left out where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

impl<T> Changed<T> {
    pub(super) fn new(body: T, applied: Applied) -> Self {
        Self { body, saved: applied.saved, reason: applied.reason }
    }
}

/// The configuration where there is no configuration file: the breaker's policy and the defaults.
pub(super) type DetachedConfig = Arc<Mutex<Config>>;

impl ApiState {
    /// The configuration in force.
    pub(super) fn config(&self) -> Result<Arc<Config>, ApiError> {
        if let Some(live) = self.live_config() {
            return Ok(live.config());
        }
        let breaker = self.breaker()?;
        let mut config = self.detached().lock().unwrap_or_else(PoisonError::into_inner).clone();
        config.policy = breaker.read(|core| core.policy().clone());
        Ok(Arc::new(config))
    }

    /// Changes some settings in what is running, and in the file if there is one.
    pub(super) async fn change(&self, change: Change, who: &Actor) -> Result<Applied, ApiError> {
        // Without a breaker there is nothing to change.
        let mut breaker = self.breaker()?;
        if let Some(live) = self.live_config() {
            return live.change(change, &who.to_string()).await.map_err(|error| answer(&error));
        }
        let old = self.config()?;
        let mut new = Config::clone(&old);
        change.apply_to(&mut new);
        for difference in differences(&old, &new) {
            let (key, old, new) = (difference.key.as_str(), &difference.old, &difference.new);
            tracing::info!(key, %old, %new, by = %who, saved = false, "setting changed");
        }
        breaker.apply(&old, &new);
        *self.detached().lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(Applied::unsaved("there is no configuration file"))
    }
}

fn answer(error: &ChangeError) -> ApiError {
    let status = match error {
        ChangeError::Ended => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    ApiError::new(status, error.to_string())
}
