//! Alerts to any address: as JSON, to a chat, to `PagerDuty`, or by a template.
//!
//! Each attempt is one `POST` with the header `Idempotency-Key`: the same for all attempts of one stage, and for no
//! other, so that the receiver can recognise a repeat. Any 2xx is success, whatever the body. The body of the format `json`
//! is one [`Message`]; its fields stay as they are, new ones may come, and `version` counts what would break a receiver.

mod body;
mod discord;
mod fields;
mod message;
mod pagerduty;
mod slack;
mod summary;
mod teams;

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use tripline_runtime::{Alert, AlertSink, DeliveryError, FleetPart};
use url::Url;

pub use message::{Memory, Message};

use super::classify::{classify_failure, classify_response, misconfigured};
use super::proxy::client_of;
use super::transport::{Request, Transport};
use crate::config::{Secret, Webhook};
use crate::http_client::HyperClient;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Shorter parts of an address are words that a reason may need.
const MIN_SECRET_PART: usize = 8;

/// Posts alerts to an address, which is a secret. Cloning shares it.
#[derive(Debug, Clone)]
pub struct WebhookSink {
    name: Arc<str>,
    client: HyperClient,
    config: Arc<RwLock<Webhook>>,
}

impl WebhookSink {
    /// Posts to where `config` says, with the environment applied to it.
    pub fn new(config: Webhook, client: HyperClient) -> Self {
        Self::named("webhook", config, client)
    }

    /// The same, under another name in logs, metrics and kept state.
    pub fn named(name: &str, config: Webhook, client: HyperClient) -> Self {
        Self { name: name.into(), client, config: Arc::new(RwLock::new(config)) }
    }

    /// The configuration in force.
    pub fn config(&self) -> Webhook {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next attempt goes by this one.
    pub fn set_config(&self, config: Webhook) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

#[async_trait]
impl AlertSink for WebhookSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn keeps_open(&self) -> bool {
        self.config().enabled
    }

    /// Where the webhook is not enabled, the alert counts as delivered and goes nowhere.
    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let config = self.config();
        // A chat has no alert that a second close could end.
        let is_repeated = alert.fleet.as_ref().is_some_and(FleetPart::is_repeated);
        if !config.enabled || is_repeated && !config.keeps_alerts() {
            return Ok(());
        }
        let address = config.address().ok_or_else(|| misconfigured("webhook.url is not set"))?;
        let url = Url::parse(address).map_err(|_| misconfigured("webhook.url is not an address"))?;
        let message = Message::of(alert);
        let body = body::of(&config, alert, &message)?;
        let secrets = secrets(&config, address, &url);
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let request = request(&config, url, &message, body)?;
        let client = client_of(&self.client, config.proxy.as_ref())
            .map_err(|error| misconfigured(&format!("webhook.{error}")))?;
        let response = Transport::new(client).send(request).await;
        let response = response.map_err(|error| classify_failure(&error, &secrets))?;
        classify_response(response, &secrets).map(|_| ())
    }
}

fn request(config: &Webhook, url: Url, message: &Message, body: Vec<u8>) -> Result<Request, DeliveryError> {
    let mut request = Request::json(Method::POST, url, body);
    if let Ok(id) = HeaderValue::try_from(message.delivery_id.as_str()) {
        request = request.header(IDEMPOTENCY_KEY, id);
    }
    for (name, value) in &config.headers {
        let invalid = || misconfigured("webhook.headers has a name or value that no header takes");
        let name = HeaderName::try_from(name.as_str()).map_err(|_| invalid())?;
        let mut value = HeaderValue::try_from(value.expose()).map_err(|_| invalid())?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    Ok(request)
}

/// What an answer or an error may quote and must not be shown: the address and its parts, the key, the headers' values.
fn secrets(config: &Webhook, address: &str, url: &Url) -> Vec<String> {
    let mut secrets = vec![address.to_owned(), url.as_str().to_owned()];
    let query = url.query().unwrap_or_default();
    secrets.extend([url.path(), query, url.host_str().unwrap_or_default()].map(str::to_owned));
    let parts = url.path().split('/').chain(query.split(['&', '=']));
    secrets.extend(parts.filter(|part| part.len() >= MIN_SECRET_PART).map(str::to_owned));
    secrets.extend(config.routing_key.iter().map(|key| key.expose().to_owned()));
    for value in config.headers.values().map(Secret::expose) {
        secrets.push(value.to_owned());
        // `Bearer secret` may be quoted without its first word.
        secrets.extend(value.split(' ').filter(|part| part.len() >= MIN_SECRET_PART).map(str::to_owned));
    }
    secrets
}
