//! What the data plane is doing: serving, draining, or at its end.

use tokio::sync::watch;

/// What the data plane is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It accepts and forwards.
    Serving,
    /// It accepts no more; requests in flight go on, and connections end after them.
    Draining,
    /// Everything ends now.
    Cut,
}

/// Shows the phase to tasks.
#[derive(Debug, Clone)]
pub(super) struct PhaseWatch(pub(super) watch::Receiver<Phase>);

impl PhaseWatch {
    /// Waits until `phase` is reached. A data plane whose handle is gone is at its end.
    pub(super) async fn reached(&mut self, phase: Phase) {
        // An error: the sender is gone.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
