//! The request in a line, as far as the choice of a breaker depends on it.

use std::borrow::Cow;

use crate::replay::field_map::Role;
use crate::replay::path_filter::{host_of, path_of};

/// The parts of the request in a line; `None` where the line has none, or it was not asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LogRequest<'a> {
    /// As it is written, with its port.
    pub(crate) host: Option<Cow<'a, [u8]>>,
    /// With its query.
    pub(crate) path: Option<Cow<'a, [u8]>>,
    pub(crate) method: Option<Cow<'a, [u8]>>,
    /// The key of a family, from the field that `--field key=FIELD` names.
    pub(crate) key: Option<Cow<'a, [u8]>>,
}

/// The parts that are asked for. The path always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    pub(crate) host: bool,
    pub(crate) method: bool,
    pub(crate) key: bool,
}

impl Wanted {
    /// Whether fields of this role are read.
    pub(super) fn has(self, role: Role) -> bool {
        match role {
            Role::Host => self.host,
            Role::Method => self.method,
            Role::Key => self.key,
            _ => true,
        }
    }
}

impl<'a> LogRequest<'a> {
    /// Reads the path, and what else is wanted, of a request line (`GET /a?b HTTP/1.1`), a URL or a path.
    pub(super) fn of(line: &'a [u8], wanted: Wanted) -> Self {
        Self {
            host: wanted.host.then(|| host_of(line)).flatten().map(Cow::Borrowed),
            path: Some(Cow::Borrowed(path_of(line))),
            method: wanted.method.then(|| method_of(line)).flatten().map(Cow::Borrowed),
            key: None,
        }
    }

    /// As [`LogRequest::of`], for text that is owned or borrowed.
    pub(super) fn of_text(text: Cow<'a, str>, wanted: Wanted) -> Self {
        match text {
            Cow::Borrowed(text) => Self::of(text.as_bytes(), wanted),
            Cow::Owned(text) => LogRequest::of(text.as_bytes(), wanted).into_owned(),
        }
    }

    /// Takes a part from a field of its own; one without a value changes nothing.
    pub(super) fn set(&mut self, role: Role, value: Cow<'a, [u8]>) {
        let part = match role {
            Role::Host => &mut self.host,
            Role::Method => &mut self.method,
            Role::Key => &mut self.key,
            _ => return,
        };
        if !matches!(value.trim_ascii(), b"" | b"-") {
            *part = Some(value);
        }
    }

    fn into_owned<'o>(self) -> LogRequest<'o> {
        let owned = |part: Option<Cow<'a, [u8]>>| part.map(|part| Cow::Owned(part.into_owned()));
        LogRequest { host: owned(self.host), path: owned(self.path), method: owned(self.method), key: owned(self.key) }
    }
}

/// The method of a request line.
fn method_of(line: &[u8]) -> Option<&[u8]> {
    let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let method = words.next()?;
    let is_method = words.next().is_some() && method.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-');
    is_method.then_some(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_has_a_method_and_in_absolute_form_a_host() {
        let text = |part: Option<Cow<'_, [u8]>>| part.map(|part| String::from_utf8_lossy(&part).into_owned());
        for (line, method, host, path) in [
            ("GET /a?b HTTP/1.1", Some("GET"), None, "/a?b"),
            ("GET https://shop.example:443/a HTTP/2.0", Some("GET"), Some("shop.example:443"), "/a"),
            ("https://shop.example", None, Some("shop.example"), "/"),
            ("GET /a?to=http://b/c HTTP/1.1", Some("GET"), None, "/a?to=http://b/c"),
            ("/a", None, None, "/a"),
            ("OPTIONS * HTTP/1.1", Some("OPTIONS"), None, "*"),
            ("", None, None, ""),
        ] {
            let request = LogRequest::of(line.as_bytes(), Wanted { host: true, method: true, key: false });
            assert_eq!(text(request.method).as_deref(), method, "{line}");
            assert_eq!(text(request.host).as_deref(), host, "{line}");
            assert_eq!(text(request.path).as_deref(), Some(path), "{line}");
        }
    }
}
