//! Limits on one client of the server.

use std::time::Duration;

/// The HTTP library takes no smaller buffer.
pub(super) const MIN_HEAD_BYTES: usize = 8_192;

/// Limits on the clients of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Connections at a time; an idle one is closed to admit the next, and where none is idle the next waits. Default: 1,024; with 0
    /// no connection is served. It should leave descriptors for everything else that the process opens.
    pub max_connections: usize,
    /// Bytes in the head of a request; more is answered with 431. Default: 16 KiB; less than 8 KiB counts as 8 KiB.
    pub max_head_bytes: usize,
    /// Headers in a request; more is answered with 431. Default: 64.
    pub max_headers: usize,
    /// How long the head of a request may take, and how long a connection may wait for one. Default: 10 s.
    pub header_timeout: Duration,
    /// How long the body of a request may take, from its first reading. Default: 10 s.
    pub body_timeout: Duration,
    /// How long a client may read nothing of a response. Default: 10 s.
    pub write_timeout: Duration,
    /// How long a handler may go on after the client has closed its sending half, which a client that has gone does too. Default:
    /// 5 s.
    pub half_close_timeout: Duration,
    /// How long requests in flight may take after the stop. Default: 10 s.
    pub drain_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        let patience = Duration::from_secs(10);
        Self {
            max_connections: 1_024,
            max_head_bytes: 16 * 1024,
            max_headers: 64,
            header_timeout: patience,
            body_timeout: patience,
            write_timeout: patience,
            half_close_timeout: Duration::from_secs(5),
            drain_timeout: patience,
        }
    }
}
