//! A test page: opened at every pager that is switched on, and closed at once.

use std::sync::Arc;
use std::time::Duration;

use smol::Executor;
use smol::future::or;
use tripline_runtime::core::IncidentEnd;
use tripline_runtime::{Alert, AlertSink, Breaker, Clock, DeliveryError, DeliveryStatus, Stage};

use super::view::TestedSink;

/// Time limit for one pager to open and close the page.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum pause between two status queries of an accepted request.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Opens and closes a test page at each of `sinks`, all concurrently, in one attempt each.
pub(super) async fn test_page(sinks: &[Arc<dyn AlertSink>], breaker: &Breaker, clock: &dyn Clock) -> Vec<TestedSink> {
    // Runs all sinks on the task of the caller.
    let executor = Executor::new();
    let tests: Vec<_> = sinks.iter().map(|sink| executor.spawn(tested(&**sink, breaker, clock))).collect();
    let all = async {
        let mut results = Vec::new();
        for test in tests {
            results.push(test.await);
        }
        results
    };
    executor.run(all).await
}

async fn tested(sink: &dyn AlertSink, breaker: &Breaker, clock: &dyn Clock) -> TestedSink {
    let work = async {
        deliver(sink, &Alert::test(breaker, Stage::Single), clock).await?;
        let mut close = Alert::test(breaker, Stage::Resolved(IncidentEnd::Operator));
        close.earlier.created = DeliveryStatus::Confirmed;
        deliver(sink, &close, clock).await.map_err(|error| format!("opened, not closed: {error}"))
    };
    let timeout = async {
        clock.sleep_until(clock.now() + TIMEOUT).await;
        Err(format!("not done within {} s", TIMEOUT.as_secs()))
    };
    let error = or(work, timeout).await.err();
    TestedSink { sink: sink.name().to_owned(), delivered: error.is_none(), error }
}

async fn deliver(sink: &dyn AlertSink, alert: &Alert, clock: &dyn Clock) -> Result<(), String> {
    loop {
        match sink.deliver(alert).await {
            Ok(()) => return Ok(()),
            Err(DeliveryError::Pending { after }) => {
                clock.sleep_until(clock.now() + after.min(MAX_PAUSE)).await;
            }
            Err(DeliveryError::Rejected { reason, .. }) => return Err(format!("pager rejects: {reason}")),
            Err(DeliveryError::Retryable { reason, .. }) => return Err(reason),
            Err(error) => return Err(error.to_string()),
        }
    }
}
