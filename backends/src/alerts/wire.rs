//! The one place that knows surf: a request out, an answer back.

use std::convert::Infallible;
use std::fmt;
use std::time::{Duration, SystemTime};

use surf::http::Method;
use surf::{Client, Config, Request, Url};
use tripline_runtime::DeliveryError;

use super::answer::{unanswered, wait};
use crate::http_client::{HyperClient, TransportError};

/// Sends requests.
#[derive(Clone)]
pub(super) struct Wire {
    client: Client,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// What is sent.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    /// One more, beside the body's type.
    pub(super) header: (&'static str, String),
    /// JSON.
    pub(super) body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long the server wants to be left alone.
    pub(super) wait: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// What the service says of a failure, if it does.
    pub(super) fn message(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Failure {
            message: String,
        }
        serde_json::from_slice::<Failure>(&self.body).ok().map(|failure| failure.message)
    }
}

impl Wire {
    pub(super) fn new(client: HyperClient) -> Self {
        let client: Result<Client, Infallible> = Config::new().set_http_client(client).try_into();
        match client {
            Ok(client) => Self { client },
        }
    }

    /// The answer, whatever it says. `secrets` are hidden in errors.
    pub(super) async fn ask(&self, ask: Ask, secrets: &[&str]) -> Result<Answer, DeliveryError> {
        let mut request = Request::new(ask.method, ask.url);
        let (name, value) = ask.header;
        request.insert_header(name, value);
        if let Some(body) = ask.body {
            request.set_body(body);
            request.set_content_type(surf::http::mime::JSON);
        }
        self.exchange(request).await.map_err(|error| {
            let reason = error.downcast_ref::<TransportError>().map_or_else(|| error.to_string(), ToString::to_string);
            unanswered(&reason, secrets)
        })
    }

    async fn exchange(&self, request: Request) -> Result<Answer, surf::Error> {
        let mut response = self.client.send(request).await?;
        let text = |name: &str| response.header(name).map(|values| values.last().as_str());
        let wait = wait(text("X-RateLimit-Period-In-Sec"), text("Retry-After"), SystemTime::now());
        Ok(Answer { status: response.status().into(), wait, body: response.body_bytes().await? })
    }
}
