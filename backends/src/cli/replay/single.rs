//! `tripline replay` with one setting.

use std::io::{self, IsTerminal as _};

use super::super::{CliError, ReplayArgs};
use super::compare;
use super::input::name_of;
use super::notes::{Trust, print_notes, unreadable, warn_of_limit};
use super::recording::recording;
use super::settings::configuration;
use crate::replay::{Mode, Options, ReplayError, run};
use crate::text::shown;

/// Replays the file through the breaker and prints the result.
pub(in crate::cli) fn replay(args: &ReplayArgs) -> Result<Trust, CliError> {
    if !args.compare.is_empty() || args.report.is_some() {
        return compare::compare(args);
    }
    let file = recording(args)?;
    let config = configuration(args.config.as_deref(), &args.set, args.breaker.as_deref())?;
    let mut options = Options::new(config.breaker.policy, if args.jsonl { Mode::JsonLines } else { Mode::Summary });
    options.stall_detection = config.breaker.stall_detection;
    options.reading = args.input.reading()?;
    let name = name_of(file);
    let configured = args.config.as_deref().map_or_else(|| "the defaults".into(), shown);
    warn_of_limit(&args.input, &configured, options.policy.latency_threshold);
    let input = args.input.open(file, args.jsonl && io::stdout().is_terminal())?;
    match run(&options, input, &mut io::stdout().lock()) {
        Ok(report) => {
            print_notes(&report, &name, &args.input);
            Ok(Trust::of(&report))
        }
        // The reader closed the pipe.
        Err(ReplayError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Trust::Trusted),
        Err(ReplayError::Write(error)) => Err(CliError::during("standard output", error)),
        Err(error) => Err(unreadable(&name, &error)),
    }
}
