//! The addresses of a server, resolved again from time to time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::lookup_host;

use crate::config::ServerUrl;

/// The addresses of one server. Those that were found last stay where a later attempt fails.
#[derive(Debug)]
pub(crate) struct Addresses {
    host: String,
    port: u16,
    is_name: bool,
    known: RwLock<Arc<[SocketAddr]>>,
    next: AtomicUsize,
}

impl Addresses {
    pub(super) fn new(url: &ServerUrl) -> Self {
        let address: Option<IpAddr> = url.host().parse().ok();
        let known: Arc<[SocketAddr]> =
            address.map(|address| SocketAddr::new(address, url.port())).into_iter().collect();
        Self {
            host: url.host().to_owned(),
            port: url.port(),
            is_name: address.is_none(),
            known: RwLock::new(known),
            next: AtomicUsize::new(0),
        }
    }

    /// Whether there is anything to resolve.
    pub(crate) fn is_name(&self) -> bool {
        self.is_name
    }

    /// Whether a connection to `address` may still be used.
    pub(super) fn contains(&self, address: SocketAddr) -> bool {
        self.get().contains(&address)
    }

    /// Asks the system for the addresses.
    ///
    /// # Errors
    /// Where there are none.
    pub(crate) async fn resolve(&self) -> io::Result<Arc<[SocketAddr]>> {
        let found: Arc<[SocketAddr]> = lookup_host((self.host.as_str(), self.port)).await?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = found.clone();
        Ok(found)
    }

    /// The addresses to try, in turn; the name is resolved where that has not worked yet.
    pub(super) async fn in_turn(&self) -> io::Result<Vec<SocketAddr>> {
        let known = self.get();
        let known = if known.is_empty() { self.resolve().await? } else { known };
        // Relaxed: it orders nothing.
        let first = self.next.fetch_add(1, Ordering::Relaxed) % known.len().max(1);
        Ok(known.iter().cycle().skip(first).take(known.len()).copied().collect())
    }

    fn get(&self) -> Arc<[SocketAddr]> {
        // No code panics while it holds the lock.
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
