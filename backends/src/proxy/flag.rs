//! What was special about a request, in one word.

/// What was special about a request. It stands in the access log and in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Flag {
    /// Nothing: the upstream has answered.
    None,
    /// The breaker rejected it.
    Rejected,
    /// The breaker would have rejected it, in observe mode.
    WouldReject,
    /// The breaker rejected it, and the fallback upstream answered.
    Fallback,
    /// There was no place in the pool in time.
    Busy,
    /// No connection to the upstream.
    UpstreamConnect,
    /// No head in time.
    UpstreamTimeout,
    /// The upstream broke off, or its response is not valid.
    UpstreamReset,
    /// The client went away.
    ClientGone,
    /// The request is not valid, or too large.
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
