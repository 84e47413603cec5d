//! The phase of the data plane: serving, leaving, draining, or cut.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// Time in which a client may still send its next request after the data plane began to leave.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// The phase of the data plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It accepts and forwards.
    Serving,
    /// It accepts and forwards, and each response is the last one of its connection.
    Leaving,
    /// It accepts no more connections; requests in flight continue, and connections end after them.
    Draining,
    /// Everything ends now.
    Cut,
}

/// Publishes the phase to tasks.
#[derive(Debug, Clone)]
pub(super) struct PhaseWatch(pub(super) watch::Receiver<Phase>);

impl PhaseWatch {
    /// Waits until `phase` is reached. A data plane whose handle is dropped has reached its end.
    pub(super) async fn reached(&mut self, phase: Phase) {
        // An error means that the sender is dropped.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }

    /// Waits until a connection without a request ends: when the data plane drains, and not before it has been leaving for a second.
    pub(super) async fn idle_ends(&mut self) {
        self.reached(Phase::Leaving).await;
        sleep(LAST_REQUEST).await;
        self.reached(Phase::Draining).await;
    }
}
