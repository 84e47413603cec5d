//! Finds the bugs that are planted in the code, each in a build that has all of them.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;

/// Builds with the planted bugs in a target folder of its own, and finds each there.
#[cfg(not(tripline_planted_bugs))]
pub(super) fn main() -> ExitCode {
    // The flags would make every other build start over.
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let target = std::path::Path::new(&target).join("planted");
    let status = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--release", "-p", "tripline-tests", "--bin", "simulate", "--", "--planted-bugs"])
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", "--cfg tripline_planted_bugs")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .status();
    if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Finds each planted bug, and nothing where none is switched on.
#[cfg(tripline_planted_bugs)]
pub(super) fn main() -> ExitCode {
    use std::time::{Duration, Instant};

    use tripline_core::planted::{BUGS, plant};

    use super::search::{Progress, first_failure};

    /// A bug that is not found within this time is missed.
    const AT_MOST: Duration = Duration::from_secs(25);
    const HOURS: u32 = 6;
    let find = |bug: usize, seeds: u64| {
        plant(bug);
        let started = Instant::now();
        let failure = first_failure(1, seeds, HOURS, Some(AT_MOST), &Progress::default());
        (failure, started.elapsed().as_secs_f64())
    };
    std::panic::set_hook(Box::new(|_| ()));
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
    println!("{} of {} planted bugs found", BUGS.len() - missed, BUGS.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
