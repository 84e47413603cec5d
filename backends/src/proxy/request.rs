//! The head of a request: validation before forwarding.

use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Uri, Version};

use super::fault::Fault;
use super::heads::HasFragment;
use crate::text::without_port;

/// Maximum length of a target, in bytes.
const MAX_TARGET: usize = 16 << 10;

/// The target of a valid request. It shares the bytes of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// As the client sent it, with the port if there is one; empty without a host.
    pub(super) authority: HeaderValue,
    /// Path and query, or `*`.
    pub(super) path: PathAndQuery,
}

impl Target {
    /// Parses the target of a request and validates its head.
    ///
    /// # Errors
    /// [`Fault`] for a request that two parsers might understand differently, and for one that cannot be forwarded.
    pub(super) fn of<B>(request: &Request<B>) -> Result<Self, Fault> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(Fault::Method);
        }
        if request.extensions().get::<HasFragment>().is_some() {
            return Err(Fault::BadRequest("invalid target"));
        }
        let authority = authority(uri, headers, request.version())?;
        let path = path(uri, method)?;
        transfer_coding(headers)?;
        // A value that hyper has accepted is a number; in HTTP/2 it passes on a list of equal ones.
        if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
            return Err(Fault::BadRequest("more than one content-length"));
        }
        if headers.get_all(EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
            return Err(Fault::Expectation);
        }
        Ok(Self { authority, path })
    }

    /// Returns the host and port as text.
    pub(super) fn authority(&self) -> &str {
        // It was validated.
        self.authority.to_str().unwrap_or_default()
    }

    /// Returns the host without the port, as the client sent it.
    pub(super) fn host(&self) -> &str {
        without_port(self.authority())
    }

    /// Returns the path without the query.
    pub(super) fn route_path(&self) -> &str {
        self.path.path()
    }
}

/// Returns the authority: that of the target has precedence over `Host`; in HTTP/2 they must agree.
fn authority(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<HeaderValue, Fault> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(Fault::BadRequest("more than one host")),
        (None, _) => None,
        (Some(host), None) => {
            valid_authority(host.to_str().map_err(|_| INVALID_HOST)?)?;
            Some(host)
        }
    };
    let of_target = uri.authority().map(|authority| valid_authority(authority.as_str())).transpose()?;
    match (of_target, host) {
        (Some(target), Some(host))
            if version == Version::HTTP_2 && !target.as_bytes().eq_ignore_ascii_case(host.as_bytes()) =>
        {
            Err(Fault::BadRequest("host and :authority differ"))
        }
        // RFC 9112 §3.2: a request of HTTP/1.1 has a Host, also with a target in absolute form.
        (Some(_), None) if version == Version::HTTP_11 => Err(Fault::BadRequest("no host")),
        (Some(target), _) => HeaderValue::from_str(target).map_err(|_| INVALID_HOST),
        (None, Some(host)) => Ok(host.clone()),
        (None, None) if version == Version::HTTP_10 => Ok(HeaderValue::from_static("")),
        (None, None) => Err(Fault::BadRequest("no host")),
    }
}

const INVALID_HOST: Fault = Fault::BadRequest("invalid host");

/// Validates a host with an optional port, without user and password.
fn valid_authority(text: &str) -> Result<&str, Fault> {
    if is_name_or_v4(text) {
        return Ok(text);
    }
    if text.contains('@') {
        return Err(INVALID_HOST);
    }
    let authority: Authority = text.parse().map_err(|_| INVALID_HOST)?;
    let host = authority.host();
    let port = text.get(host.len()..).unwrap_or_default();
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%[]:".contains(&byte);
    let is_valid = (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        && !host.is_empty()
        && host.bytes().all(is_host);
    if is_valid { Ok(text) } else { Err(INVALID_HOST) }
}

/// Whether this is what nearly every request has: a name or an IPv4 address with an optional port.
fn is_name_or_v4(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn path(uri: &Uri, method: &Method) -> Result<PathAndQuery, Fault> {
    const INVALID: Fault = Fault::BadRequest("invalid target");
    if uri.scheme().is_none() && uri.authority().is_some() {
        // The form of CONNECT.
        return Err(INVALID);
    }
    let whole = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let path = whole.as_str();
    if path.len() > MAX_TARGET {
        return Err(Fault::TargetTooLong);
    }
    if path == "*" {
        return if method == Method::OPTIONS { Ok(whole) } else { Err(INVALID) };
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(INVALID);
    }
    match path.as_bytes().first() {
        Some(b'/') => Ok(whole),
        // Absolute form without a path, and with a query.
        Some(b'?') => format!("/{path}").parse().map_err(|_| INVALID),
        _ => Err(INVALID),
    }
}

/// Accepts only exactly one `chunked`.
fn transfer_coding(headers: &HeaderMap) -> Result<(), Fault> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Fault::TransferCoding),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for good in ["a", "a.example:80", "127.0.0.1:3000", "[::1]", "[::1]:80", "xn--a", "a_b"] {
            assert!(valid_authority(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a:+80",
            "[::1]:+80",
            "a b",
            "a:b",
            "a:",
            "u@a",
            "a/b",
            "a?b",
            "a:99999",
            "a,b",
            "a\"",
            "a\\b",
            "[::1",
            "a:80:80",
        ] {
            assert!(valid_authority(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_host_of_a_route_has_no_port_and_no_brackets() {
        let host = |authority: &'static str| {
            let authority = HeaderValue::from_static(authority);
            Target { authority, path: PathAndQuery::from_static("/") }.host().to_owned()
        };
        assert_eq!(host("Shop.Example:8000"), "Shop.Example");
        assert_eq!(host("[::1]:80"), "::1");
        assert_eq!(host("a"), "a");
    }
}
