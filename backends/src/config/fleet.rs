//! `[fleet]`: replicas that share their incidents.

use std::time::Duration;

use tripline_runtime::core::fleet::PageAt;

use super::secret::Secret;
use super::string_enum::words;

/// Replicas that share their incidents, `[fleet]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fleet {
    /// Over what they share them. Default: off.
    pub engine: FleetEngineKind,
    /// Address of the server. It may hold a password.
    pub url: Option<Secret>,
    /// What the names of the keys begin with. Default: `tripline`.
    pub namespace: String,
    /// The service whose replicas these are; empty: `opsgenie.api_name`, else `default`.
    pub service: String,
    /// How many replicas must be unwell before they page. Default: one.
    pub page_at: PageAt,
    /// So long the server must be out of reach before a replica pages alone; up to 30 s are added at random. Default: 15 s.
    pub fallback_after: Duration,
    /// A replica that paged alone also closes alone. Default: false.
    pub fallback_close: bool,
    /// At most this share of the replicas probes at once, and at least one; 0: each probes when its own wait is over. Default: 0.
    pub probe_share: f64,
    /// The replicas carry out what an operator commands all of them (`ctl --fleet`). Default: false.
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
    /// Over what replicas share their incidents.
    pub enum FleetEngineKind {
        /// They do not.
        #[default]
        Off = "off",
        /// Over Redis or Valkey.
        Redis = "redis",
    }
}
