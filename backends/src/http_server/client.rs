//! The client of a request.

use std::net::SocketAddr;

/// The address of the client, among the extensions of a request. [`serve`](super::serve) puts it there; another server may do
/// the same. Log lines about changed settings show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr(
    /// Its address.
    pub SocketAddr,
);
