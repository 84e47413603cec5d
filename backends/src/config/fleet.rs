//! `[fleet]`: replicas that share their incidents.

use std::time::Duration;

use tripline_runtime::core::fleet::PageAt;

use super::secret::Secret;
use super::string_enum::words;

/// Replicas that share their incidents, `[fleet]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fleet {
    /// The store through which they share them. Default: off.
    pub engine: FleetEngineKind,
    /// Address of the server, which may contain a password.
    pub url: Option<Secret>,
    /// Prefix of the keys on the server. Default: `tripline`.
    pub namespace: String,
    /// Name of the service whose replicas these are; empty: `opsgenie.api_name`, else `default`.
    pub service: String,
    /// Unwell replicas required for a page. Default: one.
    pub page_at: PageAt,
    /// How long the server must be unreachable before a replica pages alone; up to 30 s are added at random. Default: 15 s.
    pub fallback_after: Duration,
    /// Whether a replica that paged alone also closes its alert alone. Default: false.
    pub fallback_close: bool,
    /// Maximum share of the replicas that probe at once; at least one may. 0 (the default): no limit.
    pub probe_share: f64,
    /// Whether this replica executes commands to all replicas (`ctl --fleet`). Default: false.
    pub commands: bool,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            engine: FleetEngineKind::Off,
            url: None,
            namespace: "tripline".to_owned(),
            service: String::new(),
            page_at: PageAt::Count(1),
            fallback_after: Duration::from_secs(15),
            fallback_close: false,
            probe_share: 0.0,
            commands: false,
        }
    }
}

words! {
    /// The store through which replicas share their incidents.
    pub enum FleetEngineKind {
        /// None: each replica pages for itself.
        #[default]
        Off = "off",
        /// Redis or Valkey.
        Redis = "redis",
    }
}
