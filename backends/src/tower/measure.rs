//! The end of a measured call.

use http::Response;
use http_body::Body;
use tripline_runtime::OwnedTimedPermit;

use super::body::MeasuredBody;
use super::classify::Classify;

/// The end of a measured call: [`ToHead`] or [`ToEndOfBody`].
pub trait Measure<Res, E, C>: sealed::Sealed {
    /// The response for the caller, given the inner service's response.
    type Response;

    /// Handles the result of the inner service.
    ///
    /// # Errors
    /// The inner service's error.
    fn answered(permit: OwnedTimedPermit, classify: C, result: Result<Res, E>) -> Result<Self::Response, E>;

    /// Wraps the response to a call that is not measured: it was rejected, or no breaker guards it.
    fn unmeasured(response: Res) -> Self::Response;
}

/// A call ends when the head of the response has arrived.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToHead;

impl<Res, E, C: Classify<Res, E>> Measure<Res, E, C> for ToHead {
    type Response = Res;

    fn answered(permit: OwnedTimedPermit, classify: C, result: Result<Res, E>) -> Result<Res, E> {
        permit.finish(classify.classify(result.as_ref()));
        result
    }

    fn unmeasured(response: Res) -> Res {
        response
    }
}

/// A call ends when the last frame of the body has been read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToEndOfBody;

impl<B: Body, E, C: Classify<Response<B>, E>> Measure<Response<B>, E, C> for ToEndOfBody {
    type Response = Response<MeasuredBody<B, E, C>>;

    fn answered(permit: OwnedTimedPermit, classify: C, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        let head = classify.classify(result.as_ref());
        match result {
            Ok(response) => Ok(response.map(|body| MeasuredBody::measured(body, permit, head, classify))),
            Err(error) => {
                permit.finish(head);
                Err(error)
            }
        }
    }

    fn unmeasured(response: Response<B>) -> Self::Response {
        response.map(MeasuredBody::unmeasured)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ToHead {}
    impl Sealed for super::ToEndOfBody {}
}
