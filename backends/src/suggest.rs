//! "Did you mean".

/// Longer names are no misspelling of ours.
const MAX_NAME_BYTES: usize = 64;

/// The one of `known` that `given` is most likely a misspelling of.
///
/// Case, `-` and `_` do not count; at most a third of the letters may be wrong.
pub(crate) fn closest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if given.len() > MAX_NAME_BYTES {
        return None;
    }
    let given = plain(given);
    known
        .map(|name| (strsim::damerau_levenshtein(&given, &plain(name)), name))
        .filter(|&(distance, name)| distance <= name.len() / 3)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = || ["latency_threshold", "memory_threshold", "name", "wait_time"].into_iter();
        assert_eq!(closest("latency_treshold", known()), Some("latency_threshold"));
        assert_eq!(closest("latencyThreshold", known()), Some("latency_threshold"));
        assert_eq!(closest("nmae", known()), Some("name"));
        assert_eq!(closest("zzz", known()), None);
        assert_eq!(closest("", known()), None);
        assert_eq!(closest(&"x".repeat(1_000_000), known()), None);
    }
}
