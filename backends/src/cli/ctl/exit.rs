//! The exit codes of `tripline ctl`.

use std::process::ExitCode;

use serde_json::Value;

/// The breaker does not admit every call.
const OPEN: u8 = 2;
/// A changed setting is in force but not saved in a configuration file.
const NOT_SAVED: u8 = 3;

/// 2 if the breaker is open, half-open or forced open, otherwise 0.
pub(super) fn of_state(triggered: bool) -> ExitCode {
    if triggered { ExitCode::from(OPEN) } else { ExitCode::SUCCESS }
}

/// 3 if the response reports that the change is not saved, otherwise 0.
pub(super) fn of_change(body: &Value) -> ExitCode {
    match body.get("saved").and_then(Value::as_bool) {
        Some(false) => ExitCode::from(NOT_SAVED),
        _ => ExitCode::SUCCESS,
    }
}
