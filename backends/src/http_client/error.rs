//! Errors of a request without a response.

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use smol::Timer;
use smol::future::or;

/// A phase of a request with its own time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Name resolution and connecting.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Waiting for the tunnel of the proxy.
    Proxy,
    /// Waiting for the head of the response.
    Head,
    /// The whole request.
    Whole,
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Tls => "no TLS handshake",
            Self::Proxy => "no tunnel through the proxy",
            Self::Head => "no answer",
            Self::Whole => "no complete answer",
        }
    }
}

/// A request without a response. No message contains the URL or anything that was sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// The request is invalid and cannot be sent.
    Request(String),
    /// The name is unknown, or nothing listens at the address.
    Connect(io::Error),
    /// The proxy is unreachable, or opens no tunnel.
    Proxy(String),
    /// The TLS handshake failed, or the server's certificate is not trusted.
    Tls(String),
    /// The connection broke, or the response is not HTTP.
    Broken(hyper::Error),
    /// The response body exceeds the limit.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A time limit expired.
    TimedOut {
        /// The phase that took too long.
        phase: Phase,
        /// The time limit of the phase.
        limit: Duration,
    },
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(what) => write!(f, "the request cannot be sent: {what}"),
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Proxy(what) => write!(f, "no connection through the proxy: {what}"),
            Self::Tls(what) => write!(f, "no TLS connection: {what}"),
            Self::Broken(error) => {
                write!(f, "the exchange broke off: {error}")?;
                std::error::Error::source(error).map_or(Ok(()), |source| write!(f, ": {source}"))
            }
            Self::TooLarge { limit } => write!(f, "the answer is larger than {limit} bytes"),
            Self::TimedOut { phase, limit } => write!(f, "{} within {limit:?}", phase.as_str()),
        }
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Broken(error) => Some(error),
            _ => None,
        }
    }
}

impl From<hyper::Error> for TransportError {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error)
    }
}

impl TransportError {
    /// The same error for the connection to the proxy.
    pub(super) fn of_proxy(self) -> Self {
        Self::Proxy(self.to_string())
    }
}

/// The result of `work`, or an error if it takes longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    phase: Phase,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    let over = async {
        Timer::after(limit).await;
        Err(TransportError::TimedOut { phase, limit })
    };
    or(work, over).await
}
