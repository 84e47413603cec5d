//! The client.

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

/// The client. Cloning shares the certificates.
///
/// Redirects are returned as they are.
#[derive(Debug, Clone)]
pub struct HyperClient {
    limits: ClientLimits,
    tls: Tls,
    proxies: Proxies,
    /// In place of sockets and the system's clock.
    network: Option<Arc<dyn Network>>,
}

impl HyperClient {
    /// A client that trusts the certificates of the system, and where there are none those that Mozilla trusts. `SSL_CERT_FILE`
    /// and `SSL_CERT_DIR` name others; where they give none, every request over TLS is an error. They are read with the first
    /// such request. It uses no proxy.
    pub fn new(limits: ClientLimits) -> Self {
        Self { limits, tls: Tls::default(), proxies: Proxies::none(), network: None }
    }

    /// Exchanges through `network` in place of sockets, by its clock: for simulations. Certificates and proxies are not used.
    #[must_use]
    pub fn through(self, network: Arc<dyn Network>) -> Self {
        Self { network: Some(network), ..self }
    }

    /// The clock of the network: the system's, unless it is simulated.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.network.as_ref().map_or_else(|| Arc::new(SystemClock::new()) as _, |network| network.clock())
    }

    /// Trusts this certificate too, in DER; a server that shows just this one is then who it says.
    #[must_use]
    pub fn trust(mut self, certificate: Vec<u8>) -> Self {
        self.tls = self.tls.with(certificate);
        self
    }

    /// What is wrong with the certificates that `SSL_CERT_FILE` and `SSL_CERT_DIR` name; `None` where neither is set. Reads the
    /// files, so that a process can find out as it starts.
    pub fn certificate_problem() -> Option<TransportError> {
        tls::environment_problem()
    }

    /// Connects through these proxies.
    #[must_use]
    pub fn proxies(self, proxies: Proxies) -> Self {
        Self { proxies, ..self }
    }

    /// One request and its answer.
    ///
    /// # Errors
    /// [`TransportError`] where there is no answer.
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
        // Without a tunnel the proxy has to see where the request goes.
        let target = match proxy.filter(|_| !is_tls) {
            Some(proxy) => Target::Absolute(proxy.authorization()),
            None => Target::Origin,
        };
        let outgoing = exchange::outgoing(request, target)?;
        exchange::exchange(stream, outgoing, limits, need).await
    }

    /// A connection to the proxy; for https a tunnel through it.
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
