//! The threads of the data plane: each accepts and serves its own connections.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use smol::future::or;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::clients::Clients;
use super::connection::serve;
use super::phase::Phase;
use super::worker::{Client, Held, Worker};

/// Interval between checks of idle upstream connections.
const SWEEP: Duration = Duration::from_secs(1);
/// Pause after an error of accepting, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits on connections that all threads share.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) places: Arc<Semaphore>,
    pub(super) clients: Arc<Clients>,
}

/// Runs one thread until the data plane has drained, or is cut.
///
/// # Errors
/// An error if the system provides no event queue, or the listener cannot be used.
pub(super) fn run(worker: Worker, listener: TcpListener, limits: &Limits) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let mut phase = worker.phase.clone();
    let worker = Arc::new(worker);
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // Every connection holds a sender: the thread has drained when the last one is dropped.
        let (alive, mut drained) = mpsc::channel::<()>(1);
        let sweeper = tokio::spawn(sweep(worker.clone()));
        // One thread resolves names for all.
        let resolver = (worker.thread == 0).then(|| tokio::spawn(resolve(worker.clone())));
        let mut until = phase.clone();
        or(accept(&worker, &listener, limits, &alive), until.reached(Phase::Draining)).await;
        // Clients whose connections wait in the queue believe that they are connected.
        let listener = listener.into_std()?;
        while let Ok((stream, peer)) = listener.accept() {
            stream.set_nonblocking(true)?;
            let stream = TcpStream::from_std(stream)?;
            let Ok(place) = limits.places.clone().try_acquire_owned() else { break };
            begin(&worker, stream, peer, limits, place, &alive);
        }
        drop((listener, alive));
        or(
            async {
                drained.recv().await;
            },
            phase.reached(Phase::Cut),
        )
        .await;
        sweeper.abort();
        if let Some(resolver) = resolver {
            resolver.abort();
        }
        Ok(())
    })
}

async fn accept(worker: &Arc<Worker>, listener: &tokio::net::TcpListener, limits: &Limits, alive: &mpsc::Sender<()>) {
    // The semaphore is never closed.
    while let Ok(place) = limits.places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                begin(worker, stream, peer, limits, place, alive);
                // Lets other threads accept a part of a burst.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves an accepted connection, unless its client has too many.
fn begin(
    worker: &Arc<Worker>,
    stream: TcpStream,
    peer: SocketAddr,
    limits: &Limits,
    place: OwnedSemaphorePermit,
    alive: &mpsc::Sender<()>,
) {
    let Some(counted) = limits.clients.enter(peer.ip()) else { return };
    let figures = worker.shared.figures.clone();
    // Relaxed: a statistic.
    figures.connections.fetch_add(1, Ordering::Relaxed);
    let held = Held { figures, _place: place, _counted: counted, _alive: alive.clone() };
    tokio::spawn(serve(worker.clone(), stream, client(worker, peer, held)));
}

fn client(worker: &Worker, peer: SocketAddr, held: Held) -> Client {
    let address: IpAddr = peer.ip().to_canonical();
    let is_trusted = worker.shared.settings.trusted_proxies.iter().any(|network| network.contains(address));
    Client::new(address, is_trusted, held)
}

/// Closes connections that upstreams have closed, as soon as they have, and those that were idle for too long.
async fn sweep(worker: Arc<Worker>) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    poll_fn(|cx| {
        while ticks.poll_tick(cx).is_ready() {}
        for upstream in worker.table.get().upstreams() {
            upstream.pools.sweep(worker.thread, cx);
        }
        Poll::<()>::Pending
    })
    .await;
}

/// Resolves the names of upstreams again when that is due.
async fn resolve(worker: Arc<Worker>) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for upstream in worker.table.get().upstreams() {
            upstream.resolve_if_due().await;
        }
    }
}
