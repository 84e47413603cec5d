//! The result of a rejected call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Response, StatusCode, header};
use tripline_runtime::core::Instant;
use tripline_runtime::{Breaker, CallError, Rejection, TripExplanation};

/// The result of a rejected call: an error, or a response of the inner service's type.
///
/// [`FailWithError`] is the default, [`RespondWith`] comes from [`respond_with`](super::BreakerLayer::respond_with).
pub trait OnRejection<Res, E> {
    /// The error of the whole service.
    type Error;

    /// Returns the result of a call that was not made.
    ///
    /// # Errors
    /// An error if a rejection is an error.
    fn reject(&self, rejection: Rejection) -> Result<Res, Self::Error>;

    /// Converts the inner service's error to one of the whole service.
    fn inner(error: E) -> Self::Error;
}

/// A rejection is [`CallError::Rejected`], errors of the inner service are [`CallError::Failed`].
#[derive(Debug, Clone, Copy, Default)]
pub struct FailWithError;

impl<Res, E> OnRejection<Res, E> for FailWithError {
    type Error = CallError<E>;

    fn reject(&self, rejection: Rejection) -> Result<Res, CallError<E>> {
        Err(CallError::Rejected(rejection))
    }

    fn inner(error: E) -> CallError<E> {
        CallError::Failed(error)
    }
}

/// A rejection is a response, errors are those of the inner service.
#[derive(Clone, Copy)]
pub struct RespondWith<F> {
    respond: F,
}

impl<F> RespondWith<F> {
    pub(super) fn new(respond: F) -> Self {
        Self { respond }
    }
}

impl<F> std::fmt::Debug for RespondWith<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RespondWith").finish_non_exhaustive()
    }
}

impl<Res, E, F: Fn(&Rejection) -> Res> OnRejection<Res, E> for RespondWith<F> {
    type Error = E;

    fn reject(&self, rejection: Rejection) -> Result<Res, E> {
        Ok((self.respond)(&rejection))
    }

    fn inner(error: E) -> E {
        error
    }
}

/// Does the same as [`service_unavailable`], with the evidence of the trip of `breaker`: `"why"` is one line of text
/// (null while it is not open by itself), and `"drill"` is whether an operator simulates it. The evidence is read at
/// most ten times a second, so that rejections stay cheap.
pub fn service_unavailable_because<B: From<String>>(
    breaker: Breaker,
) -> impl Fn(&Rejection) -> Response<B> + Clone + Send + Sync + 'static {
    let cached: Arc<Mutex<Option<(Instant, String)>>> = Arc::default();
    move |rejection| {
        let now = breaker.clock().now();
        // No code panics while it holds the lock.
        let mut cached = cached.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = match &*cached {
            Some((at, fields)) if *at <= now && now.since(*at) < EVIDENCE_LIFETIME => fields.clone(),
            _ => {
                let fields = evidence(breaker.read(|core| breaker.explain(core)));
                cached.insert((now, fields)).1.clone()
            }
        };
        drop(cached);
        unavailable(rejection, &fields)
    }
}

/// How long evidence is shown before it is read again.
const EVIDENCE_LIFETIME: Duration = Duration::from_millis(100);

fn evidence(why: Option<TripExplanation>) -> String {
    // Nothing here needs escaping: the text has plain words and numbers.
    match why {
        Some(why) => format!(r#","why":"{why}","drill":{}"#, why.is_drill),
        None => r#","why":null,"drill":false"#.to_owned(),
    }
}

/// Returns `503 Service Unavailable` with `{"error", "breaker", "reason", "retry_after_ms"}` and `Retry-After` in whole
/// seconds, rounded up. If the time is unknown, `retry_after_ms` is null and the header is 1.
pub fn service_unavailable<B: From<String>>(rejection: &Rejection) -> Response<B> {
    unavailable(rejection, "")
}

fn unavailable<B: From<String>>(rejection: &Rejection, more: &str) -> Response<B> {
    let millis = rejection.retry_after.map_or("null".to_owned(), |wait| wait.as_millis().to_string());
    // Nothing here needs escaping: names and reasons are plain words.
    let body = format!(
        r#"{{"error":"{rejection}","breaker":"{}","reason":"{}","retry_after_ms":{millis}{more}}}"#,
        rejection.breaker,
        rejection.reason.as_str(),
    );
    let mut response = Response::new(B::from(body));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    let seconds = rejection.retry_after.map_or(1, |wait| wait.as_millis().div_ceil(1_000).max(1));
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}
