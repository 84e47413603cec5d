//! `tripline replay`

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use super::{Failure, ReplayArgs, note};
use crate::config::{Config, key_names, load, parse};
use crate::replay::{Mode, Options, run};

/// Feeds the file through the breaker and prints what came of it.
pub(super) fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    let config = configuration(args)?;
    let max_latency = Duration::try_from_secs_f64(args.max_latency)
        .map_err(|_| Failure::new(format!("--max-latency {}: allowed: seconds, 0 or more", args.max_latency)))?;
    let mut options = Options::new(config.policy, if args.jsonl { Mode::JsonLines } else { Mode::Summary });
    options.stall_detection = config.stall_detection;
    options.max_latency = max_latency;
    let report = run(&options, open(&args.file)?, &mut io::stdout().lock())
        .map_err(|error| Failure::during(args.file.display(), error))?;
    if report.shortened > 0 {
        note(format!(
            "{} calls took longer than --max-latency; they count as started that long before their end",
            report.shortened
        ));
    }
    Ok(())
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| Failure::during(path.display(), error))?;
    Ok(Box::new(BufReader::new(file)))
}

/// The file's settings with those of `--set` in their place.
fn configuration(args: &ReplayArgs) -> Result<Config, Failure> {
    let mut table = toml::Table::new();
    if let Some(path) = &args.config {
        // Read it as it is first, so that its own problems name its own lines.
        let (config, warnings) = load(path).map_err(|errors| Failure::with_config(&errors))?;
        for warning in &warnings {
            note(warning);
        }
        if args.set.is_empty() {
            return Ok(config);
        }
        let text = std::fs::read_to_string(path).map_err(|error| Failure::during(path.display(), error))?;
        table = text.parse().map_err(|error| Failure::during(path.display(), error))?;
    }
    for setting in &args.set {
        let (key, value) =
            setting.split_once('=').ok_or_else(|| Failure::new(format!("--set {setting}: allowed: KEY=VALUE")))?;
        let key = key.trim();
        // With a typo, something else would be replayed than was asked for.
        if key.contains('.') || !key_names().iter().any(|name| name == key) {
            return Err(Failure::new(format!("--set {setting}: there is no key {key} of a breaker")));
        }
        set(&mut table, key, value.trim());
    }
    let (config, warnings) = parse(&table.to_string(), "--set").map_err(|errors| Failure::with_config(&errors))?;
    // Those of the file were told with their places.
    let was_set = |key: &str| args.set.iter().any(|setting| setting.split('=').next().map(str::trim) == Some(key));
    for warning in warnings.iter().filter(|warning| was_set(&warning.key)) {
        note(warning);
    }
    Ok(config)
}

/// Sets `key`, wherever the file has it; a value that is no TOML value is taken as text.
fn set(table: &mut toml::Table, key: &str, value: &str) {
    let value = format!("x = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("x"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    match table.get_mut("circuit_breaker").and_then(toml::Value::as_table_mut) {
        Some(section) if section.contains_key(key) => section.insert(key.to_owned(), value),
        _ => table.insert(key.to_owned(), value),
    };
}
