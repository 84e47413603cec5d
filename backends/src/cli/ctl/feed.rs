//! What happens at the server, by its events or by asking.

use std::time::{Duration, Instant};

use serde_json::Value;
use smol::Timer;
use smol::future::or;

use super::client::{Client, CtlError};
use super::status::StatusView;
use super::stream::{EventStream, Opened};

/// Between two questions to a server without events, and between two attempts to reach one that is lost.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// After so long without an event the server is asked whether it lives.
const QUIET: Duration = Duration::from_secs(5);

/// What is new.
#[derive(Debug)]
pub(super) enum News {
    StatusView(Box<Update>),
    /// So many calls were not admitted since the server started.
    Refused(u64),
    /// Nothing that is shown.
    Other,
    /// There is no answer any more; it goes on trying.
    Lost(String),
}

impl News {
    fn of(update: Update) -> Self {
        Self::StatusView(Box::new(update))
    }
}

#[derive(Debug)]
pub(super) struct Update {
    pub(super) seen: StatusView,
    /// Calls that were not admitted since the server started; `None` where it does not say.
    pub(super) refused: Option<u64>,
}

/// Follows one server.
pub(super) struct Feed<'c> {
    client: &'c Client,
    source: Source,
    /// When the server is asked next, whatever comes.
    ask_at: Instant,
    refused: Option<u64>,
    refused_at: Option<Instant>,
    /// What the events tell need not be asked for.
    told: Told,
}

#[derive(Default)]
struct Told {
    status: bool,
    refusals: bool,
}

enum Source {
    Events(Box<EventStream>),
    /// There are none, for this reason.
    Asking(&'static str),
    Lost,
}

impl<'c> Feed<'c> {
    /// # Errors
    /// Where there is no server, or it does not let us in.
    pub(super) async fn open(client: &'c Client) -> Result<(Self, Update), CtlError> {
        let now = Instant::now();
        let mut feed =
            Self { client, source: Source::Lost, ask_at: now, refused: None, refused_at: None, told: Told::default() };
        let update = feed.connect().await?;
        Ok((feed, update))
    }

    /// How it is followed, for people.
    pub(super) fn how(&self) -> String {
        match &self.source {
            Source::Events(_) => "its events are read".to_owned(),
            Source::Asking(why) => format!("it is asked once a second: {why}"),
            Source::Lost => "lost, trying again".to_owned(),
        }
    }

    /// What is new; it may take long. Dropping this future loses nothing that is not asked for again.
    pub(super) async fn next(&mut self) -> News {
        match self.advance().await {
            Ok(news) => news,
            Err(why) => {
                if !matches!(self.source, Source::Asking(_)) {
                    self.source = Source::Lost;
                }
                self.ask_at = Instant::now() + ASK_EVERY;
                News::Lost(why)
            }
        }
    }

    async fn advance(&mut self) -> Result<News, String> {
        let update = match &mut self.source {
            Source::Events(stream) => {
                let event = async { Some(stream.next().await) };
                let quiet = async {
                    Timer::at(self.ask_at).await;
                    None
                };
                match or(event, quiet).await.transpose() {
                    Ok(Some(data)) => return self.take(&data).await.map_err(|error| error.to_string()),
                    Ok(None) => {
                        self.ask_at = Instant::now() + QUIET;
                        self.ask().await
                    }
                    // Servers and proxies end streams; that alone is no trouble.
                    Err(_) => {
                        self.source = Source::Lost;
                        self.ask_at = Instant::now() + ASK_EVERY;
                        Timer::at(self.ask_at).await;
                        self.connect().await
                    }
                }
            }
            Source::Asking(_) => {
                Timer::at(self.ask_at).await;
                let update = self.ask().await;
                self.ask_at = Instant::now() + ASK_EVERY;
                update
            }
            Source::Lost => {
                Timer::at(self.ask_at).await;
                self.connect().await
            }
        };
        update.map(News::of).map_err(|error| error.to_string())
    }

    /// What an event tells.
    async fn take(&mut self, data: &str) -> Result<News, CtlError> {
        if let Some(refused) = refused_of_event(data) {
            (self.told.refusals, self.refused) = (true, Some(refused));
            return Ok(News::Refused(refused));
        }
        if let Some(seen) = StatusView::of_event(data) {
            self.told.status = true;
            self.ask_at = Instant::now() + QUIET;
            return Ok(News::of(self.update(seen).await));
        }
        // Something happened, and no event tells how things stand now.
        if !self.told.status {
            self.ask_at = Instant::now() + QUIET;
            return self.ask().await.map(News::of);
        }
        Ok(News::Other)
    }

    async fn connect(&mut self) -> Result<Update, CtlError> {
        let update = self.ask().await?;
        let (source, next) = match EventStream::open(self.client).await? {
            Opened::Stream(stream) => (Source::Events(stream), QUIET),
            Opened::Absent(why) => (Source::Asking(why), ASK_EVERY),
        };
        (self.source, self.told) = (source, Told::default());
        self.ask_at = Instant::now() + next;
        Ok(update)
    }

    async fn ask(&mut self) -> Result<Update, CtlError> {
        let seen = status(self.client).await?.0;
        Ok(self.update(seen).await)
    }

    /// Where no event tells of refusals they stand in the metrics, which are looked at once a second at most.
    async fn update(&mut self, seen: StatusView) -> Update {
        if !self.told.refusals && self.refused_at.is_none_or(|at| at.elapsed() >= ASK_EVERY) {
            self.refused_at = Some(Instant::now());
            // A server without metrics is watched all the same.
            self.refused = self.client.get("/metrics").await.ok().and_then(|answer| refused(&answer.text, &seen.name));
        }
        Update { seen, refused: self.refused }
    }
}

/// The status, and the body that it was read from.
pub(super) async fn status(client: &Client) -> Result<(StatusView, String), CtlError> {
    const PATH: &str = "/breaker/status";
    let answer = client.get(PATH).await?;
    let seen = StatusView::read(&answer.body).ok_or_else(|| CtlError::Strange { path: PATH.to_owned() })?;
    Ok((seen, answer.text))
}

/// The refusals that the data of an event counts.
fn refused_of_event(data: &str) -> Option<u64> {
    serde_json::from_str::<Value>(data).ok()?.get("refused")?.as_u64()
}

/// All refusals of the breaker `name` in the metrics.
fn refused(metrics: &str, name: &str) -> Option<u64> {
    let label = format!("breaker=\"{name}\"");
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix("tripline_refused_calls_total{")?.split_once("} "))
        .filter(|(labels, _)| labels.split(',').any(|one| one == label))
        .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
        .reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_breaker_are_summed_over_all_reasons() {
        let metrics = "# TYPE tripline_refused_calls_total counter\n\
                       tripline_refused_calls_total{breaker=\"a\",reason=\"memory\"} 3\n\
                       tripline_refused_calls_total{breaker=\"a\",reason=\"latency\"} 4\n\
                       tripline_refused_calls_total{breaker=\"ab\"} 50\n\
                       tripline_slow_calls_total{breaker=\"a\"} 600\n";
        assert_eq!(refused(metrics, "a"), Some(7));
        assert_eq!(refused(metrics, "ab"), Some(50));
        assert_eq!(refused(metrics, "b"), None);
    }

    #[test]
    fn an_event_may_count_refusals() {
        assert_eq!(refused_of_event(r#"{"ok":1,"refused":7,"trips":2}"#), Some(7));
        for other in ["", "7", r#"{"refused":"x"}"#, r#"{"state":"open"}"#] {
            assert_eq!(refused_of_event(other), None, "{other}");
        }
    }
}
