//! A network in place of sockets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use smol::future::or;
use tripline_runtime::Clock;

use super::error::{Phase, TransportError};
use super::request::{ClientRequest, ClientResponse};

/// A network and its time, in place of sockets and the system's clock; see [`HyperClient::through`](super::HyperClient::through).
#[async_trait]
pub trait Network: fmt::Debug + Send + Sync {
    /// The clock by which requests time out.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Brings the request to its server and the answer back. It need not end: the client gives up after its time.
    ///
    /// # Errors
    /// [`TransportError`] where there is no answer.
    async fn exchange(&self, request: ClientRequest) -> Result<ClientResponse, TransportError>;
}

/// One exchange within `limit`.
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
