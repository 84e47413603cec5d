//! What the binary does beside the breaker: HTTP, logging, webhook.

use super::key::{Key, Section, access, key};
use crate::config::model::{Config, LogFormat, LogLevel};
use crate::config::secret::Secret;
use crate::config::text::TextRule;
use crate::config::value::Field;

/// What these keys are set in.
type Target = Config;

pub(super) const HTTP: Section<Target> = Section { path: "http", about: "The management API.", keys: HTTP_KEYS };

pub(super) const LOG: Section<Target> =
    Section { path: "log", about: "What the program writes about itself.", keys: LOG_KEYS };

pub(super) const WEBHOOK: Section<Target> =
    Section { path: "webhook", about: "Alerts as JSON, posted to an address of your own.", keys: WEBHOOK_KEYS };

const HTTP_KEYS: &[Key<Target>] = &[
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
    )
    .restart_required(),
    key(
        "token_file",
        "File with the bearer token, at least 16 bytes. The environment's TRIPLINE_TOKEN does the same.",
        Field::Text(TextRule::Path, access!(path http.token_file)),
    )
    .restart_required()
    .example("\"token\""),
];

const LOG_KEYS: &[Key<Target>] = &[
    key(
        "level",
        "The least important level that is written.",
        Field::Word(LogLevel::WORDS, access!(word LogLevel, log.level)),
    )
    .restart_required(),
    key(
        "format",
        "Lines for people, or one JSON object a line.",
        Field::Word(LogFormat::WORDS, access!(word LogFormat, log.format)),
    )
    .restart_required(),
];

const WEBHOOK_KEYS: &[Key<Target>] = &[
    key("enabled", "Post alerts to url.", Field::Flag(access!(same webhook.enabled))),
    key("url", "Where to. It is treated as a secret.", Field::Text(TextRule::SecretUrl, access!(secret webhook.url)))
        .example("\"https://alerts.example/hook\""),
];
