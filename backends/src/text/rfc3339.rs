//! Times of day in RFC 3339, in UTC with milliseconds.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

/// The last second that the format can represent: 9999-12-31T23:59:59Z.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// Formats `time`. A time that the format cannot represent becomes the nearest one that it can.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let epoch = SystemTime::UNIX_EPOCH;
    let last = epoch.checked_add(LAST_SECOND).unwrap_or(epoch);
    humantime::format_rfc3339_millis(time.clamp(epoch, last)).to_string()
}

/// Formats `time`; `None` if the format cannot represent it.
pub(crate) fn rfc3339_checked(time: SystemTime) -> Option<String> {
    // Formatting an earlier time would panic.
    let time = Some(time).filter(|time| *time >= SystemTime::UNIX_EPOCH)?;
    let mut text = String::new();
    write!(text, "{}", humantime::format_rfc3339_millis(time)).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_after_9999_are_the_nearest_or_none() {
        let epoch = SystemTime::UNIX_EPOCH;
        let (before, after) = (epoch - Duration::from_secs(1), epoch + LAST_SECOND + Duration::from_secs(9));
        assert_eq!(rfc3339(epoch + Duration::from_millis(1_500)), "1970-01-01T00:00:01.500Z");
        assert_eq!(rfc3339(before), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(after), "9999-12-31T23:59:59.000Z");
        assert_eq!(rfc3339_checked(before), None);
        assert_eq!(rfc3339_checked(after), None);
        assert_eq!(rfc3339_checked(epoch).as_deref(), Some("1970-01-01T00:00:00.000Z"));
    }
}
