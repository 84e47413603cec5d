//! Finds the planted bugs, in a build that contains all of them.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Time limit of the command.
const LIMIT: Duration = Duration::from_secs(600);

/// Builds with the planted bugs, and finds each there.
///
/// The compiler that `.ci/rustc-planted` wraps builds the crates of the workspace only, under names of their own: dependencies are those
/// of `cargo test --workspace`.
#[cfg(not(tripline_planted_bugs))]
pub(super) fn main(at_most: Option<Duration>) -> ExitCode {
    let began = Instant::now();
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
    // A build from nothing must leave enough time for the search.
    let left = at_most.unwrap_or(LIMIT).saturating_sub(began.elapsed()).max(LIMIT / 5).as_secs();
    let found = std::process::Command::new(binary.unwrap_or_default())
        .args(["--planted-bugs", "--at-most", &left.to_string()])
        .status();
    if found.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Finds each planted bug, and nothing if none is enabled. The seed that finds a bug must hold without it: otherwise
/// the violation has another cause.
#[cfg(tripline_planted_bugs)]
pub(super) fn main(at_most: Option<Duration>) -> ExitCode {
    use tripline_core::planted::{BUGS, plant};

    use super::run;
    use super::search::{Progress, first_failure};

    /// Time limit for finding one bug.
    const AT_MOST: Duration = Duration::from_secs(25);
    const HOURS: u32 = 6;
    const NONE: usize = usize::MAX;
    let began = Instant::now();
    let limit = at_most.unwrap_or(LIMIT);
    let find = |bug: usize, seeds: u64| {
        plant(bug);
        let started = Instant::now();
        let left = limit.saturating_sub(began.elapsed()).min(AT_MOST);
        let failure = first_failure(1, seeds, HOURS, Some(left), &Progress::default());
        plant(NONE);
        (failure, started.elapsed().as_secs_f64())
    };
    std::panic::set_hook(Box::new(|_| ()));
    let (none, seconds) = find(NONE, 10);
    if let Some(failure) = none {
        println!("without a planted bug seed {} violates: {}", failure.script.seed, failure.violation);
        return ExitCode::FAILURE;
    }
    println!("10 seeds hold without a planted bug ({seconds:.1} s)");
    let mut found = 0;
    for (number, bug) in BUGS.iter().enumerate() {
        let (failure, seconds) = find(number, u64::MAX);
        let Some(failure) = failure else {
            println!("MISSED in {seconds:5.1} s: {bug}");
            continue;
        };
        let seed = failure.script.seed;
        if let Some(violation) = run(&failure.script, false).violation {
            println!("UNRELATED in {seconds:5.1} s: {bug}: seed {seed} also fails without it: {violation}");
            continue;
        }
        found += 1;
        println!("found in {seconds:5.1} s by seed {seed:3}: {bug}: {}", failure.violation);
    }
    println!("{found} of {} planted bugs found in {:.0} s", BUGS.len(), began.elapsed().as_secs_f64());
    if found == BUGS.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
