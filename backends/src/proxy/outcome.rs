//! The outcome of a call, from the upstream's response.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use tripline_runtime::core::Outcome;

use super::headers::is_grpc;
use crate::config::Statuses;
use crate::tower::grpc_outcome;

/// Returns the outcome that the head of a response shows; `None` if trailers decide.
pub(super) fn of_head(status: StatusCode, headers: &HeaderMap, failures: &Statuses) -> Option<Outcome> {
    if failures.contains(status.as_u16()) {
        return Some(Outcome::Failed);
    }
    if is_grpc(headers) { grpc_outcome(headers) } else { Some(Outcome::Ok) }
}

/// How long a service that is overloaded asks for no calls: the `Retry-After` of a 429 or 503, in seconds or as a date.
pub(super) fn retry_after(
    status: StatusCode,
    headers: &HeaderMap,
    now: impl FnOnce() -> SystemTime,
) -> Option<Duration> {
    if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return (!text.is_empty()).then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    httpdate::parse_http_date(text).ok()?.duration_since(now()).ok()
}

/// Returns the outcome from the trailers, if the head shows none.
pub(super) fn of_trailers(trailers: &HeaderMap) -> Outcome {
    grpc_outcome(trailers).unwrap_or(Outcome::Ok)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_by_a_date() {
        let now = httpdate::parse_http_date("Sun, 29 Nov 2026 18:00:00 GMT").unwrap();
        let asked = |status: u16, value: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(StatusCode::from_u16(status).unwrap(), &headers, || now).map(|wait| wait.as_secs())
        };
        assert_eq!(asked(503, "120"), Some(120));
        assert_eq!(asked(429, " 7 "), Some(7));
        assert_eq!(asked(503, "Sun, 29 Nov 2026 18:01:30 GMT"), Some(90));
        assert_eq!(asked(503, "99999999999999999999"), Some(u64::MAX));
        for (status, value) in [(500, "120"), (200, "120"), (503, ""), (503, "-1"), (503, "1.5"), (503, "soon")] {
            assert_eq!(asked(status, value), None, "{status} {value:?}");
        }
        assert_eq!(asked(503, "Sun, 29 Nov 2026 17:00:00 GMT"), None, "it is over");
    }
}
