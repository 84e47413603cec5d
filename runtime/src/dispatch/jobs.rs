//! Joins several futures.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use futures_lite::future;

pub(super) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs all futures concurrently until the last one is done. There are few, so each wake polls all of them in order.
pub(super) async fn all(mut jobs: Vec<Job>) {
    future::poll_fn(|context| {
        jobs.retain_mut(|job| job.as_mut().poll(context).is_pending());
        if jobs.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
