//! The content of a configuration file, with every default filled in.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::breaker::BreakerConfig;
use super::fleet::Fleet;
use super::proxy::{Proxy, Route, Upstream};
use super::secret::Secret;
use super::string_enum::words;

/// A whole, valid configuration: the settings of the breaker, and those of the process. `Config::default()` is what an empty
/// file means.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Config {
    /// The root: the keys at the top of the file, `[opsgenie]` and `[webhook]`. It is the breaker where there are no named ones,
    /// else only their base.
    pub breaker: BreakerConfig,
    /// The breakers of `[breakers.NAME]`, in the order of the file, each with what it inherits filled in.
    pub breakers: Vec<BreakerConfig>,
    /// Folder for what must survive a restart, with a subfolder for each breaker; `None` keeps nothing. A relative path is
    /// relative to the working directory.
    pub state_dir: Option<PathBuf>,
    /// The management API.
    pub http: Http,
    /// Logging of the binary.
    pub log: Log,
    /// Replicas that share their incidents.
    pub fleet: Fleet,
    /// The data port of `tripline proxy`.
    pub proxy: Proxy,
    /// The upstreams of `[upstreams.NAME]`, in the order of the file.
    pub upstreams: Vec<Upstream>,
    /// The entries of `[[routes]]`. The breakers that they name are among [`Config::all_breakers`].
    pub routes: Vec<Route>,
}

impl Config {
    /// Every breaker of the process, in the order of the file: the named ones, or the root where there are none.
    pub fn all_breakers(&self) -> &[BreakerConfig] {
        if self.breakers.is_empty() { std::slice::from_ref(&self.breaker) } else { &self.breakers }
    }

    /// The settings of the breaker of this name; where there are no named breakers, those of the root, whatever its name.
    /// O(n).
    pub fn settings_of(&self, name: &str) -> Option<&BreakerConfig> {
        match self.breakers.as_slice() {
            [] => Some(&self.breaker),
            named => named.iter().find(|breaker| breaker.name.as_str() == name),
        }
    }

    /// The process's settings with `breaker` as the root and no named breakers: what the key table reads and writes for one.
    pub(crate) fn view_of(&self, breaker: &BreakerConfig) -> Self {
        Self {
            breaker: breaker.clone(),
            breakers: Vec::new(),
            state_dir: self.state_dir.clone(),
            http: self.http.clone(),
            log: self.log.clone(),
            fleet: self.fleet.clone(),
            proxy: self.proxy.clone(),
            upstreams: Vec::new(),
            routes: Vec::new(),
        }
    }
}

/// The management API, `[http]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Http {
    /// Address to listen on. Default: 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// Host names under which clients reach the API beside loopback names and the listen address. Default: none.
    pub allowed_hosts: Vec<String>,
    /// File that holds the bearer token; a relative path starts at the working directory. It is not read here.
    pub token_file: Option<PathBuf>,
    /// The bearer token from `TRIPLINE_TOKEN`; a file cannot set it.
    pub token: Option<Secret>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8_080)),
            allowed_hosts: Vec::new(),
            token_file: None,
            token: None,
        }
    }
}

/// Logging of the binary, `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Log {
    /// Least important level that is written. Default: info.
    pub level: LogLevel,
    /// Default: text.
    pub format: LogFormat,
}

words! {
    /// How much is logged.
    pub enum LogLevel {
        /// The operation that failed.
        Error = "error",
        /// And what is odd.
        Warn = "warn",
        /// And what changed.
        #[default]
        Info = "info",
        /// And why.
        Debug = "debug",
        /// And everything else.
        Trace = "trace",
    }
}

words! {
    /// How a log line looks.
    pub enum LogFormat {
        /// For people.
        #[default]
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}
