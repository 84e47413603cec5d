//! Requests to the server.

use std::fmt;
use std::time::Duration;

use ::http_client::http_types::headers::AUTHORIZATION;
use ::http_client::http_types::{Method, Url, mime};
use ::http_client::{HttpClient as _, Request};
use serde_json::Value;
use tripline_runtime::{BreakerName, InvalidName};

use super::command::CtlArgs;
use super::show::plain;
use crate::cli::output::CliError;
use crate::config::Secret;
use crate::http_client::{ClientLimits, HyperClient, SurfClient, TransportError};
use crate::text::shown;

/// Maximum length of a response body, in bytes. Metrics of many breakers are the longest.
const MAX_ANSWER_BYTES: usize = 4 * 1_024 * 1_024;
/// The environment variable that names the breaker if `--breaker` does not.
const VARIABLE: &str = "TRIPLINE_BREAKER";
/// Maximum length of a quoted response that does not come from this API, in characters.
const SHOWN_CHARACTERS: usize = 200;
/// Time limit of a request. The demo endpoint of the server takes up to a minute; everything else is fast.
const MAX_REQUEST: Duration = Duration::from_secs(70);

/// Sends requests to one server.
#[derive(Debug)]
pub(super) struct Client {
    base: Url,
    token: Option<Secret>,
    /// The breaker that requests are about; `None` for the first.
    breaker: Option<Target>,
    http: SurfClient,
}

/// A breaker by name, or a member of a family by key.
#[derive(Debug)]
struct Target {
    name: BreakerName,
    key: Option<String>,
}

/// A response with a status of 200 to 299.
#[derive(Debug)]
pub(super) struct Answer {
    /// The body as received.
    pub(super) text: String,
    /// The body as JSON; null if it is not JSON.
    pub(super) body: Value,
}

/// Why there is no usable response.
#[derive(Debug)]
pub(super) enum CtlError {
    /// No response arrived.
    NoAnswer {
        /// The URL of the server.
        url: String,
        /// The cause, for people.
        why: String,
    },
    /// The server rejected the request.
    Rejected {
        /// The HTTP status.
        status: u16,
        /// What is wrong, where, and what is allowed, for people.
        why: String,
        /// The body of the response.
        body: Value,
    },
    /// The response does not come from this API.
    Unexpected {
        /// The path of the request.
        path: String,
    },
}

impl fmt::Display for CtlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { url, why } => {
                write!(f, "{url}: {why} (is `tripline serve` running there? --url gives another address)")
            }
            Self::Rejected { status, why, .. } => write!(f, "{why} ({status})"),
            Self::Unexpected { path } => write!(f, "{path}: the response is not from Tripline's API; check --url"),
        }
    }
}

impl std::error::Error for CtlError {}

impl From<CtlError> for CliError {
    fn from(error: CtlError) -> Self {
        Self::new(error)
    }
}

impl Client {
    pub(super) fn new(args: &CtlArgs) -> Result<Self, CliError> {
        let mut limits = ClientLimits::default();
        limits.body_bytes = MAX_ANSWER_BYTES;
        if matches!(args.command, super::command::CtlCommand::Request | super::command::CtlCommand::Alert { .. }) {
            (limits.head, limits.whole) = (MAX_REQUEST, MAX_REQUEST);
        }
        let http = SurfClient::new(HyperClient::new(limits));
        Ok(Self { base: base(&args.url)?, token: token(args)?, breaker: breaker(args)?, http })
    }

    /// The name of the breaker that requests are about; `None` for the first, or for all.
    pub(super) fn breaker(&self) -> Option<&str> {
        self.breaker.as_ref().map(|target| target.name.as_str())
    }

    /// The key of the family's member that requests are about.
    pub(super) fn key(&self) -> Option<&str> {
        self.breaker.as_ref()?.key.as_deref()
    }

    /// The URL of the server without the path.
    pub(super) fn server(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        // A URL with a host has path segments. They are percent-encoded here, because a key may contain any character.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(self.segments(path));
        }
        url.set_query(query);
        url
    }

    /// The segments of `path` for the selected breaker.
    fn segments<'a>(&'a self, path: &'a str) -> Vec<&'a str> {
        let segments = path.trim_start_matches('/').split('/');
        let Some(Target { name, key }) = &self.breaker else { return segments.collect() };
        let target = std::iter::once(name.as_str()).chain(key.iter().flat_map(|key| ["keys", key.as_str()]));
        match path.strip_prefix("/breaker/") {
            Some(_) => std::iter::once("breakers").chain(target).chain(segments.skip(1)).collect(),
            None if path == "/test" => std::iter::once("test").chain(target).collect(),
            None => segments.collect(),
        }
    }

    /// The value of the header `Authorization`.
    pub(super) fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {}", token.expose()))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, CtlError> {
        self.exchange(Request::new(Method::Get, self.url(path))).await
    }

    /// Sends a POST with a JSON body, or without a body.
    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Answer, CtlError> {
        let mut request = Request::new(Method::Post, self.url(path));
        if let Some(body) = body {
            request.set_body(body.to_string());
            request.set_content_type(mime::JSON);
        }
        self.exchange(request).await
    }

    async fn exchange(&self, mut request: Request) -> Result<Answer, CtlError> {
        let path = request.url().path().to_owned();
        if let Some(authorization) = self.authorization() {
            request.insert_header(AUTHORIZATION, authorization);
        }
        let answer = async {
            let mut response = self.http.send(request).await?;
            let bytes = response.body_bytes().await?;
            Ok((u16::from(response.status()), String::from_utf8_lossy(&bytes).into_owned()))
        };
        let (status, text) = answer.await.map_err(|error: ::http_client::Error| {
            let why = error.downcast_ref::<TransportError>().map_or_else(|| error.to_string(), ToString::to_string);
            self.no_answer(why)
        })?;
        if (200..300).contains(&status) {
            let body = serde_json::from_str(&text).unwrap_or_default();
            return Ok(Answer { text, body });
        }
        Err(self.rejection(status, &path, &text))
    }

    pub(super) fn no_answer(&self, why: impl fmt::Display) -> CtlError {
        CtlError::NoAnswer { url: self.server(), why: why.to_string() }
    }

    /// The error in a response without success.
    pub(super) fn rejection(&self, status: u16, path: &str, text: &str) -> CtlError {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let said = |field: &str| body.get(field).and_then(Value::as_str).map(plain);
        let mut why = said("error").unwrap_or_else(|| {
            let start: String = text.trim().chars().take(SHOWN_CHARACTERS).collect();
            format!("{path}: {}", if start.is_empty() { "rejected without a reason".to_owned() } else { plain(&start) })
        });
        match said("field") {
            Some(field) if !why.contains(&field) => why = format!("{field}: {why}"),
            _ => {}
        }
        if let Some(allowed) = said("allowed").filter(|_| status != 401) {
            why = format!("{why}; allowed: {allowed}");
        }
        match (status, &self.token) {
            (300..=399, _) => why = format!("{path}: the server redirects, which is not followed; check --url"),
            (401, None) => why.push_str("; give it with --token-file FILE or in TRIPLINE_TOKEN"),
            (401, Some(_)) => why.push_str(", and the one that was given is another one"),
            _ => {}
        }
        CtlError::Rejected { status, why, body }
    }
}

fn base(text: &str) -> Result<Url, CliError> {
    const ALLOWED: &str = "allowed: http or https with a host, as in http://127.0.0.1:8080";
    // The URL may contain a secret, so it is not quoted.
    let url = Url::parse(text).map_err(|error| CliError::new(format!("--url: {error}; {ALLOWED}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(CliError::new(format!("--url: the scheme {:?} is not supported; {ALLOWED}", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(CliError::new(format!("--url: contains a user, a query or a fragment; {ALLOWED}")));
    }
    Ok(url)
}

/// The breaker of `--breaker`, otherwise that of the environment: `NAME`, or `NAME/KEY`. An empty variable counts as
/// not set.
fn breaker(args: &CtlArgs) -> Result<Option<Target>, CliError> {
    let variable = || std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
    let (place, text) = match &args.breaker {
        Some(name) => ("--breaker", name.clone()),
        None => match variable() {
            Some(name) => (VARIABLE, name.to_string_lossy().into_owned()),
            None => return Ok(None),
        },
    };
    target(&text).map(Some).map_err(|error| CliError::during(place, error))
}

fn target(text: &str) -> Result<Target, InvalidName> {
    let (name, key) = text.split_once('/').map_or((text, None), |(name, key)| (name, Some(key)));
    Ok(Target { name: BreakerName::new(name)?, key: key.filter(|key| !key.is_empty()).map(str::to_owned) })
}

fn token(args: &CtlArgs) -> Result<Option<Secret>, CliError> {
    let (place, text) = match &args.token_file {
        Some(path) => {
            let place = format!("--token-file {}", shown(path));
            let text = std::fs::read_to_string(path).map_err(|error| CliError::during(&place, error))?;
            (place, text)
        }
        None => match std::env::var_os("TRIPLINE_TOKEN") {
            // A value that is not UTF-8 is rejected below.
            Some(text) => ("environment: TRIPLINE_TOKEN".to_owned(), text.to_string_lossy().into_owned()),
            None => return Ok(None),
        },
    };
    let token = text.trim();
    if token.is_empty() && args.token_file.is_none() {
        return Ok(None);
    }
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CliError::new(format!(
            "{place}: allowed: a token of visible ASCII characters without white space"
        )));
    }
    Ok(Some(Secret::new(token)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_a_named_breaker_have_its_name_and_its_key() {
        let url = |base: &str, breaker: Option<&str>, path: &str| {
            let breaker = breaker.map(|text| target(text).unwrap());
            let http = SurfClient::new(HyperClient::default());
            Client { base: Url::parse(base).unwrap(), token: None, breaker, http }.url(path).to_string()
        };
        for (base, breaker, path, expected) in [
            ("http://h:1", None, "/breaker/status", "http://h:1/breaker/status"),
            ("http://h:1/ops/", None, "/breakers?limit=2&after=a", "http://h:1/ops/breakers?limit=2&after=a"),
            ("http://h:1/ops", Some("a.b"), "/breaker/opsgenie/status", "http://h:1/ops/breakers/a.b/opsgenie/status"),
            ("http://h:1", Some("a"), "/breakers?limit=2", "http://h:1/breakers?limit=2"),
            ("http://h:1", Some("a"), "/test", "http://h:1/test/a"),
            ("http://h:1", Some("t/x/y"), "/test", "http://h:1/test/t/keys/x%2Fy"),
            ("http://h:1", Some("a"), "/test/delay", "http://h:1/test/delay"),
            (
                "http://h:1",
                Some("t/x/y %"),
                "/breaker/latencies?above=3",
                "http://h:1/breakers/t/keys/x%2Fy%20%25/latencies?above=3",
            ),
            ("http://h:1", Some("t/"), "/breaker/reset", "http://h:1/breakers/t/reset"),
        ] {
            assert_eq!(url(base, breaker, path), expected);
        }
        assert!(target("/x").is_err() && target("a b").is_err());
    }
}
