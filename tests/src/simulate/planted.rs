//! Finds the planted bugs, in a build that contains all of them.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;

/// Builds with the planted bugs, and finds each there.
///
/// The compiler that `.ci/rustc-planted` wraps builds the crates of the workspace only, under names of their own: dependencies are those
/// of `cargo test --workspace`.
#[cfg(not(tripline_planted_bugs))]
pub(super) fn main() -> ExitCode {
    let wrapper = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/rustc-planted");
    let built = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--workspace", "--no-run", "--test", "simulate"])
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper)
        .status();
    if !built.is_ok_and(|status| status.success()) {
        println!("the build with planted bugs failed");
        return ExitCode::FAILURE;
    }
    // This is TARGET/release/simulate, or TARGET/debug/simulate before that build.
    let target = std::env::current_exe().unwrap_or_default();
    let binary = target.parent().and_then(|folder| folder.parent()).map(|target| target.join("debug/simulate"));
    let found = std::process::Command::new(binary.unwrap_or_default()).arg("--planted-bugs").status();
    if found.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Finds each planted bug, and nothing if none is enabled.
#[cfg(tripline_planted_bugs)]
pub(super) fn main() -> ExitCode {
    use std::time::{Duration, Instant};

    use tripline_core::planted::{BUGS, plant};

    use super::search::{Progress, first_failure};

    /// Time limit for finding one bug.
    const AT_MOST: Duration = Duration::from_secs(25);
    const HOURS: u32 = 6;
    let find = |bug: usize, seeds: u64| {
        plant(bug);
        let started = Instant::now();
        let failure = first_failure(1, seeds, HOURS, Some(AT_MOST), &Progress::default());
        (failure, started.elapsed().as_secs_f64())
    };
    std::panic::set_hook(Box::new(|_| ()));
    let began = Instant::now();
    let (none, seconds) = find(usize::MAX, 10);
    if let Some(failure) = none {
        println!("without a planted bug seed {} violates: {}", failure.script.seed, failure.violation);
        return ExitCode::FAILURE;
    }
    println!("10 seeds hold without a planted bug ({seconds:.1} s)");
    let mut missed = 0;
    for (number, bug) in BUGS.iter().enumerate() {
        match find(number, u64::MAX) {
            (Some(failure), seconds) => {
                println!("found in {seconds:5.1} s by seed {:3}: {bug}: {}", failure.script.seed, failure.violation);
            }
            (None, seconds) => {
                missed += 1;
                println!("MISSED in {seconds:5.1} s: {bug}");
            }
        }
    }
    let (found, seconds) = (BUGS.len() - missed, began.elapsed().as_secs_f64());
    println!("{found} of {} planted bugs found in {seconds:.0} s", BUGS.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
