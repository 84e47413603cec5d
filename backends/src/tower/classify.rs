//! The outcome of a call, from its response or error.

use http::{HeaderMap, Response, StatusCode};
use tripline_runtime::core::Outcome;

/// Decides the outcome of a call.
///
/// Functions of a result are classifiers too:
///
/// ```
/// use http::{Response, StatusCode};
/// use tripline_backends::tower::Classify;
/// use tripline_runtime::core::Outcome;
///
/// fn too_many_is_failed<B, E>(result: Result<&Response<B>, &E>) -> Outcome {
///     match result.map(Response::status) {
///         Ok(StatusCode::TOO_MANY_REQUESTS) | Err(_) => Outcome::Failed,
///         Ok(_) => Outcome::Ok,
///     }
/// }
/// let response = Response::new(());
/// assert_eq!(Classify::<_, ()>::classify(&too_many_is_failed, Ok(&response)), Outcome::Ok);
/// ```
pub trait Classify<Res, E> {
    /// Returns the outcome for the head of the response, or for the error.
    fn classify(&self, result: Result<&Res, &E>) -> Outcome;

    /// Returns the outcome at the end of the body, if the body is measured. `head` is the result of
    /// [`classify`](Classify::classify); the trailers are `None` if there were none. By default it is `head`. A body
    /// that ends with an error is failed without this call.
    fn classify_end(&self, head: Outcome, trailers: Option<&HeaderMap>) -> Outcome {
        let _ = trailers;
        head
    }
}

impl<F, Res, E> Classify<Res, E> for F
where
    F: Fn(Result<&Res, &E>) -> Outcome,
{
    fn classify(&self, result: Result<&Res, &E>) -> Outcome {
        self(result)
    }
}

/// Classifies an error or a status of 500 and above as failed, everything else as ok. The default.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpClassify;

impl<B, E> Classify<Response<B>, E> for HttpClassify {
    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) if !response.status().is_server_error() => Outcome::Ok,
            _ => Outcome::Failed,
        }
    }
}

/// Classifies by `grpc-status`, in the headers or, with [`measure_body`](super::BreakerLayer::measure_body), in the
/// trailers.
///
/// | status | outcome |
/// |---|---|
/// | unknown (2), deadline exceeded (4), resource exhausted (8), internal (13), unavailable (14), data loss (15), no number | failed |
/// | cancelled (1) | ignored |
/// | ok (0) and errors of the caller (all others) | ok |
///
/// An error or an HTTP status other than 200 is failed. Without any `grpc-status` the call is ok.
#[derive(Debug, Clone, Copy, Default)]
pub struct GrpcClassify;

impl<B, E> Classify<Response<B>, E> for GrpcClassify {
    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) if response.status() == StatusCode::OK => {
                grpc_outcome(response.headers()).unwrap_or(Outcome::Ok)
            }
            _ => Outcome::Failed,
        }
    }

    fn classify_end(&self, head: Outcome, trailers: Option<&HeaderMap>) -> Outcome {
        trailers.and_then(grpc_outcome).filter(|_| head == Outcome::Ok).unwrap_or(head)
    }
}

/// Returns the outcome of `grpc-status`; `None` without it.
pub(crate) fn grpc_outcome(headers: &HeaderMap) -> Option<Outcome> {
    let status = headers.get("grpc-status")?;
    Some(match status.to_str().ok().and_then(|text| text.parse::<u32>().ok()) {
        Some(1) => Outcome::Ignored,
        Some(2 | 4 | 8 | 13 | 14 | 15) | None => Outcome::Failed,
        Some(_) => Outcome::Ok,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: StatusCode) -> Outcome {
        let mut response = Response::new(());
        *response.status_mut() = status;
        Classify::<_, ()>::classify(&HttpClassify, Ok(&response))
    }

    fn grpc_trailers(status: &'static str) -> Outcome {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static(status));
        Classify::<Response<()>, ()>::classify_end(&GrpcClassify, Outcome::Ok, Some(&trailers))
    }

    #[test]
    fn only_the_servers_own_faults_are_failures_over_http() {
        assert_eq!(http(StatusCode::OK), Outcome::Ok);
        assert_eq!(http(StatusCode::NOT_FOUND), Outcome::Ok);
        assert_eq!(http(StatusCode::INTERNAL_SERVER_ERROR), Outcome::Failed);
        assert_eq!(Classify::<Response<()>, ()>::classify(&HttpClassify, Err(&())), Outcome::Failed);
    }

    #[test]
    fn a_grpc_status_decides_wherever_it_stands() {
        assert_eq!(grpc_trailers("0"), Outcome::Ok);
        assert_eq!(grpc_trailers("5"), Outcome::Ok);
        assert_eq!(grpc_trailers("14"), Outcome::Failed);
        assert_eq!(grpc_trailers("1"), Outcome::Ignored);
        assert_eq!(grpc_trailers("what"), Outcome::Failed);
        let mut response = Response::new(());
        assert_eq!(Classify::<_, ()>::classify(&GrpcClassify, Ok(&response)), Outcome::Ok);
        response.headers_mut().insert("grpc-status", http::HeaderValue::from_static("13"));
        assert_eq!(Classify::<_, ()>::classify(&GrpcClassify, Ok(&response)), Outcome::Failed);
    }

    #[test]
    fn a_grpc_failure_in_the_head_is_not_undone_by_trailers() {
        let trailers =
            HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static("0"))]);
        let end = Classify::<Response<()>, ()>::classify_end(&GrpcClassify, Outcome::Failed, Some(&trailers));
        assert_eq!(end, Outcome::Failed);
    }
}
