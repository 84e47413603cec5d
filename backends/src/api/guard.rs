//! Keeps web pages of other people from operating the breaker.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::error::ApiError;

/// The address that the server listens on.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListenAddr(pub(super) SocketAddr);

/// Lets through what only reads, and what does not come from a foreign page.
pub(super) async fn refuse_foreign(
    State(ListenAddr(listen)): State<ListenAddr>,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let checked = if reads { Ok(()) } else { check(request.uri(), request.headers(), listen) };
    match checked {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(uri: &Uri, headers: &HeaderMap, listen: SocketAddr) -> Result<(), ApiError> {
    let host = host(uri, headers).ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, "there is no valid Host").field("Host", "one host, with or without port")
    })?;
    if listen.ip().is_loopback() && !is_ours(&host, listen.ip()) {
        let allowed = format!("localhost, a loopback address or {}", listen.ip());
        return Err(ApiError::new(StatusCode::FORBIDDEN, "the request is for a foreign host").field("Host", allowed));
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    if origins.all(|origin| origin.to_str().is_ok_and(|origin| is_same(origin, &host))) {
        return Ok(());
    }
    let error = ApiError::new(StatusCode::FORBIDDEN, "the request comes from a foreign web page");
    Err(error.field("Origin", format!("none, or that of {host}")))
}

/// Whom the request is for: the target where it names a host, else the one `Host`.
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

/// Another port is no matter: it may have been forwarded.
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
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
    origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(host)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn answer(listen: &str, headers: &[(http::HeaderName, &str)]) -> u16 {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        check(&Uri::from_static("/breaker/reset"), &headers, listen.parse().unwrap())
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
        assert!(check(&Uri::from_static("/"), &double, "127.0.0.1:8080".parse().unwrap()).is_err());
    }

    #[test]
    fn an_origin_must_be_the_host_itself() {
        let with = |origin| answer("127.0.0.1:8080", &[(HOST, "localhost:8080"), (ORIGIN, origin)]);
        assert_eq!(with("http://localhost:8080"), 200);
        for foreign in
            ["http://localhost", "http://localhost:8081", "http://127.0.0.1:8080", "https://example.org", "null"]
        {
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
}
