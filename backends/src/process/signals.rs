//! The reaction of the process to signals.
//!
//! | signal | action |
//! |---|---|
//! | TERM, INT, QUIT | stop: requests in flight are answered first; the second one ends the process at once |
//! | HUP | read the configuration file again |
//! | USR1, USR2 | none |
//! | XFSZ | none: the write fails with an error and is reported there |
//!
//! PIPE is ignored by Rust's runtime. Every other signal keeps the system's default action.

use std::io;

use async_signal::{Signal, Signals};
use smol::stream::StreamExt as _;

/// The request that a signal stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Stop, after requests in flight are answered.
    Stop,
    /// Read the configuration file again.
    Reload,
}

/// Every signal that the process handles.
const HANDLED: [Signal; 7] =
    [Signal::Term, Signal::Int, Signal::Quit, Signal::Hup, Signal::Usr1, Signal::Usr2, Signal::Xfsz];

fn request(signal: Signal) -> Option<Request> {
    match signal {
        Signal::Term | Signal::Int | Signal::Quit => Some(Request::Stop),
        Signal::Hup => Some(Request::Reload),
        _ => None,
    }
}

/// The signals of this process, from [`SignalRequests::install`] on.
#[derive(Debug)]
pub(crate) struct SignalRequests {
    signals: Signals,
}

impl SignalRequests {
    /// Replaces the default action of every signal in the table above, which would end the process.
    ///
    /// # Errors
    /// Where the system has no descriptor for it.
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self { signals: Signals::new(HANDLED)? })
    }

    /// The next request. Signals without a request are logged at debug level.
    pub(crate) async fn next(&mut self) -> Request {
        loop {
            match self.signals.next().await {
                Some(Ok(signal)) => {
                    if let Some(request) = request(signal) {
                        tracing::info!(?signal, "signal received");
                        return request;
                    }
                    tracing::debug!(?signal, "signal ignored");
                }
                Some(Err(error)) => tracing::warn!(%error, "a signal could not be read"),
                // The stream of a process's signals does not end.
                None => std::future::pending().await,
            }
        }
    }

    /// Waits for [`Request::Stop`] and calls `reload` for every [`Request::Reload`] before it.
    pub(crate) async fn stop_requested(&mut self, reload: impl Fn()) {
        while self.next().await == Request::Reload {
            reload();
        }
    }
}
