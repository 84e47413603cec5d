//! Alerts to any URL: as JSON, to a chat, to `PagerDuty`, or through a template.
//!
//! Each attempt is one `POST` with the header `Idempotency-Key`, which is the same for all attempts of one stage and
//! differs between stages, so that the receiver can recognise a repeat. Any 2xx is a success, whatever the body. The body
//! of the format `json` is one [`Message`]. Its fields are stable and new ones may be added; a change that breaks receivers
//! increments `version`.

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
/// Minimum length of a part of the URL that counts as a secret, in characters. Shorter parts are words that a reason
/// may need.
const MIN_SECRET_PART: usize = 8;

/// Posts alerts to a URL, which is a secret. Clones share it.
#[derive(Debug, Clone)]
pub struct WebhookSink {
    name: Arc<str>,
    client: HyperClient,
    config: Arc<RwLock<Webhook>>,
}

impl WebhookSink {
    /// Creates a sink that posts to the URL of `config`, to which the environment has been applied.
    pub fn new(config: Webhook, client: HyperClient) -> Self {
        Self::named("webhook", config, client)
    }

    /// Creates the same sink under another name in logs, metrics and kept state.
    pub fn named(name: &str, config: Webhook, client: HyperClient) -> Self {
        Self { name: name.into(), client, config: Arc::new(RwLock::new(config)) }
    }

    /// The current configuration.
    pub fn config(&self) -> Webhook {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the configuration from the next attempt on.
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

    /// If the webhook is not enabled, the alert counts as delivered and nothing is sent.
    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let config = self.config();
        // A chat has no alert that a second close could end.
        let is_repeated = alert.fleet.as_ref().is_some_and(FleetPart::is_repeated);
        if !config.enabled || is_repeated && !config.keeps_alerts() {
            return Ok(());
        }
        let address = config.address().ok_or_else(|| misconfigured("webhook.url is not set"))?;
        let url = Url::parse(address).map_err(|_| misconfigured("webhook.url is not a URL"))?;
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
        let invalid = || misconfigured("webhook.headers has a name or value that is not allowed in a header");
        let name = HeaderName::try_from(name.as_str()).map_err(|_| invalid())?;
        let mut value = HeaderValue::try_from(value.expose()).map_err(|_| invalid())?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    Ok(request)
}

/// Everything that must not appear in a quoted response or error: the URL and its parts, the key, the values of the
/// headers.
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
