//! Idle connections, used by their own thread, last used first.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

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
