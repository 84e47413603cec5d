//! The command line of `simulate`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::search::{Failure, Progress, first_failure};
use super::{Script, run, shrink};

/// The arguments of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arguments {
    first: u64,
    seeds: u64,
    hours: u32,
    trace: bool,
    /// Ends after this time, however many seeds were run.
    at_most: Option<Duration>,
    planted_bugs: bool,
    help: bool,
}

/// A year.
const MAX_HOURS: u32 = 8_784;

const USAGE: &str = "\
Runs the whole process on virtual time under many seeds.

  simulate [--seeds N] [--hours H] [--first SEED] [--at-most SECONDS]   many seeds, in parallel
  simulate --seed SEED [--hours H] [--trace]                            one seed; --trace prints what happens
  simulate --planted-bugs                                               finds every planted bug, or exits with 1

A seed that fails is printed with the shortest script that still fails. Exit codes: 0 all invariants held, 1 not, 2 bad arguments.";

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed =
            Self { first: 1, seeds: 100, hours: 24, trace: false, at_most: None, planted_bugs: false, help: false };
        let mut has_seed = false;
        while let Some(name) = arguments.next() {
            let mut number = || {
                let text = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
                text.parse::<u64>()
                    .map_err(|_| format!("{name} {text}: a whole number from 0 to {} is needed", u64::MAX))
            };
            match name.as_str() {
                "--seeds" => parsed.seeds = at_least_one(&name, number()?)?,
                "--hours" => {
                    let hours = at_least_one(&name, number()?)?;
                    let fits = u32::try_from(hours).ok().filter(|hours| *hours <= MAX_HOURS);
                    parsed.hours = fits.ok_or_else(|| format!("--hours {hours}: at most {MAX_HOURS}"))?;
                }
                "--first" => parsed.first = number()?,
                "--seed" => {
                    (parsed.first, parsed.seeds) = (number()?, 1);
                    has_seed = true;
                }
                "--at-most" => parsed.at_most = Some(Duration::from_secs(number()?)),
                "--trace" => parsed.trace = true,
                "--planted-bugs" => parsed.planted_bugs = true,
                "--help" | "-h" => parsed.help = true,
                _ => return Err(format!("unknown argument {name}")),
            }
        }
        if parsed.trace && !has_seed {
            return Err("--trace needs --seed".to_owned());
        }
        if parsed.first.checked_add(parsed.seeds).is_none() {
            return Err(format!("--first {}: no {} seeds follow it", parsed.first, parsed.seeds));
        }
        Ok(parsed)
    }
}

fn at_least_one(name: &str, number: u64) -> Result<u64, String> {
    if number > 0 { Ok(number) } else { Err(format!("{name} 0: at least 1 is needed")) }
}

/// Runs the command with these arguments.
pub fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    match Arguments::parse(arguments) {
        Ok(arguments) if arguments.help => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(arguments) if arguments.planted_bugs => super::planted::main(arguments.at_most),
        Ok(arguments) => {
            if many(&arguments) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn many(arguments: &Arguments) -> bool {
    let Arguments { first, seeds, hours, trace, at_most, .. } = *arguments;
    if trace {
        let outcome = run(&Script::new(first, hours), true);
        outcome.trace.iter().for_each(|line| println!("{line}"));
        return outcome.violation.is_none();
    }
    // A panic is a violation, and its message is part of it.
    std::panic::set_hook(Box::new(|_| ()));
    let (progress, done, started) = (Progress::default(), AtomicBool::new(false), Instant::now());
    let failure = std::thread::scope(|scope| {
        let (progress, done) = (&progress, &done);
        let shown = scope.spawn(move || {
            let mut last = Instant::now();
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
                if last.elapsed() > Duration::from_secs(15) {
                    last = Instant::now();
                    eprintln!("{}", summary(progress, started));
                }
            }
        });
        let failure = first_failure(first, seeds, hours, at_most, progress);
        done.store(true, Ordering::Relaxed);
        let _ = shown.join();
        failure
    });
    println!("{}", summary(&progress, started));
    let Some(Failure { script, violation }) = failure else { return true };
    println!("seed {} violates: {violation}", script.seed);
    let shortest = shrink(&script);
    let outcome = run(&shortest, true);
    println!("the shortest script that still fails:\n{shortest}");
    let skipped = outcome.trace.len().saturating_sub(60);
    outcome.trace.iter().skip(skipped).for_each(|line| println!("{line}"));
    println!(
        "\nagain: cargo run --release -p tripline-tests --bin simulate -- --seed {} --hours {hours} --trace",
        script.seed
    );
    false
}

fn summary(progress: &Progress, started: Instant) -> String {
    let hours = progress.millis.load(Ordering::Relaxed) as f64 / 3_600_000.0;
    let seconds = started.elapsed().as_secs_f64();
    format!(
        "{} seeds, {hours:.0} virtual hours in {seconds:.0} s ({:.0} hours/s), {} events",
        progress.seeds.load(Ordering::Relaxed),
        hours / seconds.max(0.001),
        progress.events.load(Ordering::Relaxed)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_rejected() {
        let parse = |text: &str| Arguments::parse(text.split_whitespace().map(str::to_owned));
        let expected =
            Arguments { first: 7, seeds: 1, hours: 3, trace: true, at_most: None, planted_bugs: false, help: false };
        assert_eq!(parse("--seed 7 --hours 3 --trace").unwrap(), expected);
        assert_eq!(parse("--seeds 9 --first 4").unwrap().first, 4);
        let most = format!("--seed {}", u64::MAX);
        for wrong in [
            "--seeds many",
            "--sed 1",
            "--seeds",
            "--seeds 0",
            "--seeds -1",
            "--hours 0",
            "--hours 8785",
            "--trace",
            &most,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
