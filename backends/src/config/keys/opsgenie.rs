//! The `[opsgenie]` section.

use super::{Key, Section, access, key};
use tripline_runtime::Priority;

use crate::config::opsgenie::{AlertScope, Provider, Region};
use crate::config::secret::Secret;
use crate::config::text::TextRule;
use crate::config::value::{Access, Field, Range};

pub(super) const SECTION: Section =
    Section { path: "opsgenie", about: "Alerts to OpsGenie or Jira Service Management.", keys: KEYS };

pub(super) const CONTACTS: Section =
    Section { path: "opsgenie.contact_details", about: "Who to ask, for the text of the alert.", keys: CONTACT_KEYS };

const A_WEEK: Range = Range::new(0.0, 604_800.0, "seconds").whole();

const fn text(rule: TextRule, name: &'static str, about: &'static str, access: Access<String, String>) -> Key {
    key(name, about, Field::Text(rule, access))
}

const fn line(name: &'static str, about: &'static str, access: Access<String, String>) -> Key {
    text(TextRule::AtMost(1_000), name, about, access)
}

const fn flag(name: &'static str, about: &'static str, access: Access<bool, bool>) -> Key {
    key(name, about, Field::Flag(access))
}

const fn texts(name: &'static str, about: &'static str, access: Access<Vec<String>, Vec<String>>) -> Key {
    key(name, about, Field::Texts(access))
}

const fn priority(name: &'static str, about: &'static str, access: Access<&'static str, &'static str>) -> Key {
    key(name, about, Field::Word(Priority::WORDS, access))
}

const KEYS: &[Key] = &[
    flag("enabled", "Send alerts.", access!(same opsgenie.enabled)),
    key(
        "provider",
        "The service that takes them: OpsGenie, whose API ends on 2027-04-05, or Jira Service Management.",
        Field::Word(Provider::WORDS, access!(word Provider, opsgenie.provider)),
    ),
    text(
        TextRule::Token,
        "api_key",
        "The integration's key. Better kept out of the file, in the environment's OPSGENIE_API_KEY.",
        access!(secret opsgenie.api_key),
    ),
    key(
        "region",
        "Where OpsGenie keeps the account. OPSGENIE_REGION in the environment wins.",
        Field::Word(Region::WORDS, access!(word Region, opsgenie.region)),
    ),
    text(
        TextRule::BaseUrl,
        "api_url",
        "Base address in place of the provider's own. OPSGENIE_API_URL in the environment wins.",
        access!(same opsgenie.api_url),
    )
    .example("\"https://api.opsgenie.com\""),
    text(
        TextRule::Proxy,
        "proxy",
        "Address of the proxy that alerts go through, or \"none\". Not set: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the \
         environment.",
        access!(secret opsgenie.proxy),
    )
    .example("\"http://proxy.example:3128\""),
    priority("priority", "Priority of an alert that is not staged.", access!(word Priority, opsgenie.priority)),
    text(TextRule::AtMost(100), "source", "Who the alert says it comes from.", access!(same opsgenie.source)),
    key(
        "alert_scope",
        "One alert for all hosts of the service, or one for each host.",
        Field::Word(AlertScope::WORDS, access!(word AlertScope, opsgenie.alert_scope)),
    ),
    text(
        TextRule::AtMost(100),
        "team",
        "Team that is paged; mandatory for alerts. Not set: OPSGENIE_TEAM in the environment.",
        access!(same opsgenie.team),
    ),
    text(
        TextRule::AtMost(20),
        "environment",
        "Deployment environment; mandatory for alerts. Environment in the environment wins; not set: DEPLOYMENT_ENV.",
        access!(same opsgenie.environment),
    ),
    text(
        TextRule::AtMost(50),
        "service_id",
        "Identifier of the service; mandatory for alerts. Not set: bookmaker_id, else project_id, else BOOKMAKER_ID, \
         PROJECT_ID, CLIENT_ID or SERVICE_ID in the environment.",
        access!(same opsgenie.service_id),
    ),
    text(
        TextRule::AtMost(50),
        "bookmaker_id",
        "The earlier name of service_id.",
        access!(same opsgenie.bookmaker_id),
    ),
    text(
        TextRule::AtMost(50),
        "project_id",
        "Used where service_id is not set.",
        access!(same opsgenie.project_id),
    ),
    text(
        TextRule::AtMost(255),
        "hostname",
        "Host that alerts name; mandatory for alerts. Not set: HOSTNAME, HOST, CONTAINER_NAME or POD_NAME in the \
         environment.",
        access!(same opsgenie.hostname),
    ),
    text(
        TextRule::AtMost(255),
        "host_override",
        "Wins over hostname and the environment.",
        access!(same opsgenie.host_override),
    ),
    text(
        TextRule::AtMost(100),
        "business",
        "Business unit. Not set: business_unit, else BUSINESS_UNIT, BUSINESS or DEPARTMENT in the environment, else \
         \"internal\".",
        access!(same opsgenie.business),
    ),
    text(
        TextRule::AtMost(100),
        "business_unit",
        "Stands in where business is not set.",
        access!(same opsgenie.business_unit),
    ),
    line("additional_context", "Free text in every alert.", access!(same opsgenie.additional_context)),
    line("service_tier", "Tier of the service.", access!(same opsgenie.service_tier)),
    flag("trigger_on_breaker_open", "Alert when the breaker opens.", access!(same opsgenie.trigger_on_breaker_open)),
    flag(
        "trigger_on_breaker_reset",
        "Say so when the breaker has recovered and the alert is closed.",
        access!(same opsgenie.trigger_on_breaker_reset),
    ),
    flag(
        "trigger_on_memory_threshold",
        "Alert when memory runs out.",
        access!(same opsgenie.trigger_on_memory_threshold),
    ),
    flag(
        "trigger_on_latency_threshold",
        "Alert when latency is too high.",
        access!(same opsgenie.trigger_on_latency_threshold),
    ),
    flag("include_latency_metrics", "Latencies in the alert.", access!(same opsgenie.include_latency_metrics)),
    flag("include_memory_metrics", "Memory in the alert.", access!(same opsgenie.include_memory_metrics)),
    flag("include_system_info", "Process and machine in the alert.", access!(same opsgenie.include_system_info)),
    key(
        "alert_cooldown_seconds",
        "So long after an incident a new one of the same kind waits for its first alert. 0 = it does not wait.",
        Field::Number(A_WEEK, access!(count u32, opsgenie.alert_cooldown_seconds)),
    ),
    key(
        "time_before_send_alert",
        "An incident that lasts so long is escalated to a second, more urgent alert. 0 = one alert at once.",
        Field::Number(A_WEEK, access!(count u32, opsgenie.time_before_send_alert)),
    ),
    priority(
        "initial_alert_priority",
        "Priority of the first alert, where alerts are staged.",
        access!(word Priority, opsgenie.initial_alert_priority),
    ),
    priority(
        "escalated_alert_priority",
        "Priority of the second alert, where alerts are staged.",
        access!(word Priority, opsgenie.escalated_alert_priority),
    ),
    texts(
        "tags",
        "Tags of every alert, best as \"Key:value\". The service keeps 20 tags of 50 characters.",
        access!(same opsgenie.tags),
    )
    .example("[\"Component:checkout\"]"),
    line("api_name", "Name of the protected API. Not set: the breaker's name.", access!(same opsgenie.api_name)),
    line("api_version", "Its version.", access!(same opsgenie.api_version)),
    line("api_namespace", "What its name is unique within.", access!(same opsgenie.api_namespace)),
    line("api_description", "What it does.", access!(same opsgenie.api_description)),
    line("api_owner", "Who owns it.", access!(same opsgenie.api_owner)),
    line("api_priority", "How important it is, in your own words.", access!(same opsgenie.api_priority)),
    texts("api_dependencies", "What it needs.", access!(same opsgenie.api_dependencies)),
    texts("api_endpoints", "What the breaker protects.", access!(same opsgenie.api_endpoints)),
    key(
        "api_custom_attributes",
        "More details for every alert: names and texts.",
        Field::TextMap(access!(same opsgenie.api_custom_attributes)),
    )
    .example("{ runbook = \"https://wiki.example/checkout\" }"),
];

const CONTACT_KEYS: &[Key] = &[
    line("primary_contact", "First to ask.", access!(same opsgenie.contact_details.primary_contact)),
    line("escalation_team", "Next to ask.", access!(same opsgenie.contact_details.escalation_team)),
    line("slack_channel", "Channel for the incident.", access!(same opsgenie.contact_details.slack_channel)),
    line("phone_number", "Number to call.", access!(same opsgenie.contact_details.phone_number)),
    texts("additional_emails", "Further addresses.", access!(same opsgenie.contact_details.additional_emails)),
];
