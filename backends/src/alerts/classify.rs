//! Classifies a response for the delivery: done, retry soon, or retry slowly.

use serde_json::Value;
use tripline_runtime::DeliveryError;

use super::transport::Response;
use crate::http_client::TransportError;
use crate::text::{escape_controls, redact, shorten};

/// Maximum length of a quoted service message, in characters.
const REASON_CHARS: usize = 300;
/// Maximum length of the part of a body that is searched for a message, in bytes.
const MAX_EXCERPT_BYTES: usize = 4 * 1_024;

/// Returns the response of a success, and otherwise how to retry. `secrets` are hidden in the reason.
///
/// | status | result |
/// |---|---|
/// | 2xx | success |
/// | 408, 425, 429, 5xx except 501 | retried soon, after the time that the server asks for |
/// | 1xx, 3xx, other 4xx, 501 | rejected: retried at a slow pace until the incident ends |
pub(super) fn classify_response(response: Response, secrets: &[&str]) -> Result<Response, DeliveryError> {
    let status = response.status;
    match status {
        200..=299 => Ok(response),
        501 => Err(rejected(&response, secrets)),
        408 | 425 | 429 | 500.. => {
            let reason = reason_of(&response, secrets);
            Err(DeliveryError::Retryable { after: response.retry_after, reason })
        }
        _ => Err(rejected(&response, secrets)),
    }
}

/// The error for a response that rejects the request.
pub(super) fn rejected(response: &Response, secrets: &[&str]) -> DeliveryError {
    DeliveryError::Rejected { status: Some(response.status), reason: reason_of(response, secrets) }
}

/// The error for a request without a response.
pub(super) fn classify_failure(error: &TransportError, secrets: &[&str]) -> DeliveryError {
    DeliveryError::Retryable { after: None, reason: shown(&error.to_string(), secrets) }
}

/// The error for an alert that cannot be sent with this configuration.
pub(super) fn misconfigured(reason: &str) -> DeliveryError {
    DeliveryError::Rejected { status: None, reason: reason.to_owned() }
}

/// `status 401: message`, on one line and without secrets.
fn reason_of(response: &Response, secrets: &[&str]) -> String {
    let status = response.status;
    match words(&response.body) {
        Some(words) => shown(&format!("status {status}: {words}"), secrets),
        None => format!("status {status}"),
    }
}

/// `text` for logs and the API: on one line, shortened, without secrets.
pub(super) fn shown(text: &str, secrets: &[&str]) -> String {
    shorten(&escape_controls(&redact(text, secrets)), REASON_CHARS)
}

/// The message of the service: the usual members of a JSON object, otherwise the text itself.
fn words(body: &[u8]) -> Option<String> {
    let said = match serde_json::from_slice::<Value>(body) {
        Ok(json) => json_words(&json)?,
        Err(_) => String::from_utf8_lossy(body.get(..MAX_EXCERPT_BYTES).unwrap_or(body)).trim().to_owned(),
    };
    (!said.is_empty()).then_some(said)
}

fn json_words(json: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let own = ["message", "error", "description", "detail", "title", "reason"]
        .iter()
        .filter_map(|name| json.get(name))
        .find_map(|value| text(value).or_else(|| text(value.get("message")?)));
    let errors = json.get("errors").and_then(Value::as_array);
    let errors: Vec<String> = errors.into_iter().flatten().filter_map(text).collect();
    Some(own.into_iter().chain(errors).collect::<Vec<_>>().join("; ")).filter(|said| !said.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, retry_after: Some(Duration::from_secs(7)), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn every_status_is_success_or_tried_again_soon_or_tried_again_slowly() {
        for status in 100..1_000 {
            let result = classify_response(answer(status, ""), &[]);
            let reason = format!("status {status}");
            let expected = match status {
                200..=299 => Ok(answer(status, "")),
                408 | 425 | 429 | 500 | 502.. => {
                    Err(DeliveryError::Retryable { after: Some(Duration::from_secs(7)), reason })
                }
                _ => Err(DeliveryError::Rejected { status: Some(status), reason }),
            };
            assert_eq!(result, expected);
        }
    }

    #[test]
    fn a_services_words_are_shown_shortened_escaped_and_without_secrets() {
        let reason = |body: &str| match classify_response(answer(401, body), &["k-1-2"]) {
            Err(DeliveryError::Rejected { reason, .. }) => reason,
            other => format!("{other:?}"),
        };
        for (body, words) in [
            (r#"{"message": "no key k-1-2\nhere"}"#, "status 401: no key ***\\nhere"),
            (r#"{"error": {"message": "Invalid"}}"#, "status 401: Invalid"),
            (
                r#"{"status": "invalid event", "message": "Event object is invalid", "errors": ["Length of 'routing_key'"]}"#,
                "status 401: Event object is invalid; Length of 'routing_key'",
            ),
            ("invalid_payload", "status 401: invalid_payload"),
            ("\u{1b}[2Jx\u{202e}", "status 401: \\u{1b}[2Jx\\u{202e}"),
            ("{}", "status 401"),
            ("[1]", "status 401"),
            (" \n", "status 401"),
        ] {
            assert_eq!(reason(body), words);
        }
        let long = reason(&"ü".repeat(400));
        assert_eq!(long.chars().count(), REASON_CHARS);
        assert!(long.ends_with('…'));
    }
}
