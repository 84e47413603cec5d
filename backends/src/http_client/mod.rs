//! An HTTP client for alerts: hyper on smol's I/O, rustls for TLS, no system library.
//!
//! Every request has a connection of its own. Alerts are rare, so a kept connection would usually be dead at its next
//! use, and a client with a pool has to hide that by a second attempt. A request needs no executor: the caller that polls
//! the future drives the connection, and dropping the future closes it. I/O and timers wake through smol's reactor, which
//! has a thread of its own. Names are resolved on its pool of blocking threads.
//!
//! [`HyperClient::send`] sends a request. With the feature `opsgenie` the client also works with surf, see [`SurfClient`].

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
