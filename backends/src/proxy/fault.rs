//! The reasons for which the proxy responds itself.

use http::StatusCode;

/// The reason for which the proxy responds itself, apart from a rejection by the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The request is invalid; the text states the reason.
    BadRequest(&'static str),
    /// No route matches.
    NoRoute,
    /// CONNECT or TRACE.
    Method,
    /// The client does not send the rest of its body.
    RequestTimeout,
    /// The body is larger than `max_body`.
    BodyTooLarge,
    /// The target is too long.
    TargetTooLong,
    /// An expectation other than 100-continue.
    Expectation,
    /// A transfer coding other than exactly chunked.
    TransferCoding,
    /// No slot in the pool became free in time.
    Busy,
    /// The upstream cannot be reached, or its response is invalid.
    BadGateway(&'static str),
    /// The upstream did not answer in time.
    GatewayTimeout(&'static str),
    /// A fault of the proxy.
    Internal,
}

impl Fault {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadGateway(_) => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The text for the client.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::BadRequest(words) | Self::BadGateway(words) | Self::GatewayTimeout(words) => words,
            Self::NoRoute => "no route",
            Self::Method => "method not allowed",
            Self::RequestTimeout => "the request did not come in time",
            Self::BodyTooLarge => "request body too large",
            Self::TargetTooLong => "request target too long",
            Self::Expectation => "expectation not supported",
            Self::TransferCoding => "transfer coding not supported",
            Self::Busy => "busy",
            Self::Internal => "internal error",
        }
    }
}
