//! Follows a server by its events, or by polling if it has none.

use std::time::{Duration, Instant};

use serde_json::Value;
use smol::Timer;
use smol::future::or;

use super::client::{Client, CtlError};
use super::status::StatusView;
use super::stream::{EVENTS, EventStream, Opened};
use crate::metrics::label_value;

/// Interval between polls of a server without events, and between attempts to reconnect.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Time without an event after which a server is polled.
const QUIET: Duration = Duration::from_secs(5);

/// A change at the server.
#[derive(Debug)]
pub(super) enum FeedEvent {
    StatusView(Box<Update>),
    /// Calls rejected since the server started.
    Rejected(u64),
    /// An event that is not shown.
    Other,
    /// The server does not answer. The feed keeps trying.
    Lost(String),
}

impl FeedEvent {
    fn of(update: Update) -> Self {
        Self::StatusView(Box::new(update))
    }
}

#[derive(Debug)]
pub(super) struct Update {
    pub(super) seen: StatusView,
    /// Number of calls rejected since the server started; `None` if the server does not report it.
    pub(super) rejected: Option<u64>,
}

/// Follows one server.
pub(super) struct Feed<'c> {
    client: &'c Client,
    source: Source,
    /// Time of the next poll.
    poll_at: Instant,
    rejected: Option<u64>,
    /// When the metrics with that count were read.
    metrics_read_at: Option<Instant>,
    in_events: InEvents,
}

/// Which figures the events of this server contain; these are not polled.
#[derive(Default)]
struct InEvents {
    status: bool,
    rejections: bool,
}

enum Source {
    Events(Box<EventStream>),
    /// The server has no events, for this reason, and is polled.
    Polling(&'static str),
    Lost,
}

impl<'c> Feed<'c> {
    /// Connects to a server.
    ///
    /// # Errors
    /// If no server answers, or it rejects the credentials.
    pub(super) async fn open(client: &'c Client) -> Result<(Self, Update), CtlError> {
        let now = Instant::now();
        let mut feed = Self {
            client,
            source: Source::Lost,
            poll_at: now,
            rejected: None,
            metrics_read_at: None,
            in_events: InEvents::default(),
        };
        let update = feed.connect().await?;
        Ok((feed, update))
    }

    /// How the server is followed, for people.
    pub(super) fn how(&self) -> String {
        match &self.source {
            Source::Events(_) => "its events are read".to_owned(),
            Source::Polling(why) => format!("it is polled once a second: {why}"),
            Source::Lost => "lost, trying again".to_owned(),
        }
    }

    /// Waits for the next event. Dropping this future loses nothing that is not polled again.
    pub(super) async fn next(&mut self) -> FeedEvent {
        match self.advance().await {
            Ok(event) => event,
            Err(why) => {
                if !matches!(self.source, Source::Polling(_)) {
                    self.source = Source::Lost;
                }
                self.poll_at = Instant::now() + POLL_INTERVAL;
                FeedEvent::Lost(why)
            }
        }
    }

    async fn advance(&mut self) -> Result<FeedEvent, String> {
        let update = match &mut self.source {
            Source::Events(stream) => {
                let event = async { Some(stream.next().await) };
                let quiet = async {
                    Timer::at(self.poll_at).await;
                    None
                };
                match or(event, quiet).await.transpose() {
                    Ok(Some(data)) => return self.take(&data).await.map_err(|error| error.to_string()),
                    Ok(None) => {
                        self.poll_at = Instant::now() + QUIET;
                        self.poll().await
                    }
                    // Servers and proxies may end a stream at any time; that is not an error.
                    Err(_) => {
                        self.source = Source::Lost;
                        self.poll_at = Instant::now() + POLL_INTERVAL;
                        Timer::at(self.poll_at).await;
                        self.connect().await
                    }
                }
            }
            Source::Polling(_) => {
                Timer::at(self.poll_at).await;
                let update = self.poll().await;
                self.poll_at = Instant::now() + POLL_INTERVAL;
                update
            }
            Source::Lost => {
                Timer::at(self.poll_at).await;
                self.connect().await
            }
        };
        update.map(FeedEvent::of).map_err(|error| error.to_string())
    }

    /// Applies the data of an event.
    async fn take(&mut self, data: &str) -> Result<FeedEvent, CtlError> {
        if let Some(rejected) = rejected_in_event(data) {
            (self.in_events.rejections, self.rejected) = (true, Some(rejected));
            return Ok(FeedEvent::Rejected(rejected));
        }
        if let Some(seen) = StatusView::of_event(data) {
            self.in_events.status = true;
            self.poll_at = Instant::now() + QUIET;
            return Ok(FeedEvent::of(self.update(seen).await));
        }
        // The event reports a change without the status.
        if !self.in_events.status {
            self.poll_at = Instant::now() + QUIET;
            return self.poll().await.map(FeedEvent::of);
        }
        Ok(FeedEvent::Other)
    }

    async fn connect(&mut self) -> Result<Update, CtlError> {
        let update = self.poll().await?;
        let (source, next) = match EventStream::open(self.client, EVENTS).await? {
            Opened::Stream(stream) => (Source::Events(stream), QUIET),
            Opened::Absent(why) => (Source::Polling(why), POLL_INTERVAL),
        };
        (self.source, self.in_events) = (source, InEvents::default());
        self.poll_at = Instant::now() + next;
        Ok(update)
    }

    async fn poll(&mut self) -> Result<Update, CtlError> {
        let seen = status(self.client).await?.0;
        Ok(self.update(seen).await)
    }

    /// If the events do not count rejections, reads them from the metrics, at most once a second.
    async fn update(&mut self, seen: StatusView) -> Update {
        if !self.in_events.rejections && self.metrics_read_at.is_none_or(|at| at.elapsed() >= POLL_INTERVAL) {
            self.metrics_read_at = Some(Instant::now());
            // A server without metrics can still be watched.
            let answer = self.client.get("/metrics").await.ok();
            self.rejected = answer.and_then(|answer| match self.client.key() {
                Some(key) => rejected_by_member(&answer.text, &seen.name, key),
                None => rejected_in_metrics(&answer.text, &seen.name),
            });
        }
        Update { seen, rejected: self.rejected }
    }
}

/// Reads the status; returns it with the body that contains it.
pub(super) async fn status(client: &Client) -> Result<(StatusView, String), CtlError> {
    const PATH: &str = "/breaker/status";
    let answer = client.get(PATH).await?;
    let seen = StatusView::read(&answer.body).ok_or_else(|| CtlError::Unexpected { path: PATH.to_owned() })?;
    Ok((seen, answer.text))
}

/// The number of rejections in the data of an event.
fn rejected_in_event(data: &str) -> Option<u64> {
    serde_json::from_str::<Value>(data).ok()?.get("refused")?.as_u64()
}

/// The number of all rejections of the breaker `name` in the metrics.
fn rejected_in_metrics(metrics: &str, name: &str) -> Option<u64> {
    let label = format!("breaker=\"{name}\"");
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix("tripline_refused_calls_total{")?.split_once("} "))
        .filter(|(labels, _)| labels.split(',').any(|one| one == label))
        .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
        .reduce(u64::saturating_add)
}

/// The number of rejections of a family's member in the metrics; `None` if it has no series of its own.
fn rejected_by_member(metrics: &str, name: &str, key: &str) -> Option<u64> {
    let labels = format!("{{breaker=\"{name}\",key=\"{}\"}} ", label_value(key));
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tripline_key_rejected_calls_total")?.strip_prefix(labels.as_str()));
    value?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_of_a_member_are_those_of_its_key() {
        let metrics = "tripline_refused_calls_total{breaker=\"t\",reason=\"memory\"} 3\n\
                       tripline_key_rejected_calls_total{breaker=\"t\",key=\"a\\\"b\"} 4\n\
                       tripline_key_rejected_calls_total{breaker=\"t\",key=\"_other\"} 5\n";
        assert_eq!(rejected_by_member(metrics, "t", "a\"b"), Some(4));
        assert_eq!(rejected_by_member(metrics, "t", "c"), None);
    }

    #[test]
    fn rejections_of_one_breaker_are_summed_over_all_reasons() {
        let metrics = "# TYPE tripline_refused_calls_total counter\n\
                       tripline_refused_calls_total{breaker=\"a\",reason=\"memory\"} 3\n\
                       tripline_refused_calls_total{breaker=\"a\",reason=\"latency\"} 4\n\
                       tripline_refused_calls_total{breaker=\"ab\"} 50\n\
                       tripline_slow_calls_total{breaker=\"a\"} 600\n";
        assert_eq!(rejected_in_metrics(metrics, "a"), Some(7));
        assert_eq!(rejected_in_metrics(metrics, "ab"), Some(50));
        assert_eq!(rejected_in_metrics(metrics, "b"), None);
    }

    #[test]
    fn an_event_may_count_rejections() {
        assert_eq!(rejected_in_event(r#"{"ok":1,"refused":7,"trips":2}"#), Some(7));
        for other in ["", "7", r#"{"refused":"x"}"#, r#"{"state":"open"}"#] {
            assert_eq!(rejected_in_event(other), None, "{other}");
        }
    }
}
