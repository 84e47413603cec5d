//! Figures as people write them.

use std::time::{Duration, SystemTime};

use tripline_runtime::core::Latency;

/// From here on, milliseconds are taken to be those since 1970: 2000-01-01.
const EARLIEST_EPOCH_NANOS: i64 = 946_684_800_000_000_000;

/// How the instants of a recording are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// As times of day, because they are milliseconds since 1970.
    Utc,
    /// As h:mm:ss since this instant.
    Since(i64),
}

impl Clock {
    /// The clock of a recording that begins at this instant, in nanoseconds.
    pub(crate) const fn of(from: i64) -> Self {
        if from >= EARLIEST_EPOCH_NANOS { Self::Utc } else { Self::Since(from) }
    }

    /// An instant, to the millisecond.
    pub(crate) fn write(self, at: i64) -> String {
        match self {
            Self::Utc => {
                let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(at).unwrap_or(0));
                humantime::format_rfc3339_millis(at).to_string().replace('T', " ").replace('Z', " UTC")
            }
            Self::Since(from) => {
                let since = at.saturating_sub(from);
                let sign = if since < 0 { "-" } else { "" };
                let millis = since.unsigned_abs() / 1_000_000;
                let (seconds, millis) = (millis / 1_000, millis % 1_000);
                format!("{sign}{}:{:02}:{:02}.{millis:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
            }
        }
    }
}

/// `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 call`, `2 calls`
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `never`, `once`, `twice`, `3 times`
pub(crate) fn times(number: u64) -> String {
    match number {
        0 => "never".into(),
        1 => "once".into(),
        2 => "twice".into(),
        more => format!("{} times", count(more)),
    }
}

/// `0 s`, `310 ms`, `12.4 s`, `3:20 min`, `5:33:20 h`
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    let whole = span.as_secs() + u64::from(span.subsec_millis() >= 500);
    if span.is_zero() {
        "0 s".into()
    } else if seconds < 1.0 {
        format!("{} ms", significant(seconds * 1_000.0))
    } else if seconds < 60.0 {
        format!("{} s", significant(seconds))
    } else if whole < 3_600 {
        format!("{}:{:02} min", whole / 60, whole % 60)
    } else {
        format!("{}:{:02}:{:02} h", whole / 3_600, whole / 60 % 60, whole % 60)
    }
}

/// `85.5 ms`, `1.5 s`
pub(crate) fn latency(latency: Latency) -> String {
    span(latency.into())
}

/// A number of any kind, with three digits that count.
pub(crate) fn number(x: f64) -> String {
    if x >= 1_000.0 { count(x.round() as u64) } else { significant(x) }
}

/// Three digits that count, and no fraction beyond 100.
fn significant(x: f64) -> String {
    let decimals = if x >= 100.0 {
        0
    } else if x >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{x:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `0 %`, `0.04 %`, `12.3 %`; what is not nothing never looks like it.
pub(crate) fn share(part: f64) -> String {
    let percent = part * 100.0;
    if part <= 0.0 {
        "0 %".into()
    } else if percent < 0.01 {
        "< 0.01 %".into()
    } else {
        format!("{} %", significant(percent))
    }
}

/// A text on one line, without control characters.
pub(crate) fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text of the input as it can be shown: on one line and not too long.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = characters.by_ref().take(SHOWN_CHARS).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0 s"),
            (1, "0 ms"),
            (85_500, "85.5 ms"),
            (310_000, "310 ms"),
            (1_500_000, "1.5 s"),
            (12_340_000, "12.3 s"),
            (200_000_000, "3:20 min"),
            (3_599_600_000, "1:00:00 h"),
            (20_000_000_000, "5:33:20 h"),
        ];
        for (micros, text) in cases {
            assert_eq!(span(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn instants_are_shown_as_time_of_day_or_as_time_passed() {
        assert_eq!(
            Clock::of(1_789_000_000_123_456_789).write(1_789_000_000_123_456_789),
            "2026-09-10 00:26:40.123 UTC"
        );
        assert_eq!(Clock::of(-50_000_000).write(3_723_450_000_000), "1:02:03.500");
        assert_eq!(Clock::of(0).write(-1_000_000), "-0:00:00.001");
    }

    #[test]
    fn counts_and_shares() {
        assert_eq!([count(0), count(999), count(1_000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([share(0.0), share(0.000_01), share(0.000_4), share(1.0)], ["0 %", "< 0.01 %", "0.04 %", "100 %"]);
        assert_eq!([times(0), times(2), times(1_000)], ["never", "twice", "1,000 times"]);
    }
}
