//! An HTTP client for alerts: hyper on smol's I/O, rustls for TLS, no system library.
//!
//! Every request has a connection of its own. Alerts are few and far apart, so that a kept connection would mostly be
//! found dead, and a second attempt on a new one is what a client with a pool has to hide. A request needs no executor:
//! the caller that polls the future drives the connection, and dropping the future closes it. I/O and timers wake through
//! smol's reactor, which has a thread of its own; names are looked up on its pool of blocking threads.
//!
//! [`HyperClient::send`] is the client itself. With the feature `opsgenie` it is also a client for surf, see [`SurfClient`].

mod client;
mod connect;
mod error;
mod exchange;
mod network;
mod proxy;
mod request;
#[cfg(feature = "opsgenie")]
mod surf;
mod tls;
mod tunnel;

pub use client::HyperClient;
pub use error::{Phase, TransportError};
pub use network::Network;
pub use proxy::{Proxies, ProxyError};
pub use request::{BodyNeed, ClientLimits, ClientRequest, ClientResponse};
#[cfg(feature = "opsgenie")]
pub use surf::{ExactStatus, SurfClient};
