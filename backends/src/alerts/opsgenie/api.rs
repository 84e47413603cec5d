//! Requests to the alert API, and the meaning of its responses.

use http::Method;
use http::header::{AUTHORIZATION, HeaderValue};
use serde::{Deserialize, Serialize};
use tripline_runtime::DeliveryError;
use url::Url;

use super::context::AlertContext;
use super::plan::{Outcome, Step};
use super::surf_transport::SurfTransport;
use crate::alerts::classify::{classify_failure, classify_response, misconfigured, rejected, shown};
use crate::alerts::transport::{Request, Response};
use crate::config::{OpsGenie, Provider};

/// Maximum length of a request identifier, in characters. The service issues none that is longer.
const MAX_REQUEST_ID: usize = 128;

/// The service with its URL and key.
#[derive(Debug)]
pub(super) struct Api<'a> {
    transport: SurfTransport,
    config: &'a OpsGenie,
    base: Url,
    key: &'a str,
}

/// The result of sending a request.
pub(super) enum Sent {
    /// The outcome is known.
    Settled(Outcome),
    /// The service accepted the request and reports its status under this identifier.
    Accepted { request: String },
}

/// The status of an accepted request.
pub(super) enum Seen {
    /// The outcome is known.
    Settled(Outcome),
    /// Not processed yet, or no answer from the service now. The service may ask for a pause.
    NotYet(Option<std::time::Duration>),
    /// The outcome will never be known.
    Never(String),
}

impl<'a> Api<'a> {
    /// Creates the client of the service in `config`.
    ///
    /// # Errors
    /// [`DeliveryError::Rejected`] if the configuration has no key, an invalid key, or no URL.
    pub(super) fn of(config: &'a OpsGenie, transport: SurfTransport) -> Result<Self, DeliveryError> {
        let key = config.api_key.as_ref().ok_or_else(|| misconfigured("no API key: set OPSGENIE_API_KEY"))?.expose();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(misconfigured("the API key contains characters that are not allowed in a key"));
        }
        let base = Url::parse(config.base_url()).map_err(|_| misconfigured("opsgenie.api_url is not a URL"))?;
        if base.cannot_be_a_base() {
            return Err(misconfigured("opsgenie.api_url is not a URL"));
        }
        Ok(Self { transport, config, base, key })
    }

    /// Sends one step.
    pub(super) async fn send(&self, step: &Step, content: &AlertContext<'_>) -> Result<Sent, DeliveryError> {
        let request = match step {
            Step::Create { alias, priority } => {
                self.request(Method::POST, self.url(&[]), Some(&content.create(alias, *priority)))
            }
            Step::Raise { alias, priority } => {
                let body = PriorityUpdate { priority: priority.as_str() };
                self.request(Method::PUT, self.of_alias(alias, "priority"), Some(&body))
            }
            Step::Note { alias, priority, .. } => {
                self.request(Method::POST, self.of_alias(alias, "notes"), Some(&content.escalation_note(*priority)))
            }
            Step::Close { alias, .. } => {
                self.request(Method::POST, self.of_alias(alias, "close"), Some(&content.closing_note()))
            }
        }?;
        let response = self.exchange(request).await?;
        if response.status == 404 && is_from_the_api(&response) && !matches!(step, Step::Create { .. }) {
            return Ok(Sent::Settled(Outcome::Missing));
        }
        let response = classify_response(response, &[self.key])?;
        // Only the documented response counts. A page of a proxy or of a sign-in with the status 200 is no delivery.
        let Some(request) = request_id(&response) else {
            let why = "not the answer of the alert API, which is 202 with result and requestId";
            return Err(match rejected(&response, &[self.key]) {
                DeliveryError::Rejected { status, reason } => {
                    DeliveryError::Rejected { status, reason: shown(&format!("{why}: {reason}"), &[]) }
                }
                other => other,
            });
        };
        Ok(match self.config.provider {
            Provider::OpsGenie => Sent::Accepted { request },
            Provider::Jsm => Sent::Settled(Outcome::Done),
        })
    }

    /// Queries the status of a request.
    pub(super) async fn look(&self, request: &str) -> Result<Seen, DeliveryError> {
        let request = self.request(Method::GET, self.url(&["requests", request]), None::<&()>)?;
        let response = match self.exchange(request).await {
            Ok(response) if response.status == 404 => return Ok(Seen::NotYet(None)),
            Ok(response) => classify_response(response, &[self.key]),
            Err(error) => Err(error),
        };
        Ok(match response {
            Ok(response) => self.seen(&response),
            Err(DeliveryError::Rejected { reason, .. }) => Seen::Never(reason),
            Err(DeliveryError::Retryable { after, .. }) => Seen::NotYet(after),
            Err(_) => Seen::NotYet(None),
        })
    }

    fn seen(&self, response: &Response) -> Seen {
        let data = serde_json::from_slice::<RequestStatus>(&response.body).unwrap_or_default().data;
        match data.is_success {
            Some(true) => Seen::Settled(Outcome::Done),
            Some(false) if says_missing(&data.status) => Seen::Settled(Outcome::Missing),
            Some(false) => {
                let words = shown(&data.status, &[self.key]);
                Seen::Settled(Outcome::Failed(format!("the service did not do it: {words}")))
            }
            None => Seen::NotYet(None),
        }
    }

    async fn exchange(&self, request: Request) -> Result<Response, DeliveryError> {
        self.transport.send(request).await.map_err(|error| classify_failure(&error, &[self.key]))
    }

    /// Checks that the service knows the key. A key without the permission to list alerts is valid too.
    pub(super) async fn check(&self) -> Result<(), DeliveryError> {
        let mut url = self.url(&[]);
        url.query_pairs_mut().append_pair("limit", "1");
        let response = self.exchange(self.request(Method::GET, url, None::<&()>)?).await?;
        if matches!(response.status, 402 | 403) {
            return Ok(());
        }
        let response = classify_response(response, &[self.key])?;
        if is_from_the_api(&response) { Ok(()) } else { Err(rejected(&response, &[self.key])) }
    }

    fn request(&self, method: Method, url: Url, body: Option<&impl Serialize>) -> Result<Request, DeliveryError> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| misconfigured(&error.to_string()))?;
        let mut key = HeaderValue::try_from(format!("GenieKey {}", self.key))
            .map_err(|_| misconfigured("the API key contains characters that are not allowed in a key"))?;
        key.set_sensitive(true);
        Ok(Request::json(method, url, body.unwrap_or_default()).header(AUTHORIZATION, key))
    }

    fn of_alias(&self, alias: &str, action: &str) -> Url {
        let mut url = self.url(&[alias, action]);
        url.query_pairs_mut().append_pair("identifierType", "alias");
        url
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["v2", "alerts"]).extend(path);
        }
        url
    }
}

#[derive(Serialize)]
struct PriorityUpdate {
    priority: &'static str,
}

/// The documented response to an accepted request.
#[derive(Deserialize)]
struct Accepted {
    #[serde(rename = "result")]
    _result: String,
    #[serde(rename = "requestId")]
    request_id: String,
}

#[derive(Deserialize, Default)]
struct RequestStatus {
    data: RequestData,
}

#[derive(Deserialize, Default)]
struct RequestData {
    #[serde(rename = "isSuccess")]
    is_success: Option<bool>,
    #[serde(default)]
    status: String,
}

fn request_id(response: &Response) -> Option<String> {
    let accepted: Accepted = serde_json::from_slice(&response.body).ok().filter(|_| response.status == 202)?;
    Some(accepted.request_id).filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID)
}

/// Whether a response comes from the alert API: a JSON object with a request identifier or a message.
fn is_from_the_api(response: &Response) -> bool {
    let json = serde_json::from_slice::<serde_json::Value>(&response.body).unwrap_or_default();
    ["requestId", "message", "data"].iter().any(|member| json.get(member).is_some())
}

/// The service reports a missing alert in words only.
fn says_missing(status: &str) -> bool {
    let status = status.to_lowercase();
    ["not exist", "not found", "be found", "no alert", "no such", "already closed"]
        .iter()
        .any(|words| status.contains(words))
}
