//! File descriptors: how many there are, and how many of them connections may take.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that connections never take: standard streams, listener, event queues, signals, the log, configuration file
/// with its watches, state files, memory readings, connections to alert services and name servers.
const RESERVED: u64 = 64;
/// Where so few are left, connections get at least this many.
const MIN_CONNECTIONS: u64 = 4;

/// Raises the soft limit of open files to the hard limit, and returns the limit that is in force.
///
/// # Errors
/// Where the system rejects the raise; the limit stays as it was.
pub(crate) fn raise_limit() -> io::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(limit())
}

/// The soft limit of open files; no limit counts as the largest number.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many connections a server may hold with `limit` descriptors, at most `wanted`. An eighth of the descriptors, at least
/// 64, stays reserved; below that, half of them.
pub(crate) fn connections(limit: u64, wanted: usize) -> usize {
    let reserved = RESERVED.max(limit / 8).min(limit / 2);
    let available = limit.saturating_sub(reserved).max(MIN_CONNECTIONS);
    usize::try_from(available).unwrap_or(usize::MAX).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(connections(1_024, 4_096), 896);
        assert_eq!(connections(256, 4_096), 192);
        assert_eq!(connections(64, 4_096), 32);
        assert_eq!(connections(1_048_576, 4_096), 4_096);
        assert_eq!(connections(0, 4_096), 4);
    }

    proptest! {
        #[test]
        fn at_least_half_or_64_descriptors_stay_reserved(limit in 8_u64.., wanted in 1_usize..100_000) {
            let connections = connections(limit, wanted) as u64;
            prop_assert!(connections >= 1 && connections <= wanted as u64);
            prop_assert!(limit - connections >= RESERVED.min(limit / 2));
        }
    }
}
