//! Selects the proxy of a request: from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, or from the
//! configuration.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderValue;
use url::{Host, Url};

use crate::text::percent_decoded;

/// The proxies of a client. Cloning shares them.
///
/// ```
/// use tripline_backends::http_client::Proxies;
///
/// let environment = |name: &str| (name == "HTTPS_PROXY").then(|| "http://proxy.example:3128".to_owned());
/// let (proxies, problems) = Proxies::of_environment(&environment);
/// assert!(problems.is_empty());
/// assert_eq!(format!("{proxies:?}"), "Proxies { https: http://proxy.example:3128, http: none }");
/// ```
#[derive(Clone, Default)]
pub struct Proxies(Arc<Choice>);

#[derive(Default)]
struct Choice {
    https: Option<Proxy>,
    http: Option<Proxy>,
    except: Vec<Exception>,
}

/// One proxy.
#[derive(Clone)]
pub(super) struct Proxy {
    url: Url,
    authorization: Option<HeaderValue>,
}

/// The URL of a proxy is invalid. It is not shown, because it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyError {
    /// The variable or key that contains it.
    pub place: String,
}

impl ProxyError {
    /// The allowed values.
    pub const ALLOWED: &'static str = "http://[user:password@]host[:port], or https";
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not the address of a proxy; allowed: {}", self.place, Self::ALLOWED)
    }
}

impl std::error::Error for ProxyError {}

/// An entry of `NO_PROXY`.
enum Exception {
    /// `*`
    All,
    /// `example.org` or `.example.org`: the name and its subdomains.
    Name(String, Option<u16>),
    /// `10.0.0.1` or `10.0.0.0/8`.
    Network(IpAddr, u8, Option<u16>),
}

impl Proxies {
    /// No proxy: every request goes directly to its host.
    pub fn none() -> Self {
        Self::default()
    }

    /// Sends every request through this proxy.
    ///
    /// # Errors
    /// [`ProxyError`] if `address` is not the URL of a proxy.
    pub fn one(address: &str) -> Result<Self, ProxyError> {
        let proxy = Proxy::parse(address, "proxy")?;
        Ok(Self(Arc::new(Choice { https: Some(proxy.clone()), http: Some(proxy), except: Vec::new() })))
    }

    /// Reads the environment as curl does, in lower or upper case (lower case wins): `HTTPS_PROXY` for https, `HTTP_PROXY` for
    /// http, `ALL_PROXY` for both. The hosts of `NO_PROXY` are reached directly: names with their subdomains, addresses, networks
    /// such as `10.0.0.0/8`, each with an optional port; `*` = all. A URL without a scheme is an http proxy.
    ///
    /// A variable that is not the URL of a proxy is ignored and returned as an error.
    pub fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> (Self, Vec<ProxyError>) {
        let mut problems = Vec::new();
        let mut find = |names: [&'static str; 4]| {
            let (name, address) =
                names.into_iter().find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)))?;
            Proxy::parse(&address, name).map_err(|problem| problems.push(problem)).ok()
        };
        let https = find(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]);
        let http = find(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]);
        let except = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
        let except = except.split([',', ' ']).filter_map(Exception::parse).collect();
        problems.dedup();
        (Self(Arc::new(Choice { https, http, except })), problems)
    }

    /// The proxy for a URL.
    pub(super) fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { self.0.https.as_ref() } else { self.0.http.as_ref() };
        proxy.filter(|_| !self.0.except.iter().any(|exception| exception.holds(url)))
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |proxy: &Option<Proxy>| proxy.as_ref().map_or_else(|| "none".to_owned(), Proxy::shown);
        write!(f, "Proxies {{ https: {}, http: {} }}", shown(&self.0.https), shown(&self.0.http))
    }
}

impl Proxy {
    fn parse(address: &str, place: &str) -> Result<Self, ProxyError> {
        let invalid = || ProxyError { place: place.to_owned() };
        let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let mut url = Url::parse(&address).map_err(|_| invalid())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(invalid());
        }
        let mut authorization = None;
        if !url.username().is_empty() || url.password().is_some() {
            let part = |text: &str| percent_decoded(text);
            let pair = [part(url.username()), part(url.password().unwrap_or_default())].join(&b':');
            let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).map_err(|_| invalid())?;
            value.set_sensitive(true);
            authorization = Some(value);
        }
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| invalid())?;
        Ok(Self { url, authorization })
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    pub(super) const fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    fn shown(&self) -> String {
        crate::text::redact_url(self.url.as_str())
    }
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            return Some(Self::Network(address.parse().ok()?, bits.parse().ok()?, None));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Network(address, 128, None));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Some(Self::Network(address, 128, port));
        }
        let name = host.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
        (!name.is_empty()).then_some(Self::Name(name, port))
    }

    fn holds(&self, url: &Url) -> bool {
        let of_port = |port: &Option<u16>| port.is_none_or(|port| url.port_or_known_default() == Some(port));
        match (self, url.host()) {
            (Self::All, _) => true,
            (Self::Name(name, port), Some(Host::Domain(host))) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let is_below =
                    host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                is_below && of_port(port)
            }
            (Self::Network(network, bits, port), Some(Host::Ipv4(address))) => {
                same_network(*network, IpAddr::V4(address), *bits) && of_port(port)
            }
            (Self::Network(network, bits, port), Some(Host::Ipv6(address))) => {
                same_network(*network, IpAddr::V6(address), *bits) && of_port(port)
            }
            _ => false,
        }
    }
}

fn same_network(network: IpAddr, address: IpAddr, bits: u8) -> bool {
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let shift = 32_u32.saturating_sub(bits.into());
            u32::from(a).checked_shr(shift).unwrap_or(0) == u32::from(b).checked_shr(shift).unwrap_or(0)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let shift = 128_u32.saturating_sub(bits.into());
            u128::from(a).checked_shr(shift).unwrap_or(0) == u128::from(b).checked_shr(shift).unwrap_or(0)
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn proxy_of(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let (proxies, problems) = Proxies::of_environment(&variable);
        assert!(problems.is_empty(), "{problems:?}");
        proxies.of(&Url::parse(url).unwrap()).map(Proxy::shown)
    }

    #[test]
    fn each_scheme_has_its_variable_and_small_letters_win() {
        let of = |variables: &[(&str, &str)], url: &str| proxy_of(variables, url).unwrap_or_default();
        let both = [("HTTPS_PROXY", "http://a:1"), ("HTTP_PROXY", "b:2")];
        assert_eq!((of(&both, "https://h").as_str(), of(&both, "http://h").as_str()), ("http://a:1", "http://b:2"));
        assert_eq!(of(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://c:3")], "https://h"), "http://c:3");
        assert_eq!(of(&[("ALL_PROXY", "http://d:4")], "http://h"), "http://d:4");
        assert_eq!(of(&[("HTTPS_PROXY", "")], "https://h"), "");
        assert_eq!(of(&[("HTTPS_PROXY", "http://user:s3cret@a:1")], "https://h"), "http://a:1");
    }

    #[test]
    fn the_hosts_of_no_proxy_are_reached_directly() {
        for (except, direct, through) in [
            ("*", "http://h", ""),
            ("h.example", "http://h.example", "http://gh.example"),
            ("h.example", "http://a.h.example.", "http://h.example.org"),
            (".h.example,other", "http://h.example", "http://another"),
            ("H.Example:8080", "http://h.example:8080", "http://h.example"),
            ("10.0.0.0/8", "http://10.2.3.4", "http://11.0.0.1"),
            ("127.0.0.1", "http://127.0.0.1:9", "http://127.0.0.2"),
            ("127.0.0.1:9", "http://127.0.0.1:9", "http://127.0.0.1:8"),
            ("::1", "http://[::1]:9", "http://[::2]"),
            ("[::1]:9", "http://[::1]:9", "http://[::1]:8"),
            ("fd00::/8", "http://[fd12::1]", "http://[fe80::1]"),
            ("0.0.0.0/0", "http://9.9.9.9", "http://[::1]"),
            ("a, h ,b", "http://h", "http://c"),
        ] {
            let variables = [("HTTP_PROXY", "http://p:1"), ("NO_PROXY", except)];
            assert_eq!(proxy_of(&variables, direct), None, "{except}: {direct}");
            if !through.is_empty() {
                assert!(proxy_of(&variables, through).is_some(), "{except}: {through}");
            }
        }
    }

    #[test]
    fn a_user_and_a_password_become_a_header_and_are_not_shown() {
        let proxy = Proxy::parse("http://us%40er:p%3Ass@h:1", "proxy").unwrap();
        assert_eq!(proxy.authorization().unwrap(), &format!("Basic {}", STANDARD.encode("us@er:p:ss")));
        let shown = format!("{:?}", Proxies::one("http://us%40er:p%3Ass@h:1").unwrap());
        assert!(!shown.contains("p%3Ass") && !shown.contains("us%40er"), "{shown}");
        for bad in ["socks5://h:1", "ftp://h", "http://h:port"] {
            let error = Proxy::parse(bad, "HTTPS_PROXY").err().unwrap();
            assert!(!error.to_string().contains(bad), "{error}");
        }
    }
}
