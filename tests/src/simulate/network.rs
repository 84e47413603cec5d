//! The network between the process and the alert services.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use tripline_backends::http_client::{ClientRequest, ClientResponse, Network, TransportError};
use tripline_core::Instant;
use tripline_runtime::Clock;

use super::alert_service::AlertService;
use super::random::Random;
use super::script::NetFault;

/// The network. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct SimNetwork {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

/// The services, and the faults of the network.
#[derive(Debug)]
pub(super) struct State {
    pub(super) service: AlertService,
    pub(super) fault: Option<NetFault>,
    /// When a request last had a fault.
    pub(super) faulty_at: Option<Instant>,
    pub(super) exchanges: u64,
    random: Random,
}

impl SimNetwork {
    pub(super) fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let random = Random::new(seed, 3);
        let state = State { service: AlertService::default(), fault: None, faulty_at: None, exchanges: 0, random };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self, request: &ClientRequest) -> ClientResponse {
        self.state().service.answer(self.clock.now(), request)
    }

    fn draw(&self) -> (Option<NetFault>, Duration, bool) {
        let mut state = self.state();
        state.exchanges += 1;
        if state.fault.is_some() {
            state.faulty_at = Some(self.clock.now());
        }
        let latency = state.random.millis(20, 400);
        let late = state.fault == Some(NetFault::Late);
        let latency = if late { latency + state.random.millis(0, 15_000) } else { latency };
        let coin = state.random.chance(0.5);
        (state.fault, latency, coin)
    }
}

#[async_trait]
impl Network for SimNetwork {
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    async fn exchange(&self, request: ClientRequest) -> Result<ClientResponse, TransportError> {
        let (fault, latency, coin) = self.draw();
        self.clock.sleep_until(self.clock.now() + latency).await;
        let message = |status: u16| ClientResponse::new(status, br#"{"message": "simulated"}"#.to_vec());
        match fault {
            Some(NetFault::Unreachable) => Err(TransportError::Connect(io::ErrorKind::ConnectionRefused.into())),
            Some(NetFault::Silent) => std::future::pending().await,
            Some(NetFault::Unavailable) => Ok(message(503)),
            Some(NetFault::Rejecting) => Ok(message(422)),
            Some(NetFault::Limiting) => {
                let mut response = message(429);
                response.headers.insert("retry-after", HeaderValue::from_static("30"));
                Ok(response)
            }
            Some(NetFault::AnswerLost) if coin => {
                let _ = self.served(&request);
                Err(TransportError::Connect(io::ErrorKind::ConnectionReset.into()))
            }
            Some(NetFault::Twice) => {
                let _ = self.served(&request);
                Ok(self.served(&request))
            }
            None | Some(NetFault::AnswerLost | NetFault::Late) => Ok(self.served(&request)),
        }
    }
}
