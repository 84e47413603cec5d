//! Rules for texts, and how a text is written in TOML.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use tripline_runtime::BreakerName;
use url::{Host, Url};

use super::family::KeySource;
use super::proxy::{HostHeader, ServerUrl};
use super::webhook::without_variables;

/// The rules for a text. An empty text is allowed for every optional key, and means that it is not set.
#[derive(Clone, Copy)]
pub(crate) enum TextRule {
    /// Anything up to this many characters.
    AtMost(usize),
    /// The name of a breaker.
    Name,
    /// A path in the file system.
    Path,
    /// Address and port.
    Listen,
    /// Base address of an API that gets a key: https, or http on this machine.
    BaseUrl,
    /// An address that may hold a secret: http or https.
    SecretUrl,
    /// Address of a proxy, which may hold a password, or `none`.
    Proxy,
    /// The name of something in logs and metrics.
    Label,
    /// What the key of a call is.
    KeySource,
    /// Address of a Redis or Valkey server, which may hold a password.
    RedisUrl,
    /// A value for an HTTP header, never shown.
    Token,
    /// Scheme, host and port.
    Server,
    /// What `Host` is sent to an upstream.
    HostHeader,
    /// A host name or an address, without a port.
    Host,
    /// The start of a path.
    PathPrefix,
    /// A media type.
    ContentType,
}

/// Maximum length of a path, address or token, in bytes.
const MAX_BYTES: usize = 4_096;

impl TextRule {
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, Self::SecretUrl | Self::Token | Self::Proxy | Self::RedisUrl)
    }

    /// Whether a rejected text must not be shown: it is a secret, or may hold one. Of an address only scheme and host are
    /// known to be none; what stands without a scheme may be a key in the wrong place.
    pub(crate) fn hides(self, text: &str) -> bool {
        let text = text.trim_matches(['"', '\'']);
        self.is_secret() || (matches!(self, Self::BaseUrl) && crate::text::redact_url(text) != text)
    }

    pub(crate) fn fits(self, text: &str) -> bool {
        let short = text.len() <= MAX_BYTES;
        match self {
            Self::AtMost(most) => text.chars().count() <= most,
            Self::Name => BreakerName::new(text).is_ok(),
            Self::Path => short && !text.contains('\0'),
            Self::Listen => text.parse::<SocketAddr>().is_ok(),
            Self::BaseUrl => text.is_empty() || (short && is_base_url(text)),
            Self::SecretUrl => text.is_empty() || (short && web_address(&without_variables(text)).is_some()),
            Self::Proxy => text.is_empty() || text == "none" || (short && is_proxy(text)),
            Self::RedisUrl => text.is_empty() || (short && is_redis(text)),
            Self::Label => text.is_empty() || BreakerName::new(text).is_ok(),
            Self::KeySource => text.parse::<KeySource>().is_ok(),
            Self::Token => short && text.bytes().all(|byte| byte.is_ascii_graphic()),
            Self::Server => short && text.parse::<ServerUrl>().is_ok(),
            Self::HostHeader => short && HostHeader::of(text).is_some(),
            Self::Host => short && (text.parse::<IpAddr>().is_ok() || Host::parse(text).is_ok()),
            Self::PathPrefix => short && is_path_prefix(text),
            Self::ContentType => short && !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        }
    }
}

impl fmt::Display for TextRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "text of at most {most} characters"),
            Self::Name | Self::Label => f.write_str(BreakerName::ALLOWED),
            Self::Path => f.write_str("a path"),
            Self::Listen => f.write_str("an IP address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\""),
            Self::BaseUrl => f.write_str(
                "an https address, or http on a loopback address, without user, password, query and fragment",
            ),
            Self::SecretUrl => f.write_str("an http or https address"),
            Self::Proxy => f.write_str("\"none\", or http://[user:password@]host[:port], or https"),
            Self::KeySource => f.write_str(KeySource::ALLOWED),
            Self::RedisUrl => f.write_str(
                "redis://[user:password@]host[:port][/number], or rediss:// for TLS; one server, neither Sentinel nor Cluster",
            ),
            Self::Token => f.write_str("letters, digits and punctuation of ASCII, without spaces"),
            Self::Server => f.write_str(ServerUrl::ALLOWED),
            Self::HostHeader => f.write_str("\"preserve\", \"upstream\", or a host with or without a port"),
            Self::Host => f.write_str("a host name or an IP address, without a port"),
            Self::PathPrefix => f.write_str("a path that begins with / and has no ?, # or characters beyond ASCII"),
            Self::ContentType => f.write_str("a media type, such as \"application/json\""),
        }
    }
}

fn is_path_prefix(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
}

fn is_base_url(text: &str) -> bool {
    web_address(text).is_some_and(|url| {
        let bare = url.username().is_empty() && url.password().is_none();
        let plain = url.query().is_none() && url.fragment().is_none();
        bare && plain && (url.scheme() == "https" || is_loopback(&url))
    })
}

/// The address, if it is one that can be posted to. A character that the parser would drop is rejected.
fn web_address(text: &str) -> Option<Url> {
    let clean = !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\');
    Url::parse(text).ok().filter(|url| clean && matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn is_redis(text: &str) -> bool {
    let number =
        |path: &str| path.is_empty() || path == "/" || path.get(1..).is_some_and(|db| db.parse::<u16>().is_ok());
    Url::parse(text).is_ok_and(|url| {
        let is_one = url.host_str().is_some_and(|host| !host.is_empty() && !host.contains(','));
        matches!(url.scheme(), "redis" | "rediss" | "valkey" | "valkeys") && is_one && number(url.path())
    })
}

fn is_proxy(text: &str) -> bool {
    web_address(text).is_some_and(|url| url.query().is_none() && url.fragment().is_none() && url.path() == "/")
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether what is posted to `text` can be read on the way: http to another machine.
pub(crate) fn is_open_to_readers(text: &str) -> bool {
    web_address(text).is_some_and(|url| url.scheme() == "http" && !is_loopback(&url))
}

/// `text` as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.extend(format!("\\U{:08X}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_address_never_sends_the_key_in_the_clear_to_another_machine() {
        let fits = |text| TextRule::BaseUrl.fits(text);
        for good in [
            "",
            "https://api.eu.opsgenie.com",
            "https://h/x/",
            "http://127.0.0.1:9000",
            "http://[::1]",
            "http://localhost:1",
        ] {
            assert!(fits(good), "{good}");
        }
        for bad in [
            "http://api.opsgenie.com",
            "http://127.0.0.1@elsewhere.example",
            "http://127.0.0.1\\@elsewhere.example",
            "http://localhost.elsewhere.example",
            "http://0.0.0.0",
            "https://user:secret@host",
            "https://host/?q=1",
            "https://host/#f",
            "https://",
            "ftp://127.0.0.1",
            "api.opsgenie.com",
            " https://host",
            "https://ho\nst",
        ] {
            assert!(!fits(bad), "{bad}");
        }
    }

    #[test]
    fn a_quoted_text_reads_back_as_itself() {
        for text in ["", "plain", "a\"b\\c\n\t\u{1}\u{7f}ü€😀"] {
            let line = format!("x = {}", quoted(text));
            let table = toml::de::DeTable::parse(&line).map(toml::Spanned::into_inner);
            let read =
                table.ok().and_then(|table| table.get("x").and_then(|x| x.get_ref().as_str().map(str::to_owned)));
            assert_eq!(read.as_deref(), Some(text));
        }
    }
}
