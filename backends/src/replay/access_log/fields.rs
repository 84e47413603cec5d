//! The fields of a log line.

use super::error::LogProblem;
use super::time::{self, Stamp};

/// The fields of a line, one after the other: words, `"…"` with backslashes before quotes, and `[…]`.
///
/// Text inside quotes is not unescaped: no format needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// One field, without its quotes or brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) text: &'a [u8],
    pub(super) kind: Kind,
}

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Quoted,
    Bracketed,
}

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// The next field; `None` at the end of the line.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, LogProblem> {
        let line = self.rest.trim_ascii_start();
        let (field, rest) = match line {
            [] => return Ok(None),
            [b'"', inside @ ..] => {
                let (text, rest) = split_around(inside, closing_quote(inside))?;
                (Field { text, kind: Kind::Quoted }, rest)
            }
            [b'[', inside @ ..] => {
                let (text, rest) = split_around(inside, inside.iter().position(|&byte| byte == b']'))?;
                (Field { text, kind: Kind::Bracketed }, rest)
            }
            _ => {
                let (text, rest) = line.split_at(word_end(line)?);
                (Field { text, kind: Kind::Word }, rest)
            }
        };
        self.rest = rest;
        Ok(Some(field))
    }

    /// How many fields there are to come.
    fn count(mut self) -> Result<usize, LogProblem> {
        let mut count = 0;
        while self.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

impl<'a> Field<'a> {
    /// The field, or the value of one that has a name.
    pub(super) fn value(self) -> &'a [u8] {
        self.named().map_or(self.text, |(_, value)| value)
    }

    /// The value of `host=shop.example`, else the field as it is; of `HAProxy`'s captures (`{shop.example|curl}`) the first.
    pub(super) fn part(self) -> &'a [u8] {
        let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        let sign = self.text.iter().position(|&byte| byte == b'=').filter(|_| self.kind == Kind::Word);
        let named = sign.and_then(|sign| self.text.split_at_checked(sign)).filter(|(name, _)| is_name(name));
        let value = named.and_then(|(_, value)| value.get(1..)).unwrap_or(self.text);
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        match unquoted.strip_prefix(b"{").and_then(|captures| captures.strip_suffix(b"}")) {
            Some(captures) => captures.split(|&byte| byte == b'|').next().unwrap_or_default(),
            None => unquoted,
        }
    }

    /// Name and value of a field such as `rt=0.5`, `rt="0.5"` or `rt:0.5`.
    pub(super) fn named(self) -> Option<(&'a [u8], &'a [u8])> {
        if self.kind != Kind::Word {
            return None;
        }
        let sign = self.text.iter().position(|byte| matches!(byte, b'=' | b':'))?;
        let (name, value) = self.text.split_at_checked(sign)?;
        let value = value.get(1..)?;
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some((name, unquoted.unwrap_or(value)))
    }
}

fn split_around(text: &[u8], end: Option<usize>) -> Result<(&[u8], &[u8]), LogProblem> {
    let (inside, rest) = end.and_then(|end| text.split_at_checked(end)).ok_or(LogProblem::NotClosed)?;
    Ok((inside, rest.get(1..).unwrap_or_default()))
}

/// The field at a position: 1 is the first, -1 the last.
pub(super) fn at(line: &[u8], position: i32) -> Result<Option<Field<'_>>, LogProblem> {
    let mut fields = Fields::new(line);
    let before = match usize::try_from(position) {
        Ok(position) => position.saturating_sub(1),
        Err(_) => match fields.count()?.checked_sub(position.unsigned_abs() as usize) {
            Some(before) => before,
            None => return Ok(None),
        },
    };
    for _ in 0..before {
        fields.next()?;
    }
    fields.next()
}

/// The time that a field is, or the value of one that has a name.
pub(super) fn time_of(field: Field<'_>) -> Option<Stamp> {
    time::parse(field.text).or_else(|| time::parse(field.value()))
}

/// Whether two times stand in brackets: a second line begins inside this one.
pub(super) fn has_two_times(line: &[u8]) -> bool {
    memchr::memchr_iter(b'[', line)
        .filter(|&at| {
            let inside = line.get(at + 1..).unwrap_or_default();
            // The shortest time that is looked for has as many bytes.
            let end = inside.iter().take(48).position(|&byte| byte == b']').unwrap_or_else(|| inside.len().min(20));
            time::is_date(inside.get(..end).unwrap_or_default())
        })
        .nth(1)
        .is_some()
}

/// Where the next quote is that no backslash stands before.
pub(super) fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// A word ends at white space, but for the value of `name="a, b"`.
fn word_end(line: &[u8]) -> Result<usize, LogProblem> {
    let mut before = 0;
    for (at, &byte) in line.iter().enumerate() {
        if byte.is_ascii_whitespace() {
            return Ok(at);
        }
        if byte == b'"' && matches!(before, b'=' | b':') {
            let inside = line.get(at + 1..).unwrap_or_default();
            return closing_quote(inside).map(|end| at + end + 2).ok_or(LogProblem::NotClosed);
        }
        before = byte;
    }
    Ok(line.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(line: &[u8]) -> Result<Vec<(Kind, String)>, LogProblem> {
        let mut fields = Fields::new(line);
        let mut found = Vec::new();
        while let Some(field) = fields.next()? {
            found.push((field.kind, String::from_utf8_lossy(field.text).into_owned()));
        }
        Ok(found)
    }

    #[test]
    #[allow(clippy::type_complexity)]
    fn words_quotes_and_brackets_are_distinguished() {
        let (word, quoted, bracketed) = (Kind::Word, Kind::Quoted, Kind::Bracketed);
        let cases: [(&[u8], &[(Kind, &str)]); 8] = [
            (b"a  b\tc", &[(word, "a"), (word, "b"), (word, "c")]),
            (b"[10/Oct 13:55] \"GET /a b\"", &[(bracketed, "10/Oct 13:55"), (quoted, "GET /a b")]),
            (br#""a \"b\" c" d"#, &[(quoted, r#"a \"b\" c"#), (word, "d")]),
            (br#""a\\" d"#, &[(quoted, r"a\\"), (word, "d")]),
            (br#""a\x22 b" """#, &[(quoted, r"a\x22 b"), (quoted, "")]),
            (
                br#""ua"rt=0.1 urt="0.1, 0.2" -"#,
                &[(quoted, "ua"), (word, "rt=0.1"), (word, r#"urt="0.1, 0.2""#), (word, "-")],
            ),
            (b"[::1]:80 \xff", &[(bracketed, "::1"), (word, ":80"), (word, "\u{fffd}")]),
            (b"5\" tall", &[(word, "5\""), (word, "tall")]),
        ];
        for (line, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect();
            assert_eq!(fields(line).unwrap(), expected, "{}", String::from_utf8_lossy(line));
            assert_eq!(Fields::new(line).count().unwrap(), expected.len());
        }
    }

    #[test]
    fn what_is_not_closed_is_a_problem() {
        for line in [&b"a \"b"[..], b"\"a\\\"", b"[10/Oct", b"rt=\"0.1", b"\""] {
            assert_eq!(fields(line), Err(LogProblem::NotClosed));
        }
    }

    #[test]
    fn named_fields_have_a_value() {
        let named = |text: &'static str| Field { text: text.as_bytes(), kind: Kind::Word }.named();
        let pair = |name: &'static str, value: &'static str| Some((name.as_bytes(), value.as_bytes()));
        assert_eq!(named("rt=0.5"), pair("rt", "0.5"));
        assert_eq!(named("rt=\"0.5\""), pair("rt", "0.5"));
        assert_eq!(named("rt:0.5"), pair("rt", "0.5"));
        assert_eq!(named("rt="), pair("rt", ""));
        assert_eq!(named("0.5"), None);
        assert_eq!(Field { text: b"rt=0.5", kind: Kind::Quoted }.named(), None);
    }

    #[test]
    fn a_part_of_a_request_keeps_its_colon() {
        for (text, part) in [
            ("shop.example:443", "shop.example:443"),
            ("host=shop.example:443", "shop.example:443"),
            ("host=\"shop.example\"", "shop.example"),
            ("{shop.example|curl}", "shop.example"),
            ("{}", ""),
            ("/a?x=1", "/a?x=1"),
        ] {
            assert_eq!(Field { text: text.as_bytes(), kind: Kind::Word }.part(), part.as_bytes(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let count = fields(&line).map_or(0, |fields| fields.len());
            prop_assert!(count <= line.len());
        }
    }
}
