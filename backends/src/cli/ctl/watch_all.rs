//! `tripline ctl watch` for several breakers: a table that is refreshed once a second.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use async_signal::Signal;
use smol::Timer;
use smol::future::or;
use smol::stream::StreamExt as _;

use super::client::Client;
use super::exit;
use super::list::{self, List};
use super::screen::{Screen, can_draw, size};
use super::style::{Line, Style};
use super::watch::signals;
use crate::cli::output::{CliError, eprint_line};

/// Interval between readings.
const INTERVAL: Duration = Duration::from_secs(1);
/// Number of lines above the table.
const HEAD_LINES: usize = 2;

/// Shows all breakers until a signal or, if standard output is not a terminal, until its reader closes it.
pub(super) async fn watch(client: &Client, first: List) -> Result<ExitCode, CliError> {
    let mut signals = signals()?;
    let screen = can_draw().then(Screen::take).transpose().map_err(|error| CliError::during("the terminal", error))?;
    let mut watched = Watched { latest: first, lost: None };
    if screen.is_none() {
        eprint_line(format!("{}: it is polled once a second", client.server()));
        if print(&[watched.latest.short()]).is_err() {
            return Ok(exit::of_state(watched.latest.any_open()));
        }
    }
    loop {
        if let Some(screen) = &screen
            && screen.draw(&watched.frame(client)).is_err()
        {
            break;
        }
        let signal = async { Err(signals.next().await) };
        let next = async {
            Timer::after(INTERVAL).await;
            Ok(list::read(client).await)
        };
        match or(signal, next).await {
            Ok(read) => {
                let lines = watched.take(read.map_err(|error| error.to_string()));
                if screen.is_none() && print(&lines).is_err() {
                    break;
                }
            }
            // The terminal was resized.
            Err(Some(Ok(Signal::Winch))) => {}
            Err(_) => break,
        }
    }
    let is_drawn = screen.is_some();
    drop(screen);
    if is_drawn {
        // The last state stays on the terminal.
        let _ = writeln!(io::stdout(), "{}", watched.latest.short());
    }
    match watched.lost {
        Some(why) => Err(CliError::new(why)),
        None => Ok(exit::of_state(watched.latest.any_open())),
    }
}

struct Watched {
    latest: List,
    /// Why the server does not answer; `None` while it does.
    lost: Option<String>,
}

impl Watched {
    /// Applies a reading. Returns the lines that report the changes to a log.
    fn take(&mut self, read: Result<List, String>) -> Vec<String> {
        match read {
            Ok(now) => {
                let returned = self.lost.take().map(|_| now.short());
                let changes = if returned.is_some() { Vec::new() } else { now.changes(&self.latest) };
                self.latest = now;
                returned.into_iter().chain(changes).collect()
            }
            Err(why) => {
                let is_new = self.lost.is_none();
                let line = format!("lost: {why}");
                self.lost = Some(why);
                is_new.then_some(line).into_iter().collect()
            }
        }
    }

    fn frame(&self, client: &Client) -> Vec<Line> {
        let head = format!("{}, Ctrl-C ends; --breaker NAME shows one", client.server());
        let lost = self.lost.as_ref().map(|why| format!("no answer; the last state is below. {why}"));
        let mut lines = vec![Line::default().with(Style::Quiet, head)];
        lines.push(lost.map_or_else(Line::default, |text| Line::default().with(Style::Bad, text)));
        lines.extend(self.latest.lines(size().1.saturating_sub(HEAD_LINES)));
        lines
    }
}

fn print(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{} {line}", humantime::format_rfc3339_seconds(SystemTime::now()))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_server_is_reported_once_and_its_return_too() {
        let mut watched = Watched { latest: List::default(), lost: None };
        assert_eq!(watched.take(Err("no answer".into())), ["lost: no answer"]);
        assert!(watched.take(Err("no answer".into())).is_empty());
        assert_eq!(watched.take(Ok(List::default())), ["0 breakers, none open"]);
        assert!(watched.take(Ok(List::default())).is_empty());
    }
}
