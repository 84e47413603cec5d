//! Responses that the proxy generates itself.

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use http::{Response, StatusCode, Version};
use tripline_runtime::Rejection;
use tripline_runtime::core::RejectionReason;

use super::fault::Fault;
use super::headers::is_grpc;
use super::relay::ResponseBody;
use crate::config::RejectedAnswer;

const X_TRIPLINE: HeaderName = HeaderName::from_static("x-tripline");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// gRPC status codes: deadline exceeded, and unavailable.
const GRPC_TIMEOUT: u16 = 4;
const GRPC_UNAVAILABLE: u16 = 14;

/// The properties of a request that determine the response, besides its reason.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    wants_json: bool,
    is_grpc: bool,
    version: Version,
}

impl Asker {
    pub(super) fn new(headers: &HeaderMap, version: Version) -> Self {
        let accepted = headers.get(ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
        Self {
            wants_json: accepted.windows(4).any(|word| word.eq_ignore_ascii_case(b"json")),
            is_grpc: is_grpc(headers),
            version,
        }
    }

    /// Returns the response to a request that cannot be forwarded, or that the upstream did not answer.
    pub(super) fn fault(self, fault: Fault) -> Response<ResponseBody> {
        let status = fault.status();
        if self.is_grpc && status.is_server_error() {
            let code = if status == StatusCode::GATEWAY_TIMEOUT { GRPC_TIMEOUT } else { GRPC_UNAVAILABLE };
            return grpc(code, fault.words());
        }
        let mut response = self.short(status, fault.words());
        match fault {
            Fault::Method => {
                let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
                response.headers_mut().insert(ALLOW, methods);
            }
            Fault::Busy => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }

    /// Returns the response to a request that the breaker rejects. `configured` replaces the default, except for gRPC.
    pub(super) fn rejection(
        self,
        rejection: &Rejection,
        configured: Option<&RejectedAnswer>,
        with_header: bool,
    ) -> Response<ResponseBody> {
        let seconds = rejection.retry_after.map_or(1, |wait| wait.as_millis().div_ceil(1_000).max(1));
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        let words = format!("breaker {} is open: {}", rejection.breaker, rejection.reason.as_str());
        let mut response = match configured {
            _ if self.is_grpc => {
                let mut response = grpc(GRPC_UNAVAILABLE, &words);
                let millis = rejection.retry_after.map_or(1_000, |wait| wait.as_millis().max(1));
                let millis = u64::try_from(millis).unwrap_or(u64::MAX);
                response.headers_mut().insert(GRPC_PUSHBACK, millis.into());
                response
            }
            Some(answer) => self.configured(answer, &words),
            None => self.short(StatusCode::SERVICE_UNAVAILABLE, &words),
        };
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
        if with_header {
            let state = match rejection.reason {
                RejectionReason::Probing => "half_open",
                RejectionReason::ForcedOpen => "forced_open",
                _ => "open",
            };
            let text = format!("{state}; reason={}; breaker={}", rejection.reason.as_str(), rejection.breaker);
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(X_TRIPLINE, value);
            }
        }
        response
    }

    fn configured(self, answer: &RejectedAnswer, words: &str) -> Response<ResponseBody> {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let Some(body) = &answer.body else { return self.short(status, words) };
        let kind = HeaderValue::from_str(&answer.content_type);
        whole(status, kind.unwrap_or(HeaderValue::from_static("text/plain")), body.clone())
    }

    /// Returns a short body as JSON or text, without caching.
    fn short(self, status: StatusCode, words: &str) -> Response<ResponseBody> {
        if self.wants_json {
            // Nothing here needs escaping: names and reasons are plain words.
            whole(status, HeaderValue::from_static("application/json"), format!("{{\"error\":\"{words}\"}}"))
        } else {
            whole(status, HeaderValue::from_static("text/plain; charset=utf-8"), format!("{words}\n"))
        }
    }

    /// Closes the connection after `response`.
    pub(super) fn close(self, response: &mut Response<ResponseBody>) {
        if self.version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

fn whole(status: StatusCode, kind: HeaderValue, body: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn grpc(code: u16, words: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, code.into());
    if let Ok(words) = HeaderValue::from_str(words) {
        headers.insert(GRPC_MESSAGE, words);
    }
    response
}
