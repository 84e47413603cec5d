//! The `[fleet]` section.

use std::time::Duration;

use super::key::{Key, Section, access, key};
use crate::config::fleet::FleetEngineKind;
use crate::config::model::Config;
use crate::config::range::Range;
use crate::config::secret::Secret;
use crate::config::text::TextRule;
use crate::config::value::Field;

/// What these keys are set in.
type Target = Config;

pub(super) const SECTION: Section<Target> = Section {
    path: "fleet",
    about: "Replicas of one service that share their incidents: one of them pages for all.",
    keys: KEYS,
};

const KEYS: &[Key<Target>] = &[
    key(
        "engine",
        "The store through which replicas share their incidents: Redis 5 or newer, or Valkey. off: each replica pages for itself.",
        Field::Word(FleetEngineKind::WORDS, access!(word FleetEngineKind, fleet.engine)),
    )
    .restart_required(),
    key(
        "url",
        "Address of the server. TRIPLINE_FLEET_URL in the environment takes precedence, and keeps a password out of the file.",
        Field::Text(TextRule::RedisUrl, access!(secret fleet.url)),
    )
    .restart_required()
    .example("\"rediss://redis:6379/0\""),
    key(
        "namespace",
        "Prefix of the keys on the server.",
        Field::Text(TextRule::AtMost(100), access!(same fleet.namespace)),
    )
    .restart_required(),
    key(
        "service",
        "Name of the service whose replicas these are. Not set: opsgenie.api_name, else \"default\".",
        Field::Text(TextRule::AtMost(100), access!(same fleet.service)),
    )
    .restart_required()
    .example("\"checkout\""),
    key(
        "page_at",
        "Unwell replicas required for a page: a number, or a share of all replicas, such as \"5%\".",
        Field::CountOrShare(Range::new(1.0, 1_000_000.0, "replicas").whole(), access!(same fleet.page_at)),
    )
    .restart_required(),
    key(
        "fallback_after",
        "How long the server must be unreachable before a replica pages alone. Up to 30 s are added at random.",
        Field::Number(Range::new(5.0, 3_600.0, "seconds"), access!(time 1.0, fleet.fallback_after)),
    )
    .restart_required(),
    key(
        "fallback_close",
        "Whether a replica that paged alone also closes its alert alone, although other replicas may still be open.",
        Field::Flag(access!(same fleet.fallback_close)),
    )
    .restart_required(),
    key(
        "probe_share",
        "Maximum share of the replicas that probe at once; at least one may. 0: no limit.",
        Field::Number(Range::new(0.0, 1.0, "a ratio"), access!(same fleet.probe_share)),
    )
    .restart_required(),
    key(
        "commands",
        "Whether this replica executes commands to all replicas (ctl --fleet).",
        Field::Flag(access!(same fleet.commands)),
    )
    .restart_required(),
];
