//! What a configuration file says, with every default filled in.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tripline_runtime::BreakerName;
use tripline_runtime::core::Policy;

use super::opsgenie::OpsGenie;
use super::secret::Secret;
use super::string_enum::words;
use super::webhook::Webhook;
use crate::memory::MemorySourceKind;

/// A whole, valid configuration. `Config::default()` is what an empty file means.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Name of the breaker. Default: `default`.
    pub name: BreakerName,
    /// Everything the breaker itself decides by.
    pub policy: Policy,
    /// Where memory is measured. Default: auto.
    pub memory_source: MemorySourceKind,
    /// Whether calls in flight are watched. Default: true.
    pub stall_detection: bool,
    /// Folder for what must survive a restart; `None` keeps nothing. A relative path is meant from the working
    /// directory.
    pub state_dir: Option<PathBuf>,
    /// The management API.
    pub http: Http,
    /// Logging of the binary.
    pub log: Log,
    /// Alerts to any address, `[webhook]`.
    pub webhook: Webhook,
    /// More of these, `[[webhooks]]`.
    pub webhooks: Vec<Webhook>,
    /// Alerts to `OpsGenie` or its successor.
    pub opsgenie: OpsGenie,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: BreakerName::default(),
            policy: Policy::default(),
            memory_source: MemorySourceKind::Auto,
            stall_detection: true,
            state_dir: None,
            http: Http::default(),
            log: Log::default(),
            webhook: Webhook::default(),
            webhooks: Vec::new(),
            opsgenie: OpsGenie::default(),
        }
    }
}

/// The management API, `[http]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Http {
    /// Address to listen on. Default: 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// File that holds the bearer token; a relative path is meant from the working directory. It is not read here.
    pub token_file: Option<PathBuf>,
    /// The bearer token from `TRIPLINE_TOKEN`; a file cannot set it.
    pub token: Option<Secret>,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8_080)), token_file: None, token: None }
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
        /// What failed.
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
