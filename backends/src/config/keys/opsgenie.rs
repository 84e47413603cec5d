//! The `[opsgenie]` section.

use tripline_runtime::Priority;

use super::key::{Key, Section, access, key};
use crate::config::model::Config;
use crate::config::opsgenie::{AlertScope, Provider, Region};
use crate::config::range::Range;
use crate::config::secret::Secret;
use crate::config::text::TextRule;
use crate::config::value::{Access, Field};

/// The table that these keys belong to.
type Target = Config;

pub(super) const SECTION: Section<Target> =
    Section { path: "opsgenie", about: "Alerts to OpsGenie or Jira Service Management.", keys: KEYS };

pub(super) const CONTACTS: Section<Target> =
    Section { path: "opsgenie.contact_details", about: "Who to ask, for the text of the alert.", keys: CONTACT_KEYS };

const A_WEEK: Range = Range::new(0.0, 604_800.0, "seconds").whole();

const fn text(
    rule: TextRule,
    name: &'static str,
    about: &'static str,
    access: Access<Target, String, String>,
) -> Key<Target> {
    key(name, about, Field::Text(rule, access))
}

const fn line(name: &'static str, about: &'static str, access: Access<Target, String, String>) -> Key<Target> {
    text(TextRule::AtMost(1_000), name, about, access)
}

const fn flag(name: &'static str, about: &'static str, access: Access<Target, bool, bool>) -> Key<Target> {
    key(name, about, Field::Flag(access))
}

const fn texts(
    name: &'static str,
    about: &'static str,
    access: Access<Target, Vec<String>, Vec<String>>,
) -> Key<Target> {
    key(name, about, Field::Texts(access))
}

const fn priority(
    name: &'static str,
    about: &'static str,
    access: Access<Target, &'static str, &'static str>,
) -> Key<Target> {
    key(name, about, Field::Word(Priority::WORDS, access))
}

const KEYS: &[Key<Target>] = &[
    flag("enabled", "Send alerts.", access!(same breaker.opsgenie.enabled)),
    key(
        "provider",
        "The service that takes them: OpsGenie, whose API ends on 2027-04-05, or Jira Service Management.",
        Field::Word(Provider::WORDS, access!(word Provider, breaker.opsgenie.provider)),
    ),
    text(
        TextRule::Token,
        "api_key",
        "The integration's key. Better kept out of the file, in the environment's OPSGENIE_API_KEY.",
        access!(secret breaker.opsgenie.api_key),
    ),
    key(
        "region",
        "Where OpsGenie keeps the account. OPSGENIE_REGION in the environment wins.",
        Field::Word(Region::WORDS, access!(word Region, breaker.opsgenie.region)),
    ),
    text(
        TextRule::BaseUrl,
        "api_url",
        "Base address in place of the provider's own. OPSGENIE_API_URL in the environment wins.",
        access!(same breaker.opsgenie.api_url),
    )
    .example("\"https://api.opsgenie.com\""),
    text(
        TextRule::Proxy,
        "proxy",
        "Address of the proxy that alerts go through, or \"none\". Not set: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the \
         environment.",
        access!(secret breaker.opsgenie.proxy),
    )
    .example("\"http://proxy.example:3128\""),
    priority("priority", "Priority of an alert that is not staged.", access!(word Priority, breaker.opsgenie.priority)),
    text(TextRule::AtMost(100), "source", "Who the alert says it comes from.", access!(same breaker.opsgenie.source)),
    key(
        "alert_scope",
        "One alert for all hosts of the service, or one for each host. With several replicas \"service\" needs [fleet]: \
         without it the first replica that recovers closes the alert of all.",
        Field::Word(AlertScope::WORDS, access!(word AlertScope, breaker.opsgenie.alert_scope)),
    ),
    text(
        TextRule::AtMost(100),
        "team",
        "Team that is paged; mandatory for alerts. Not set: OPSGENIE_TEAM in the environment.",
        access!(same breaker.opsgenie.team),
    ),
    text(
        TextRule::AtMost(20),
        "environment",
        "Deployment environment; mandatory for alerts. Environment in the environment wins; not set: DEPLOYMENT_ENV.",
        access!(same breaker.opsgenie.environment),
    ),
    text(
        TextRule::AtMost(50),
        "service_id",
        "Identifier of the service; mandatory for alerts. Not set: bookmaker_id, else project_id, else BOOKMAKER_ID, \
         PROJECT_ID, CLIENT_ID or SERVICE_ID in the environment.",
        access!(same breaker.opsgenie.service_id),
    ),
    text(
        TextRule::AtMost(50),
        "bookmaker_id",
        "The earlier name of service_id.",
        access!(same breaker.opsgenie.bookmaker_id),
    ),
    text(
        TextRule::AtMost(50),
        "project_id",
        "Used where service_id is not set.",
        access!(same breaker.opsgenie.project_id),
    ),
    text(
        TextRule::AtMost(255),
        "hostname",
        "Host that alerts name; mandatory for alerts. Not set: HOSTNAME, HOST, CONTAINER_NAME or POD_NAME in the \
         environment.",
        access!(same breaker.opsgenie.hostname),
    ),
    text(
        TextRule::AtMost(255),
        "host_override",
        "Wins over hostname and the environment.",
        access!(same breaker.opsgenie.host_override),
    ),
    text(
        TextRule::AtMost(100),
        "business",
        "Business unit. Not set: business_unit, else BUSINESS_UNIT, BUSINESS or DEPARTMENT in the environment, else \
         \"internal\".",
        access!(same breaker.opsgenie.business),
    ),
    text(
        TextRule::AtMost(100),
        "business_unit",
        "Stands in where business is not set.",
        access!(same breaker.opsgenie.business_unit),
    ),
    line("additional_context", "Free text in every alert.", access!(same breaker.opsgenie.additional_context)),
    line("service_tier", "Tier of the service.", access!(same breaker.opsgenie.service_tier)),
    flag(
        "trigger_on_breaker_open",
        "Alert when the breaker opens.",
        access!(same breaker.opsgenie.triggers.breaker_open),
    ),
    flag(
        "trigger_on_breaker_reset",
        "Report the recovery when the alert is closed.",
        access!(same breaker.opsgenie.triggers.breaker_reset),
    ),
    flag(
        "trigger_on_memory_threshold",
        "Alert when memory runs out.",
        access!(same breaker.opsgenie.triggers.memory_threshold),
    ),
    flag(
        "trigger_on_latency_threshold",
        "Alert when latency is too high.",
        access!(same breaker.opsgenie.triggers.latency_threshold),
    ),
    flag("include_latency_metrics", "Latencies in the alert.", access!(same breaker.opsgenie.include_latency_metrics)),
    flag("include_memory_metrics", "Memory in the alert.", access!(same breaker.opsgenie.include_memory_metrics)),
    flag(
        "include_system_info",
        "Process and machine in the alert.",
        access!(same breaker.opsgenie.include_system_info),
    ),
    key(
        "alert_cooldown_seconds",
        "Delay of the first alert of an incident that follows one of the same kind. 0 = no delay.",
        Field::Number(A_WEEK, access!(count u32, breaker.opsgenie.alert_cooldown_seconds)),
    ),
    key(
        "time_before_send_alert",
        "Time from a trip to the escalated, more urgent alert. 0 = one alert at once.",
        Field::Number(A_WEEK, access!(count u32, breaker.opsgenie.time_before_send_alert)),
    ),
    priority(
        "initial_alert_priority",
        "Priority of the first alert, where alerts are staged.",
        access!(word Priority, breaker.opsgenie.initial_alert_priority),
    ),
    priority(
        "escalated_alert_priority",
        "Priority of the second alert, where alerts are staged.",
        access!(word Priority, breaker.opsgenie.escalated_alert_priority),
    ),
    texts(
        "tags",
        "Tags of every alert, best as \"Key:value\". The service keeps 20 tags of 50 characters.",
        access!(same breaker.opsgenie.tags),
    )
    .example("[\"Component:checkout\"]"),
    line(
        "api_name",
        "Name of the protected API. Not set: the breaker's name.",
        access!(same breaker.opsgenie.api_name),
    ),
    line("api_version", "Its version.", access!(same breaker.opsgenie.api_version)),
    line("api_namespace", "What its name is unique within.", access!(same breaker.opsgenie.api_namespace)),
    line("api_description", "What it does.", access!(same breaker.opsgenie.api_description)),
    line("api_owner", "Who owns it.", access!(same breaker.opsgenie.api_owner)),
    line("api_priority", "How important it is, in your own words.", access!(same breaker.opsgenie.api_priority)),
    texts("api_dependencies", "What it needs.", access!(same breaker.opsgenie.api_dependencies)),
    texts("api_endpoints", "What the breaker protects.", access!(same breaker.opsgenie.api_endpoints)),
    key(
        "api_custom_attributes",
        "More details for every alert: names and texts.",
        Field::TextMap(access!(same breaker.opsgenie.api_custom_attributes)),
    )
    .example("{ runbook = \"https://wiki.example/checkout\" }"),
];

const CONTACT_KEYS: &[Key<Target>] = &[
    line("primary_contact", "First to ask.", access!(same breaker.opsgenie.contact_details.primary_contact)),
    line("escalation_team", "Next to ask.", access!(same breaker.opsgenie.contact_details.escalation_team)),
    line("slack_channel", "Channel for the incident.", access!(same breaker.opsgenie.contact_details.slack_channel)),
    line("phone_number", "Number to call.", access!(same breaker.opsgenie.contact_details.phone_number)),
    texts("additional_emails", "Further addresses.", access!(same breaker.opsgenie.contact_details.additional_emails)),
];
