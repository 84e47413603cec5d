//! Rewrites the heads of requests to the upstream and of responses to the client.

use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderValue, TE, TRANSFER_ENCODING};
use http::uri::Scheme;
use http::{Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;

use super::body::RequestBody;
use super::headers::{accepts_trailers, forward_client, join_cookies, strip_hop_by_hop};
use super::request::Target;
use super::upstream::Server;
use super::worker::Client;
use crate::config::{Forwarded, HostHeader};

/// Fields that a request may get.
const ADDED: usize = 6;

/// Rewrites the head of a client's request for the upstream. [`aim`] sets address and `Host`.
pub(super) fn request(request: &mut Request<RequestBody>, target: &Target, client: &Client, forwarded: Forwarded) {
    let wants_trailers = accepts_trailers(request.headers());
    let has_length = request.body().size_hint().exact().is_some();
    let headers = request.headers_mut();
    // For what is added below: a map that grows hashes its fields again.
    headers.reserve(ADDED);
    strip_hop_by_hop(headers);
    headers.remove(EXPECT);
    join_cookies(headers);
    forward_client(headers, forwarded, client, target);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if !has_length {
        // Without it the body of a GET is lost.
        headers.remove(CONTENT_LENGTH);
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Addresses a request to `server`.
pub(super) fn aim(
    request: &mut Request<RequestBody>,
    target: &Target,
    server: &Server,
    host: &HostHeader,
    is_h2: bool,
) {
    let preserved = Some(&target.authority).filter(|authority| *host == HostHeader::Preserve && !authority.is_empty());
    let authority = match (host, preserved) {
        (HostHeader::Literal(host), _) => host.as_str(),
        (_, Some(_)) => target.authority(),
        (_, None) => server.url.authority(),
    };
    let path = target.path.clone();
    if is_h2 {
        request.headers_mut().remove(HOST);
        request.headers_mut().remove(TRANSFER_ENCODING);
        let scheme = if server.url.is_https() { Scheme::HTTPS } else { Scheme::HTTP };
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
        *request.uri_mut() = uri.unwrap_or_default();
        *request.version_mut() = Version::HTTP_2;
    } else {
        *request.uri_mut() = Uri::from(path);
        *request.version_mut() = Version::HTTP_11;
        if let Ok(host) = preserved.cloned().map_or_else(|| HeaderValue::from_str(authority), Ok) {
            request.headers_mut().insert(HOST, host);
        }
    }
}

/// Rewrites the head of an upstream's response for the client. `is_upgrade`: the upstream agrees to a WebSocket.
///
/// # Errors
/// The reason for which the response is invalid.
pub(super) fn response<B>(response: &mut Response<B>, is_upgrade: bool) -> Result<(), &'static str> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !is_upgrade {
        return Err("the upstream switched protocols unasked");
    }
    if response.status().as_u16() > 599 {
        return Err("the upstream answered with an invalid status");
    }
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    if headers.contains_key(TRANSFER_ENCODING) {
        if !is_chunked_only(headers) {
            return Err("the upstream answered with an unknown transfer coding");
        }
        // hyper would keep the length, and the client would parse another body than the proxy.
        headers.remove(CONTENT_LENGTH);
    }
    unify_lengths(headers);
    strip_hop_by_hop(headers);
    Ok(())
}

/// Replaces a `Content-Length` that states the same number several times by one number, as RFC 9110 section 8.6 requires of a proxy. Removes one
/// that is not a number: hyper rejects it in a response with a body, and accepts it in one without (to HEAD, 204, 304).
fn unify_lengths(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lines.next() else { return };
    if lines.next().is_none() && number(first.as_bytes()).is_some() {
        return;
    }
    let lines = headers.get_all(CONTENT_LENGTH).iter();
    let mut numbers = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(number);
    let first = numbers.next().flatten();
    match first.filter(|first| numbers.all(|other| other == Some(*first))) {
        Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
        None => headers.remove(CONTENT_LENGTH),
    };
}

/// A number in digits only, with spaces around it.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    let is_number = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

fn is_chunked_only(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let (first, second) = (codings.next(), codings.next());
    first.is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")) && second.is_none()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_forwarded_with_one_length_or_none() {
        let lengths = |lines: &[&'static str]| {
            let mut answer = Response::new(());
            for line in lines {
                answer.headers_mut().append(CONTENT_LENGTH, HeaderValue::from_static(line));
            }
            response(&mut answer, false).unwrap();
            let lengths = answer.headers().get_all(CONTENT_LENGTH).iter();
            lengths.map(|length| length.to_str().unwrap().trim().to_owned()).collect::<Vec<_>>()
        };
        for lines in [&["5"][..], &["5, 5"], &["5,5,5"], &["5", "5"], &["5 , 5", "5"], &[" 5"]] {
            assert_eq!(lengths(lines), ["5"], "{lines:?}");
        }
        let none = [
            &[][..],
            &["5, 6"],
            &["5", "6"],
            &["5,"],
            &[""],
            &[","],
            &["+5"],
            &["-5"],
            &["5 5"],
            &["5, 99999999999999999999"],
        ];
        for lines in none {
            assert!(lengths(lines).is_empty(), "{lines:?}");
        }
    }
}
