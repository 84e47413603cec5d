//! Escapes control characters before they reach a terminal or a log.
//!
//! A name from a file, a server or a recorded log may contain escape sequences that move the cursor, change the title of a
//! window or forge a line. Everything below U+0020, U+007F, the C1 range U+0080 to U+009F, line and paragraph separators, and
//! the characters that change the direction of a line are replaced.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::shorten::is_control;

/// `text` on one line, with control characters as `\n`, `\t`, `\u{1b}`.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false, |character, out| out.extend(character.escape_default()))
}

/// `text` with its layout: line ends and tabs stay, every other control character is escaped.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| matches!(character, '\n' | '\t'), |character, out| out.extend(character.escape_default()))
}

/// A JSON document on one line. Its control characters can only be in strings and become `\u001b` and the like.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |_| false,
        |character, out| {
            // Writing into a `String` cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        },
    )
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(|character| is_control(character) && !is_kept(character)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_control(character) && !is_kept(character) {
            escape(character, &mut out);
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_are_shown_and_plain_text_is_borrowed() {
        assert_eq!(one_line("a\x1b[31mb\r\n\u{9b}2J\x7f"), r"a\u{1b}[31mb\r\n\u{9b}2J\u{7f}");
        assert_eq!(lines("a\tb\n\x1b]0;title\x07"), "a\tb\n\\u{1b}]0;title\\u{7}");
        assert_eq!(json("{\"a\":\"\u{9b}\u{7f}\"}"), "{\"a\":\"\\u009b\\u007f\"}");
        assert_eq!(lines("a\u{202e}b\u{2028}"), "a\\u{202e}b\\u{2028}");
        assert!(matches!(one_line("größer als 1 µs"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_control_character_gets_out(text in any::<String>()) {
            prop_assert!(!one_line(&text).contains(char::is_control));
            prop_assert!(!json(&text).contains(char::is_control));
            prop_assert!(!lines(&text).contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
        }

        #[test]
        fn what_has_no_control_character_stays(text in "[^\\p{C}\\u{2028}\\u{2029}]*") {
            prop_assert_eq!(one_line(&text), text.as_str());
        }
    }
}
