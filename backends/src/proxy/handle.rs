//! The running data plane.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use smol::channel::{Receiver, bounded};
use smol::future::or;
use tokio::sync::{Semaphore, watch};

use super::access_log::AccessLog;
use super::build::{self, ProxyError};
use super::clients::Clients;
use super::listener::{self, Limits};
use super::metrics;
use super::phase::{Phase, PhaseWatch};
use super::routes::InForce;
use super::tls::server_config;
use super::worker::{Shared, Worker};
use crate::circuit::Circuits;
use crate::config::Config;

/// Maximum time for the last lines of the access log.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// A running data plane. It ends at once when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    threads: usize,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    /// Nothing is ever sent: the channel closes when all threads have ended.
    ended: Receiver<()>,
}

impl Proxy {
    /// Serves `listener` by `config`, with the breakers of `circuits`.
    ///
    /// # Errors
    /// [`ProxyError`]; nothing runs then.
    #[expect(clippy::needless_pass_by_value, reason = "it is served until the end")]
    pub fn start(config: &Config, circuits: &Circuits, listener: TcpListener) -> Result<Self, ProxyError> {
        let settings = &config.proxy;
        let threads = match settings.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads as usize,
        };
        let address = listener.local_addr().map_err(ProxyError::Io)?;
        let table = build::table(config, circuits, threads, None)?;
        let tls = server_config(&settings.tls).map_err(ProxyError::Tls)?;
        let access_log = AccessLog::start(settings.access_log).map_err(ProxyError::Io)?;
        let tables: Vec<Arc<InForce>> = (0..threads).map(|_| Arc::new(InForce::new(&table))).collect();
        let shared = Arc::new(Shared::new(settings.clone(), tables.clone(), tls, access_log));
        let limits = Arc::new(Limits {
            places: Arc::new(Semaphore::new(settings.max_connections as usize)),
            clients: Arc::new(Clients::new(settings.max_connections_per_client)),
        });
        let (phase, watch) = watch::channel(Phase::Serving);
        let (running, ended) = bounded(1);
        for (thread, table) in tables.into_iter().enumerate() {
            let listener = listener.try_clone().map_err(ProxyError::Io)?;
            let worker = Worker { shared: shared.clone(), thread, phase: PhaseWatch(watch.clone()), table };
            let (limits, running) = (limits.clone(), running.clone());
            let run = move || {
                if let Err(error) = listener::run(worker, listener, &limits) {
                    tracing::error!(%error, thread, "a thread of the proxy has ended");
                }
                drop(running);
            };
            thread::Builder::new().name(format!("tripline-proxy-{thread}")).spawn(run).map_err(ProxyError::Io)?;
        }
        Ok(Self { address, threads, shared, phase, ended })
    }

    /// Returns the address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Applies the routes, upstreams and certificates of `config`. Requests in flight finish on the former ones;
    /// unchanged upstreams keep their connections. The other keys of `[proxy]` need a restart.
    ///
    /// # Errors
    /// [`ProxyError`]; nothing changes then.
    pub fn apply(&self, config: &Config, circuits: &Circuits) -> Result<(), ProxyError> {
        let before = self.shared.table();
        let table = build::table(config, circuits, self.threads, before.as_deref())?;
        let tls = server_config(&self.shared.settings.tls).map_err(ProxyError::Tls)?;
        self.shared.set_table(&table);
        self.shared.set_tls(tls);
        Ok(())
    }

    /// Renders the metrics of the data plane as Prometheus text, also after the proxy has ended.
    pub fn metrics(&self) -> impl Fn() -> String + Send + Sync + 'static {
        let shared = self.shared.clone();
        move || metrics::render(&shared)
    }

    /// Makes each response the last one of its connection, so that clients go elsewhere before [`Proxy::drain`]: `Connection: close` in
    /// HTTP/1.1, GOAWAY in HTTP/2. Accepting goes on.
    pub fn leave(&self) {
        self.shared.leave();
        self.advance(Phase::Leaving);
    }

    /// Goes on to `phase`, unless that is over.
    fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_later = *now < phase;
            *now = phase.max(*now);
            is_later
        });
    }

    /// Stops accepting, lets requests in flight continue for at most `patience`, then closes the rest. A connection
    /// without a request ends a second after [`Proxy::leave`] at the earliest, because its client may be about to send
    /// one. Returns how many connections were closed.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.leave();
        self.advance(Phase::Draining);
        let all_ended = async {
            // An error means that all threads have ended.
            let _ = self.ended.recv().await;
        };
        or(all_ended, async {
            smol::Timer::after(patience).await;
        })
        .await;
        // Relaxed: a statistic.
        let left = self.shared.figures.connections.load(Ordering::Relaxed);
        self.advance(Phase::Cut);
        let _ = self.ended.recv().await;
        if let Some(log) = &self.shared.access_log {
            log.flush(FLUSH_TIMEOUT);
        }
        left
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.advance(Phase::Cut);
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}
