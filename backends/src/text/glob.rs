//! Glob patterns for names.

/// Whether `pattern` matches all of `text`: `*` matches any characters and `?` one character. O(text × pattern).
#[cfg(feature = "api")]
pub(crate) fn matches_glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    matches(&pattern, &text, '*', '?')
}

/// Like [`matches_glob`], for bytes that need not be UTF-8: `?` matches one byte.
#[cfg(any(feature = "replay", feature = "tower"))]
pub(crate) fn matches_glob_bytes(pattern: &[u8], text: &[u8]) -> bool {
    matches(pattern, text, b'*', b'?')
}

/// Compares from left to right. After a mismatch the last `any` takes one more unit.
fn matches<T: Copy + PartialEq>(pattern: &[T], text: &[T], any: T, one: T) -> bool {
    let (mut p, mut t) = (0, 0);
    // The last `any`, and where its match ends so far.
    let mut last: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(&unit) if unit == any => {
                last = Some((p, t));
                p += 1;
            }
            Some(&unit) if unit == one || text.get(t) == Some(&unit) => {
                p += 1;
                t += 1;
            }
            _ => match &mut last {
                Some((at, end)) => {
                    *end += 1;
                    (p, t) = (*at + 1, *end);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|unit| *unit == any)
}

#[cfg(all(test, feature = "api", feature = "replay"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive model, by recursion.
    fn model<T: Copy + PartialEq>(pattern: &[T], text: &[T], any: T, one: T) -> bool {
        match (pattern, text) {
            ([], rest) => rest.is_empty(),
            ([first, rest @ ..], text) if *first == any => {
                (0..=text.len()).any(|skipped| model(rest, &text[skipped..], any, one))
            }
            ([first, pattern @ ..], [unit, text @ ..]) if *first == one || first == unit => {
                model(pattern, text, any, one)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_the_model_matches(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches_glob(&pattern, &text), model(&characters(&pattern), &characters(&text), '*', '?'));
        }

        #[test]
        fn a_pattern_of_bytes_matches_what_the_model_matches(pattern in "[ab*?/]{0,8}", text in "[ab/]{0,8}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches_glob_bytes(pattern, text), model(pattern, text, b'*', b'?'));
        }
    }
}
