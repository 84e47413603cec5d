//! Creates the alerting of one breaker from its configuration.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::{AlertSink, Breaker, Clock, EscalationPolicy, StagingControl, SupervisedBreaker};

use super::sinks::{AlertControl, AlertSinks, listed, sinks};
use super::status::OpsGenieStatus;
use super::test_page::test_page;
use super::view::{AlertsView, PendingAlert, TestedSink};
use crate::config::{BreakerConfig, OpsGenie};
use crate::http_client::HyperClient;

/// The alerts of one breaker: when they are sent, and to which sinks. Clones share them.
///
/// Order of use: [`connect`](Self::connect) before the breaker is supervised, [`run`](Self::run) beside it,
/// [`apply`](Self::apply) after every change of the configuration, [`AlertsView`] for the current state. The feature
/// `state_dir` keeps alerts over a restart; it is connected in the same way.
#[derive(Debug, Clone)]
pub struct Alerting {
    staging: StagingControl,
    sinks: Vec<Arc<dyn AlertSink>>,
    control: AlertControl,
    clock: Arc<dyn Clock>,
}

impl Alerting {
    /// Creates the alerting of `config`, to which the environment has been applied. Sends nothing and never blocks.
    pub fn new(config: &BreakerConfig, client: &HyperClient) -> Self {
        let AlertSinks { sinks, control } = sinks(config, client);
        let staging = StagingControl::new(staging_policy(&config.opsgenie));
        Self { staging, sinks, control, clock: client.clock() }
    }

    /// Connects the sinks and stages to the breaker of `watch`.
    #[must_use]
    pub fn connect(&self, watch: SupervisedBreaker) -> SupervisedBreaker {
        let watch = watch.staging(self.staging.clone());
        self.sinks.iter().fold(watch, |watch, sink| watch.sink(sink.clone()))
    }

    /// Changes stages and sinks while they run. New stages apply at once, also to an ongoing incident. A changed sink applies
    /// from its next attempt. Unchanged parts are left alone.
    ///
    /// A sink that was not configured at the start (no key, no address, a new entry of `[[webhooks]]`) needs a restart; the log
    /// reports this.
    pub fn apply(&self, old: &BreakerConfig, new: &BreakerConfig) {
        if (&old.opsgenie, &old.webhook, &old.webhooks) == (&new.opsgenie, &new.webhook, &new.webhooks) {
            return;
        }
        let policy = staging_policy(&new.opsgenie);
        if policy != self.staging.policy() {
            self.staging.set_policy(policy);
        }
        self.control.set_config(new);
        let enabled = |config: &BreakerConfig| {
            let listed = listed(config).into_iter().filter(|(_, webhook)| webhook.enabled).map(|(name, _)| name);
            let opsgenie = config.opsgenie.enabled.then(|| "opsgenie".to_owned());
            let webhook = config.webhook.enabled.then(|| "webhook".to_owned());
            opsgenie.into_iter().chain(webhook).chain(listed).collect::<Vec<_>>()
        };
        let before = enabled(old);
        for sink in enabled(new).iter().filter(|name| !before.contains(name) && !self.has_sink(name)) {
            tracing::warn!(sink, "this sink was not configured at start; restart the process to send its alerts");
        }
    }

    /// Background task that never ends: checks that the alert service knows the key. Alerts do not wait for it. `clock`
    /// must be able to sleep.
    pub async fn run(self, clock: Arc<dyn Clock>) {
        self.control.run(clock).await;
    }

    /// The state of `[opsgenie]`: its configuration without secrets, whether the service was reached, and which
    /// required fields are missing.
    pub fn opsgenie_status(&self) -> OpsGenieStatus {
        self.control.opsgenie().status()
    }

    fn has_sink(&self, name: &str) -> bool {
        self.sinks.iter().any(|sink| sink.name() == name)
    }
}

impl AlertsView for Alerting {
    fn initialized(&self) -> bool {
        self.control.opsgenie().reachability().0
    }

    fn last_error(&self) -> Option<String> {
        self.control.opsgenie().reachability().1
    }

    fn pending(&self) -> Vec<PendingAlert> {
        self.staging.pending().iter().map(PendingAlert::from).collect()
    }

    fn test_page<'a>(&'a self, breaker: &'a Breaker) -> Pin<Box<dyn Future<Output = Vec<TestedSink>> + Send + 'a>> {
        let enabled = self.control.enabled();
        let is_enabled = |sink: &&Arc<dyn AlertSink>| enabled.iter().any(|name| name == sink.name());
        let sinks: Vec<_> = self.sinks.iter().filter(is_enabled).cloned().collect();
        Box::pin(async move { test_page(&sinks, breaker, &*self.clock).await })
    }
}

/// When alerts are sent, from the keys of `[opsgenie]`. The policy applies to every sink.
pub fn staging_policy(config: &OpsGenie) -> EscalationPolicy {
    let mut policy = EscalationPolicy::default();
    policy.triggers = config.triggers;
    policy.escalate_after = Duration::from_secs(config.time_before_send_alert.into());
    policy.cooldown = Duration::from_secs(config.alert_cooldown_seconds.into());
    policy
}
