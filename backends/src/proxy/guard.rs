//! Which breaker guards a request.

use std::borrow::Cow;

use http::{HeaderName, Request};
use tripline_runtime::{Breaker, Family, Mode};

use super::fault::Fault;
use super::request::Target;
use crate::config::KeySource;
use crate::text::decoded_segment;

const INVALID_KEY: Fault = Fault::BadRequest("invalid key");

/// What guards the requests of a route.
#[derive(Debug, Clone)]
pub(super) enum Guard {
    /// Nothing.
    Off,
    /// One breaker for all.
    Breaker(Breaker),
    /// A breaker for each key.
    Family { members: Family, key: Key, mode: Mode },
}

/// What the key of a request is.
#[derive(Debug, Clone)]
pub(super) enum Key {
    Header(HeaderName),
    Host,
    /// From 1.
    PathSegment(u8),
}

impl Key {
    /// `None` where `source` names no part of a request.
    pub(super) fn of(source: &KeySource) -> Option<Self> {
        match source {
            KeySource::Header(name) => HeaderName::from_bytes(name.as_bytes()).ok().map(Self::Header),
            KeySource::Host => Some(Self::Host),
            KeySource::PathSegment(segment) => Some(Self::PathSegment(*segment)),
            KeySource::Caller => None,
        }
    }

    /// The key of a request; empty where it has none.
    fn text<'r, B>(&self, request: &'r Request<B>, target: &'r Target) -> Result<Cow<'r, str>, Fault> {
        match self {
            Self::Header(name) => match request.headers().get(name) {
                Some(value) => str::from_utf8(value.as_bytes()).map(Cow::Borrowed).map_err(|_| INVALID_KEY),
                None => Ok(Cow::Borrowed("")),
            },
            Self::Host => Ok(Cow::Owned(target.host().to_ascii_lowercase())),
            Self::PathSegment(segment) => decoded_segment(target.route_path(), *segment).ok_or(INVALID_KEY),
        }
    }
}

impl Guard {
    /// The breaker of all requests; `None` where there is none, or one for each key.
    pub(super) fn breaker(&self) -> Option<&Breaker> {
        match self {
            Self::Breaker(breaker) => Some(breaker),
            Self::Off | Self::Family { .. } => None,
        }
    }

    /// The breaker of the key of a request; `None` where keys do not matter.
    ///
    /// # Errors
    /// [`Fault`] where the key of the request is no text, or has control characters.
    pub(super) fn member<B>(&self, request: &Request<B>, target: &Target) -> Result<Option<Breaker>, Fault> {
        match self {
            Self::Off | Self::Breaker(_) => Ok(None),
            Self::Family { members, key, mode } => {
                let member = members.get(&key.text(request, target)?).map_err(|_| INVALID_KEY)?;
                if member.mode() != *mode {
                    member.set_mode(*mode);
                }
                Ok(Some(member))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn text(key: &str, path: &str, tenant: Option<&[u8]>) -> Result<String, Fault> {
        let mut request = Request::get(path);
        if let Some(tenant) = tenant {
            request = request.header("x-tenant", tenant);
        }
        let target = Target { authority: HeaderValue::from_static("Shop.Example:80"), path: path.parse().unwrap() };
        let key = Key::of(&key.parse().unwrap()).unwrap();
        key.text(&request.body(()).unwrap(), &target).map(Cow::into_owned)
    }

    #[test]
    fn a_key_is_a_header_the_host_or_a_segment_of_the_path() {
        assert_eq!(text("header:x-tenant", "/", Some(b"acme")).unwrap(), "acme");
        assert_eq!(text("header:x-tenant", "/", Some("ü".as_bytes())).unwrap(), "ü");
        assert_eq!(text("header:x-tenant", "/", None).unwrap(), "");
        assert_eq!(text("header:x-tenant", "/", Some(b"\xff")), Err(INVALID_KEY));
        assert_eq!(text("host", "/", None).unwrap(), "shop.example");
        for (key, path, expected) in [
            ("path:1", "/acme/orders?x", "acme"),
            ("path:2", "/acme/orders?x", "orders"),
            ("path:3", "/acme/orders?x", ""),
            ("path:1", "/", ""),
            ("path:1", "/a%20b%2Fc%zz/x", "a b/c%zz"),
        ] {
            assert_eq!(text(key, path, None).unwrap(), expected, "{key} {path}");
        }
        assert_eq!(text("path:1", "/%ff", None), Err(INVALID_KEY));
        assert!(Key::of(&KeySource::Caller).is_none());
    }
}
