//! The keys of the process beside the breaker: HTTP and logging.

use std::net::IpAddr;

use super::key::{Key, Section, access, key};
use crate::config::model::{Config, LogFormat, LogLevel};
use crate::config::text::TextRule;
use crate::config::value::Field;

/// The table that these keys belong to.
type Target = Config;

pub(super) const HTTP: Section<Target> = Section { path: "http", about: "The management API.", keys: HTTP_KEYS };

pub(super) const LOG: Section<Target> =
    Section { path: "log", about: "What the program writes about itself.", keys: LOG_KEYS };

/// A host name, or an IP address with or without brackets.
fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || url::Host::parse(text).is_ok()
}

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
        "allowed_hosts",
        "Host names of the API behind a reverse proxy, beside loopback names and the listen address. A request with the token needs none.",
        Field::Texts(access!(
            |c, x| {
                c.http.allowed_hosts = x.iter().all(|host| is_host(host)).then_some(x)?;
                Some(())
            },
            |c| Some(c.http.allowed_hosts.clone())
        )),
    )
    .restart_required()
    .example("[\"ops.example.com\"]"),
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
