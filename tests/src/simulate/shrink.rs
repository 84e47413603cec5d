//! The shortest script that still fails.

use std::time::Duration;

use super::run::run;
use super::script::Script;

/// Maximum number of runs.
const MAX_RUNS: usize = 150;

/// Returns a script with fewer steps and an earlier end that violates the same invariant as `script`; `script` itself
/// if it does not fail.
pub fn shrink(script: &Script) -> Script {
    let Some(first) = run(script, false).violation else { return script.clone() };
    let fails =
        |candidate: &Script| run(candidate, false).violation.filter(|violation| violation.invariant == first.invariant);
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
