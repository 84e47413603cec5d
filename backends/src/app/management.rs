//! The management API on its own address, served in the background.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

use smol::channel::{Receiver, Sender, bounded};

use super::error::AppError;
use crate::api::{ApiState, Served, ServerLimits, listen, router, serve_with};

/// The servers of the management API that were started. Dropping it closes them.
#[derive(Debug)]
pub(super) struct ManagementServer {
    stop: Sender<()>,
    stopped: Receiver<()>,
    tasks: Mutex<Vec<smol::Task<Served>>>,
}

impl Default for ManagementServer {
    fn default() -> Self {
        let (stop, stopped) = bounded(1);
        Self { stop, stopped, tasks: Mutex::default() }
    }
}

impl ManagementServer {
    /// Serves `api` on its address; returns the address that it has.
    pub(super) fn serve(&self, api: &ApiState) -> Result<SocketAddr, AppError> {
        let router = router(api.clone())?;
        let address = api.listen_address();
        let bind = || {
            let listener: smol::Async<TcpListener> = smol::Async::try_from(listen(address)?)?;
            let address = listener.get_ref().local_addr()?;
            Ok((listener.into(), address))
        };
        let (listener, address) = bind().map_err(|error| AppError::Listen { address, error })?;
        let stopped = self.stopped.clone();
        let stopped = async move {
            // Nothing is sent: it ends when the channel is closed.
            let _ = stopped.recv().await;
        };
        let trusted = api.trusted_requests();
        let task = smol::spawn(serve_with(listener, router, stopped, ServerLimits::default(), trusted));
        // Nothing can panic while it holds the lock.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        tracing::info!(%address, "the management API listens");
        Ok(address)
    }

    /// Accepts no new connections, and waits for the requests in flight.
    pub(super) async fn stop(&self) {
        self.stop.close();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.await;
        }
    }
}
