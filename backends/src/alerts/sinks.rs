//! All sinks of a configuration, and how they are changed while they run.

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
    /// Those of `[[webhooks]]`.
    webhooks: Vec<WebhookSink>,
    host: String,
}

/// The sinks of `config` (with the environment applied to it), all of which page people by the same rules: the log always,
/// `[opsgenie]` where it is enabled or has a key, `[webhook]` where it is enabled or has an address, so that both can be
/// switched on and off later, and each entry of `[[webhooks]]`. A key, an address or an entry that comes later needs a restart.
/// Nothing is sent, and nothing is waited for.
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

/// The entries of `[[webhooks]]`, each with the name of its sink: `webhook-` and its name, or its number from 1.
pub(super) fn listed(config: &BreakerConfig) -> Vec<(String, Webhook)> {
    let entries = config.webhooks.iter().zip(1_usize..);
    let named = entries.map(|(webhook, number)| match webhook.name.as_str() {
        "" => (format!("webhook-{number}"), webhook.clone()),
        name => (format!("webhook-{name}"), webhook.clone()),
    });
    named.collect()
}

impl AlertControl {
    /// Every sink's next attempt goes by `config`. An entry of `[[webhooks]]` that is gone is switched off.
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

    /// The sinks of `[[webhooks]]`.
    pub fn webhooks(&self) -> &[WebhookSink] {
        &self.webhooks
    }

    /// The names of the pagers that are switched on.
    pub(super) fn enabled(&self) -> Vec<String> {
        let opsgenie = self.opsgenie.config().enabled.then(|| self.opsgenie.name().to_owned());
        let webhooks = std::iter::once(&self.webhook).chain(&self.webhooks).filter(|sink| sink.config().enabled);
        opsgenie.into_iter().chain(webhooks.map(|sink| sink.name().to_owned())).collect()
    }

    /// Work for the background, which never ends: see [`OpsGenieSink::keep_checking`].
    pub async fn run(self, clock: Arc<dyn Clock>) {
        self.opsgenie.keep_checking(clock).await;
    }
}
