//! Keys of a family's members.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The key of the shared member.
pub(crate) const SHARED: &str = "*";
/// Maximum length of a key in bytes; longer keys are shortened and hashed.
const MAX_BYTES: usize = 64;
/// Number of bytes that are kept of a longer key, before its hash.
const KEPT_BYTES: usize = 40;

/// Returned for a text that is not a valid key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidKey {
    key: String,
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key {:?} is not valid; allowed: any text without control characters", self.key)
    }
}

impl std::error::Error for InvalidKey {}

/// Returns the key of `text`: `text` itself if it has at most 64 bytes, otherwise its first 40 bytes or fewer and a
/// hash; the key of the shared member for an empty text.
pub(crate) fn known_by(text: &str) -> Cow<'_, str> {
    match text.len() {
        0 => Cow::Borrowed(SHARED),
        1..=MAX_BYTES => Cow::Borrowed(text),
        _ => {
            let end = (0..=KEPT_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            Cow::Owned(format!("{}~{:016x}", text.get(..end).unwrap_or_default(), hasher.finish()))
        }
    }
}

/// Rejects control characters, which would break log lines and labels.
pub(crate) fn check(text: &str) -> Result<(), InvalidKey> {
    if text.chars().any(char::is_control) {
        return Err(InvalidKey { key: text.chars().take(MAX_BYTES).collect() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_hashed_within_64_bytes_and_keeps_its_beginning() {
        for (text, kept) in
            [("x".repeat(65), "x".repeat(40)), ("ü".repeat(60), "ü".repeat(20)), ("€".repeat(40), "€".repeat(13))]
        {
            let key = known_by(&text);
            assert!(key.len() <= MAX_BYTES && key.starts_with(&format!("{kept}~")), "{key}");
            assert_eq!(key, known_by(&text));
            assert_ne!(key, known_by(&format!("{text}x")));
        }
        assert_eq!(known_by(&"x".repeat(64)), "x".repeat(64));
        assert_eq!(known_by(""), "*");
    }

    #[test]
    fn control_characters_are_no_key() {
        for text in ["a\nb", "\0", "a\u{7f}", "a\u{85}b", "\t"] {
            assert!(check(text).unwrap_err().to_string().contains("control"), "{text:?}");
        }
        assert!(check("tenant 7/ü \"x\"").is_ok());
    }
}
