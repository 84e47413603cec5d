//! All sinks of a configuration, and changes to them while they run.

use std::sync::Arc;

use tripline_runtime::{AlertSink, Clock};

use super::opsgenie::{OpsGenieSink, system};
use super::staged::{PageRules, SharedRules, Staged};
use super::webhook::WebhookSink;
use crate::config::{BreakerConfig, Webhook};
use crate::http_client::HyperClient;
use crate::log_sink::LogSink;

/// The sinks of one breaker.
#[derive(Debug)]
#[non_exhaustive]
pub struct AlertSinks {
    /// The sinks, for the breaker's `SupervisedBreaker`.
    pub sinks: Vec<Arc<dyn AlertSink>>,
    /// Changes the sinks.
    pub control: AlertControl,
}

/// Changes the sinks of one breaker while they run. Clones share them.
#[derive(Debug, Clone)]
pub struct AlertControl {
    rules: SharedRules,
    opsgenie: OpsGenieSink,
    webhook: WebhookSink,
    /// The sinks of `[[webhooks]]`.
    webhooks: Vec<WebhookSink>,
    host: String,
}

/// Creates the sinks of `config`, to which the environment has been applied. All follow the same page rules. The log is always
/// a sink. `[opsgenie]` is one if it is enabled or has a key, and `[webhook]` if it is enabled or has a URL, so that both can
/// be switched on and off later. Each entry of `[[webhooks]]` is one. A key, a URL or an entry that is added later needs a
/// restart. Sends nothing and never blocks.
pub fn sinks(config: &BreakerConfig, client: &HyperClient) -> AlertSinks {
    let host = system::host_name();
    let rules = SharedRules::new(PageRules::of(&config.opsgenie, &host));
    let opsgenie = OpsGenieSink::new(config.opsgenie.clone(), client.clone());
    let webhook = WebhookSink::new(config.webhook.clone(), client.clone());
    let listed = listed(config).into_iter();
    let webhooks: Vec<_> = listed.map(|(name, webhook)| WebhookSink::named(&name, webhook, client.clone())).collect();
    let mut sinks: Vec<Arc<dyn AlertSink>> = vec![Arc::new(Staged::new(LogSink, rules.clone()))];
    if config.opsgenie.enabled || config.opsgenie.api_key.is_some() {
        sinks.push(Arc::new(Staged::new(opsgenie.clone(), rules.clone())));
    }
    if config.webhook.enabled || config.webhook.url.is_some() {
        sinks.push(Arc::new(Staged::new(webhook.clone(), rules.clone())));
    }
    for webhook in &webhooks {
        sinks.push(Arc::new(Staged::new(webhook.clone(), rules.clone())));
    }
    AlertSinks { sinks, control: AlertControl { rules, opsgenie, webhook, webhooks, host } }
}

/// The entries of `[[webhooks]]`, each with the name of its sink: `webhook-` followed by its name, or by its number
/// from 1.
pub(super) fn listed(config: &BreakerConfig) -> Vec<(String, Webhook)> {
    let entries = config.webhooks.iter().zip(1_usize..);
    let named = entries.map(|(webhook, number)| match webhook.name.as_str() {
        "" => (format!("webhook-{number}"), webhook.clone()),
        name => (format!("webhook-{name}"), webhook.clone()),
    });
    named.collect()
}

impl AlertControl {
    /// Applies `config` from the next attempt of every sink on. Switches off the entries of `[[webhooks]]` that were
    /// removed.
    pub fn set_config(&self, config: &BreakerConfig) {
        self.rules.set(PageRules::of(&config.opsgenie, &self.host));
        self.opsgenie.set_config(config.opsgenie.clone());
        self.webhook.set_config(config.webhook.clone());
        let listed = listed(config);
        for sink in &self.webhooks {
            let entry = listed.iter().find(|(name, _)| *name == sink.name()).map(|(_, webhook)| webhook.clone());
            sink.set_config(entry.unwrap_or_default());
        }
    }

    /// The current page rules.
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

    /// The sinks of `[[webhooks]]`.
    pub fn webhooks(&self) -> &[WebhookSink] {
        &self.webhooks
    }

    /// The names of the sinks that are switched on and page people.
    pub(super) fn enabled(&self) -> Vec<String> {
        let opsgenie = self.opsgenie.config().enabled.then(|| self.opsgenie.name().to_owned());
        let webhooks = std::iter::once(&self.webhook).chain(&self.webhooks).filter(|sink| sink.config().enabled);
        opsgenie.into_iter().chain(webhooks.map(|sink| sink.name().to_owned())).collect()
    }

    /// Background task that never ends: see [`OpsGenieSink::keep_checking`].
    pub async fn run(self, clock: Arc<dyn Clock>) {
        self.opsgenie.keep_checking(clock).await;
    }
}
