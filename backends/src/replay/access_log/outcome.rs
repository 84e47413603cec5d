//! The outcome of a call, by its status.

use tripline_runtime::core::Outcome;

use super::error::LogProblem;
use super::number::Decimal;

/// The client took too long to send its request.
const REQUEST_TIMEOUT: u16 = 408;
/// The connection was upgraded: its duration is not that of a call.
pub(super) const SWITCHING_PROTOCOLS: u16 = 101;
/// The upstream was not reached, or did not answer in time.
const BAD_GATEWAY: u16 = 502;
const GATEWAY_TIMEOUT: u16 = 504;
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

/// The outcome of a call whose upstream has statuses of its own that are failures, and `status` is one of these or not; that of a client
/// that gave up stays as it is. 502 and 504 are failed anyway: they are what a proxy answers for an upstream that it does not reach.
pub(super) fn of_own_statuses(status: u16, is_failure: bool) -> Outcome {
    match of_status(status) {
        Outcome::Ignored => Outcome::Ignored,
        _ if is_failure || matches!(status, BAD_GATEWAY | GATEWAY_TIMEOUT) => Outcome::Failed,
        _ => Outcome::Ok,
    }
}

/// Whether no flag of Envoy says that the upstream failed.
pub(super) fn without_failure(flags: &[u8]) -> bool {
    flags.split(|&byte| byte == b',').all(|flag| !FAILED_FLAGS.contains(&flag) && flag != CLIENT_GONE_FLAG)
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
    fn an_upstream_may_have_statuses_of_its_own_that_are_failures() {
        for (status, is_failure, outcome) in [
            (501, false, Outcome::Ok),
            (500, true, Outcome::Failed),
            (429, true, Outcome::Failed),
            (200, false, Outcome::Ok),
            (504, false, Outcome::Failed),
            (499, true, Outcome::Ignored),
        ] {
            assert_eq!(of_own_statuses(status, is_failure), outcome, "{status}");
        }
        assert!(
            without_failure(b"-") && without_failure(b"NR") && !without_failure(b"UF,URX") && !without_failure(b"DC")
        );
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
