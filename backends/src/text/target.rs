//! The parts of a request's target.

use std::borrow::Cow;

use super::percent_decoded;

/// A host without its port and without the brackets of an IPv6 address.
pub(crate) fn without_port(authority: &str) -> &str {
    let end = authority.rfind(']').map_or(0, |at| at + 1);
    let port = authority.get(end..).and_then(|rest| rest.find(':')).map(|at| at + end);
    let host = authority.get(..port.unwrap_or(authority.len())).unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// A path without its query and fragment.
pub(crate) fn without_query(path: &[u8]) -> &[u8] {
    path.split(|&byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

/// A segment of a path without a query: 1 is what follows the first slash, as it is written. Empty where the path is not so deep.
pub(crate) fn path_segment(path: &[u8], segment: u8) -> &[u8] {
    let segments = path.strip_prefix(b"/").unwrap_or(path);
    segments.split(|&byte| byte == b'/').nth(usize::from(segment).saturating_sub(1)).unwrap_or_default()
}

/// [`path_segment`], percent-decoded; `None` where the result is not UTF-8.
pub(crate) fn decoded_segment(path: &str, segment: u8) -> Option<Cow<'_, str>> {
    let segment = str::from_utf8(path_segment(path.as_bytes(), segment)).ok()?;
    if segment.contains('%') {
        String::from_utf8(percent_decoded(segment)).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(segment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_no_port_and_no_brackets() {
        for (authority, host) in
            [("Shop.Example:8000", "Shop.Example"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("a", "a"), ("", "")]
        {
            assert_eq!(without_port(authority), host);
        }
    }

    #[test]
    fn every_slash_begins_a_segment() {
        for (path, segment, expected) in [
            ("/acme/orders", 1, "acme"),
            ("/acme/orders", 2, "orders"),
            ("/acme/orders", 3, ""),
            ("/", 1, ""),
            ("//acme", 1, ""),
            ("//acme", 2, "acme"),
            ("/a%20b%2Fc%zz/x", 1, "a b/c%zz"),
        ] {
            assert_eq!(decoded_segment(path, segment).as_deref(), Some(expected), "{path} {segment}");
        }
        assert_eq!(decoded_segment("/%ff", 1), None);
        assert_eq!(without_query(b"/a?b#c"), b"/a");
        assert_eq!(without_query(b"/a#c?b"), b"/a");
    }
}
