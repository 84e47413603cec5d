//! A request to an alert service, and its response.

use std::time::{Duration, SystemTime};

use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

#[cfg(feature = "webhook")]
use crate::http_client::{BodyNeed, ClientRequest, HyperClient, TransportError};

/// Maximum time to wait at the request of a server: a late alert is worse than an early retry.
const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// The body; empty for none.
    pub(super) body: Vec<u8>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    /// The pause that the server asks for.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Creates a request with a JSON body, or without a body.
    pub(super) fn json(method: Method, url: Url, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Self { method, url, headers, body }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl Response {
    /// Creates a response that arrived at `now`; `text` looks up its headers.
    pub(super) fn new<'a>(status: u16, body: Vec<u8>, now: SystemTime, text: impl Fn(&str) -> Option<&'a str>) -> Self {
        let retry_after = retry_after(text("X-RateLimit-Period-In-Sec"), text("Retry-After"), now);
        Self { status, retry_after, body }
    }
}

/// Sends requests of which only the status and the headers matter.
#[cfg(feature = "webhook")]
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: HyperClient,
}

#[cfg(feature = "webhook")]
impl Transport {
    pub(super) const fn new(client: HyperClient) -> Self {
        Self { client }
    }

    /// Returns the response, whatever its status.
    pub(super) async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let mut outgoing = ClientRequest::new(request.method, request.url);
        (outgoing.headers, outgoing.body, outgoing.body_need) = (request.headers, request.body, BodyNeed::Excerpt);
        let answer = self.client.send(outgoing).await?;
        let now = self.client.clock().system_time();
        Ok(Response::new(answer.status, answer.body, now, |name| answer.headers.get(name)?.to_str().ok()))
    }
}

/// The pause that the server asks for: the longer of the rate-limit period and `Retry-After`, which is given in seconds or as
/// a date.
fn retry_after(period: Option<&str>, retry_after: Option<&str>, now: SystemTime) -> Option<Duration> {
    let seconds = |text: &str| {
        // Some services send fractions of a second.
        let whole = text.trim().split('.').next()?;
        whole.parse().ok().map(Duration::from_secs)
    };
    let date = |text: &str| {
        let at = httpdate::parse_http_date(text.trim()).ok()?;
        Some(at.duration_since(now).unwrap_or_default())
    };
    let period = period.and_then(seconds);
    let retry_after = retry_after.and_then(|text| seconds(text).or_else(|| date(text)));
    period.max(retry_after).map(|wait| wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_wait_counts_but_never_more_than_an_hour() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let wait = |period, after| retry_after(period, after, now).map(|wait| wait.as_secs());
        assert_eq!(wait(None, None), None);
        assert_eq!(wait(Some("60"), Some("5")), Some(60));
        assert_eq!(wait(Some(" 6"), Some("soon")), Some(6));
        assert_eq!(wait(None, Some("1.529")), Some(1));
        assert_eq!(wait(None, date), Some(30));
        assert_eq!(wait(Some("-1"), None), None);
        assert_eq!(wait(Some("18446744073709551615"), None), Some(3_600));
    }
}
