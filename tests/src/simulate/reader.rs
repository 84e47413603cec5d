//! A reader of the events of a breaker: it follows them, leaves, and returns later.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use serde_json::Value;
use smol::future::or;
use smol::stream::StreamExt as _;
use tower::ServiceExt as _;
use tripline_core::Instant;
use tripline_runtime::Clock;

use super::random::Random;
use super::settings::BREAKERS;
use super::violation::{Check, hold};

/// Events that the log of a breaker keeps.
const KEPT: usize = 200;

/// What a reader has received.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) breaker: usize,
    /// Since when the stream is connected; `None` while it is not.
    pub(super) connected_since: Option<Instant>,
    /// The state after the last transition.
    pub(super) state: Option<String>,
    /// The id and the number of the last event.
    last: Option<(String, u64)>,
}

impl Received {
    pub(super) const fn new(breaker: usize) -> Self {
        Self { breaker, connected_since: None, state: None, last: None }
    }

    /// Takes a piece of the stream, which is made of whole events.
    fn take(&mut self, piece: &str) -> Check {
        let mut count = 0;
        for event in piece.split("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            let Some(id) = field("id: ") else { continue };
            let number = id.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
            let last = self.last.as_ref().map(|(_, last)| *last);
            // More events than the log keeps may be lost before the first, none after it.
            let follows = last.is_none_or(|last| number == last + 1);
            hold(follows, "events", || format!("number {number} after {last:?}"))?;
            self.last = Some((id.to_owned(), number));
            count += 1;
            if field("event: ") == Some("transition") {
                let data: Value = serde_json::from_str(field("data: ").unwrap_or_default()).unwrap_or_default();
                self.state = data["to"].as_str().map(str::to_owned);
            }
        }
        hold(count <= KEPT, "memory is bounded", || format!("the log has sent {count} events at once"))
    }
}

/// Follows the events for some minutes, leaves for a minute at most, and returns with the id of the last event: it gets
/// what it has missed. All spans are drawn from `random`.
pub(super) async fn follow(
    router: Router,
    clock: Arc<dyn Clock>,
    mut random: Random,
    received: Rc<RefCell<Received>>,
) -> Check {
    let mut minutes = |most: u64| random.millis(1_000, most * 60_000);
    let (first, pause, second) = (minutes(5), minutes(1), minutes(5));
    connect(&router, &*clock, &received, first).await?;
    clock.sleep_until(clock.now() + pause).await;
    connect(&router, &*clock, &received, second).await
}

async fn connect(router: &Router, clock: &dyn Clock, received: &RefCell<Received>, span: Duration) -> Check {
    let until = clock.now() + span;
    let (breaker, last) = {
        let received = received.borrow();
        (BREAKERS[received.breaker], received.last.as_ref().map(|(id, _)| id.clone()))
    };
    let mut request = Request::get(format!("/breakers/{breaker}/events")).header("host", "localhost:8080");
    if let Some(id) = last {
        request = request.header("last-event-id", id);
    }
    let Ok(request) = request.body(Body::empty()) else { return Ok(()) };
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status().as_u16();
    hold(status == 200, "events", || format!("status {status}"))?;
    received.borrow_mut().connected_since = Some(clock.now());
    let mut body = response.into_body().into_data_stream();
    let end = async {
        clock.sleep_until(until).await;
        None
    };
    let mut end = std::pin::pin!(end);
    while let Some(Ok(piece)) = or(body.next(), &mut end).await {
        received.borrow_mut().take(&String::from_utf8_lossy(&piece))?;
    }
    received.borrow_mut().connected_since = None;
    Ok(())
}
