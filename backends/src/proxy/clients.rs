//! Connections per client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the connections per client address if they are limited.
#[derive(Debug)]
pub(super) struct Clients {
    max: u32,
    by_address: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection of a client, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    of: Option<(Arc<Clients>, IpAddr)>,
}

impl Clients {
    /// Allows at most `max` connections per address; 0 is no limit.
    pub(super) fn new(max: u32) -> Self {
        Self { max, by_address: Mutex::default() }
    }

    /// Counts a connection; `None` if this address has too many.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Counted> {
        if self.max == 0 {
            return Some(Counted { of: None });
        }
        let address = address.to_canonical();
        let mut by_address = self.lock();
        let connections = by_address.entry(address).or_default();
        if *connections >= self.max {
            return None;
        }
        *connections += 1;
        Some(Counted { of: Some((self.clone(), address)) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        // No code panics while it holds the lock.
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((clients, address)) = self.of.take() else { return };
        let mut by_address = clients.lock();
        if let Some(connections) = by_address.get_mut(&address) {
            *connections -= 1;
            if *connections == 0 {
                by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn each_address_has_its_own_count() {
        let clients = Arc::new(Clients::new(2));
        let (a, b) = (IpAddr::from(Ipv4Addr::new(1, 1, 1, 1)), IpAddr::from(Ipv4Addr::new(2, 2, 2, 2)));
        let first = clients.enter(a);
        let second = clients.enter(a);
        assert!(first.is_some() && second.is_some());
        assert!(clients.enter(a).is_none());
        assert!(clients.enter(b).is_some());
        drop(first);
        assert!(clients.enter(a).is_some());
        drop(second);
        assert!(clients.lock().is_empty(), "an address without connections is forgotten");
    }
}
