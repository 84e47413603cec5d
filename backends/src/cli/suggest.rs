//! `tripline suggest`

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::replay::settings::{configuration, recommended_with};
use super::replay::{InputArgs, Trust, name_of, print_notes, unreadable};
use super::suggest_by::suggest_by;
use super::{CliError, eprint_line};
use crate::config::{Config, breaker_values};
use crate::replay::suggest::{RECOMMENDED, SuggestOptions, suggest as find};
use crate::replay::{GroupBy, Setting};
use crate::text::shown;

#[derive(Debug, Args)]
#[command(after_long_help = METHOD)]
pub(super) struct SuggestArgs {
    /// The configuration that the proposal changes; its percentile is kept. Default: the recommended configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The breaker of the configuration that the proposal is for; required if there are several.
    #[arg(long, value_name = "NAME")]
    breaker: Option<String>,
    /// Override one key of that configuration first, as in --set percentile=0.99; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Propose one `[breakers.NAME]` for each route or host: `path:1` groups calls by the first segment of their path, `host` by
    /// their host. The twenty groups with the most calls are proposed.
    #[arg(long, value_name = "path:N|host", conflicts_with = "breaker")]
    by: Option<GroupBy>,
    /// Print one JSON object; with --by one per line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    input: InputArgs,
    /// The recording, as `tripline replay` reads it; - is the standard input.
    file: PathBuf,
}

const METHOD: &str = "\
Record the service while it is healthy, for at least one whole cycle of its load. The output is TOML, and everything that \
explains it is a comment: paste it, or write it to a file for `tripline check` and `tripline replay`.

Method:
  The calls are cut into segments (256 calls at the 95th percentile). Three or
  more segments in a row whose percentile exceeds three times the typical one
  count as an incident: they are ignored, and trips in them are not false.
  The threshold is the lowest one that is at least the percentile of the worst
  segment outside of incidents, and with which a replay of the recording has no
  false trip, also if it is lower by a fifth.
  The window holds about two seconds of calls. The confidence is the configured
  one (0.995 by default), or a higher one if the threshold alone is not enough.
  Then faults are injected into recorded calls, to measure how soon each is found.
  --by does all of this for each group alone.

The file is read two to four times, with --by once more and for each group, and decompressed each time if it is compressed. The standard input is copied, \
decompressed, to an unnamed temporary file (in TMPDIR) of at most 16 GiB.

Exit codes: 0 a proposal, perhaps with doubts (lines with # !); 1 no proposal, or one that misses an injected fault at half of \
the places or more, or the input or a line of JSON or CSV cannot be read; 2 bad arguments; 3 a proposal that is not trustworthy, \
because more than half of the lines of a log cannot be used.";

/// Keys that are proposed, and the key that the proposal ignores.
const NOT_KEPT: [&str; 5] = ["percentile", "latency_threshold", "latency_window_size", "trip_confidence", "enabled"];

/// Proposes settings from the recording and prints them.
pub(super) fn suggest(args: &SuggestArgs) -> Result<Trust, CliError> {
    let mut options = options(args)?;
    options.reading = args.input.reading()?;
    let name = name_of(&args.file);
    let input = args.input.open_repeatable(&args.file)?;
    if let Some(by) = args.by {
        return suggest_by(by, args.json, &options, &name, &input);
    }
    let found = find(&options, || input.open()).map_err(|error| unreadable(&name, &error))?;
    // An empty recording is reported below, as the reason for the missing proposal.
    if found.recording.records > 0 {
        print_notes(&found.report, &name, &args.input);
    }
    let mut output = io::stdout().lock();
    let written = if args.json { found.write_json(&mut output) } else { found.write_text(&name, &mut output) };
    match written.and_then(|()| output.flush()) {
        // The reader closed the pipe.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(CliError::during("standard output", error));
        }
        _ => {}
    }
    let Some(proposal) = &found.proposal else {
        return Err(CliError::during(name, found.doubts.first().map_or("no proposal", String::as_str)));
    };
    let missed = proposal.missed_faults();
    if !missed.is_empty() {
        let faults: Vec<String> = missed
            .iter()
            .map(|(fault, delay)| format!("{} ({} of {} places)", fault.words(), delay.tripped, delay.tried))
            .collect();
        return Err(CliError::during(name, format!("the proposal does not find: {}", faults.join(", "))));
    }
    Ok(Trust::of(&found.report))
}

/// The settings that the proposal changes, those that it keeps, and those that it is compared with.
fn options(args: &SuggestArgs) -> Result<SuggestOptions, CliError> {
    let defaults = setting("the defaults", &Config::default());
    let Some(path) = &args.config else {
        if args.breaker.is_some() {
            return Err(CliError::new("--breaker needs --config FILE, which has the breakers"));
        }
        let config = recommended_with(&args.set)?;
        let name = if args.set.is_empty() { RECOMMENDED.into() } else { format!("{RECOMMENDED} with --set") };
        let base = setting(&name, &config);
        return Ok(with_kept(SuggestOptions::new(base.clone(), vec![base, defaults]), &config));
    };
    let config = configuration(Some(path), &args.set, args.breaker.as_deref())?;
    let configured = setting(&shown(path), &config);
    if !config.breaker.policy.enabled {
        eprint_line(format!("{}: enabled = false; the proposal is made as if it were true", shown(path)));
    }
    Ok(with_kept(SuggestOptions::new(configured.clone(), vec![configured, defaults]), &config))
}

/// Adds the keys of the breaker that are not proposed and differ from their defaults.
fn with_kept(mut options: SuggestOptions, config: &Config) -> SuggestOptions {
    options.kept = breaker_values(config)
        .zip(breaker_values(&Config::default()))
        .filter(|((key, value), (_, default))| value != default && !NOT_KEPT.contains(key))
        .filter_map(|((key, value), _)| Some((key.to_owned(), value?)))
        .collect();
    options
}

fn setting(name: &str, config: &Config) -> Setting {
    let mut policy = config.breaker.policy.clone();
    policy.enabled = true;
    let mut setting = Setting::new(name, policy);
    setting.stall_detection = config.breaker.stall_detection;
    setting
}
