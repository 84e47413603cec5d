//! What the binary does beside the breaker: HTTP and logging.

use super::{Key, Section, access, key};
use crate::config::model::{LogFormat, LogLevel};
use crate::config::text::TextRule;
use crate::config::value::Field;

pub(super) const HTTP: Section = Section { path: "http", about: "The management API.", keys: HTTP_KEYS };

pub(super) const LOG: Section = Section { path: "log", about: "What the program writes about itself.", keys: LOG_KEYS };

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
