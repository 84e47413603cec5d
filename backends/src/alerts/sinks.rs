//! All sinks of a configuration, and what changes them while they run.

use std::sync::Arc;

use tripline_runtime::{AlertSink, Clock};

use super::opsgenie::{OpsGenieSink, system};
use super::staged::{PageRules, SharedRules, Staged};
use super::webhook::WebhookSink;
use crate::config::BreakerConfig;
use crate::http_client::HyperClient;
use crate::log_sink::LogSink;

/// The sinks of one breaker.
#[derive(Debug)]
#[non_exhaustive]
pub struct AlertSinks {
    /// For the breaker's `Watch`.
    pub sinks: Vec<Arc<dyn AlertSink>>,
    /// Changes them.
    pub control: AlertControl,
}

/// Changes the sinks of one breaker while they run. Cloning shares them.
#[derive(Debug, Clone)]
pub struct AlertControl {
    rules: SharedRules,
    opsgenie: OpsGenieSink,
    webhook: WebhookSink,
    host: String,
}

/// The sinks of `config` (with the environment laid over it), each of which is told by the same rules how people are
/// paged: the log always, `[opsgenie]` where it is enabled or has a key, `[webhook]` where it has an address, so that
/// both can be switched on and off later. A key or an address that comes later needs a restart. Nothing is sent, nobody
/// is waited for.
pub fn sinks(config: &BreakerConfig, client: &HyperClient) -> AlertSinks {
    let host = system::host_name();
    let rules = SharedRules::new(PageRules::of(&config.opsgenie, &host));
    let opsgenie = OpsGenieSink::new(config.opsgenie.clone(), client.clone());
    let webhook = WebhookSink::new(config.webhook.clone(), client.clone());
    let mut sinks: Vec<Arc<dyn AlertSink>> = vec![Arc::new(Staged::new(LogSink, rules.clone()))];
    if config.opsgenie.enabled || config.opsgenie.api_key.is_some() {
        sinks.push(Arc::new(Staged::new(opsgenie.clone(), rules.clone())));
    }
    if config.webhook.enabled || config.webhook.url.is_some() {
        sinks.push(Arc::new(Staged::new(webhook.clone(), rules.clone())));
    }
    AlertSinks { sinks, control: AlertControl { rules, opsgenie, webhook, host } }
}

impl AlertControl {
    /// Every sink's next attempt goes by `config`.
    pub fn set_config(&self, config: &BreakerConfig) {
        self.rules.set(PageRules::of(&config.opsgenie, &self.host));
        self.opsgenie.set_config(config.opsgenie.clone());
        self.webhook.set_config(config.webhook.clone());
    }

    /// The rules in force.
    pub fn rules(&self) -> PageRules {
        self.rules.get()
    }

    /// The sink of `[opsgenie]`.
    pub const fn opsgenie(&self) -> &OpsGenieSink {
        &self.opsgenie
    }

    /// The sink of `[webhook]`.
    pub const fn webhook(&self) -> &WebhookSink {
        &self.webhook
    }

    /// Work for the background, which never ends: see [`OpsGenieSink::keep_checking`].
    pub async fn run(self, clock: Arc<dyn Clock>) {
        self.opsgenie.keep_checking(clock).await;
    }
}
