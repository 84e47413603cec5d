//! The `Date` of a response.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use httpdate::HttpDate;

/// 31 December 9999, after which an HTTP date has no year of four digits.
const END: Duration = Duration::from_secs(253_402_300_799);

/// `now` as an HTTP date; `None` where the clock shows a time outside the years 1970 to 9999, which the format does not have.
pub(super) fn date(now: SystemTime) -> Option<HeaderValue> {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    if since_epoch > END {
        return None;
    }
    HeaderValue::from_str(&HttpDate::from(now).to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_outside_the_format_gives_no_date_and_does_not_panic() {
        let epoch = SystemTime::UNIX_EPOCH;
        let shown = |at| date(at).and_then(|date| date.to_str().map(str::to_owned).ok());
        assert_eq!(shown(epoch).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(shown(epoch + END).as_deref(), Some("Fri, 31 Dec 9999 23:59:59 GMT"));
        assert_eq!(shown(epoch - Duration::from_secs(1)), None);
        assert_eq!(shown(epoch + END + Duration::from_secs(1)), None);
    }
}
