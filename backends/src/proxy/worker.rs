//! State shared by the requests of a thread.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderValue;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_rustls::rustls::ServerConfig;

use super::access_log::AccessLog;
use super::clients::Counted;
use super::figures::Figures;
use super::phase::PhaseWatch;
use super::routes::{InForce, Table};
use crate::config;

/// State shared by all threads.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: config::Proxy,
    pub(super) figures: Arc<Figures>,
    /// `None` without an access log.
    pub(super) access_log: Option<AccessLog>,
    /// Each response is the last one of its connection.
    is_leaving: AtomicBool,
    /// One for each thread.
    tables: Vec<Arc<InForce>>,
    tls: RwLock<Option<Arc<ServerConfig>>>,
}

impl Shared {
    pub(super) fn new(
        settings: config::Proxy,
        tables: Vec<Arc<InForce>>,
        tls: Option<Arc<ServerConfig>>,
        access_log: Option<AccessLog>,
    ) -> Self {
        Self {
            settings,
            figures: Arc::default(),
            access_log,
            is_leaving: AtomicBool::new(false),
            tables,
            tls: RwLock::new(tls),
        }
    }

    /// Each response is the last one of its connection from now on.
    pub(super) fn leave(&self) {
        // Relaxed, as below: a response that is sent at the same moment may miss it.
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// Whether each response is the last one of its connection.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// Returns the routes in force; `None` without a thread.
    pub(super) fn table(&self) -> Option<Arc<Table>> {
        self.tables.first().map(|table| table.get())
    }

    /// Applies other routes. Requests in flight finish with the former ones.
    pub(super) fn set_table(&self, table: &Table) {
        for of_thread in &self.tables {
            of_thread.set(table);
        }
    }

    /// Returns the certificate in force; `None` is cleartext.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        // No code panics while it holds the lock, as below.
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Applies another certificate, for new connections.
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
    pub(super) table: Arc<InForce>,
}

/// The client of a connection. The connection counts as open while a clone of it exists.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// The address as the value of a field; its clones share their bytes.
    pub(super) node: HeaderValue,
    pub(super) is_tls: bool,
    /// Whether it is one of `trusted_proxies`.
    pub(super) is_trusted: bool,
    #[expect(dead_code, reason = "held until the end")]
    held: Arc<Held>,
}

impl Client {
    pub(super) fn new(address: IpAddr, is_trusted: bool, held: Held) -> Self {
        // An address has no character that a field cannot have.
        let node = HeaderValue::try_from(address.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        Self { address, node, is_tls: false, is_trusted, held: Arc::new(held) }
    }
}

/// The resources of a connection.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) figures: Arc<Figures>,
    /// A slot of `max_connections`.
    pub(super) _place: OwnedSemaphorePermit,
    /// A slot of `max_connections_per_client`.
    pub(super) _counted: Counted,
    /// The thread has drained when all of these are dropped.
    pub(super) _alive: mpsc::Sender<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Relaxed: a statistic.
        self.figures.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
