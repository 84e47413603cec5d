//! Why there is no answer.

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use smol::Timer;
use smol::future::or;

/// A part of a request that has a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Looking the name up and connecting.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Waiting for the proxy's tunnel.
    Proxy,
    /// Waiting for the head of the answer.
    Head,
    /// Everything together.
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

/// There is no answer. No text names the address or anything that was sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// The request cannot be sent as it is.
    Request(String),
    /// The name is unknown, or no process listens.
    Connect(io::Error),
    /// The proxy cannot be reached, or makes no tunnel.
    Proxy(String),
    /// There is no way to speak TLS with the server, or it is not who it should be.
    Tls(String),
    /// The connection broke off, or what came back is no HTTP.
    Broken(hyper::Error),
    /// The body of the answer is larger than this.
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// It took too long.
    TimedOut {
        /// Which part did.
        phase: Phase,
        /// The time it had.
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
    /// The same, of the connection to the proxy.
    pub(super) fn of_proxy(self) -> Self {
        Self::Proxy(self.to_string())
    }
}

/// The result of `work`, or an error when it takes longer than `limit`.
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
