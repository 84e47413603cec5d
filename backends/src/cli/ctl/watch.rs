//! `tripline ctl watch` and `tripline ctl events`

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::SystemTime;

use async_signal::{Signal, Signals};
use smol::future::or;
use smol::stream::StreamExt as _;

use super::client::Client;
use super::exit;
use super::feed::{self, Feed, FeedEvent, Update};
use super::screen::{Screen, can_draw, size};
use super::status::{StatusView, labelled};
use super::stream::{ALL_EVENTS, EVENTS, EventStream, Opened};
use super::style::{Line, Style};
use crate::cli::output::{CliError, eprint_line};

/// Shows the breaker until a signal or, if standard output is not a terminal, until its reader closes it.
pub(super) async fn watch(client: &Client) -> Result<ExitCode, CliError> {
    let mut signals = signals()?;
    let (mut feed, update) = Feed::open(client).await?;
    let mut view = if can_draw() {
        let screen = Screen::take().map_err(|error| CliError::during("the terminal", error))?;
        View::Screen(screen)
    } else {
        eprint_line(format!("{}: {}", client.server(), feed.how()));
        View::Lines { last: None }
    };
    let mut watched = Watched { latest: update, lost: None };
    loop {
        if view.show(client, &feed, &watched).is_err() {
            break;
        }
        let signal = async { Err(signals.next().await) };
        match or(signal, async { Ok(feed.next().await) }).await {
            Ok(event) => watched.take(event),
            // The terminal was resized.
            Err(Some(Ok(Signal::Winch))) => {}
            Err(_) => break,
        }
    }
    let drawn = matches!(view, View::Screen(_));
    drop(view);
    if drawn {
        // The last state stays on the terminal.
        let _ = writeln!(io::stdout(), "{}", watched.latest.seen.short());
    }
    match watched.lost {
        Some(why) => Err(CliError::new(why)),
        None => Ok(exit::of_state(watched.latest.seen.triggered)),
    }
}

/// Prints the events of one breaker or of `all` as they arrive, until a signal or until the reader closes the output.
pub(super) async fn events(client: &Client, all: bool) -> Result<ExitCode, CliError> {
    let mut signals = signals()?;
    let path = if all { ALL_EVENTS } else { EVENTS };
    let mut stream = match EventStream::open(client, path).await? {
        Opened::Stream(stream) => stream,
        Opened::Absent(why) => {
            // Reports a name or a key that does not exist.
            feed::status(client).await?;
            return Err(CliError::new(format!("{}: {why}; `watch` polls instead", client.server())));
        }
    };
    loop {
        let signal = async {
            while let Some(Ok(Signal::Winch)) = signals.next().await {}
            None
        };
        match or(signal, async { Some(stream.chunk().await) }).await {
            None => return Ok(ExitCode::SUCCESS),
            Some(Ok(Some(bytes))) => {
                let mut out = io::stdout().lock();
                if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            Some(Ok(None)) => return Err(client.no_answer("the server ended the events").into()),
            Some(Err(error)) => return Err(client.no_answer(format!("the event stream ended early: {error}")).into()),
        }
    }
}

pub(super) fn signals() -> Result<Signals, CliError> {
    Signals::new([Signal::Int, Signal::Term, Signal::Hup, Signal::Winch])
        .map_err(|error| CliError::during("signals", error))
}

struct Watched {
    latest: Update,
    /// Why the server does not answer; `None` while it does.
    lost: Option<String>,
}

impl Watched {
    fn take(&mut self, event: FeedEvent) {
        match event {
            FeedEvent::StatusView(update) => *self = Self { latest: *update, lost: None },
            FeedEvent::Rejected(rejected) => self.latest.rejected = Some(rejected),
            FeedEvent::Other => {}
            FeedEvent::Lost(why) => self.lost = Some(why),
        }
    }
}

enum View {
    Screen(Screen),
    /// Prints one line per change. Holds the content of the last line.
    Lines {
        last: Option<LastLine>,
    },
}

enum LastLine {
    StatusView(Box<StatusView>),
    Lost,
}

impl View {
    fn show(&mut self, client: &Client, feed: &Feed<'_>, watched: &Watched) -> io::Result<()> {
        match self {
            Self::Screen(screen) => screen.draw(&frame(client, feed, watched)),
            Self::Lines { last } => {
                let seen = &watched.latest.seen;
                let (text, line) = match (&watched.lost, &*last) {
                    (Some(_), Some(LastLine::Lost)) => return Ok(()),
                    (None, Some(LastLine::StatusView(before))) if !seen.matters_beside(before) => return Ok(()),
                    (Some(why), _) => (format!("lost: {why}"), LastLine::Lost),
                    (None, _) => (seen.short(), LastLine::StatusView(Box::new(seen.clone()))),
                };
                *last = Some(line);
                let mut out = io::stdout().lock();
                writeln!(out, "{} {text}", humantime::format_rfc3339_seconds(SystemTime::now()))?;
                out.flush()
            }
        }
    }
}

fn frame(client: &Client, feed: &Feed<'_>, watched: &Watched) -> Vec<Line> {
    let how = format!("{}, Ctrl-C ends; {}", client.server(), feed.how());
    let mut lines = vec![Line::default().with(Style::Quiet, how)];
    let lost = watched.lost.as_ref().map(|why| format!("no answer; the last state is below. {why}"));
    lines.push(lost.map_or_else(Line::default, |text| Line::default().with(Style::Bad, text)));
    lines.extend(watched.latest.seen.lines(size().0, true));
    let rejected = watched.latest.rejected.map_or_else(|| "unknown".to_owned(), |calls| format!("{calls} calls"));
    let rejected = labelled("rejected").with(Style::Plain, rejected);
    // Beside the line of the calls.
    let place = lines.len().min(9);
    lines.insert(place, rejected);
    lines
}
