//! What an answer means for the delivery: done, again later, or never.

use std::time::{Duration, SystemTime};

use tripline_runtime::DeliveryError;

use super::wire::Answer;

/// Nobody is waited for longer than this, whatever a server says: the alert is worth more.
const MAX_WAIT: Duration = Duration::from_secs(3_600);
/// Of a service's own words, at most, in characters.
const REASON_CHARS: usize = 300;

/// An answer that tells of success, or what to do about it: 429 and all 5xx but 501 are worth another attempt, after
/// the time that the server asks for; everything else is not. `secrets` are hidden in what is told.
pub(super) fn accepted(answer: Answer, secrets: &[&str]) -> Result<Answer, DeliveryError> {
    let status = answer.status;
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let reason = match answer.message() {
        Some(words) => format!("status {status}: {}", hide(&words, secrets)),
        None => format!("status {status}"),
    };
    let reason = cut(&reason);
    if status == 429 || (status >= 500 && status != 501) {
        Err(DeliveryError::Retryable { after: answer.wait, reason })
    } else {
        Err(DeliveryError::Permanent { reason })
    }
}

/// There was no answer.
pub(super) fn unanswered(reason: &str, secrets: &[&str]) -> DeliveryError {
    DeliveryError::Retryable { after: None, reason: cut(&hide(reason, secrets)) }
}

fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS).collect()
}

/// `text` without the secrets. A secret of one or two characters hides nothing and would hide everything.
pub(super) fn hide(text: &str, secrets: &[&str]) -> String {
    let worth_it = secrets.iter().filter(|secret| secret.len() > 2);
    worth_it.fold(text.to_owned(), |text, secret| text.replace(*secret, "***"))
}

/// How long the server wants to be left alone: the longer of the rate limit's period and `Retry-After`, which is in
/// seconds or a date.
pub(super) fn wait(period: Option<&str>, retry_after: Option<&str>, now: SystemTime) -> Option<Duration> {
    let seconds = |text: &str| text.trim().parse().ok().map(Duration::from_secs);
    let date = |text: &str| {
        let at = httpdate::parse_http_date(text.trim()).ok()?;
        Some(at.duration_since(now).unwrap_or_default())
    };
    let period = period.and_then(seconds);
    let retry_after = retry_after.and_then(|text| seconds(text).or_else(|| date(text)));
    period.max(retry_after).map(|wait| wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, wait: Some(Duration::from_secs(7)), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn only_throttling_and_faults_of_the_server_are_worth_another_attempt() {
        for status in [200, 201, 202, 204] {
            assert!(accepted(answer(status, ""), &[]).is_ok(), "{status}");
        }
        for status in [429, 500, 502, 503, 504, 529, 599] {
            let error = accepted(answer(status, ""), &[]).err();
            let again =
                DeliveryError::Retryable { after: Some(Duration::from_secs(7)), reason: format!("status {status}") };
            assert_eq!(error, Some(again));
        }
        for status in [301, 302, 400, 401, 402, 403, 404, 409, 413, 422, 501] {
            let error = accepted(answer(status, ""), &[]).err();
            assert_eq!(error, Some(DeliveryError::Permanent { reason: format!("status {status}") }));
        }
    }

    #[test]
    fn a_services_words_are_told_cut_and_without_secrets() {
        let body = format!("{{\"message\": \"no key k-1-2\\nhere {}\"}}", "ü".repeat(400));
        let error = accepted(answer(401, &body), &["k-1-2"]).err();
        let beginning = "status 401: no key *** here ";
        let reason = beginning.to_owned() + &"ü".repeat(REASON_CHARS - beginning.len());
        assert_eq!(error, Some(DeliveryError::Permanent { reason }));
    }

    #[test]
    fn the_longer_wait_counts_but_never_more_than_an_hour() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let wait = |period, retry_after| wait(period, retry_after, now).map(|wait| wait.as_secs());
        assert_eq!(wait(None, None), None);
        assert_eq!(wait(Some("60"), Some("5")), Some(60));
        assert_eq!(wait(Some(" 6"), Some("soon")), Some(6));
        assert_eq!(wait(None, date), Some(30));
        assert_eq!(wait(Some("-1"), None), None);
        assert_eq!(wait(Some("18446744073709551615"), None), Some(3_600));
    }
}
