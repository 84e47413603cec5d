//! The HTTP client.

use std::sync::Arc;

use tripline_runtime::{Clock, SystemClock};
use url::Url;

use super::connect;
use super::error::{Phase, TransportError, within};
use super::exchange::{self, Target};
use super::network::{self, Network};
use super::proxy::{Proxies, Proxy};
use super::request::{ClientLimits, ClientRequest, ClientResponse};
use super::tls::{self, Tls};
use super::tunnel;

/// The HTTP client. Clones share the certificates.
///
/// Redirects are not followed.
#[derive(Debug, Clone)]
pub struct HyperClient {
    limits: ClientLimits,
    tls: Tls,
    proxies: Proxies,
    /// Replaces sockets and the system clock.
    network: Option<Arc<dyn Network>>,
}

impl HyperClient {
    /// Creates a client that trusts the certificates of the system or, if there are none, those of Mozilla. `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` replace them; if they yield no certificate, every request over TLS is an error. The certificates are read
    /// with the first such request. The client uses no proxy.
    pub fn new(limits: ClientLimits) -> Self {
        Self { limits, tls: Tls::default(), proxies: Proxies::none(), network: None }
    }

    /// Sends requests through `network` instead of sockets, on its clock: for simulations. Certificates and proxies are not
    /// used.
    #[must_use]
    pub fn through(self, network: Arc<dyn Network>) -> Self {
        Self { network: Some(network), ..self }
    }

    /// The clock of the network: the system clock, unless the network is simulated.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.network.as_ref().map_or_else(|| Arc::new(SystemClock::new()) as _, |network| network.clock())
    }

    /// Also trusts this certificate, in DER. A server that presents exactly this certificate is accepted.
    #[must_use]
    pub fn trust(mut self, certificate: Vec<u8>) -> Self {
        self.tls = self.tls.with(certificate);
        self
    }

    /// The problem with the certificates that `SSL_CERT_FILE` and `SSL_CERT_DIR` name; `None` if neither is set. Reads the
    /// files, so that a process can check them at its start.
    pub fn certificate_problem() -> Option<TransportError> {
        tls::environment_problem()
    }

    /// Connects through these proxies.
    #[must_use]
    pub fn proxies(self, proxies: Proxies) -> Self {
        Self { proxies, ..self }
    }

    /// Sends one request and returns the response.
    ///
    /// # Errors
    /// [`TransportError`] if there is no response.
    pub async fn send(&self, request: ClientRequest) -> Result<ClientResponse, TransportError> {
        match &self.network {
            None => within(self.limits.whole, Phase::Whole, self.exchange(request)).await,
            Some(network) => network::exchange(&**network, request, self.limits.whole).await,
        }
    }

    async fn exchange(&self, request: ClientRequest) -> Result<ClientResponse, TransportError> {
        let limits = &self.limits;
        let url = &request.url;
        let is_tls = url.scheme() == "https";
        let need = request.body_need;
        let proxy = self.proxies.of(url);
        let stream = match proxy {
            None => connect::tcp(url, limits.connect).await?,
            Some(proxy) => self.to_proxy(proxy, url, is_tls).await?,
        };
        let stream = if is_tls { self.encrypted(url, stream).await? } else { stream };
        // Without a tunnel the proxy needs the whole URL.
        let target = match proxy.filter(|_| !is_tls) {
            Some(proxy) => Target::Absolute(proxy.authorization()),
            None => Target::Origin,
        };
        let outgoing = exchange::outgoing(request, target)?;
        exchange::exchange(stream, outgoing, limits, need).await
    }

    /// Connects to the proxy, and for https opens a tunnel through it.
    async fn to_proxy(&self, proxy: &Proxy, url: &Url, is_tls: bool) -> Result<connect::Stream, TransportError> {
        let stream = connect::tcp(proxy.url(), self.limits.connect).await.map_err(TransportError::of_proxy)?;
        let stream = if proxy.url().scheme() == "https" {
            self.encrypted(proxy.url(), stream).await.map_err(TransportError::of_proxy)?
        } else {
            stream
        };
        if !is_tls {
            return Ok(stream);
        }
        within(self.limits.tls, Phase::Proxy, tunnel::connect(stream, url, proxy.authorization())).await
    }

    async fn encrypted(&self, url: &Url, stream: connect::Stream) -> Result<connect::Stream, TransportError> {
        let host = url.host_str().unwrap_or_default();
        Ok(Box::new(within(self.limits.tls, Phase::Tls, self.tls.handshake(host, stream)).await?))
    }
}

impl Default for HyperClient {
    fn default() -> Self {
        Self::new(ClientLimits::default())
    }
}

#[cfg(feature = "opsgenie")]
impl HyperClient {
    pub(super) const fn limits(&self) -> &ClientLimits {
        &self.limits
    }

    pub(super) const fn set_whole(&mut self, time: std::time::Duration) {
        self.limits.whole = time;
    }
}
