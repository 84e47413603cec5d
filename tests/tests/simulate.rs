//! The simulation of the whole process.
#![allow(clippy::unwrap_used)]

use tripline_tests::simulate::{Script, run, shrink};

#[test]
fn the_same_seed_gives_the_same_trace_to_the_byte() {
    let script = Script::new(11, 1);
    let (first, second) = (run(&script, true), run(&script, true));
    assert!(first.trace.len() > 60, "{}", first.trace.len());
    assert_eq!(first.trace.join("\n"), second.trace.join("\n"));
    assert_eq!(first.events, second.events);
    assert_ne!(run(&Script::new(12, 1), true).trace, first.trace);
}

#[test]
fn every_invariant_holds_for_some_seeds() {
    for seed in 100..104 {
        let outcome = run(&Script::new(seed, 1), false);
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

#[test]
fn a_script_that_holds_is_not_shrunk() {
    let script = Script::new(100, 1);
    assert!(!script.is_empty());
    assert_eq!(shrink(&script), script);
}
