//! The addresses of a server, resolved periodically.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::lookup_host;

use crate::config::ServerUrl;

/// The addresses of one server. If a later attempt fails, the last ones are kept.
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

    /// Whether there is a name to resolve.
    pub(crate) fn is_name(&self) -> bool {
        self.is_name
    }

    /// Whether a connection to `address` may still be used.
    pub(super) fn contains(&self, address: SocketAddr) -> bool {
        // That of a server without a name never changes.
        !self.is_name || self.known.read().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }

    /// Resolves the addresses.
    ///
    /// # Errors
    /// An error if there are none.
    pub(crate) async fn resolve(&self) -> io::Result<Arc<[SocketAddr]>> {
        let found: Arc<[SocketAddr]> = lookup_host((self.host.as_str(), self.port)).await?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.set(found.clone());
        Ok(found)
    }

    // No code panics while it holds the lock, here, above and below.
    fn set(&self, found: Arc<[SocketAddr]>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// Returns the addresses in the order to try; resolves the name if that has not succeeded yet.
    pub(super) async fn in_turn(&self) -> io::Result<Vec<SocketAddr>> {
        let known = self.get();
        let known = if known.is_empty() { self.resolve().await? } else { known };
        // Relaxed: it orders nothing.
        let first = self.next.fetch_add(1, Ordering::Relaxed) % known.len().max(1);
        Ok(known.iter().cycle().skip(first).take(known.len()).copied().collect())
    }

    fn get(&self) -> Arc<[SocketAddr]> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_tried_in_turn_and_those_that_are_gone_are_not_used() {
        let [a, b]: [SocketAddr; 2] = ["192.0.2.1:80".parse().unwrap(), "192.0.2.2:80".parse().unwrap()];
        let addresses = Addresses::new(&"http://service.test".parse().unwrap());
        assert!(addresses.is_name() && !addresses.contains(a));
        addresses.set(Arc::new([a, b]));
        let firsts = [addresses.in_turn().await.unwrap()[0], addresses.in_turn().await.unwrap()[0]];
        assert!(firsts.contains(&a) && firsts.contains(&b), "{firsts:?}");
        addresses.set(Arc::new([b]));
        assert!(!addresses.contains(a) && addresses.contains(b));
        assert_eq!(addresses.in_turn().await.unwrap(), [b]);
    }

    #[tokio::test]
    async fn a_name_that_is_no_longer_known_keeps_its_addresses() {
        let addresses = Addresses::new(&"http://nothing.invalid:80".parse().unwrap());
        assert!(addresses.resolve().await.is_err());
        let known: SocketAddr = "192.0.2.1:80".parse().unwrap();
        addresses.set(Arc::new([known]));
        assert!(addresses.resolve().await.is_err());
        assert!(addresses.contains(known));
        let fixed = Addresses::new(&"http://192.0.2.7:81".parse().unwrap());
        assert!(!fixed.is_name() && fixed.contains("192.0.2.7:81".parse().unwrap()));
    }
}
