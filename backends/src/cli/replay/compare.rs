//! `tripline replay --compare` and `--report`: the effect of each setting.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::input::name_of;
use super::notes::{Trust, print_notes, unreadable, warn_of_limit};
use super::recording::recording;
use super::settings::configuration;
use crate::cli::{CliError, ReplayArgs, eprint_line, print_line};
use crate::config::{Config, breaker_values};
use crate::replay::comparison_table::{aligned, rows};
use crate::replay::human_format::{Clock, on_one_line};
use crate::replay::{Figures, InputReport, ReplayError, Setting, compare as replay_to_all, draw};
use crate::text::shown;

use super::report_file::ReportFile;

/// Keys of the breaker without effect in a replay.
const NOT_REPLAYED: [&str; 5] = ["name", "memory_source", "memory_used", "state_dir", "wait_jitter"];
/// The notes below the table.
const CAVEAT: &str = "A recording contains calls as they were made: the figures of a rejected call show its outcome had\n\
                      it been made. Slow means longer than the setting's own latency_threshold; half-open counts as open.";
/// Maximum length of the name of a setting in the table, in characters.
const NAME_CHARACTERS: usize = 28;

/// Replays to all settings at once, prints the effect of each and writes the report, if one is requested.
pub(super) fn compare(args: &ReplayArgs) -> Result<Trust, CliError> {
    let file = recording(args)?;
    let settings = settings(args)?;
    let reading = args.input.reading()?;
    for setting in &settings {
        warn_of_limit(&args.input, &setting.name, setting.policy.latency_threshold);
    }
    let configurations = [configurations(args), args.config.as_slice()].concat();
    let page = args.report.as_deref().map(|path| ReportFile::new(path, file, &configurations)).transpose()?;
    let name = name_of(file);
    let input = args.input.open(file, false)?;
    let unreadable = |error: ReplayError| unreadable(&name, &error);
    let print = |figures: &[Figures], report: &InputReport| {
        print_notes(report, &name, &args.input);
        if args.summary || args.json {
            return print_json(&settings, figures, report);
        }
        print_table(&settings, figures);
        Ok(())
    };
    let Some(page) = page else {
        let (figures, report) = replay_to_all(&settings, &reading, input).map_err(unreadable)?;
        print(&figures, &report)?;
        return Ok(Trust::of(&report));
    };
    let (page_content, report) = draw(&settings, &reading, input).map_err(unreadable)?;
    page.write(|output| page_content.write_html(&name, output))?;
    print(page_content.figures(), &report)?;
    eprint_line(format!("wrote {}", shown(page.path())));
    Ok(Trust::of(&report))
}

/// The settings of every file, or the problems of all of them.
fn settings(args: &ReplayArgs) -> Result<Vec<Setting>, CliError> {
    if args.compare.is_empty() {
        let config = configuration(args.config.as_deref(), &args.set, args.breaker.as_deref())?;
        let name = args.config.as_deref().map_or_else(|| "the defaults".into(), shown);
        let name = if args.set.is_empty() { name } else { format!("{name} with --set") };
        return Ok(vec![setting(name, &config)]);
    }
    let (mut settings, mut wrong) = (Vec::new(), Vec::<String>::new());
    for path in configurations(args) {
        match configuration(Some(path), &args.set, args.breaker.as_deref()) {
            Ok(config) => settings.push(setting(shown(path), &config)),
            Err(failure) => {
                let lines: Vec<String> = failure.to_string().lines().map(str::to_owned).collect();
                // A problem with --set occurs with every file and is reported once.
                wrong.extend(lines.into_iter().filter(|line| !wrong.contains(line)).collect::<Vec<_>>());
            }
        }
    }
    if wrong.is_empty() { Ok(settings) } else { Err(CliError::new(wrong.join("\n"))) }
}

/// The files of `--compare` without the recording, which may be the last of them.
fn configurations(args: &ReplayArgs) -> &[PathBuf] {
    let all = args.compare.as_slice();
    if args.file.is_some() { all } else { all.split_last().map_or(all, |(_, others)| others) }
}

fn setting(name: String, config: &Config) -> Setting {
    let mut setting = Setting::new(name, config.breaker.policy.clone());
    setting.stall_detection = config.breaker.stall_detection;
    setting.values = breaker_values(config)
        .filter(|(key, _)| !NOT_REPLAYED.contains(key))
        .map(|(key, value)| (key.to_owned(), value.unwrap_or_else(|| "not set".into())))
        .collect();
    setting
}

fn print_json(settings: &[Setting], figures: &[Figures], report: &InputReport) -> Result<(), CliError> {
    let mut output = io::stdout().lock();
    for (setting, figures) in settings.iter().zip(figures) {
        match figures.write_json(&setting.name, &report.usage, &mut output).and_then(|()| output.flush()) {
            // The reader closed the pipe.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|error| CliError::during("standard output", error))?,
        }
    }
    Ok(())
}

fn print_table(settings: &[Setting], figures: &[Figures]) {
    let clock = Clock::of(figures.first().map_or(0, |figures| figures.began_nanos));
    let names: Vec<String> = settings.iter().map(|setting| shortened(&setting.name)).collect();
    let mut table = vec![(String::new(), names)];
    for (key, values) in differing(settings) {
        table.push((key, values));
    }
    table.extend(rows(figures, clock).into_iter().map(|row| {
        let indent = if row.is_part { "  " } else { "" };
        (format!("{indent}{}", row.label), row.cells)
    }));
    let whys: String =
        settings.iter().zip(figures).filter_map(|(setting, figures)| first_why(setting, figures)).collect();
    print_line(format!("{}\n{whys}{CAVEAT}", aligned(&table).join("\n")));
}

/// The line about the first trip of a setting; `None` if there was none.
fn first_why(setting: &Setting, figures: &Figures) -> Option<String> {
    let why = figures.first_trips.first()?.why?;
    Some(format!("first trip with {}: {why}\n", on_one_line(&setting.name)))
}

/// The keys whose values differ between the settings, with these values.
fn differing(settings: &[Setting]) -> Vec<(String, Vec<String>)> {
    let Some(first) = settings.first() else { return Vec::new() };
    let of_all = |key: &str| -> Vec<String> {
        let of =
            |setting: &Setting| setting.values.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        settings.iter().map(|setting| of(setting).unwrap_or_default()).collect()
    };
    let keys = first.values.iter().map(|(key, _)| (key.clone(), of_all(key)));
    keys.filter(|(_, values)| values.iter().any(|value| Some(value) != values.first())).collect()
}

/// The end of a long name, which is more specific than its beginning.
fn shortened(name: &str) -> String {
    let name = on_one_line(name);
    let length = name.chars().count();
    if length <= NAME_CHARACTERS {
        return name;
    }
    let end: String = name.chars().skip(length - NAME_CHARACTERS + 1).collect();
    format!("…{end}")
}
