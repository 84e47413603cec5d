//! The shortest script that still fails.

use std::time::Duration;

use super::run::run;
use super::script::Script;
use super::violation::Violation;

/// Maximum number of runs.
const MAX_RUNS: usize = 150;

/// Returns a script with fewer steps and an earlier end that violates the same invariant as `script`; `script` itself
/// if it does not fail.
pub fn shrink(script: &Script) -> Script {
    shrink_by(script, |candidate| run(candidate, false).violation)
}

/// Does the same as [`shrink`] for the violations that `run` finds.
fn shrink_by(script: &Script, run: impl Fn(&Script) -> Option<Violation>) -> Script {
    let Some(first) = run(script) else { return script.clone() };
    let fails = |candidate: &Script| run(candidate).filter(|violation| violation.invariant == first.invariant);
    let mut runs = 0;
    let mut best = script.clone();
    let mut size = best.steps.len().div_ceil(2).max(1);
    cut(&mut best, first.at);
    loop {
        let mut from = 0;
        let mut is_smaller = false;
        while from < best.steps.len() && runs < MAX_RUNS {
            let mut candidate = best.clone();
            candidate.steps.drain(from..(from + size).min(best.steps.len()));
            runs += 1;
            if let Some(violation) = fails(&candidate) {
                cut(&mut candidate, violation.at);
                best = candidate;
                is_smaller = true;
            } else {
                from += size;
            }
        }
        if runs >= MAX_RUNS || (size == 1 && !is_smaller) {
            return best;
        }
        size = (size / 2).max(1);
    }
}

/// Removes everything after the violation.
fn cut(script: &mut Script, at: tripline_core::Instant) {
    let passed = at.since(tripline_core::Instant::ZERO);
    script.end = script.end.min(passed + Duration::from_secs(1));
    script.steps.retain(|step| step.at <= passed);
}

#[cfg(test)]
mod tests {
    use tripline_core::Instant;

    use super::*;
    use crate::simulate::script::What;

    /// A check that fails at the first of these steps, where the script has a step of another kind before it.
    fn violation(script: &Script, invariant: &'static str, fails: fn(&What) -> bool) -> Option<Violation> {
        let index = script.steps.iter().position(|step| fails(&step.what)).filter(|index| *index > 0)?;
        let at = Instant::ZERO + script.steps.get(index)?.at;
        (at < Instant::ZERO + script.end).then(|| Violation { invariant, at, detail: String::new() })
    }

    #[test]
    fn the_steps_that_matter_are_left_and_the_run_ends_after_the_violation() {
        let is_disk = |what: &What| matches!(what, What::Disk(_));
        let script = (0..64).map(|seed| Script::new(seed * 8, 12)).find(|script| {
            script.len() > 40 && script.steps.iter().position(|step| is_disk(&step.what)).is_some_and(|at| at > 3)
        });
        let script = script.unwrap_or_else(|| Script::new(0, 1));
        let shortest = shrink_by(&script, |script| violation(script, "forced", is_disk));
        assert_eq!(shortest.len(), 2, "{shortest}");
        let last = shortest.steps.last().copied();
        assert!(last.is_some_and(|step| is_disk(&step.what) && shortest.end == step.at + Duration::from_secs(1)));
        assert!(violation(&shortest, "forced", is_disk).is_some());
    }

    #[test]
    fn a_script_that_violates_another_invariant_is_not_taken() {
        let script = Script::new(8, 12);
        let whole = script.len();
        let run = |script: &Script| {
            let invariant = if script.len() == whole { "forced" } else { "another" };
            script.steps.last().map(|step| Violation { invariant, at: Instant::ZERO + step.at, detail: String::new() })
        };
        assert_eq!(shrink_by(&script, run).steps, script.steps);
    }
}
