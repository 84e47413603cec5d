//! The API's lengths. It counts characters, and so does this.

/// Headline of an alert.
pub(super) const MESSAGE: usize = 130;
/// What an alert is about.
pub(super) const ENTITY: usize = 512;
/// The long text.
pub(super) const DESCRIPTION: usize = 15_000;
/// Tags of an alert.
pub(super) const TAGS: usize = 20;
/// Each tag.
pub(super) const TAG: usize = 50;
/// All names and values of the details together.
pub(super) const DETAILS: usize = 8_000;
/// Where an alert comes from.
pub(super) const SOURCE: usize = 100;
/// A note.
pub(super) const NOTE: usize = 25_000;

/// The first `most` characters; where some are left out, the last one kept says so.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) if most == 0 => String::new(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters_and_show_it() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("😀😀😀", 2), "😀…");
        assert_eq!(cut("😀", 1), "😀");
        assert_eq!(cut("ab", 0), "");
        assert_eq!(cut("", 0), "");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_longer_than_it_may_be(text in ".{0,60}", most in 0_usize..50) {
            let cut = cut(&text, most);
            proptest::prop_assert!(cut.chars().count() <= most);
            proptest::prop_assert!(text.chars().count() > most || cut == text);
        }
    }
}
