//! Shortens texts and escapes what would affect a terminal.

use std::fmt::Write as _;
use std::path::Path;

/// The first `max` characters of `text`. If some are cut off, the last one kept is replaced by an ellipsis.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) if max == 0 => String::new(),
        Some(_) => text.chars().take(max - 1).chain(['…']).collect(),
    }
}

/// `text` on one line of at most `max` characters, with control characters as spaces.
pub(crate) fn shorten_line(text: &str, max: usize) -> String {
    let line: String = text.chars().take(max.saturating_add(1)).map(|c| if is_control(c) { ' ' } else { c }).collect();
    shorten(&line, max)
}

/// `text` with control characters and those that reorder a line escaped as `\n`, `\u{1b}` and so on.
pub(crate) fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_control(c) {
            // Writing into a `String` cannot fail.
            let _ = write!(escaped, "{}", c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A path for people: on one line, with control characters escaped.
pub(crate) fn shown(path: &Path) -> String {
    escape_controls(&path.display().to_string())
}

/// Unicode control characters, line and paragraph separators, and the characters that change the direction of a line.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shortened_between_characters_and_show_it() {
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("abcd", 3), "ab…");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(shorten("😀😀😀", 2), "😀…");
        assert_eq!(shorten("😀", 1), "😀");
        assert_eq!(shorten("ab", 0), "");
        assert_eq!(shorten("", 0), "");
        assert_eq!(shorten_line("[\n1\u{1b}]", 60), "[ 1 ]");
        assert_eq!(shorten_line("a\nb", 2), "a…");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escape_controls("a\n\u{1b}[2J\u{202e}b"), "a\\n\\u{1b}[2J\\u{202e}b");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_longer_than_it_may_be(text in ".{0,60}", max in 0_usize..50) {
            let short = shorten(&text, max);
            proptest::prop_assert!(short.chars().count() <= max);
            proptest::prop_assert!(text.chars().count() > max || short == text);
        }

        #[test]
        fn nothing_that_controls_a_terminal_is_left(text in "\\PC{0,20}[\u{0}-\u{1f}\u{7f}-\u{9f}\u{202a}-\u{202e}]{0,9}") {
            proptest::prop_assert!(!escape_controls(&text).chars().any(is_control));
            proptest::prop_assert!(!shorten_line(&text, 40).chars().any(is_control));
        }
    }
}
