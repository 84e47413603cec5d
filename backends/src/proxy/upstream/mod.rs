//! An upstream service: its servers, its slots and its connections.

mod addresses;
mod connect;
mod h2;
mod link;
mod places;
mod pool;
mod tls;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

use crate::config::{self, ServerUrl, UpstreamProtocol};

pub(super) use addresses::Addresses;
pub(super) use connect::{ConnectError, connect};
pub(super) use h2::{SharedLink, SharedLinks, Slot};
pub(super) use link::{Link, SendFailure};
pub(super) use places::{Place, Places};
use pool::Pools;

/// A service with its connections.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) settings: config::Upstream,
    pub(super) servers: Vec<Server>,
    next: AtomicUsize,
    pub(super) places: Places,
    pub(super) pools: Pools,
    pub(super) shared: SharedLinks,
    tls: Option<Tls>,
    /// Of the files that `tls` was read from.
    fingerprint: u64,
    resolved: Mutex<Resolved>,
}

/// TLS with the allowed protocols.
#[derive(Debug)]
struct Tls {
    any: Arc<ClientConfig>,
    /// For `WebSockets`.
    h1: Arc<ClientConfig>,
}

/// When the names of an upstream were last resolved, and whether that succeeded.
#[derive(Debug, Default)]
struct Resolved {
    at: Option<Instant>,
    has_failed: bool,
}

/// One server of an upstream.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: ServerUrl,
    pub(super) addresses: Addresses,
}

impl Upstream {
    /// Reads the files for TLS. Does not connect or resolve yet.
    ///
    /// # Errors
    /// An error if a certificate or a key cannot be used.
    pub(super) fn new(settings: config::Upstream, threads: usize) -> io::Result<Self> {
        let servers: Vec<Server> =
            settings.servers.iter().map(|url| Server { url: url.clone(), addresses: Addresses::new(url) }).collect();
        // Before the files are read for use: what changes meanwhile is seen the next time.
        let fingerprint = tls::fingerprint(&settings.tls)?;
        let is_https = settings.servers.iter().any(ServerUrl::is_https);
        let tls = |protocol| tls::client_config(&settings.tls, protocol).map(Arc::new);
        let tls =
            if is_https { Some(Tls { any: tls(settings.protocol)?, h1: tls(UpstreamProtocol::H1)? }) } else { None };
        let shared = SharedLinks::new(threads, servers.len());
        let places = Places::new(settings.max_connections as usize, settings.pool_timeout);
        let pools = Pools::new(threads, servers.len(), settings.max_idle as usize, settings.idle_timeout);
        Ok(Self {
            settings,
            servers,
            next: AtomicUsize::new(0),
            places,
            pools,
            shared,
            tls,
            fingerprint,
            resolved: Mutex::default(),
        })
    }

    /// Whether an upstream of these settings, made now, would be the same: also the certificates are.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub(super) fn is_still(&self, settings: &config::Upstream) -> io::Result<bool> {
        Ok(self.settings == *settings && self.fingerprint == tls::fingerprint(&settings.tls)?)
    }

    /// Resolves the names of the servers once `resolve_interval` has passed. The first failure in a row is logged.
    pub(super) async fn resolve_if_due(&self) {
        // No code panics while it holds the lock, as below.
        let last = self.resolved.lock().unwrap_or_else(PoisonError::into_inner).at;
        if last.is_some_and(|at| at.elapsed() < self.settings.resolve_interval) {
            return;
        }
        let mut failure = None;
        for server in self.servers.iter().filter(|server| server.addresses.is_name()) {
            if let Err(error) = server.addresses.resolve().await {
                failure = Some((server, error));
            }
        }
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        resolved.at = Some(Instant::now());
        let is_new = !std::mem::replace(&mut resolved.has_failed, failure.is_some());
        drop(resolved);
        if let (Some((server, error)), true) = (failure, is_new) {
            tracing::warn!(upstream = self.settings.name, server = %server.url, %error, "the name cannot be resolved; it is tried again");
        }
    }

    /// Whether HTTP/2 may be used.
    pub(super) fn may_be_h2(&self, server: &Server) -> bool {
        match self.settings.protocol {
            UpstreamProtocol::Auto => server.url.is_https(),
            UpstreamProtocol::H1 => false,
            UpstreamProtocol::H2 => true,
        }
    }

    /// Returns the server of the next request, round-robin.
    pub(super) fn next_server(&self) -> usize {
        if self.servers.len() <= 1 {
            return 0;
        }
        // Relaxed: it orders nothing.
        self.next.fetch_add(1, Ordering::Relaxed) % self.servers.len().max(1)
    }
}
