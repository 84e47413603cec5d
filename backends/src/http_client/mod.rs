//! An HTTP client that surf can be given: hyper on smol's I/O, rustls for TLS, no system library.
//!
//! Every request has a connection of its own. Alerts are few and far apart, so that a kept connection would mostly be
//! found dead, and a second attempt on a new one is what a client with a pool has to hide. A request needs no executor:
//! whoever polls the future drives the connection, and dropping the future closes it. I/O and timers wake through smol's
//! reactor, which has a thread of its own; names are looked up on its pool of blocking threads.

mod connect;
mod error;
mod exchange;
mod tls;

use std::time::Duration;

use ::http_client::{Config, Error, HttpClient, Request, Response};
use async_trait::async_trait;

pub use error::{Phase, TransportError};

use error::within;
use tls::Tls;

/// How long each part of a request may take, and how much may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// Looking the name up and connecting, all addresses of the name together. Default: 5 s.
    pub connect: Duration,
    /// The TLS handshake. Default: 5 s.
    pub tls: Duration,
    /// From the request to the head of its answer. Default: 10 s.
    pub head: Duration,
    /// All of it, from the name to the last byte of the answer. Default: 20 s.
    pub whole: Duration,
    /// Body of an answer, in bytes; a larger one is an error. Default: 64 KiB.
    pub body_bytes: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            tls: Duration::from_secs(5),
            head: Duration::from_secs(10),
            whole: Duration::from_secs(20),
            body_bytes: 64 * 1_024,
        }
    }
}

/// The client. Cloning shares the certificates.
///
/// What goes wrong before there is an answer is an [`Error`] that holds a [`TransportError`], with the status 502, or
/// 504 where the time was over; never one of the 4xx, which blame the request. Redirects are handed out as they are.
#[derive(Debug, Clone)]
pub struct HyperClient {
    limits: ClientLimits,
    config: Config,
    tls: Tls,
}

impl HyperClient {
    /// A client that trusts the certificates of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others), and where
    /// there are none those that Mozilla trusts. They are read with the first request.
    pub fn new(limits: ClientLimits) -> Self {
        let config = Config::new().set_http_keep_alive(false).set_tcp_no_delay(true).set_timeout(Some(limits.whole));
        Self { limits, config, tls: Tls::default() }
    }

    /// Trusts this certificate too, in DER; a server that shows just this one is then who it says.
    #[must_use]
    pub fn trust(mut self, certificate: Vec<u8>) -> Self {
        self.tls = self.tls.with(certificate);
        self
    }

    async fn exchange(&self, mut request: Request) -> Result<Response, TransportError> {
        let body = request.body_bytes().await.map_err(|error| TransportError::Request(error.to_string()))?;
        let outgoing = exchange::outgoing(&request, body)?;
        let limits = &self.limits;
        let whole = async {
            let tcp = connect::tcp(request.url(), limits.connect, self.config.tcp_no_delay).await?;
            let stream: connect::Stream = if request.url().scheme() == "https" {
                let host = request.url().host_str().unwrap_or_default();
                Box::new(within(limits.tls, Phase::Tls, self.tls.handshake(host, tcp)).await?)
            } else {
                Box::new(tcp)
            };
            exchange::exchange(stream, outgoing, limits).await
        };
        match self.config.timeout {
            Some(time) => within(time, Phase::Whole, whole).await,
            None => whole.await,
        }
    }
}

impl Default for HyperClient {
    fn default() -> Self {
        Self::new(ClientLimits::default())
    }
}

#[async_trait]
impl HttpClient for HyperClient {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        self.exchange(request).await.map_err(TransportError::into_surf)
    }

    /// Takes the timeout of the whole request, and whether small packets are sent at once. Connections are never kept
    /// nor shared, whatever the configuration says of that.
    fn set_config(&mut self, config: Config) -> ::http_client::http_types::Result<()> {
        self.config = config.set_http_keep_alive(false);
        Ok(())
    }

    fn config(&self) -> &Config {
        &self.config
    }
}
