//! What a caller gets whose call was not admitted.

use http::{Response, StatusCode, header};
use tripline_runtime::Rejection;

use tripline_runtime::CallError;

/// What a caller gets whose call was not admitted: an error or a response of the inner service's type.
///
/// [`FailWithError`] is the default, [`RespondWith`] comes from [`respond_with`](super::BreakerLayer::respond_with).
pub trait OnRejection<Res, E> {
    /// The error of the whole service.
    type Error;

    /// The answer to a call that was not made.
    ///
    /// # Errors
    /// Where a rejection is an error.
    fn reject(&self, rejection: Rejection) -> Result<Res, Self::Error>;

    /// The inner service's error, as one of the whole service.
    fn inner(error: E) -> Self::Error;
}

/// A rejection is [`CallError::Rejected`], the inner service's errors are [`CallError::Failed`].
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

/// A rejection is a response, errors are the inner service's.
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

/// `503 Service Unavailable` with `{"error", "breaker", "reason", "retry_after_ms"}` and `Retry-After` in whole seconds, rounded
/// up. Where the time is unknown, `retry_after_ms` is null and the header says 1.
pub fn service_unavailable<B: From<String>>(rejection: &Rejection) -> Response<B> {
    let millis = rejection.retry_after.map_or("null".to_owned(), |wait| wait.as_millis().to_string());
    // Nothing here needs escaping: names and reasons are plain words.
    let body = format!(
        r#"{{"error":"{rejection}","breaker":"{}","reason":"{}","retry_after_ms":{millis}}}"#,
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
