//! The bytes of a log that grows, of which only whole lines are read.

use std::io::{self, BufRead, Read};

use memchr::memrchr;

use crate::replay::limits::MAX_LINE_BYTES;

/// Bytes that were pushed and not read. What follows the last line end is held back until its line is whole, or too long.
#[derive(Debug, Default)]
pub(super) struct Feed {
    bytes: Vec<u8>,
    read_to: usize,
    whole_to: usize,
}

impl Feed {
    pub(super) fn push(&mut self, more: &[u8]) {
        self.bytes.drain(..self.read_to);
        self.whole_to = self.whole_to.saturating_sub(self.read_to);
        self.read_to = 0;
        let before = self.bytes.len();
        self.bytes.extend_from_slice(more);
        if let Some(end) = memrchr(b'\n', more) {
            self.whole_to = before + end + 1;
        } else if self.held_back() > MAX_LINE_BYTES {
            self.whole_to = self.bytes.len();
        }
    }

    /// Ends the line that is held back: its file gets no more bytes.
    pub(super) fn end_line(&mut self) {
        if self.held_back() > 0 {
            self.push(b"\n");
        }
    }

    /// Drops the line that is held back: the rest of it is lost.
    pub(super) fn drop_line(&mut self) {
        self.bytes.truncate(self.whole_to);
    }

    fn held_back(&self) -> usize {
        self.bytes.len() - self.whole_to
    }
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.bytes.get(self.read_to..self.whole_to).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.read_to = self.read_to.saturating_add(count).min(self.whole_to);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::replay::lines::Lines;

    proptest! {
        /// Against the lines of the same text at once.
        #[test]
        fn however_it_is_cut_the_lines_are_the_same(text in "[ab\n]{0,60}", cuts in proptest::collection::vec(0_usize..20, 0..20)) {
            let mut lines = Lines::new(Feed::default());
            let mut found = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let (part, after) = rest.split_at(cut.min(rest.len()));
                rest = after;
                lines.input_mut().push(part);
                while lines.advance().unwrap_or(false) {
                    found.push(String::from_utf8_lossy(lines.line().text()).into_owned());
                }
            }
            lines.input_mut().end_line();
            while lines.advance().unwrap_or(false) {
                found.push(String::from_utf8_lossy(lines.line().text()).into_owned());
            }
            let expected: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_line_that_is_not_whole_is_held_back_and_can_be_dropped() {
        let mut feed = Feed::default();
        feed.push(b"a\nb");
        assert_eq!(feed.fill_buf().unwrap_or_default(), b"a\n");
        feed.drop_line();
        feed.push(b"c\n");
        assert_eq!(feed.fill_buf().unwrap_or_default(), b"a\nc\n");
        feed.push(&vec![b'x'; MAX_LINE_BYTES + 1]);
        assert_eq!(feed.fill_buf().map(<[u8]>::len).unwrap_or_default(), 4 + MAX_LINE_BYTES + 1);
    }
}
