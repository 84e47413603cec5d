//! The `[opsgenie]` section.

use std::collections::BTreeMap;

use super::secret::Secret;
use super::string_enum::words;

use tripline_runtime::Triggers;

pub use tripline_runtime::Priority;

words! {
    /// Which service takes the alerts.
    pub enum Provider {
        /// `OpsGenie`'s own alert API.
        #[default]
        OpsGenie = "opsgenie",
        /// Jira Service Management, its successor.
        Jsm = "jsm",
    }
}

words! {
    /// Where `OpsGenie` keeps the account.
    pub enum Region {
        /// United States.
        #[default]
        Us = "us",
        /// European Union.
        Eu = "eu",
    }
}

words! {
    /// The replicas that share one alert.
    pub enum AlertScope {
        /// All hosts of a service.
        #[default]
        Service = "service",
        /// Each host has its own.
        Host = "host",
    }
}

/// Alerts to `OpsGenie` or its successor. An empty text is one that is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpsGenie {
    /// Default: false.
    pub enabled: bool,
    /// Default: opsgenie.
    pub provider: Provider,
    /// The integration's key, from `OPSGENIE_API_KEY` or the file.
    pub api_key: Option<Secret>,
    /// Base address in place of the provider's own; see [`OpsGenie::base_url`].
    pub api_url: String,
    /// `none`, or the address of a proxy. Not set: as the environment says.
    pub proxy: Option<Secret>,
    /// Default: us.
    pub region: Region,
    /// Priority of an alert that is not staged. Default: P3.
    pub priority: Priority,
    /// Who the alert says it comes from. Default: tripline.
    pub source: String,
    /// Default: service.
    pub alert_scope: AlertScope,
    /// The team that is paged.
    pub team: String,
    /// Deployment environment, at most 20 characters.
    pub environment: String,
    /// Identifier of the service, at most 50 characters; see [`OpsGenie::service_id`].
    pub service_id: String,
    /// The earlier name of `service_id`; used where that is empty.
    pub bookmaker_id: String,
    /// Used where both are empty.
    pub project_id: String,
    /// See [`OpsGenie::host`].
    pub hostname: String,
    /// Wins over `hostname` and the environment.
    pub host_override: String,
    /// See [`OpsGenie::business`].
    pub business: String,
    /// Stands in where `business` is empty.
    pub business_unit: String,
    /// Free text in every alert.
    pub additional_context: String,
    /// Tier of the service.
    pub service_tier: String,
    /// Which alerts are created: the keys `trigger_on_…`.
    pub triggers: Triggers,
    /// Latencies in the details. Default: true.
    pub include_latency_metrics: bool,
    /// Memory in the details. Default: true.
    pub include_memory_metrics: bool,
    /// The process and its machine in the details. Default: true.
    pub include_system_info: bool,
    /// By how much, in seconds, a next incident's first alert is delayed. Default: 300; 0 = not at all.
    pub alert_cooldown_seconds: u32,
    /// Seconds from a trip to the escalated alert. Default: 0 = one alert at once, not staged.
    pub time_before_send_alert: u32,
    /// Priority of the first stage. Default: P3.
    pub initial_alert_priority: Priority,
    /// Priority of the second stage. Default: P1.
    pub escalated_alert_priority: Priority,
    /// Tags of every alert.
    pub tags: Vec<String>,
    /// Name of the protected API.
    pub api_name: String,
    /// Its version.
    pub api_version: String,
    /// The namespace within which its name is unique.
    pub api_namespace: String,
    /// Its purpose.
    pub api_description: String,
    /// Who owns it.
    pub api_owner: String,
    /// How important it is, in the user's own words.
    pub api_priority: String,
    /// Its dependencies.
    pub api_dependencies: Vec<String>,
    /// The endpoints behind the breaker.
    pub api_endpoints: Vec<String>,
    /// More details for every alert.
    pub api_custom_attributes: BTreeMap<String, String>,
    /// Who to ask.
    pub contact_details: Contacts,
}

/// Who to ask, `[opsgenie.contact_details]`. An empty text is one that is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Contacts {
    /// First person or address to ask.
    pub primary_contact: String,
    /// Who is next.
    pub escalation_team: String,
    /// Channel for the incident.
    pub slack_channel: String,
    /// Number to call.
    pub phone_number: String,
    /// Further addresses.
    pub additional_emails: Vec<String>,
}

impl Default for OpsGenie {
    fn default() -> Self {
        Self {
            enabled: false,
            provider: Provider::default(),
            api_key: None,
            api_url: String::new(),
            proxy: None,
            region: Region::default(),
            priority: Priority::default(),
            source: "tripline".into(),
            alert_scope: AlertScope::default(),
            team: String::new(),
            environment: String::new(),
            service_id: String::new(),
            bookmaker_id: String::new(),
            project_id: String::new(),
            hostname: String::new(),
            host_override: String::new(),
            business: String::new(),
            business_unit: String::new(),
            additional_context: String::new(),
            service_tier: String::new(),
            triggers: Triggers::default(),
            include_latency_metrics: true,
            include_memory_metrics: true,
            include_system_info: true,
            alert_cooldown_seconds: 300,
            time_before_send_alert: 0,
            initial_alert_priority: Priority::P3,
            escalated_alert_priority: Priority::P1,
            tags: Vec::new(),
            api_name: String::new(),
            api_version: String::new(),
            api_namespace: String::new(),
            api_description: String::new(),
            api_owner: String::new(),
            api_priority: String::new(),
            api_dependencies: Vec::new(),
            api_endpoints: Vec::new(),
            api_custom_attributes: BTreeMap::new(),
            contact_details: Contacts::default(),
        }
    }
}

impl OpsGenie {
    /// The default of `business`.
    pub const DEFAULT_BUSINESS: &'static str = "internal";

    /// Base address of the alert API, without a slash at the end: `api_url`, or the provider's own. `/v2/alerts`
    /// follows it.
    pub fn base_url(&self) -> &str {
        match (self.api_url.as_str(), self.provider, self.region) {
            ("", Provider::OpsGenie, Region::Us) => "https://api.opsgenie.com",
            ("", Provider::OpsGenie, Region::Eu) => "https://api.eu.opsgenie.com",
            ("", Provider::Jsm, _) => "https://api.atlassian.com/jsm/ops/integration",
            (url, _, _) => url.trim_end_matches('/'),
        }
    }

    /// The identifier of the service: `service_id`, else `bookmaker_id`, else `project_id`; may be empty.
    pub fn service_id(&self) -> &str {
        first_set(&[&self.service_id, &self.bookmaker_id, &self.project_id])
    }

    /// The host that alerts name: `host_override`, else `hostname`; may be empty.
    pub fn host(&self) -> &str {
        first_set(&[&self.host_override, &self.hostname])
    }

    /// The business unit: `business`, else `business_unit`, else [`OpsGenie::DEFAULT_BUSINESS`].
    pub fn business(&self) -> &str {
        first_set(&[&self.business, &self.business_unit, Self::DEFAULT_BUSINESS])
    }

    /// The required fields that are empty, by key. An alert still goes out without them.
    pub fn missing_fields(&self) -> Vec<&'static str> {
        [
            ("team", self.team.as_str()),
            ("environment", self.environment.as_str()),
            ("service_id", self.service_id()),
            ("hostname", self.host()),
        ]
        .into_iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(key, _)| key)
        .collect()
    }
}

fn first_set<'a>(texts: &[&'a str]) -> &'a str {
    texts.iter().copied().find(|text| !text.is_empty()).unwrap_or_default()
}
