//! The access log: one line per request, readable by `tripline replay`.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::config::AccessLog as Format;
use crate::process::output::write_all;
use crate::process::queue::LineQueue;
use crate::text::rfc3339;

/// Maximum size of queued lines in bytes; further lines are dropped and counted.
const MAX_QUEUED_BYTES: usize = 1 << 20;
/// Seconds per day.
const DAY: u64 = 86_400;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes lines to standard output on its own thread.
#[derive(Debug)]
pub(super) struct AccessLog {
    queue: Arc<LineQueue>,
    is_json: bool,
}

/// The fields of a line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// The end of the response.
    pub(super) at: SystemTime,
    pub(super) client: String,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) protocol: &'static str,
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) referer: &'a [u8],
    pub(super) user_agent: &'a [u8],
    /// The latency of the upstream, as the breaker measures it.
    pub(super) upstream: Duration,
    /// Time spent waiting for a slot in the pool.
    pub(super) waited: Duration,
    /// Time from the request's head to the end of the response.
    pub(super) total: Duration,
    /// `-` if no breaker protects the route.
    pub(super) breaker: &'a str,
    pub(super) state: &'a str,
    pub(super) flag: &'a str,
}

impl AccessLog {
    /// Starts a log in this format; `None` if it is off.
    ///
    /// # Errors
    /// An error if standard output is closed, or the system starts no thread.
    pub(super) fn start(format: Format) -> io::Result<Option<Self>> {
        if format == Format::Off {
            return Ok(None);
        }
        let queue = Arc::new(LineQueue::new(MAX_QUEUED_BYTES));
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let lines = queue.clone();
        let report = |lines| {
            tracing::warn!(lines, "lines of the access log were dropped: standard output was not read fast enough");
        };
        thread::Builder::new().name("tripline-access".into()).spawn(move || write_all(&lines, output, report))?;
        Ok(Some(Self { queue, is_json: format == Format::Json }))
    }

    /// Writes a line, or drops it. Never blocks.
    pub(super) fn write(&self, line: &Line<'_>) {
        let text = if self.is_json { json(line) } else { text(line) };
        self.queue.push(text.into_bytes().into_boxed_slice());
    }

    /// Number of lines dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Waits until every line is written, for at most `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        self.queue.wait_until_written(limit);
    }
}

/// Formats a line in the combined format, followed by the times and the flag.
fn text(line: &Line<'_>) -> String {
    let mut out = String::with_capacity(256);
    // Writing into a String cannot fail, here and below.
    let _ = write!(out, "{} - - [{}] \"{} ", line.client, clf_time(line.at), line.method);
    escape(&mut out, line.target.as_bytes());
    let _ = write!(out, " {}\" {} {} \"", line.protocol, line.status, line.bytes);
    escape(&mut out, or_dash(line.referer));
    out.push_str("\" \"");
    escape(&mut out, or_dash(line.user_agent));
    let _ = writeln!(
        out,
        "\" rt={:.6} wait={:.6} total={:.6} breaker={} state={} flag={}",
        line.upstream.as_secs_f64(),
        line.waited.as_secs_f64(),
        line.total.as_secs_f64(),
        line.breaker,
        line.state,
        line.flag
    );
    out
}

/// Formats a line as JSON, with nginx's variable names where they exist.
fn json(line: &Line<'_>) -> String {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let object = serde_json::json!({
        "time": rfc3339(line.at),
        "remote_addr": line.client,
        "request": format!("{} {} {}", line.method, line.target, line.protocol),
        "status": line.status,
        "body_bytes_sent": line.bytes,
        "http_referer": shown(line.referer),
        "http_user_agent": shown(line.user_agent),
        "request_time": seconds(line.upstream),
        "wait": seconds(line.waited),
        "total": seconds(line.total),
        "breaker": line.breaker,
        "state": line.state,
        "flag": line.flag,
    });
    format!("{object}\n")
}

/// Returns seconds, rounded to microseconds.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

fn or_dash(bytes: &[u8]) -> &[u8] {
    if bytes.is_empty() { b"-" } else { bytes }
}

/// Escapes every character that could end a field or a line, and everything beyond ASCII, as `\xHH`.
fn escape(out: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
}

/// `29/Nov/2026:18:00:00 +0000`
fn clf_time(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    let name = MONTHS.get(month).copied().unwrap_or("Jan");
    format!("{day:02}/{name}/{year:04}:{:02}:{:02}:{:02} +0000", second / 3_600, second / 60 % 60, second % 60)
}

/// Returns year, month from 0, and day of a number of days since 1970-01-01, by Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, usize, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 2 } else { from_march - 10 };
    (year + era * 400 + u64::from(month < 2), month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line() -> Line<'static> {
        Line {
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_975_200),
            client: "127.0.0.1".to_owned(),
            method: "GET",
            target: "/a\"b",
            protocol: "HTTP/1.1",
            status: 200,
            bytes: 5,
            referer: b"",
            user_agent: b"a\n\"\xff",
            upstream: Duration::from_millis(50),
            waited: Duration::ZERO,
            total: Duration::from_millis(51),
            breaker: "checkout",
            state: "closed",
            flag: "-",
        }
    }

    #[test]
    fn no_client_can_forge_a_line() {
        assert_eq!(
            text(&line()),
            "127.0.0.1 - - [29/Nov/2026:18:00:00 +0000] \"GET /a\\x22b HTTP/1.1\" 200 5 \"-\" \"a\\x0A\\x22\\xFF\" \
             rt=0.050000 wait=0.000000 total=0.051000 breaker=checkout state=closed flag=-\n"
        );
        assert_eq!(json(&line()).matches('\n').count(), 1);
    }

    proptest! {
        /// Against the dates that the HTTP date format gives.
        #[test]
        fn dates_are_those_of_the_calendar(seconds in 0_u64..253_402_300_799) {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let http = httpdate::HttpDate::from(at).to_string();
            let parts: Vec<&str> = http.split([' ', ',']).filter(|part| !part.is_empty()).collect();
            let expected = format!("{}/{}/{}:{} +0000", parts[1], parts[2], parts[3], parts[4]);
            prop_assert_eq!(clf_time(at), expected);
        }
    }
}
