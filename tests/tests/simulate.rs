//! The simulation of the whole process.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use tripline_tests::simulate::{Script, run, shrink};

/// A process, a fleet and a family.
const OF_EACH_KIND: [u64; 3] = [11, 6, 7];

#[test]
fn the_same_seed_gives_the_same_trace_to_the_byte() {
    for seed in OF_EACH_KIND {
        let script = Script::new(seed, 1);
        let (first, second) = (run(&script, true), run(&script, true));
        assert!(first.trace.len() > 8, "seed {seed}: {} lines", first.trace.len());
        assert_eq!(first.trace.join("\n"), second.trace.join("\n"), "seed {seed}");
        assert_eq!(first.events, second.events, "seed {seed}");
        assert_ne!(run(&Script::new(seed + 8, 1), true).trace, first.trace, "seed {seed}");
    }
}

/// Two processes differ in their addresses and in the seeds of their hash maps.
#[test]
fn two_processes_print_the_same_trace() {
    for seed in OF_EACH_KIND {
        let trace = || {
            let arguments = ["--seed", &seed.to_string(), "--hours", "1", "--trace"];
            let output = Command::new(env!("CARGO_BIN_EXE_simulate")).args(arguments).output().unwrap();
            assert!(output.status.success(), "seed {seed}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let first = trace();
        assert!(first.lines().count() > 8, "seed {seed}: {first}");
        assert_eq!(first, trace(), "seed {seed}");
    }
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
