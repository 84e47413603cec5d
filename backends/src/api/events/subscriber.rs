//! One reader of the events.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use smol::future::or;
use smol::stream::{Stream, unfold};
use tripline_runtime::Clock;
use tripline_runtime::core::Instant;

use super::places::SubscriberSlot;
use crate::circuit::EventLog;

/// Figures are drawn no more often, and no reader is sent more often.
pub(super) const MIN_GAP: Duration = Duration::from_millis(100);
/// After this long without anything new a comment is sent, so that both sides know that the other one is there.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After how many milliseconds a reader that was cut off should come back.
const RETRY: &str = "retry: 1000\n\n";

/// The source of a stream of events: an event log, and figures beside it.
pub(super) trait Source: Send + Sync + 'static {
    /// The versions of the figures that a reader has.
    type Seen: Default + Send;

    /// The clock by which readers are sent something.
    fn clock(&self) -> &dyn Clock;

    /// The log of events.
    fn log(&self) -> &EventLog;

    /// Resolves when there may be something new since this call.
    fn news(&self) -> impl Future<Output = ()> + Send;

    /// Appends the figures that are newer than `seen`; false while there are no figures.
    fn write_newer(&self, seen: &mut Self::Seen, text: &mut String) -> bool;
}

/// One reader, and what it has got.
#[derive(Debug)]
pub(super) struct Subscriber<S: Source> {
    source: Arc<S>,
    place: Arc<SubscriberSlot>,
    is_new: bool,
    seen: S::Seen,
    /// Number of the last event that was sent.
    sent: u64,
    not_before: Instant,
}

impl<S: Source> Subscriber<S> {
    /// `last_seen` is the id of the last event that it got before it was cut off.
    pub(super) fn new(source: Arc<S>, place: SubscriberSlot, last_seen: Option<&str>) -> Self {
        let sent = last_seen.map_or(0, |id| source.log().number_of(id));
        let place = Arc::new(place);
        Self { source, place, is_new: true, seen: S::Seen::default(), sent, not_before: Instant::ZERO }
    }

    /// All that is new, whenever the reader has taken what was sent before. It ends only when the place goes to another reader.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        unfold(self, async |mut reader| {
            let place = reader.place.clone();
            let given_up = async {
                place.given_up().await;
                None
            };
            let text = or(async { Some(reader.next().await) }, given_up).await?;
            Some((Ok(Bytes::from(text)), reader))
        })
    }

    async fn next(&mut self) -> String {
        // Of a clone, since `collect` changes the reader.
        let source = self.source.clone();
        let clock = source.clock();
        // A clock that was set back must not silence the reader.
        clock.sleep_until(self.not_before.min(clock.now() + MIN_GAP)).await;
        let quiet_until = clock.now() + HEARTBEAT;
        loop {
            let news = source.news();
            let text = self.collect();
            if !text.is_empty() {
                self.not_before = clock.now() + MIN_GAP;
                return text;
            }
            let heard = async {
                news.await;
                true
            };
            let quiet = async {
                clock.sleep_until(quiet_until).await;
                false
            };
            if !or(heard, quiet).await {
                return ": nothing new\n\n".to_owned();
            }
        }
    }

    fn collect(&mut self) -> String {
        let mut text = String::from(if self.is_new { RETRY } else { "" });
        if !self.source.write_newer(&mut self.seen, &mut text) {
            return String::new();
        }
        self.sent = self.source.log().write_after(self.sent, &mut text);
        self.is_new = false;
        text
    }
}
