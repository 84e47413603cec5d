//! A text and the places in it.

use std::ops::Range;

/// The text of a file, with its lines counted once so that a place costs one binary search.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
}

/// At most this many characters of a value are shown.
const SHOWN_CHARACTERS: usize = 60;

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        Self { file, text, line_starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub(crate) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The text of a span as it was written.
    pub(crate) fn written(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }
}

/// `text` on one line and not too long.
pub(crate) fn shorten(text: &str) -> String {
    crate::text::shorten_line(text, SHOWN_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let source = Source::new("f", "a\nü = 1\n");
        assert_eq!(source.place(0), (1, 1));
        assert_eq!(source.place(2), (2, 1));
        assert_eq!(source.place(4), (2, 2));
        assert_eq!(source.place(3), (2, 1), "inside a character");
        assert_eq!(source.place(9), (3, 1));
        assert_eq!(source.place(900), (3, 1));
    }

    #[test]
    fn a_shown_value_is_one_short_line() {
        assert_eq!(shorten("[\n1\u{1b}]"), "[ 1 ]");
        assert_eq!(shorten(&"ä".repeat(61)), format!("{}…", "ä".repeat(59)));
    }
}
