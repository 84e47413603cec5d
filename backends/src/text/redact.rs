//! Removes secrets from texts.

/// The replacement of a secret.
pub(crate) const HIDDEN: &str = "***";

/// `text` without the secrets. Secrets of one or two bytes are not replaced: they would mask unrelated text and protect
/// nothing.
pub(crate) fn redact(text: &str, secrets: &[&str]) -> String {
    let worth_it = secrets.iter().filter(|secret| secret.len() > 2);
    worth_it.fold(text.to_owned(), |text, secret| text.replace(*secret, HIDDEN))
}

/// Scheme and host of a URL. User, path, query and fragment may contain a secret and are hidden. A text that is not a URL
/// may be a secret as a whole.
pub(crate) fn redact_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return HIDDEN.to_owned() };
    let is_scheme =
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if !is_scheme || text.contains('@') || authority.is_empty() || !authority.chars().all(is_host) {
        return HIDDEN.to_owned();
    }
    let more = rest.len() > authority.len() && rest != format!("{authority}/");
    format!("{scheme}://{authority}{}", if more { "/***" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        assert_eq!(redact("k-1 and k-1, not k", &["k-1", "k", ""]), "*** and ***, not k");
    }

    #[test]
    fn of_an_address_only_scheme_and_host_are_shown() {
        for (address, shown) in [
            ("https://h.example", "https://h.example"),
            ("https://h.example:8443/", "https://h.example:8443"),
            ("https://h.example/T0/secret", "https://h.example/***"),
            ("https://h.example?key=secret", "https://h.example/***"),
            ("https://user:secret@h.example/", "***"),
            ("https://user:secret\\u0040h", "***"),
            ("https://user:secret/x@h", "***"),
            ("0123-secret-key", "***"),
            ("h\u{1b}://x", "***"),
        ] {
            assert_eq!(redact_url(address), shown);
        }
    }
}
