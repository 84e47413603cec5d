//! The required fields of an alert, and their fallbacks.

use crate::config::OpsGenie;

/// Fallback of a field that is not set.
const UNKNOWN: &str = "unknown";

/// The values of an alert's required fields; none is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequiredFields {
    pub(super) team: String,
    pub(super) environment: String,
    pub(super) bookmaker_id: String,
    pub(super) host: String,
    pub(super) business: String,
}

impl RequiredFields {
    /// Reads the fields from the configuration. `subject` is the fallback of the service identifier, `host` that of the
    /// host.
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
