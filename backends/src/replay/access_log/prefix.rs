//! What collectors put around a line: prefixes of kubectl, docker, syslog and Rails, and records of collectors with the line in it.

use std::borrow::Cow;

use memchr::memmem;

use super::time::{self, Stamp};
use super::{fluent_bit, json_object};

/// So many prefixes are taken off, one after the other.
const MAX_DEPTH: usize = 5;
/// Fields of a collector's JSON object that hold the line as it was written, and its time.
const LINE_NAMES: [&str; 3] = ["log", "MESSAGE", "message"];
const TIME_NAMES: [&str; 3] = ["time", "@timestamp", "__REALTIME_TIMESTAMP"];

/// A line without some of its prefixes.
#[derive(Debug, Clone)]
pub(super) struct Stripped<'a> {
    pub(super) text: Cow<'a, [u8]>,
    /// The time in the last prefix that had one.
    pub(super) outer: Option<Stamp>,
}

/// The line as it is, and after each prefix that can be taken off: the shortest is the last.
pub(super) fn strip(line: &[u8]) -> Vec<Stripped<'_>> {
    let mut all = vec![Stripped { text: Cow::Borrowed(line), outer: None }];
    while all.len() <= MAX_DEPTH {
        let Some(next) = all.last().and_then(next) else { break };
        all.push(next);
    }
    all
}

fn next<'a>(from: &Stripped<'a>) -> Option<Stripped<'a>> {
    match &from.text {
        Cow::Borrowed(text) => {
            if let Some((text, outer)) = inside_record(text) {
                return Some(Stripped { text: Cow::Owned(text), outer: outer.or(from.outer) });
            }
            if text.first() == Some(&b'{') {
                return None;
            }
            let (rest, outer) = without_prefix(text, from.outer.is_some())?;
            Some(Stripped { text: Cow::Borrowed(rest), outer: outer.or(from.outer) })
        }
        Cow::Owned(text) => {
            let (rest, outer) = match (inside_record(text), text.first()) {
                (Some(inside), _) => inside,
                (None, Some(b'{')) => return None,
                _ => without_prefix(text, from.outer.is_some()).map(|(rest, outer)| (rest.to_vec(), outer))?,
            };
            Some(Stripped { text: Cow::Owned(rest), outer: outer.or(from.outer) })
        }
    }
}

/// The text inside of a collector's record, and its time.
fn inside_record(text: &[u8]) -> Option<(Vec<u8>, Option<Stamp>)> {
    match text.first()? {
        b'{' => unwrapped(text),
        b'[' => fluent_bit::record(text).map(|(object, stamp)| (object, Some(stamp))),
        _ => None,
    }
}

/// The line inside a collector's JSON object.
fn unwrapped(text: &[u8]) -> Option<(Vec<u8>, Option<Stamp>)> {
    if !LINE_NAMES.iter().any(|name| memmem::find(text, name.as_bytes()).is_some()) {
        return None;
    }
    let names: Vec<&str> = LINE_NAMES.iter().chain(&TIME_NAMES).copied().collect();
    let values = json_object::top_level(text, &names)?;
    let mut values = values.into_iter();
    let line = values.by_ref().take(LINE_NAMES.len()).collect::<Vec<_>>().into_iter().flatten().next()?;
    let outer = values.flatten().find_map(|time| time::parse(time.as_bytes()));
    Some((line.trim().as_bytes().to_vec(), outer))
}

/// Takes one prefix off. `after_time`: a time was taken off before, so a host and a program may follow.
fn without_prefix(text: &[u8], after_time: bool) -> Option<(&[u8], Option<Stamp>)> {
    match text {
        // kubectl logs --prefix
        [b'[', inside @ ..] if inside.starts_with(b"pod/") => {
            let end = inside.iter().position(|&byte| byte == b']')?;
            Some((inside.get(end + 1..)?.trim_ascii_start(), None))
        }
        [b'<', rest @ ..] => priority(rest).map(|rest| (rest, None)),
        [severity, b',', b' ', b'[', rest @ ..] if severity.is_ascii_uppercase() => {
            rails(rest).map(|(rest, stamp)| (rest, Some(stamp)))
        }
        _ => iso_time(text)
            .map(|(rest, stamp)| (rest, Some(stamp)))
            .or_else(|| bsd_time(text).map(|rest| (rest, None)))
            .or_else(|| compose(text).map(|rest| (rest, None)))
            .or_else(|| {
                after_time.then(|| stream(text).or_else(|| host_and_tag(text))).flatten().map(|rest| (rest, None))
            })
            .or_else(|| object(text).map(|rest| (rest, None))),
    }
}

/// A JSON object behind anything else, such as the time and tag of fluentd's files.
fn object(text: &[u8]) -> Option<&[u8]> {
    let at = memmem::find_iter(text, b"{\"").find(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        before.is_some_and(|byte| matches!(byte, b' ' | b'\t'))
    })?;
    text.get(at..)
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(u8::is_ascii_whitespace)?;
    let (word, rest) = text.split_at_checked(end)?;
    Some((word, rest.trim_ascii_start())).filter(|(word, rest)| !word.is_empty() && !rest.is_empty())
}

/// kubectl and docker with timestamps, rsyslog: `2026-10-10T13:00:00.123456789Z rest`.
fn iso_time(text: &[u8]) -> Option<(&[u8], Stamp)> {
    if text.get(4) != Some(&b'-') || text.get(10) != Some(&b'T') {
        return None;
    }
    let (word, rest) = word(text)?;
    Some((rest, time::parse(word)?))
}

/// Ruby's logger: `I, [2026-10-10T13:00:00.123456 #12]  INFO -- program: rest`
fn rails(inside: &[u8]) -> Option<(&[u8], Stamp)> {
    let (time, rest) = word(inside)?;
    let (process, rest) = word(rest)?;
    let (severity, rest) = word(rest)?;
    let (program, rest) = rest.strip_prefix(b"-- ")?.split_at_checked(memmem::find(rest, b": ")?.checked_sub(3)?)?;
    // Another line begins inside this one: one of them was cut off.
    let is_glued = memmem::find_iter(rest, b", [").any(|at| rest.get(at + 3..).is_some_and(time::is_date));
    let is_process = process.strip_prefix(b"#")?.strip_suffix(b"]")?.iter().all(u8::is_ascii_digit);
    let is_logger = !is_glued && is_process && severity.iter().all(u8::is_ascii_uppercase) && !program.contains(&b'[');
    Some((rest.get(1..)?.trim_ascii_start(), time::parse(time)?)).filter(|_| is_logger)
}

/// RFC 3164: `Oct 10 13:00:00 host program[12]: rest`
fn bsd_time(text: &[u8]) -> Option<&[u8]> {
    let (month, rest) = word(text)?;
    let (day, rest) = word(rest)?;
    let (clock, rest) = word(rest)?;
    let is_clock = matches!(clock, [_, _, b':', _, _, b':', _, _, ..]);
    if !time::is_month(month) || !day.iter().all(u8::is_ascii_digit) || !is_clock {
        return None;
    }
    host_and_tag(rest)
}

/// `host program[12]: rest`
fn host_and_tag(text: &[u8]) -> Option<&[u8]> {
    let (_host, rest) = word(text)?;
    let (tag, rest) = word(rest)?;
    (tag.ends_with(b":") && !tag.starts_with(b"{")).then_some(rest)
}

/// The format of container runtimes: `stdout F rest`
fn stream(text: &[u8]) -> Option<&[u8]> {
    let (stream, rest) = word(text)?;
    let (flag, rest) = word(rest)?;
    (matches!(stream, b"stdout" | b"stderr") && matches!(flag, b"F" | b"P")).then_some(rest)
}

/// Syslog with a priority: `<134>Oct 10 …`, or RFC 5424: `<134>1 TIME HOST APP PROCESS MESSAGE [DATA] rest`.
fn priority(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().take(4).position(|&byte| byte == b'>')?;
    let rest = text.get(end + 1..)?;
    let Some(after_version) = rest.strip_prefix(b"1 ") else { return Some(rest).filter(|rest| !rest.is_empty()) };
    let mut rest = after_version;
    for _ in 0..5 {
        rest = word(rest)?.1;
    }
    match rest {
        [b'-', b' ', rest @ ..] => Some(rest),
        [b'[', ..] => {
            let end = memmem::find(rest, b"] ")?;
            rest.get(end + 2..)
        }
        _ => None,
    }
}

/// docker compose: `web-1  | rest`
fn compose(text: &[u8]) -> Option<&[u8]> {
    let (_name, rest) = word(text)?;
    rest.strip_prefix(b"| ").map(<[u8]>::trim_ascii_start).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefixes_are_taken_off_in_any_order() {
        for prefix in [
            "",
            "2026-10-10T13:00:00.123456789Z ",
            "2026-10-10T13:00:00.123+02:00 stdout F ",
            "[pod/web-7d4/nginx] ",
            "[pod/web-7d4/nginx] 2026-10-10T13:00:00.123Z ",
            "Oct 10 13:00:00 lb nginx[12]: ",
            "Oct  1 13:00:00 lb nginx: ",
            "<134>Oct 10 13:00:00 lb nginx: ",
            "<134>1 2026-10-10T13:00:00Z lb nginx 12 - - ",
            "<134>1 2026-10-10T13:00:00Z lb nginx 12 ID7 [a@1 b=\"c\"] ",
            "2026-10-10T13:00:00.123456+00:00 lb nginx[12]: ",
            "web-1  | ",
            "I, [2026-10-10T13:00:00.123456 #12]  INFO -- : ",
            "W, [2026-10-10T13:00:00.123456 #12]  WARN -- web: ",
            "Oct 10 13:00:00 lb rails[12]: I, [2026-10-10T13:00:00.123456 #12]  INFO -- : ",
            "web_1 | 2026-10-10T13:00:00Z ",
        ] {
            for rest in [r#"10.0.0.1 - - "GET / HTTP/1.1""#, r#"{"a":1}"#] {
                let line = format!("{prefix}{rest}");
                let last = strip(line.as_bytes()).pop().map(|last| last.text.into_owned());
                assert_eq!(last.as_deref(), Some(rest.as_bytes()), "{line}");
            }
        }
    }

    #[test]
    fn the_line_in_a_collectors_object_is_unwrapped_with_its_time() {
        let line = r#"{"log":"10.0.0.1 \"GET /\"\n","stream":"stdout","time":"2026-10-10T13:00:00.5Z"}"#;
        let stripped = strip(line.as_bytes()).pop();
        let stripped = stripped.map(|last| (last.text.into_owned(), last.outer.map(|outer| outer.at)));
        assert_eq!(stripped, Some((b"10.0.0.1 \"GET /\"".to_vec(), Some(1_791_637_200_500_000_000))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_stripped_a_few_times(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(strip(&line).len() <= MAX_DEPTH + 1);
        }
    }
}
