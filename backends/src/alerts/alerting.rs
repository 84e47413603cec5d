//! From a configuration to everything that pages people about one breaker.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tripline_runtime::{
    AlertSink, Clock, EscalationPolicy, PendingAlert, Stage, StagingControl, SupervisedBreaker, Triggers,
};

use super::figures::rfc3339;
use super::opsgenie::OpsGenieStatus;
use super::sinks::{AlertControl, AlertSinks, sinks};
use crate::config::{BreakerConfig, OpsGenie};
use crate::http_client::HyperClient;

/// The alerts of one breaker: when they are sent, and where they go. Cloning shares them.
///
/// The order of use: [`connect`](Self::connect) before the breaker is supervised, [`run`](Self::run) beside it,
/// [`apply`](Self::apply) whenever the configuration has changed, [`view`](Self::view) for whoever looks. What survives a
/// restart is the business of the feature `state_dir`, which is connected in the same way.
#[derive(Debug, Clone)]
pub struct Alerting {
    staging: StagingControl,
    sinks: Vec<Arc<dyn AlertSink>>,
    control: AlertControl,
}

impl Alerting {
    /// By `config`, with the environment laid over it. Nothing is sent, and nobody is waited for.
    pub fn new(config: &BreakerConfig, client: &HyperClient) -> Self {
        let AlertSinks { sinks, control } = sinks(config, client);
        Self { staging: StagingControl::new(staging_policy(&config.opsgenie)), sinks, control }
    }

    /// Has the breaker of `watch` page people.
    #[must_use]
    pub fn connect(&self, watch: SupervisedBreaker) -> SupervisedBreaker {
        let watch = watch.staging(self.staging.clone());
        self.sinks.iter().fold(watch, |watch, sink| watch.sink(sink.clone()))
    }

    /// Changes stages and sinks while they run: stages at once, also those of an incident that is on, and sinks with their
    /// next attempt. What has not changed is left alone.
    ///
    /// A sink that the start knew nothing of (no key, no address) needs a restart, and the log says so.
    pub fn apply(&self, old: &BreakerConfig, new: &BreakerConfig) {
        if (&old.opsgenie, &old.webhook) == (&new.opsgenie, &new.webhook) {
            return;
        }
        let policy = staging_policy(&new.opsgenie);
        if policy != self.staging.policy() {
            self.staging.set_policy(policy);
        }
        self.control.set_config(new);
        for (name, was_wanted, is_wanted) in [
            ("opsgenie", old.opsgenie.enabled, new.opsgenie.enabled),
            ("webhook", old.webhook.enabled, new.webhook.enabled),
        ] {
            if is_wanted && !was_wanted && !self.has_sink(name) {
                tracing::warn!(sink = name, "it was not configured at the start: its alerts need a restart");
            }
        }
    }

    /// Work for the background, which never ends: making sure that the alert service knows the key. Alerts do not wait for
    /// it. `clock` must be able to sleep.
    pub async fn run(self, clock: Arc<dyn Clock>) {
        self.control.run(clock).await;
    }

    /// How things stand now.
    ///
    /// It takes a few short locks.
    pub fn view(&self) -> AlertsView {
        let opsgenie = self.control.opsgenie().status();
        let escalate_after = self.staging.policy().escalate_after;
        AlertsView {
            enabled: !escalate_after.is_zero(),
            time_before_alert: escalate_after,
            initial_priority: opsgenie.initial_alert_priority,
            escalated_priority: opsgenie.escalated_alert_priority,
            pending: self.staging.pending().iter().map(PendingView::of).collect(),
            opsgenie,
        }
    }

    fn has_sink(&self, name: &str) -> bool {
        self.sinks.iter().any(|sink| sink.name() == name)
    }
}

/// When alerts are sent, by the keys of `[opsgenie]`. They hold for every sink.
pub fn staging_policy(config: &OpsGenie) -> EscalationPolicy {
    let mut triggers = Triggers::default();
    triggers.breaker_open = config.trigger_on_breaker_open;
    triggers.breaker_reset = config.trigger_on_breaker_reset;
    triggers.memory_threshold = config.trigger_on_memory_threshold;
    triggers.latency_threshold = config.trigger_on_latency_threshold;
    let mut policy = EscalationPolicy::default();
    policy.triggers = triggers;
    policy.escalate_after = Duration::from_secs(config.time_before_send_alert.into());
    policy.cooldown = Duration::from_secs(config.alert_cooldown_seconds.into());
    policy
}

/// How alerts stand at one moment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AlertsView {
    /// A second stage follows the first.
    pub enabled: bool,
    /// After so long; zero where there is none.
    pub time_before_alert: Duration,
    /// `P1` to `P5`.
    pub initial_priority: &'static str,
    /// `P1` to `P5`.
    pub escalated_priority: &'static str,
    /// What is still to come of incidents that are on, by name of the breaker.
    pub pending: Vec<PendingView>,
    /// The configuration without secrets, whether the service was reached, and what the configuration lacks.
    pub opsgenie: OpsGenieStatus,
}

/// A stage that is still to come. Times are RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingView {
    /// Whose incident.
    pub breaker: String,
    /// Its number, from 1.
    pub incident: u64,
    /// `circuit-open`, `memory-threshold` or `latency-threshold`.
    pub kind: &'static str,
    /// What began it, as in the breaker's status.
    pub cause: &'static str,
    /// The stage that was told last; `None` where the first alert waits for the cooldown.
    pub stage: Option<&'static str>,
    /// When it began.
    pub started_at: String,
    /// When the next stage is due; `None` where that has passed, and it comes with the next breach.
    pub due_at: Option<String>,
}

impl PendingView {
    fn of(pending: &PendingAlert) -> Self {
        Self {
            breaker: pending.breaker.as_str().to_owned(),
            incident: pending.incident,
            kind: pending.kind.as_str(),
            cause: pending.cause.as_str(),
            stage: pending.stage.map(Stage::as_str),
            started_at: rfc3339(pending.started_at),
            due_at: pending.due_at.map(rfc3339),
        }
    }
}
