//! A network that replaces sockets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use smol::future::or;
use tripline_runtime::Clock;

use super::error::{Phase, TransportError};
use super::request::{ClientRequest, ClientResponse};

/// A network and its clock, which replace sockets and the system clock; see
/// [`HyperClient::through`](super::HyperClient::through).
#[async_trait]
pub trait Network: fmt::Debug + Send + Sync {
    /// The clock of the request timeouts.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Delivers the request to its server and returns the response. It need not end: the client gives up at its time
    /// limit.
    ///
    /// # Errors
    /// [`TransportError`] if there is no response.
    async fn exchange(&self, request: ClientRequest) -> Result<ClientResponse, TransportError>;
}

/// Sends one request within `limit`.
pub(super) async fn exchange(
    network: &dyn Network,
    request: ClientRequest,
    limit: Duration,
) -> Result<ClientResponse, TransportError> {
    let clock = network.clock();
    let over = async {
        clock.sleep_until(clock.now() + limit).await;
        Err(TransportError::TimedOut { phase: Phase::Whole, limit })
    };
    or(network.exchange(request), over).await
}
