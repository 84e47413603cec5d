//! The outcome of a call, by its status.

use tripline_runtime::core::Outcome;

use super::error::LogProblem;
use super::number::Decimal;

/// The client took too long to send its request.
const REQUEST_TIMEOUT: u16 = 408;
/// The connection was upgraded: its duration is not that of a call.
pub(super) const SWITCHING_PROTOCOLS: u16 = 101;
/// nginx: the client went away before the answer.
const CLIENT_CLOSED: u16 = 499;

/// Envoy's flags of a call whose upstream failed, regardless of the status.
const FAILED_FLAGS: [&[u8]; 13] =
    [b"UF", b"UO", b"UH", b"URX", b"UT", b"UC", b"UR", b"LR", b"UPE", b"UMSDR", b"SI", b"DF", b"OM"];
/// Envoy's flag of a client that went away.
const CLIENT_GONE_FLAG: &[u8] = b"DC";

/// Flags of Tripline's own proxy, separated by commas, by which a line belongs to no call that was made.
pub(super) fn check_flags(flags: &[u8]) -> Result<(), LogProblem> {
    for flag in flags.split(|&byte| matches!(byte, b',' | b' ')) {
        match flag {
            b"rejected" => return Err(LogProblem::Rejected),
            b"busy" => return Err(LogProblem::Busy),
            // Answers of the proxy's own, of another upstream, and tunnels.
            b"bad_request" | b"no_route" | b"fallback" | b"upgraded" | b"internal" => return Err(LogProblem::NoCall),
            _ => {}
        }
    }
    Ok(())
}

/// Reads a status: 0 where nothing was sent, else three digits.
pub(super) fn status(text: &[u8]) -> Option<u16> {
    let status = u16::try_from(Decimal::parse(text)?.whole()?).ok()?;
    matches!(status, 0 | 100..=999).then_some(status)
}

/// 500 and above: failed. Where the client gave up (499), was too slow to send (408) or nothing was sent (0): ignored.
/// Everything else is well.
pub(super) fn of_status(status: u16) -> Outcome {
    match status {
        500.. => Outcome::Failed,
        0 | REQUEST_TIMEOUT | CLIENT_CLOSED => Outcome::Ignored,
        _ => Outcome::Ok,
    }
}

/// As [`of_status`], and by what Envoy says in its flags, which are separated by commas.
pub(super) fn of_flags(status: u16, flags: &[u8]) -> Outcome {
    let mut each = flags.split(|&byte| byte == b',');
    if each.clone().any(|flag| FAILED_FLAGS.contains(&flag)) {
        return Outcome::Failed;
    }
    let by_status = of_status(status);
    if by_status == Outcome::Ok && each.any(|flag| flag == CLIENT_GONE_FLAG) { Outcome::Ignored } else { by_status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_decides_the_outcome_of_a_call() {
        for (status, outcome) in [
            (200, Outcome::Ok),
            (100, Outcome::Ok),
            (304, Outcome::Ok),
            (404, Outcome::Ok),
            (429, Outcome::Ok),
            (408, Outcome::Ignored),
            (499, Outcome::Ignored),
            (0, Outcome::Ignored),
            (500, Outcome::Failed),
            (504, Outcome::Failed),
            (599, Outcome::Failed),
        ] {
            assert_eq!(of_status(status), outcome, "{status}");
            assert_eq!(of_flags(status, b"-"), outcome, "{status}");
        }
    }

    #[test]
    fn the_flags_of_envoy_count_beside_the_status() {
        for (status, flags, outcome) in [
            (0, "UF", Outcome::Failed),
            (0, "UF,URX", Outcome::Failed),
            (200, "UT", Outcome::Failed),
            (408, "SI", Outcome::Failed),
            (0, "DC", Outcome::Ignored),
            (200, "DC", Outcome::Ignored),
            (503, "DC", Outcome::Failed),
            (0, "DC,UR", Outcome::Failed),
            (404, "NR", Outcome::Ok),
            (429, "RL", Outcome::Ok),
            (200, "UFX", Outcome::Ok),
        ] {
            assert_eq!(of_flags(status, flags.as_bytes()), outcome, "{status} {flags}");
        }
    }
}
