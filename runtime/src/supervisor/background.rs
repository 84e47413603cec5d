//! A thread for programs without an executor.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::dispatch::{Dispatcher, DrainReport};
use crate::supervisor::Supervisor;
use crate::supervisor::shutdown::ShutdownHandle;

/// Runs supervisor and dispatcher on their own thread until it is stopped or dropped.
#[derive(Debug)]
pub struct Background {
    stop: ShutdownHandle,
    thread: Option<JoinHandle<DrainReport>>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// The error of the system if it cannot start a thread.
    pub fn spawn(supervisor: Supervisor, dispatcher: Dispatcher, stop: ShutdownHandle) -> io::Result<Self> {
        let run = move || smol::block_on(smol::future::zip(supervisor.run(), dispatcher.run())).1;
        let thread = thread::Builder::new().name("tripline".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops, delivers the pending alerts for at most `drain`, and returns the rest. Blocks until then.
    pub fn stop(mut self, drain: Duration) -> DrainReport {
        self.stop.stop(drain);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Background {
    /// Stops without waiting for deliveries.
    fn drop(&mut self) {
        self.stop.stop(Duration::ZERO);
    }
}
