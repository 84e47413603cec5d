//! The `[webhook]` section, and each entry of `[[webhooks]]`.

use super::key::{Key, Section, access, key};
use crate::config::model::Config;
use crate::config::secret::Secret;
use crate::config::text::TextRule;
use crate::config::value::Field;
use crate::config::webhook::WebhookFormat;

/// The table that these keys belong to.
type Target = Config;

pub(super) const SECTION: Section<Target> = Section {
    path: "webhook",
    about: "Alerts to an address of your own, to a chat or to PagerDuty. For several, [[webhooks]] with the same keys for \
            each; these are enabled unless they say otherwise.",
    keys: KEYS,
};

const KEYS: &[Key<Target>] = &[
    key("enabled", "Post alerts to url.", Field::Flag(access!(same breaker.webhook.enabled))),
    key(
        "name",
        "What logs, metrics and kept state call an entry of [[webhooks]]. Not set: its number.",
        Field::Text(TextRule::Label, access!(same breaker.webhook.name)),
    )
    .example("\"chat\""),
    key(
        "url",
        "Where to. It is treated as a secret. ${VARIABLE} stands for a variable of the environment. Not set: for pagerduty \
         its own.",
        Field::Text(TextRule::SecretUrl, access!(secret breaker.webhook.url)),
    )
    .example("\"https://alerts.example/hook\""),
    key(
        "format",
        "What the receiver reads.",
        Field::Word(WebhookFormat::WORDS, access!(word WebhookFormat, breaker.webhook.format)),
    ),
    key(
        "routing_key",
        "The integration key of format pagerduty. Better as \"${VARIABLE}\".",
        Field::Text(TextRule::Token, access!(secret breaker.webhook.routing_key)),
    )
    .example("\"${PAGERDUTY_ROUTING_KEY}\""),
    key(
        "body",
        "A template for the body in place of format, with fields such as {{headline}}, {{summary}} and {{priority}}; the guide \
         on alerts lists them.",
        Field::Text(TextRule::AtMost(20_000), access!(same breaker.webhook.body)),
    )
    .example("'{\"text\": \"{{priority}} {{headline}}\"}'"),
    key(
        "headers",
        "More headers. Values are treated as secrets, and ${VARIABLE} stands for a variable of the environment.",
        Field::SecretMap(access!(
            |c, x| {
                c.breaker.webhook.headers = x.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
                Some(())
            },
            |c| Some(
                c.breaker.webhook.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
            )
        )),
    )
    .example("{ Authorization = \"Bearer ${ALERT_TOKEN}\" }"),
    key(
        "proxy",
        "Address of the proxy that alerts go through, or \"none\". Not set: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the \
         environment.",
        Field::Text(TextRule::Proxy, access!(secret breaker.webhook.proxy)),
    )
    .example("\"http://proxy.example:3128\""),
];
