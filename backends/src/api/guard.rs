//! Asks for the token, and protects the API from web pages of other sites.
//!
//! A request with a valid token passes: a page of another site has none. Every other request must name a host that this server
//! is known under, which stops DNS rebinding, and a request that changes something must have no `Origin` but that host, which
//! stops forged requests. `/health` and `/ready` answer under any name.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::error::ApiError;
use super::hosts::AllowedHost;
use super::token::Token;

/// Who may use the API: what the guards need of its state.
#[derive(Debug, Clone)]
pub(super) struct AccessRules {
    /// The token that requests must carry, if any.
    pub(super) token: Option<Token>,
    /// The address that the server listens on.
    pub(super) listen: SocketAddr,
    /// Names of the server beside its own.
    pub(super) hosts: Arc<[AllowedHost]>,
}

/// A request with a valid token, among its extensions.
#[derive(Debug, Clone, Copy)]
struct Authorized;

/// Lets through what carries the token, and what is public. Marks the first with [`Authorized`].
pub(super) async fn require_token(State(rules): State<AccessRules>, mut request: Request, next: Next) -> Response {
    if let Some(token) = &rules.token {
        if token.is_carried_by(request.headers()) {
            request.extensions_mut().insert(Authorized);
        } else if !is_public(&request) {
            return unauthorized();
        }
    }
    next.run(request).await
}

fn is_public(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    // The scenarios are for operators.
    let is_demo = path == "/test" || (path.starts_with("/test/") && path != "/test/scenarios");
    reads && (is_demo || matches!(path, "/" | "/health" | "/ready"))
}

fn unauthorized() -> Response {
    let error = ApiError::new(StatusCode::UNAUTHORIZED, "this needs the bearer token")
        .field("Authorization", "Bearer followed by the token");
    let mut response = error.into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Rejects requests for a foreign host, and changes that a foreign page asks for.
pub(super) async fn reject_foreign(State(rules): State<AccessRules>, request: Request, next: Next) -> Response {
    let is_exempt = request.extensions().get::<Authorized>().is_some() || is_static(&rules, &request);
    let checked = if is_exempt { Ok(()) } else { check(request.method(), request.uri(), request.headers(), &rules) };
    match checked {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The dashboard's page counts as static only where its data needs a token.
fn is_static(rules: &AccessRules, request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    reads
        && match request.uri().path() {
            "/health" | "/ready" => true,
            "/" => rules.token.is_some(),
            _ => false,
        }
}

fn check(method: &Method, uri: &Uri, headers: &HeaderMap, rules: &AccessRules) -> Result<(), ApiError> {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    // A browser always names one.
    if reads && uri.authority().is_none() && !headers.contains_key(HOST) {
        return Ok(());
    }
    let host = host(uri, headers).ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, "there is no valid Host").field("Host", "one host, with or without port")
    })?;
    let listen = rules.listen.ip();
    let is_limited = listen.to_canonical().is_loopback() || !rules.hosts.is_empty();
    if is_limited && !is_ours(&host, listen) && !is_allowed(&host, &rules.hosts) {
        let named = rules.hosts.iter().fold(String::new(), |text, host| format!("{text}, {host}"));
        let allowed = format!("localhost, a loopback address, {listen}{named}; more by http.allowed_hosts");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "the Host header names a host that is not allowed")
            .field("Host", allowed));
    }
    if reads {
        return Ok(());
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    if origins.all(|origin| origin.to_str().is_ok_and(|origin| is_same(origin, &host))) {
        return Ok(());
    }
    let error = ApiError::new(StatusCode::FORBIDDEN, "the request comes from a foreign web page");
    Err(error.field("Origin", format!("none, or that of {host}")))
}

/// The host that the request is for: that of the target where it names one, else the one `Host`.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return None;
    }
    let host = match uri.authority() {
        Some(authority) => authority.clone(),
        None => header?.to_str().ok()?.parse().ok()?,
    };
    let has_user = host.as_str().contains('@');
    (!host.host().is_empty() && !has_user).then_some(host)
}

fn is_allowed(host: &Authority, hosts: &[AllowedHost]) -> bool {
    hosts.iter().any(|allowed| host.host().eq_ignore_ascii_case(allowed.as_str()))
}

/// The port is not compared: it may have been forwarded.
fn is_ours(host: &Authority, listen: IpAddr) -> bool {
    let name = host.host();
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let address = bare.parse::<IpAddr>().map(|address| address.to_canonical());
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback() || address == listen)
}

/// The origin is the host itself; a port that is not written is the one of the origin's scheme.
fn is_same(origin: &str, host: &Authority) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let Ok(origin) = rest.parse::<Authority>() else { return false };
    // Browsers send no user information.
    if origin.as_str().contains('@') {
        return false;
    }
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
    origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(host)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn answer(listen: &str, headers: &[(http::HeaderName, &str)]) -> u16 {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        answer_to(&Method::POST, &rules(listen), &headers)
    }

    fn rules(listen: &str) -> AccessRules {
        AccessRules { token: None, listen: listen.parse().unwrap(), hosts: [].into() }
    }

    fn answer_to(method: &Method, rules: &AccessRules, headers: &HeaderMap) -> u16 {
        check(method, &Uri::from_static("/breaker/reset"), headers, rules)
            .map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    #[test]
    fn on_loopback_only_loopback_hosts_are_ours() {
        for host in ["localhost", "LocalHost:9000", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"] {
            assert_eq!(answer("127.0.0.1:8080", &[(HOST, host)]), 200, "{host}");
        }
        for host in ["example.org", "localhost.example.org", "10.0.0.1", "127.0.0.1.example.org", "[::2]"] {
            assert_eq!(answer("127.0.0.1:8080", &[(HOST, host)]), 403, "{host}");
        }
        assert_eq!(answer("0.0.0.0:8080", &[(HOST, "breaker.example.org")]), 200);
    }

    #[test]
    fn a_host_that_is_missing_double_or_no_host_is_a_bad_request() {
        assert_eq!(answer("127.0.0.1:8080", &[]), 400);
        assert_eq!(answer("127.0.0.1:8080", &[(HOST, "a b")]), 400);
        assert_eq!(answer("127.0.0.1:8080", &[(HOST, "me@localhost")]), 400);
        let mut double = HeaderMap::new();
        double.append(HOST, "localhost".parse().unwrap());
        double.append(HOST, "localhost".parse().unwrap());
        for method in [Method::POST, Method::GET] {
            assert_eq!(answer_to(&method, &rules("127.0.0.1:8080"), &double), 400);
        }
        assert_eq!(
            answer_to(&Method::GET, &rules("127.0.0.1:8080"), &HeaderMap::new()),
            200,
            "no browser leaves it out"
        );
    }

    #[test]
    fn an_origin_must_be_the_host_itself() {
        let with = |origin| answer("127.0.0.1:8080", &[(HOST, "localhost:8080"), (ORIGIN, origin)]);
        assert_eq!(with("http://localhost:8080"), 200);
        for foreign in [
            "http://localhost",
            "http://localhost:8081",
            "http://127.0.0.1:8080",
            "https://example.org",
            "null",
            "http://me@localhost:8080",
            "http://example.org@localhost:8080",
        ] {
            assert_eq!(with(foreign), 403, "{foreign}");
        }
    }

    #[test]
    fn behind_a_proxy_the_default_port_may_be_left_out() {
        let with = |origin| answer("0.0.0.0:8080", &[(HOST, "breaker.example.org"), (ORIGIN, origin)]);
        assert_eq!(with("https://breaker.example.org"), 200);
        assert_eq!(with("https://breaker.example.org:443"), 200);
        assert_eq!(with("http://breaker.example.org:8080"), 403);
    }

    #[test]
    fn reading_needs_a_known_host_and_no_origin() {
        let headers = |host: &str| {
            [(HOST, host.parse().unwrap()), (ORIGIN, "https://example.org".parse().unwrap())].into_iter().collect()
        };
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert_eq!(answer_to(&method, &rules("127.0.0.1:8080"), &headers("127.0.0.1:8080")), 200, "{method}");
            assert_eq!(answer_to(&method, &rules("127.0.0.1:8080"), &headers("rebound.example.org")), 403, "{method}");
        }
    }

    #[test]
    fn allowed_hosts_are_added_to_our_own_names() {
        for listen in ["127.0.0.1:8080", "0.0.0.0:8080"] {
            let hosts = ["ops.example.org", "2001:db8::1"].map(|host| host.parse().unwrap());
            let rules = AccessRules { hosts: hosts.into(), ..rules(listen) };
            let get =
                |host: &str| answer_to(&Method::GET, &rules, &[(HOST, host.parse().unwrap())].into_iter().collect());
            for host in ["ops.example.org", "OPS.example.org:8443", "localhost", "[2001:db8::1]:443"] {
                assert_eq!(get(host), 200, "{listen} {host}");
            }
            assert_eq!(get("example.org"), 403, "{listen}");
        }
    }
}
