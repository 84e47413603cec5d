//! `tripline suggest --by`: a proposal for each route or host.

use std::collections::HashSet;
use std::io::{self, Write};

use tripline_runtime::BreakerName;

use super::replay::{Repeatable, Trust, unreadable};
use super::{CliError, eprint_line};
use crate::config::RESERVED_NAMES;
use crate::replay::suggest::{Groups, SuggestOptions, Suggestion, groups, suggest as find};
use crate::replay::{GroupBy, human_format::counted};

/// Maximum number of groups with a proposal.
const MAX_PROPOSED: usize = 20;
/// The name for calls without a key in their path, and for keys without any character that a name allows.
const UNNAMED: &str = "root";
/// Maximum length of the name of a breaker, in characters.
const MAX_NAME: usize = 64;

/// Proposes settings for each group of the recording and prints them.
pub(super) fn suggest_by(
    by: GroupBy,
    json: bool,
    options: &SuggestOptions,
    name: &str,
    input: &Repeatable,
) -> Result<Trust, CliError> {
    let opened = input.open().map_err(|error| CliError::during(name, error))?;
    let groups = groups(by, &options.reading, opened).map_err(|error| unreadable(name, &error))?;
    if groups.found.is_empty() {
        return Err(CliError::during(name, nothing_to_group(by)));
    }
    let mut output = io::stdout().lock();
    let mut trust: Option<Trust> = None;
    let mut taken = HashSet::new();
    for (key, calls) in groups.found.iter().take(MAX_PROPOSED) {
        let shown = String::from_utf8_lossy(key);
        let breaker = breaker_name(&shown, &mut taken);
        let mut of_group = options.clone();
        of_group.reading.input.paths = of_group.reading.input.paths.of_group(by, key);
        let found = find(&of_group, || input.open()).map_err(|error| unreadable(name, &error))?;
        let of = format!("{name}, {by} {shown:?} ({})", counted(*calls, "call", "calls"));
        if !print(json, &found, &of, &breaker, &mut output)? {
            break;
        }
        if found.proposal.is_some() {
            let own = Trust::of(&found.report);
            trust = Some(trust.map_or(own, |others| others.and(own)));
        }
    }
    report_rest(&groups);
    trust.ok_or_else(|| CliError::during(name, "no group has enough calls for a proposal"))
}

/// Prints one proposal; false if the reader closed the pipe.
fn print(
    json: bool,
    found: &Suggestion,
    source: &str,
    breaker: &BreakerName,
    output: &mut impl Write,
) -> Result<bool, CliError> {
    let written = if json {
        found.write_breaker_json(breaker, output)
    } else {
        found.write_breaker(source, breaker, output).and_then(|()| writeln!(output))
    };
    match written.and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::during("standard output", error)),
        Ok(()) => Ok(true),
    }
}

/// Reports the calls without a proposal.
fn report_rest(groups: &Groups) {
    let further = groups.found.iter().skip(MAX_PROPOSED);
    let calls = further.clone().map(|(_, calls)| calls).sum::<u64>() + groups.beyond;
    if calls > 0 {
        let calls = counted(calls, "call", "calls");
        eprint_line(format!("{calls} of at least {} smaller groups have no proposal of their own", further.count()));
    }
    if groups.without > 0 {
        eprint_line(format!("{} without a path or host belong to no group", counted(groups.without, "call", "calls")));
    }
}

fn nothing_to_group(by: GroupBy) -> String {
    match by {
        GroupBy::Host => "no call has a host; --field host=FIELD names the field that has it".to_owned(),
        _ => "no call has a path; --field path=FIELD names the field that has it".to_owned(),
    }
}

/// A name for the breaker of the group `key`: valid, not reserved, and different from those in `taken`, ignoring case.
fn breaker_name(key: &str, taken: &mut HashSet<String>) -> BreakerName {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = key.chars().map(plain).take(MAX_NAME).collect();
    let base = if name.trim_matches(['.', '-']).is_empty() { UNNAMED.to_owned() } else { name };
    let mut candidate = base.clone();
    for number in 2_u32.. {
        let is_free = !RESERVED_NAMES.contains(&candidate.as_str()) && !taken.contains(&candidate.to_ascii_lowercase());
        if let Some(name) = BreakerName::new(&candidate).ok().filter(|_| is_free) {
            taken.insert(candidate.to_ascii_lowercase());
            return name;
        }
        let suffix = format!("-{number}");
        candidate = base.chars().take(MAX_NAME - suffix.len()).chain(suffix.chars()).collect();
    }
    // Not reached: one of 2³² numbered names is free.
    BreakerName::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_allowed_distinct_and_near_to_the_key() {
        let mut taken = HashSet::new();
        let mut name = |key: &str| breaker_name(key, &mut taken).to_string();
        assert_eq!(name("checkout"), "checkout");
        assert_eq!(name("Checkout"), "Checkout-2");
        assert_eq!(name("a b/c"), "a-b-c");
        assert_eq!(name(""), "root");
        assert_eq!(name(".."), "root-2");
        assert_eq!(name("events"), "events-2");
        assert_eq!(name("shop.example"), "shop.example");
        assert_eq!(name(&"x".repeat(80)).len(), MAX_NAME);
        assert_eq!(name(&"x".repeat(80)).len(), MAX_NAME);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn every_key_gets_a_name_of_its_own(keys in proptest::collection::vec(".{0,70}", 0..20)) {
            let mut taken = HashSet::new();
            let names: HashSet<String> =
                keys.iter().map(|key| breaker_name(key, &mut taken).to_string().to_ascii_lowercase()).collect();
            prop_assert_eq!(names.len(), keys.len());
        }
    }
}
