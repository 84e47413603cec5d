//! Hop-by-hop fields, and fields that identify the client.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};

use super::request::Target;
use super::worker::Client;
use crate::config::Forwarded;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The standard hop-by-hop fields.
static HOP_BY_HOP: [HeaderName; 8] =
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION];

/// Removes every hop-by-hop field: those that any `Connection` line names, and the standard ones.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        // Removed in any case.
        .filter(|name| !name.eq_ignore_ascii_case(b"keep-alive") && !name.eq_ignore_ascii_case(b"close"))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        // A `Connection` field must not decide the length of a body.
        .filter(|name| *name != CONTENT_LENGTH && *name != HOST)
        .collect();
    for name in named {
        headers.remove(name);
    }
    // Most heads have one of them at most: looking is quicker than removing.
    if headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        for name in &HOP_BY_HOP {
            headers.remove(name);
        }
    }
}

/// Whether `TE` has the member `trailers`.
pub(super) fn accepts_trailers(headers: &HeaderMap) -> bool {
    has_token(headers, &TE, "trailers")
}

/// Whether a list field has `token` as a member, ignoring case.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|member| member.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether a request or a response is gRPC.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(b"application/grpc") && !kind.starts_with(b"application/grpc-web")
}

/// Joins the lines of `Cookie`, of which HTTP/2 allows several and HTTP/1 one.
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Sets the fields that identify the client, as selected by `mode`. Those of a trusted client are kept.
pub(super) fn forward_client(headers: &mut HeaderMap, mode: Forwarded, client: &Client, target: &Target) {
    if !client.is_trusted {
        let names: Vec<HeaderName> = headers.keys().filter(|name| is_about_client(name)).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
    if matches!(mode, Forwarded::XForwarded | Forwarded::Both) {
        append_to_list(headers, &X_FORWARDED_FOR, client.node.clone());
        let proto = if client.is_tls { "https" } else { "http" };
        headers.entry(X_FORWARDED_PROTO).or_insert(HeaderValue::from_static(proto));
        headers.entry(X_FORWARDED_HOST).or_insert_with(|| target.authority.clone());
    }
    if matches!(mode, Forwarded::Standard | Forwarded::Both) {
        let node = match client.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let proto = if client.is_tls { "https" } else { "http" };
        // A host contains no quotes and no backslashes.
        if let Ok(member) = format!("for={node};host=\"{}\";proto={proto}", target.authority()).try_into() {
            append_to_list(headers, &FORWARDED, member);
        }
    }
}

/// Whether a proxy identifies its client by this field.
fn is_about_client(name: &HeaderName) -> bool {
    *name == FORWARDED || name.as_str().starts_with("x-forwarded-")
}

/// Appends a member to a list field, in one line.
fn append_to_list(headers: &mut HeaderMap, name: &HeaderName, member: HeaderValue) {
    if !headers.contains_key(name) {
        headers.insert(name, member);
        return;
    }
    let mut lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    lines.push(member.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&lines.join(&b", "[..])) {
        headers.insert(name, value);
    }
}
