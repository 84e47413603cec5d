//! A progress bar for a long input, on a line of the terminal that is cleared afterwards.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;

/// Minimum duration of a read that shows a bar.
const FIRST_AFTER: Duration = Duration::from_secs(1);
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const BAR_WIDTH: u64 = 24;
const USUAL_COLUMNS: usize = 80;
/// Returns to the beginning of the line and clears it.
const CLEAR: &str = "\r\u{1b}[K";

/// Whether standard error is a terminal with cursor control.
pub(in crate::cli) fn can_draw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The bytes and lines read so far, and the bar that shows them. The clock is read once per chunk, which contains many
/// lines.
#[derive(Debug)]
pub(super) struct Progress {
    seen: Cell<Position>,
    started: Instant,
    /// When the bar was drawn last; `None` while nothing is on the terminal.
    drawn: Cell<Option<Instant>>,
}

/// How much of the input has been read.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    bytes: u64,
    lines: u64,
    /// Size of the input, in bytes; `None` if unknown.
    size: Option<u64>,
}

/// A reader that reports its progress to the bar.
#[derive(Debug)]
pub(super) struct Counted<R> {
    input: R,
    progress: Rc<Progress>,
    counts: Counts,
}

/// The unit that is counted. A compressed input is counted in two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    Bytes,
    Lines,
    Both,
}

impl Progress {
    pub(super) fn new(size: Option<u64>) -> Rc<Self> {
        let seen = Position { size: size.filter(|&size| size > 0), ..Position::default() };
        Rc::new(Self { seen: Cell::new(seen), started: Instant::now(), drawn: Cell::new(None) })
    }

    fn add(&self, part: &[u8], counts: Counts) {
        let mut seen = self.seen.get();
        if counts != Counts::Lines {
            seen.bytes += part.len() as u64;
        }
        if counts != Counts::Bytes {
            seen.lines += part.iter().map(|&byte| u64::from(byte == b'\n')).sum::<u64>();
        }
        self.seen.set(seen);
    }

    fn show(&self) {
        let now = Instant::now();
        let elapsed = now.duration_since(self.started);
        let since_drawn = self.drawn.get().map(|drawn| now.duration_since(drawn));
        if is_due(elapsed, since_drawn) {
            let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
            let columns = if columns == 0 { USUAL_COLUMNS } else { columns };
            // Some terminals wrap after the last column, so it stays empty.
            let text: String = text(self.seen.get(), elapsed).chars().take(columns - 1).collect();
            // Standard error may be closed.
            let _ = write!(io::stderr(), "{CLEAR}{text}");
            self.drawn.set(Some(now));
        }
    }

    fn clear(&self) {
        if self.drawn.take().is_some() {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<R> Counted<R> {
    pub(super) fn new(input: R, progress: &Rc<Progress>, counts: Counts) -> Self {
        Self { input, progress: progress.clone(), counts }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.progress.add(buffer.get(..read).unwrap_or_default(), self.counts);
        match (self.counts, read) {
            (Counts::Bytes, _) => {}
            // The result is printed next.
            (_, 0) => self.progress.clear(),
            _ => self.progress.show(),
        }
        Ok(read)
    }
}

fn is_due(elapsed: Duration, since_drawn: Option<Duration>) -> bool {
    since_drawn.map_or(elapsed >= FIRST_AFTER, |since| since >= AGAIN_AFTER)
}

/// `[######------------------]  25 %  500000 lines, 250000/s, 6 s left`, or the known part of it for an input of unknown
/// size.
fn text(Position { bytes, lines, size }: Position, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let per_second = (lines as f64 / seconds).round() as u64;
    let mut text = String::new();
    if let Some(size) = size {
        let share = bytes.min(size) as f64 / size as f64;
        let full = (share * BAR_WIDTH as f64) as u64;
        text.extend((0..BAR_WIDTH).map(|cell| if cell < full { '#' } else { '-' }));
        text = format!("[{text}] {:3.0} %  {lines} lines, {per_second}/s", (share * 100.0).floor());
        if bytes > 0 && bytes < size {
            let left = (seconds / share * (1.0 - share)).ceil() as u64;
            let (minutes, seconds) = (left / 60, left % 60);
            // Writing to a `String` cannot fail.
            let _ = match minutes {
                0 => write!(text, ", {seconds} s left"),
                _ => write!(text, ", {minutes}:{seconds:02} min left"),
            };
        }
    } else {
        let megabytes = bytes as f64 / 1e6;
        let _ = write!(text, "{lines} lines, {megabytes:.1} MB, {per_second}/s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_shows_share_lines_speed_and_what_is_left() {
        let seen = |bytes, lines, size| Position { bytes, lines, size };
        let two_seconds = Duration::from_secs(2);
        for (seen, expected) in [
            (seen(25, 500_000, Some(100)), "[######------------------]  25 %  500000 lines, 250000/s, 6 s left"),
            (seen(1, 10, Some(1_000)), "[------------------------]   0 %  10 lines, 5/s, 33:18 min left"),
            (seen(100, 7, Some(100)), "[########################] 100 %  7 lines, 4/s"),
            (seen(120, 7, Some(100)), "[########################] 100 %  7 lines, 4/s"),
            (seen(0, 0, Some(100)), "[------------------------]   0 %  0 lines, 0/s"),
            (seen(25_000_000, 500_000, None), "500000 lines, 25.0 MB, 250000/s"),
        ] {
            assert_eq!(text(seen, two_seconds), expected);
        }
    }

    #[test]
    fn it_is_drawn_after_a_second_and_then_ten_times_a_second() {
        let millis = Duration::from_millis;
        assert!(!is_due(millis(999), None));
        assert!(is_due(millis(1_000), None));
        assert!(!is_due(millis(5_000), Some(millis(99))));
        assert!(is_due(millis(5_000), Some(millis(100))));
    }

    #[test]
    fn lines_and_bytes_are_counted_once_each() {
        let progress = Progress::new(Some(6));
        let mut outer =
            Counted::new(Counted::new(&b"a\nb\ncd"[..], &progress, Counts::Bytes), &progress, Counts::Lines);
        let copied = io::copy(&mut outer, &mut io::sink()).ok();
        let seen = progress.seen.get();
        assert_eq!((copied, seen.bytes, seen.lines), (Some(6), 6, 2));
    }

    #[test]
    fn the_bar_is_gone_as_soon_as_all_is_read() {
        let progress = Progress::new(None);
        progress.drawn.set(Some(progress.started));
        let copied = io::copy(&mut Counted::new(&b""[..], &progress, Counts::Both), &mut io::sink());
        assert_eq!((copied.ok(), progress.drawn.get()), (Some(0), None));
    }
}
