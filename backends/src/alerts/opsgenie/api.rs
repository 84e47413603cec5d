//! Requests to the alert API, and what their answers say.

use serde::{Deserialize, Serialize};
use surf::Url;
use surf::http::Method;
use tripline_runtime::DeliveryError;

use super::content::Content;
use super::plan::{Outcome, Step};
use crate::alerts::answer::{accepted, hide};
use crate::alerts::wire::{Answer, Ask, Wire};
use crate::config::{OpsGenie, Provider};

/// Longer ones are none of the service's.
const MAX_REQUEST_ID: usize = 128;

/// The service with its address and key.
#[derive(Debug)]
pub(super) struct Api<'a> {
    wire: &'a Wire,
    config: &'a OpsGenie,
    base: Url,
    key: &'a str,
}

/// What came of sending a request.
pub(super) enum Sent {
    /// It has its outcome.
    Settled(Outcome),
    /// The service has taken it, and tells more under this name.
    Accepted { request: String },
}

/// What a look after a request shows.
pub(super) enum Seen {
    /// It has its outcome.
    Settled(Outcome),
    /// Not yet, or the service does not answer now; it may ask to be left alone for a while.
    NotYet(Option<std::time::Duration>),
    /// It will never be known.
    Never(String),
}

impl<'a> Api<'a> {
    /// The service of `config`.
    ///
    /// # Errors
    /// [`DeliveryError::Permanent`] where the configuration has no key, or something that is none, or no address.
    pub(super) fn of(config: &'a OpsGenie, wire: &'a Wire) -> Result<Self, DeliveryError> {
        let permanent = |reason: &str| DeliveryError::Permanent { reason: reason.into() };
        let key = config.api_key.as_ref().ok_or_else(|| permanent("no API key: set OPSGENIE_API_KEY"))?.expose();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(permanent("the API key has characters that no key has"));
        }
        let base = Url::parse(config.base_url()).map_err(|_| permanent("opsgenie.api_url is not an address"))?;
        if base.cannot_be_a_base() {
            return Err(permanent("opsgenie.api_url is not an address"));
        }
        Ok(Self { wire, config, base, key })
    }

    /// Sends one step.
    pub(super) async fn send(&self, step: &Step, content: &Content<'_>) -> Result<Sent, DeliveryError> {
        let ask = match step {
            Step::Create { alias, priority } => {
                self.ask(Method::Post, self.url(&[]), Some(&content.create(alias, *priority)))
            }
            Step::Raise { alias, priority } => {
                let body = PriorityUpdate { priority: priority.as_str() };
                self.ask(Method::Put, self.of_alias(alias, "priority"), Some(&body))
            }
            Step::Note { alias, priority, .. } => {
                self.ask(Method::Post, self.of_alias(alias, "notes"), Some(&content.escalation_note(*priority)))
            }
            Step::Close { alias, .. } => {
                self.ask(Method::Post, self.of_alias(alias, "close"), Some(&content.closing_note()))
            }
        }?;
        let answer = self.wire.ask(ask, &[self.key]).await?;
        if answer.status == 404 && !matches!(step, Step::Create { .. }) {
            return Ok(Sent::Settled(Outcome::Missing));
        }
        let answer = accepted(answer, &[self.key])?;
        Ok(match request_id(&answer).filter(|_| self.config.provider == Provider::OpsGenie) {
            Some(request) => Sent::Accepted { request },
            None => Sent::Settled(Outcome::Done),
        })
    }

    /// Looks what became of a request.
    pub(super) async fn look(&self, request: &str) -> Result<Seen, DeliveryError> {
        let ask = self.ask(Method::Get, self.url(&["requests", request]), None::<&()>)?;
        let answer = match self.wire.ask(ask, &[self.key]).await {
            Ok(answer) if answer.status == 404 => return Ok(Seen::NotYet(None)),
            Ok(answer) => accepted(answer, &[self.key]),
            Err(error) => Err(error),
        };
        Ok(match answer {
            Ok(answer) => self.seen(&answer),
            Err(DeliveryError::Permanent { reason }) => Seen::Never(reason),
            Err(DeliveryError::Retryable { after, .. }) => Seen::NotYet(after),
            Err(_) => Seen::NotYet(None),
        })
    }

    fn seen(&self, answer: &Answer) -> Seen {
        let data = serde_json::from_slice::<RequestStatus>(&answer.body).unwrap_or_default().data;
        match data.is_success {
            Some(true) => Seen::Settled(Outcome::Done),
            Some(false) if says_missing(&data.status) => Seen::Settled(Outcome::Missing),
            Some(false) => {
                let words: String = hide(&data.status, &[self.key]).chars().take(200).collect();
                Seen::Settled(Outcome::Refused(format!("the service did not do it: {words}")))
            }
            None => Seen::NotYet(None),
        }
    }

    /// Whether the service knows the key. One that may not list alerts is a valid key all the same.
    pub(super) async fn check(&self) -> Result<(), DeliveryError> {
        let mut url = self.url(&[]);
        url.query_pairs_mut().append_pair("limit", "1");
        let answer = self.wire.ask(self.ask(Method::Get, url, None::<&()>)?, &[self.key]).await?;
        if matches!(answer.status, 402 | 403) { Ok(()) } else { accepted(answer, &[self.key]).map(|_| ()) }
    }

    fn ask(&self, method: Method, url: Url, body: Option<&impl Serialize>) -> Result<Ask, DeliveryError> {
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| DeliveryError::Permanent { reason: error.to_string() })?;
        Ok(Ask { method, url, header: ("Authorization", format!("GenieKey {}", self.key)), body })
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

#[derive(Deserialize)]
struct Accepted {
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

fn request_id(answer: &Answer) -> Option<String> {
    let accepted: Accepted = serde_json::from_slice(&answer.body).ok()?;
    Some(accepted.request_id).filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID)
}

/// The service says it in words only.
fn says_missing(status: &str) -> bool {
    let status = status.to_lowercase();
    ["not exist", "not found", "be found", "no alert", "no such", "already closed"]
        .iter()
        .any(|words| status.contains(words))
}
