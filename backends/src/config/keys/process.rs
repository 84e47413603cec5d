//! What the binary does beside the breaker: HTTP, logging, webhook.

use super::{Key, Section, access, key};
use crate::config::model::{LogFormat, LogLevel};
use crate::config::secret::Secret;
use crate::config::text::TextRule;
use crate::config::value::Field;

pub(super) const HTTP: Section = Section { path: "http", about: "The management API.", keys: HTTP_KEYS };

pub(super) const LOG: Section = Section { path: "log", about: "What the program writes about itself.", keys: LOG_KEYS };

pub(super) const WEBHOOK: Section =
    Section { path: "webhook", about: "Alerts as JSON, posted to an address of your own.", keys: WEBHOOK_KEYS };

const HTTP_KEYS: &[Key] = &[
    key(
        "listen",
        "Address of the API. Any address but a loopback one needs a token.",
        Field::Text(
            TextRule::Listen,
            access!(
                |c, x| {
                    c.http.listen = x.parse().ok()?;
                    Some(())
                },
                |c| Some(c.http.listen.to_string())
            ),
        ),
    ),
    key(
        "allowed_hosts",
        "Host names of the API behind a reverse proxy, beside loopback names and the listen address. A request with the token needs none.",
        Field::Texts(access!(
            |c, x| {
                c.http.allowed_hosts = x.iter().all(|host| url::Host::parse(host).is_ok()).then_some(x)?;
                Some(())
            },
            |c| Some(c.http.allowed_hosts.clone())
        )),
    )
    .example("[\"ops.example.com\"]"),
    key(
        "token_file",
        "File with the bearer token, at least 16 bytes. The environment's TRIPLINE_TOKEN does the same.",
        Field::Text(TextRule::Path, access!(path http.token_file)),
    )
    .example("\"token\""),
];

const LOG_KEYS: &[Key] = &[
    key(
        "level",
        "The least important level that is written.",
        Field::Word(LogLevel::WORDS, access!(word LogLevel, log.level)),
    ),
    key(
        "format",
        "Lines for people, or one JSON object a line.",
        Field::Word(LogFormat::WORDS, access!(word LogFormat, log.format)),
    ),
];

const WEBHOOK_KEYS: &[Key] = &[
    key("enabled", "Post alerts to url.", Field::Flag(access!(same breaker.webhook.enabled))),
    key(
        "url",
        "Where to. It is treated as a secret.",
        Field::Text(TextRule::SecretUrl, access!(secret breaker.webhook.url)),
    )
    .example("\"https://alerts.example/hook\""),
];
