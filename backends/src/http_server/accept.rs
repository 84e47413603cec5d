//! Accepts connections, also while the system is out of descriptors.

use std::io;
use std::time::{Duration, Instant};

use smol::Timer;
use smol::net::{TcpListener, TcpStream};

use super::client::ClientAddr;
use super::places::Places;

/// Between attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Between two warnings.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Accepts connections and reports failures of the system at most once a minute.
#[derive(Debug)]
pub(super) struct Acceptor<'a> {
    listener: &'a TcpListener,
    places: &'a Places,
    failures: Failures,
}

impl<'a> Acceptor<'a> {
    pub(super) fn new(listener: &'a TcpListener, places: &'a Places) -> Self {
        Self { listener, places, failures: Failures::default() }
    }

    /// The next connection. Where accepting fails, for instance without free descriptors, an idle connection is closed and accepting is retried.
    pub(super) async fn accept(&mut self) -> (TcpStream, ClientAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, ClientAddr(peer)),
                // The client is gone already, which does not affect the next one.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if let Some(failures) = self.failures.count(Instant::now()) {
                        tracing::warn!(%error, failures, "cannot accept connections, trying again");
                    }
                    self.places.evict_one();
                    Timer::after(RETRY_PAUSE).await;
                }
            }
        }
    }
}

/// Failures since the last warning.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    last_warning: Option<Instant>,
}

impl Failures {
    /// Counts one failure; returns the number to report where a warning is due.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        let is_due = self.last_warning.is_none_or(|last| now.saturating_duration_since(last) >= WARNING_INTERVAL);
        is_due.then(|| {
            self.last_warning = Some(now);
            std::mem::take(&mut self.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_a_minute_has_the_count() {
        let start = Instant::now();
        let mut failures = Failures::default();
        let warnings: Vec<u64> =
            (0..1_300).filter_map(|tenth| failures.count(start + Duration::from_millis(100 * tenth))).collect();
        assert_eq!(warnings, [1, 600, 600]);
    }
}
