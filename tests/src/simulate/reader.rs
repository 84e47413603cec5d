//! A reader of the events of a breaker.

use axum::Router;
use axum::body::Body;
use http::Request;
use smol::stream::StreamExt as _;
use tower::ServiceExt as _;

use super::violation::{Check, hold};

/// Follows the events until the process ends or an event number is missing.
pub(super) async fn follow(router: Router, breaker: &str) -> Check {
    let request = Request::get(format!("/breakers/{breaker}/events")).header("host", "localhost:8080");
    let Ok(request) = request.body(Body::empty()) else { return Ok(()) };
    let Ok(response) = router.oneshot(request).await;
    let status = response.status().as_u16();
    if status == 429 {
        return Ok(());
    }
    hold(status == 200, "events", || format!("status {status}"))?;
    let mut body = response.into_body().into_data_stream();
    let mut last: Option<u64> = None;
    while let Some(Ok(piece)) = body.next().await {
        let text = String::from_utf8_lossy(&piece);
        for number in text.lines().filter_map(|line| line.strip_prefix("id: ")?.rsplit('-').next()?.parse::<u64>().ok())
        {
            // More events than the log keeps may be lost before the first, none after it.
            let follows = last.is_none_or(|last| number == last + 1);
            hold(follows, "events", || format!("number {number} after {last:?}"))?;
            last = Some(number);
        }
    }
    Ok(())
}
