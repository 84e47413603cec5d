//! Percent-decoding.

/// Decodes a part of a URL into bytes. A `%` without two following hexadecimal digits stands for itself.
pub(crate) fn percent_decoded(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut rest = text.as_ref();
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|hex| *first == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|hex| str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        assert_eq!(percent_decoded("a%20b%2f%C3%bc"), "a b/ü".as_bytes());
        assert_eq!(percent_decoded("%%4%+1%zz%"), b"%%4%+1%zz%");
    }
}
