//! `key`, `max_keys`, … of `[breakers.NAME]`: what makes a family of a breaker. The root has none of these.

use std::time::Duration;

use super::key::{Key, access, key};
use crate::config::model::Config;
use crate::config::range::Range;
use crate::config::text::TextRule;
use crate::config::value::{DAY_SECONDS, Field};

/// What these keys are set in.
type Target = Config;

const KEYS: Range = Range::new(1.0, 100_000.0, "keys").whole();
const METRICS_KEYS: Range = Range::new(0.0, 1_000.0, "keys").whole();
const IDLE: Range = Range::new(1.0, DAY_SECONDS, "seconds");

/// The keys of a family.
pub(crate) static FAMILY: [Key<Target>; 4] = [
    key(
        "key",
        "A breaker for each key: the value of a header, the host, or a segment of the path; with \"caller\" the program gives it. \
         A call without a key goes to the shared member *.",
        Field::Text(
            TextRule::KeySource,
            access!(
                |c, x| {
                    c.breaker.family.key = Some(x.parse().ok()?);
                    Some(())
                },
                |c| c.breaker.family.key.as_ref().map(ToString::to_string)
            ),
        ),
    )
    .restart_required()
    .example("\"header:x-tenant\""),
    key(
        "max_keys",
        "Members at most. Beyond it the one that was not used for longest makes room, or the call goes to the shared member *.",
        Field::Number(KEYS, access!(count u32, breaker.family.max_keys)),
    ),
    key(
        "idle_time",
        "A member that was not used for so long goes, unless it is open, or has evidence or an incident.",
        Field::Number(IDLE, access!(time 1.0, breaker.family.idle_time)),
    ),
    key(
        "metrics_keys",
        "Members with metrics of their own: those that are not closed first, then the busiest. The rest is key=\"_other\".",
        Field::Number(METRICS_KEYS, access!(count u16, breaker.family.metrics_keys)),
    ),
];

/// `alerts.per_key`.
pub(crate) static PER_KEY: Key<Target> = key(
    "per_key",
    "On: each member of a family has incidents and alerts of its own. Off: one incident for the family, which names the worst.",
    Field::Flag(access!(same breaker.family.alerts_per_key)),
)
.restart_required();

/// The key of a family called `name`.
pub(crate) fn family_key(name: &str) -> Option<&'static Key<Target>> {
    FAMILY.iter().find(|key| key.name == name)
}
