//! Deserializes a duration in serde's own form of seconds and nanoseconds, without a panic.

use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Deserialize)]
#[serde(rename = "Duration")]
struct Parts {
    secs: u64,
    nanos: u32,
}

pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    span.serialize(serializer)
}

/// Saturates at [`Duration::MAX`]. `Duration`'s own implementation rejects an overflow, but links a panic.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let parts = Parts::deserialize(deserializer)?;
    Ok(Duration::from_secs(parts.secs).saturating_add(Duration::from_nanos(parts.nanos.into())))
}
