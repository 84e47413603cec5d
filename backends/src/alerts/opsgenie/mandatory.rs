//! The fields that every alert must have, and what stands in for them.

use serde::Serialize;

use crate::config::OpsGenie;

/// Where nothing is known.
const UNKNOWN: &str = "unknown";

/// What an alert has in its mandatory fields; none is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mandatory {
    pub(super) team: String,
    pub(super) environment: String,
    pub(super) bookmaker_id: String,
    pub(super) host: String,
    pub(super) business: String,
}

impl Mandatory {
    /// From the configuration; `subject` stands in for the identifier of the service, `host` for the host.
    pub(super) fn of(config: &OpsGenie, subject: &str, host: &str) -> Self {
        Self {
            team: first(&[&config.team, UNKNOWN]),
            environment: first(&[&config.environment, UNKNOWN]),
            bookmaker_id: first(&[config.service_id(), subject, UNKNOWN]),
            host: first(&[config.host(), host, UNKNOWN]),
            business: config.business().to_owned(),
        }
    }
}

fn first(texts: &[&str]) -> String {
    texts.iter().copied().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}

/// Whether the configuration has what every alert must have. Alerts go out all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Validation {
    /// Nothing is missing.
    pub valid: bool,
    /// Keys of `[opsgenie]` that are not set, `api_key` included; nothing goes out without that one.
    pub missing: Vec<&'static str>,
}

impl Validation {
    /// Looks at a configuration with the environment laid over it.
    pub fn of(config: &OpsGenie) -> Self {
        let key = config.api_key.is_none().then_some("api_key");
        let missing: Vec<_> = key.into_iter().chain(config.missing_fields()).collect();
        Self { valid: missing.is_empty(), missing }
    }
}
