//! The name of this replica in a fleet.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;

use crate::alerts::opsgenie::system::host_name;
use crate::config::process_variable;

/// The file in `state_dir` that keeps the random part of a replica's name.
const NAME_FILE: &str = "fleet-replica";
const RANDOM_CHARS: usize = 4;
/// Maximum length of the host in the name of a replica, in bytes; the whole name has 64.
const HOST_BYTES: usize = 64 - 1 - RANDOM_CHARS;

/// Returns `host-x4f2`: `POD_NAME` or the name of the host, and four characters that are drawn once for each `state_dir`, else once for
/// each start.
pub(super) fn replica_name(state_dir: Option<&Path>) -> String {
    let pod = process_variable("POD_NAME").filter(|name| !name.is_empty());
    let host: String = pod.unwrap_or_else(host_name).chars().filter(char::is_ascii_graphic).take(HOST_BYTES).collect();
    let host = if host.is_empty() { "replica" } else { &host };
    format!("{host}-{}", kept(state_dir).unwrap_or_else(random))
}

/// The characters of this `state_dir`, which are drawn the first time.
fn kept(state_dir: Option<&Path>) -> Option<String> {
    let file = state_dir?.join(NAME_FILE);
    let is_valid = |name: &String| name.len() == RANDOM_CHARS && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(name) = fs::read_to_string(&file).ok().map(|name| name.trim().to_owned()).filter(is_valid) {
        return Some(name);
    }
    let name = random();
    if let Err(error) = fs::create_dir_all(state_dir?).and_then(|()| fs::write(&file, &name)) {
        tracing::warn!(file = %file.display(), %error, "the name of this replica is not kept; the next start has another");
    }
    Some(name)
}

fn random() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let drawn = drawn();
    let letter =
        |at: usize| LETTERS.get((drawn >> (5 * at)) as usize % LETTERS.len()).map_or('a', |&letter| letter.into());
    (0..RANDOM_CHARS).map(letter).collect()
}

/// Draws a number from the randomness of the system.
pub(super) fn drawn() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_random_part_of_a_name_is_kept_in_the_state_dir() {
        let folder = tempfile::tempdir().unwrap();
        let name = replica_name(Some(folder.path()));
        assert_eq!(replica_name(Some(folder.path())), name);
        assert!(name.len() <= 64 && name.rsplit_once('-').unwrap().1.len() == RANDOM_CHARS, "{name}");
        assert_ne!([random(), random(), random()], [random(), random(), random()]);
    }
}
