//! The file format: one JSON object with a format name, the state, and a checksum that detects a torn or changed file.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tripline_runtime::core::planted::planted;
use tripline_runtime::{BreakerName, DurableState};

use super::error::ForeignState;

const FORMAT: &str = "tripline-state";

#[derive(Serialize)]
struct Written<'a> {
    format: &'a str,
    version: u32,
    checksum: &'a str,
    state: &'a RawValue,
}

/// The fields that are common to all versions of the file.
#[derive(Deserialize)]
struct Read<'a> {
    format: String,
    version: u64,
    checksum: String,
    #[serde(borrow)]
    state: &'a RawValue,
}

/// Encodes the text of `state.json`. A custom store can use the same format.
///
/// # Errors
/// If the state cannot be written as JSON.
pub fn encode(state: &DurableState) -> io::Result<Vec<u8>> {
    let state = to_raw_value(state)?;
    let checksum = checksum(state.get());
    let file = Written { format: FORMAT, version: DurableState::VERSION, checksum: &checksum, state: &state };
    let mut text = serde_json::to_vec(&file)?;
    text.push(b'\n');
    Ok(text)
}

/// Decodes the text of a `state.json` of this breaker.
///
/// # Errors
/// [`ForeignState`] if it is torn, changed, or belongs to another breaker, format or version.
pub fn decode(bytes: &[u8], breaker: &BreakerName) -> Result<DurableState, ForeignState> {
    let file: Read<'_> =
        serde_json::from_slice(bytes).map_err(|error| ForeignState::Unreadable { reason: error.to_string() })?;
    if file.format != FORMAT {
        return Err(ForeignState::Foreign { format: file.format.chars().take(80).collect() });
    }
    if file.version != u64::from(DurableState::VERSION) {
        return Err(ForeignState::OtherVersion { version: file.version });
    }
    if file.checksum != checksum(file.state.get()) && !planted("durable: damaged state is taken as valid") {
        return Err(ForeignState::Changed);
    }
    let mut state: DurableState = serde_json::from_str(file.state.get())
        .map_err(|error| ForeignState::Unreadable { reason: error.to_string() })?;
    if planted("durable: a time is not kept") {
        state.saved_at += std::time::Duration::from_secs(1);
    }
    if state.breaker != *breaker {
        return Err(ForeignState::OtherBreaker { breaker: state.breaker });
    }
    Ok(state)
}

/// FNV-1a of 64 bits, in hexadecimal. It detects accidents; it does not protect against tampering.
fn checksum(text: &str) -> String {
    let sum = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_it_says() {
        assert_eq!(checksum(""), "cbf29ce484222325");
        assert_eq!(checksum("a"), "af63dc4c8601ec8c");
        assert_eq!(checksum("foobar"), "85944171f73967e8");
    }
}
