//! The input of the texts of an alert.

use tripline_runtime::Alert;

use super::limits::SOURCE;
use super::required_fields::RequiredFields;
use super::system::System;
use crate::alerts::alias::AliasNames;
use crate::config::OpsGenie;
use crate::text::shorten;

/// An alert with everything that its texts use.
#[derive(Debug)]
pub(super) struct AlertContext<'a> {
    pub(super) alert: &'a Alert,
    pub(super) config: &'a OpsGenie,
    pub(super) system: &'a System,
    pub(super) required: RequiredFields,
    /// `[namespace/]api[-breaker][/key]`.
    pub(super) subject: String,
}

impl<'a> AlertContext<'a> {
    pub(super) fn new(
        alert: &'a Alert,
        config: &'a OpsGenie,
        names: &AliasNames,
        system: &'a System,
        host: &str,
    ) -> Self {
        let subject = names.subject_of(alert);
        let required = RequiredFields::of(config, &subject, host);
        Self { alert, config, system, required, subject }
    }

    pub(super) fn source(&self) -> String {
        shorten(&self.config.source, SOURCE)
    }

    /// The evidence on which the breaker opened, if the configuration includes such figures.
    pub(super) fn evidence(&self) -> Option<String> {
        let why = self.alert.snapshot.explanation?;
        let reason = why.reason.as_str();
        let is_left_out = reason.contains("memory") && !self.config.include_memory_metrics
            || reason != "memory" && !self.config.include_latency_metrics;
        (!is_left_out || why.is_drill).then(|| why.to_string())
    }

    pub(super) fn headline(&self, what: &str) -> String {
        let drill = if self.alert.is_drill { "DRILL: " } else { "" };
        format!("[{}] {drill}{what} - {}", self.required.environment, self.subject)
    }
}
