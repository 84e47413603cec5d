//! Serialises a time of day as whole milliseconds since 1970-01-01 00:00 UTC, rounded down; 0 for earlier times.

use std::time::{Duration, SystemTime};

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_u64(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The last millisecond of the year 9999. Some systems cannot represent later times.
const LAST_MILLIS: u64 = 253_402_300_799_999;

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let millis = u64::deserialize(deserializer)?;
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    at.filter(|_| millis <= LAST_MILLIS)
        .ok_or_else(|| D::Error::custom(format_args!("{millis} is no time; allowed: 0 to {LAST_MILLIS} ms since 1970")))
}
