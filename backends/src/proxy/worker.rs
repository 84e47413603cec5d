//! What the requests of a thread share.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_rustls::rustls::ServerConfig;

use super::access_log::AccessLog;
use super::clients::Counted;
use super::figures::Figures;
use super::phase::PhaseWatch;
use super::routes::Table;
use crate::config;

/// What all threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: config::Proxy,
    pub(super) figures: Arc<Figures>,
    /// `None` where there is none.
    pub(super) access_log: Option<AccessLog>,
    table: RwLock<Arc<Table>>,
    tls: RwLock<Option<Arc<ServerConfig>>>,
}

impl Shared {
    pub(super) fn new(
        settings: config::Proxy,
        table: Table,
        tls: Option<Arc<ServerConfig>>,
        access_log: Option<AccessLog>,
    ) -> Self {
        Self {
            settings,
            figures: Arc::default(),
            access_log,
            table: RwLock::new(Arc::new(table)),
            tls: RwLock::new(tls),
        }
    }

    /// The routes in force.
    pub(super) fn table(&self) -> Arc<Table> {
        // No code panics while it holds the lock, as below.
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other routes into force. Requests in flight finish with those that they began with.
    pub(super) fn set_table(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    /// The certificate in force; `None` is cleartext.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another certificate into force, for new connections.
    pub(super) fn set_tls(&self, tls: Option<Arc<ServerConfig>>) {
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
    }
}

/// One thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: usize,
    pub(super) phase: PhaseWatch,
}

/// The client of a connection. While a clone of it lives, the connection counts as open.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    pub(super) is_tls: bool,
    /// It is one of `trusted_proxies`.
    pub(super) is_trusted: bool,
    #[expect(dead_code, reason = "held until the end")]
    held: Arc<Held>,
}

impl Client {
    pub(super) fn new(address: IpAddr, is_trusted: bool, held: Held) -> Self {
        Self { address, is_tls: false, is_trusted, held: Arc::new(held) }
    }
}

/// What a connection takes.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) figures: Arc<Figures>,
    /// One of `max_connections`.
    pub(super) _place: OwnedSemaphorePermit,
    /// One of `max_connections_per_client`.
    pub(super) _counted: Counted,
    /// The thread has drained when all of these are gone.
    pub(super) _alive: mpsc::Sender<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Relaxed: a statistic.
        self.figures.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
