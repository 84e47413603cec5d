//! `breakers.toml`: what can be set, what is allowed, and what is wrong with a file.
//!
//! The way of the data: text → TOML values with their places → one walk along the table of [keys](key_names) →
//! [`Config`] and [`Warning`]s, or [`ConfigErrors`] with *every* problem. [`parse`] is pure; [`load`] only reads the
//! file and never writes it; [`apply_environment`] lays the environment over what the file says.
//!
//! ```
//! use tripline_backends::config::parse;
//!
//! let (config, warnings) = parse("latency_threshold = 300\nlatency_window_sise = 32\n", "breakers.toml")?;
//! assert_eq!(config.breaker.policy.latency_threshold.as_millis(), 300);
//! assert_eq!(
//!     warnings[0].to_string(),
//!     "breakers.toml:2: latency_window_sise: unknown key, ignored; did you mean latency_window_size?"
//! );
//!
//! let errors = parse("wait_time = 0\npercentile = 20", "breakers.toml").unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "breakers.toml:1: wait_time = 0: allowed: 1 to 3600 (seconds)\n\
//!      breakers.toml:2: percentile = 20: allowed: a ratio 0 < x <= 1, or 50 to 100 (percent)"
//! );
//! # Ok::<(), tripline_backends::config::ConfigErrors>(())
//! ```

mod breaker;
mod breakers;
#[cfg(feature = "reload")]
mod change;
#[cfg(feature = "reload")]
mod differences;
mod environment;
mod error;
mod family;
mod fleet;
mod keys;
mod lints;
mod load;
mod model;
mod opsgenie;
mod parse;
mod proxy;
mod range;
mod recommended;
mod reference;
mod report;
mod resolved;
mod secret;
mod setting_value;
mod shared_alert;
mod source;
mod string_enum;
mod text;
mod unit_lints;
mod value;
mod webhook;

pub use breaker::BreakerConfig;
#[cfg(feature = "cli")]
pub(crate) use breakers::RESERVED_NAMES;
#[cfg(feature = "reload")]
pub(crate) use change::Setting;
#[cfg(feature = "reload")]
pub use change::{Change, RejectedValue};
#[cfg(feature = "reload")]
pub use differences::{Difference, differences};
pub use environment::{apply_environment, left_to_environment, process_variable};
pub use error::{ConfigErrors, Problem, Reason, Warning, WarningKind};
pub use family::{FamilyConfig, InvalidKeySource, KeySource};
pub use fleet::{Fleet, FleetEngineKind};
#[cfg(feature = "reload")]
pub(crate) use keys::TOP_ALIAS;
#[cfg(feature = "cli")]
pub(crate) use keys::breaker_values;
pub use keys::key_names;
#[cfg(feature = "api")]
pub(crate) use keys::{Entry, entries, entry};
#[cfg(feature = "reload")]
pub(crate) use load::{EMPTY, is_blank, read};
pub use load::{MAX_FILE_BYTES, load, load_resolved};
pub use model::{Config, Http, Log, LogFormat, LogLevel};
pub use opsgenie::{AlertScope, Contacts, OpsGenie, Priority, Provider, Region};
pub use parse::{parse, resolved};
pub use proxy::{
    AccessLog, Forwarded, Guard, HostHeader, Measure, Network, Proxy, ProxyMode, RejectedAnswer, RequestPart,
    RequestParts, Route, ServerUrl, Statuses, TlsFiles, Upstream, UpstreamProtocol, UpstreamTls,
};
#[cfg(feature = "api")]
pub(crate) use range::Range;
pub use recommended::recommended;
pub use reference::configuration_reference;
pub use resolved::{Origin, ResolvedBreaker, ResolvedSetting};
pub use secret::Secret;
pub use setting_value::SettingValue;
pub use shared_alert::shared_alert_warning;
#[cfg(feature = "api")]
pub(crate) use value::Shape;
pub use value::percentile;
#[cfg(feature = "webhook")]
pub(crate) use webhook::BodyEscaping;
pub use webhook::{WEBHOOK_FIELDS, Webhook, WebhookField, WebhookFormat};
