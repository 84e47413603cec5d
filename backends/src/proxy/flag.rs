//! Flags of requests, one word each.

/// The flag of a request in the access log and in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Flag {
    /// None: the upstream responded.
    None,
    /// The breaker rejected it.
    Rejected,
    /// The breaker would have rejected it, in observe mode.
    WouldReject,
    /// The breaker rejected it, and the fallback upstream responded.
    Fallback,
    /// No slot in the pool became free in time.
    Busy,
    /// No connection to the upstream.
    UpstreamConnect,
    /// The head of the response did not arrive in time.
    UpstreamTimeout,
    /// The upstream broke off, or its response is invalid.
    UpstreamReset,
    /// The client disconnected.
    ClientGone,
    /// The request is invalid or too large.
    BadRequest,
    /// No route matches.
    NoRoute,
    /// It became a WebSocket.
    Upgraded,
    /// A fault of the proxy.
    Internal,
}

impl Flag {
    pub(super) const ALL: [Self; 13] = [
        Self::None,
        Self::Rejected,
        Self::WouldReject,
        Self::Fallback,
        Self::Busy,
        Self::UpstreamConnect,
        Self::UpstreamTimeout,
        Self::UpstreamReset,
        Self::ClientGone,
        Self::BadRequest,
        Self::NoRoute,
        Self::Upgraded,
        Self::Internal,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::Rejected => "rejected",
            Self::WouldReject => "would_reject",
            Self::Fallback => "fallback",
            Self::Busy => "busy",
            Self::UpstreamConnect => "upstream_connect",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamReset => "upstream_reset",
            Self::ClientGone => "client_gone",
            Self::BadRequest => "bad_request",
            Self::NoRoute => "no_route",
            Self::Upgraded => "upgraded",
            Self::Internal => "internal",
        }
    }
}
