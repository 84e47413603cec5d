//! Idle connections, used by their own thread, last used first.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::addresses::Addresses;
use super::link::Link;

/// The idle connections of an upstream, per thread.
#[derive(Debug)]
pub(crate) struct Pools {
    by_thread: Vec<OfThread>,
    max_idle: usize,
    idle_timeout: Duration,
}

/// The idle connections of one thread, per server, on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct OfThread(Mutex<Pool>);

/// The lock is contended by [`Pools::idle`] only.
#[derive(Debug, Default)]
struct Pool {
    by_server: Vec<Vec<Link>>,
    idle: usize,
}

impl Pools {
    pub(super) fn new(threads: usize, servers: usize, max_idle: usize, idle_timeout: Duration) -> Self {
        let pool = || {
            let by_server = std::iter::repeat_with(Vec::new).take(servers).collect();
            OfThread(Mutex::new(Pool { by_server, idle: 0 }))
        };
        let by_thread: Vec<_> = std::iter::repeat_with(pool).take(threads).collect();
        Self { by_thread, max_idle: max_idle.div_ceil(threads.max(1)), idle_timeout }
    }

    /// Takes the last used live connection to the server with this index, if there is one.
    pub(crate) async fn take(&self, thread: usize, index: usize, addresses: &Addresses) -> Option<Link> {
        loop {
            let mut link = self.pop(thread, index)?;
            if link.idle_since.elapsed() >= self.idle_timeout || !addresses.contains(link.address) {
                continue;
            }
            if poll_fn(|cx| Poll::Ready(link.poll_is_ready(cx))).await {
                return Some(link);
            }
        }
    }

    fn pop(&self, thread: usize, index: usize) -> Option<Link> {
        let mut pool = self.lock(thread)?;
        let link = pool.by_server.get_mut(index)?.pop()?;
        pool.idle -= 1;
        Some(link)
    }

    /// Returns a connection whose response was read completely. Above `max_idle` it is closed.
    pub(crate) fn put(&self, thread: usize, mut link: Link) {
        let Some(mut pool) = self.lock(thread) else { return };
        if pool.idle >= self.max_idle {
            return;
        }
        link.is_reused = true;
        link.idle_since = Instant::now();
        if let Some(idle) = pool.by_server.get_mut(link.server) {
            idle.push(link);
            pool.idle += 1;
        }
    }

    /// Closes connections that the upstream has closed, or that were idle for too long. Must be called from a task of
    /// that thread.
    pub(crate) fn sweep(&self, thread: usize, cx: &mut Context<'_>) {
        let Some(mut pool) = self.lock(thread) else { return };
        let mut left = 0;
        for idle in &mut pool.by_server {
            idle.retain_mut(|link| link.idle_since.elapsed() < self.idle_timeout && link.poll_is_ready(cx));
            left += idle.len();
        }
        pool.idle = left;
    }

    /// Number of idle connections of all threads.
    pub(crate) fn idle(&self) -> usize {
        (0..self.by_thread.len()).filter_map(|thread| self.lock(thread)).map(|pool| pool.idle).sum()
    }

    fn lock(&self, thread: usize) -> Option<MutexGuard<'_, Pool>> {
        // No code panics while it holds the lock.
        self.by_thread.get(thread).map(|pool| pool.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use proptest::prelude::*;
    use tokio::task::yield_now;
    use tokio::time::advance;

    use super::*;
    use crate::proxy::stream::Stream;

    const THREADS: usize = 2;
    const SERVERS: usize = 2;
    const IDLE_TIMEOUT_MS: u64 = 1_000;

    /// An event at the pool.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// So many milliseconds pass.
        Wait(u64),
        /// A request opens a connection to a server.
        Open(usize),
        /// The oldest open request of a thread ends.
        Put(usize),
        /// The oldest open request is cancelled.
        Cancel,
        /// A request on a thread takes a connection to a server.
        Take(usize, usize),
        /// A request is cancelled before it takes one.
        CancelTake(usize, usize),
        /// The upstream closes this connection.
        Close(usize),
        Sweep(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let (thread, server) = (0..THREADS, 0..SERVERS);
        let step = prop_oneof![
            3 => (1..=IDLE_TIMEOUT_MS / 2).prop_map(Step::Wait),
            1 => Just(Step::Wait(IDLE_TIMEOUT_MS)),
            4 => server.clone().prop_map(Step::Open),
            5 => thread.clone().prop_map(Step::Put),
            1 => Just(Step::Cancel),
            4 => (thread.clone(), server.clone()).prop_map(|(thread, server)| Step::Take(thread, server)),
            1 => (thread.clone(), server).prop_map(|(thread, server)| Step::CancelTake(thread, server)),
            2 => (0..20_usize).prop_map(Step::Close),
            1 => thread.prop_map(Step::Sweep),
        ];
        prop::collection::vec(step, 1..80)
    }

    /// An idle connection of the model.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Idle {
        number: u16,
        server: usize,
        since: u64,
    }

    /// The naive pool: a list of idle connections per thread, in the order in which they were returned.
    #[derive(Debug, Default)]
    struct Model {
        now: u64,
        idle: [Vec<Idle>; THREADS],
        closed: Vec<u16>,
    }

    impl Model {
        fn is_usable(&self, idle: Idle) -> bool {
            self.now - idle.since < IDLE_TIMEOUT_MS && !self.closed.contains(&idle.number)
        }

        /// Those that are not usable and were returned later are closed.
        fn take(&mut self, thread: usize, server: usize) -> Option<u16> {
            loop {
                let last = self.idle[thread].iter().rposition(|idle| idle.server == server)?;
                let idle = self.idle[thread].remove(last);
                if self.is_usable(idle) {
                    return Some(idle.number);
                }
            }
        }

        fn sweep(&mut self, thread: usize) {
            let idle = std::mem::take(&mut self.idle[thread]);
            self.idle[thread] = idle.into_iter().filter(|idle| self.is_usable(*idle)).collect();
        }
    }

    /// A connection to this listener, known by the port of its address, and its other end.
    async fn open(listener: &TcpListener, number: u16, server: usize) -> (Link, TcpStream) {
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (other, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = Stream::Plain(tokio::net::TcpStream::from_std(stream).unwrap());
        (Link::open(stream, server, SocketAddr::from(([127, 0, 0, 1], number))).await.unwrap(), other)
    }

    /// Lets the runtime notice what has happened at the sockets, without letting time pass.
    async fn notice() {
        for _ in 0..130 {
            yield_now().await;
        }
    }

    async fn simulate(max_idle: usize, steps: Vec<Step>) -> Result<(), TestCaseError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pools = Pools::new(THREADS, SERVERS, max_idle, Duration::from_millis(IDLE_TIMEOUT_MS));
        let addresses = Addresses::new(&"http://127.0.0.1:80".parse().unwrap());
        let (mut model, mut used, mut others) = (Model::default(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Wait(millis) => {
                    advance(Duration::from_millis(millis)).await;
                    model.now += millis;
                }
                Step::Open(server) => {
                    let (link, other) = open(&listener, others.len() as u16, server).await;
                    used.push(link);
                    others.push(Some(other));
                }
                Step::Put(thread) if !used.is_empty() => {
                    let link = used.remove(0);
                    let idle = Idle { number: link.address.port(), server: link.server, since: model.now };
                    pools.put(thread, link);
                    if model.idle[thread].len() < max_idle.div_ceil(THREADS) {
                        model.idle[thread].push(idle);
                    }
                }
                Step::Cancel if !used.is_empty() => drop(used.remove(0)),
                Step::Take(thread, server) => {
                    let link = pools.take(thread, server, &addresses).await;
                    let number = link.as_ref().map(|link| link.address.port());
                    prop_assert_eq!(number, model.take(thread, server), "{:?}", step);
                    prop_assert!(link.as_ref().is_none_or(|link| link.is_reused && link.server == server));
                    used.extend(link);
                }
                Step::CancelTake(thread, server) => drop(pools.take(thread, server, &addresses)),
                Step::Close(number) if others.get_mut(number).and_then(Option::take).is_some() => {
                    model.closed.push(number as u16);
                    notice().await;
                }
                Step::Sweep(thread) => {
                    poll_fn(|cx| {
                        pools.sweep(thread, cx);
                        Poll::Ready(())
                    })
                    .await;
                    model.sweep(thread);
                }
                Step::Put(_) | Step::Cancel | Step::Close(_) => {}
            }
            let idle: usize = model.idle.iter().map(Vec::len).sum();
            prop_assert_eq!(pools.idle(), idle, "after {:?}: {:?}", step, model);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// On paused time: the connection of the thread that was used last is used next, none after the idle timeout or after the upstream
        /// has closed it, a sweep closes those, no thread keeps more than its share of `max_idle`, and a cancelled request returns none.
        #[test]
        fn the_pool_does_what_a_naive_one_does(max_idle in 0_usize..9, steps in steps()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            runtime.block_on(simulate(max_idle, steps))?;
        }
    }
}
