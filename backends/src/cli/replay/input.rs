//! The recorded calls: a file or the standard input, compressed with gzip or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::num::NonZeroU8;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use flate2::read::MultiGzDecoder;
use tripline_runtime::core::Latency;

use super::super::{CliError, eprint_line};
use super::progress::{Counted, Counts, Progress, can_draw};
use crate::replay::{Format, Input, LatencyUnit, LogFormat, LogReport, Reading};

/// What is read at once: hundreds of lines.
const BUFFER_BYTES: usize = 1 << 16;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How the input is read, and whether it is shown how far.
#[derive(Debug, Args)]
pub(in crate::cli) struct InputArgs {
    /// The longest latency that is looked ahead for, more than 0; a longer call counts as started that long before its end.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub(super) max_latency: f64,
    /// How the input is written; auto finds it out from the first lines.
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = formats())]
    format: Format,
    /// What the request times of an access log are counted in. Without it: of nginx seconds, of Envoy milliseconds, of
    /// Apache microseconds where they are whole numbers, else seconds.
    #[arg(long, value_name = "UNIT", value_parser = units())]
    pub(super) latency_unit: Option<LatencyUnit>,
    /// The request time is the N-th field from the end of the line (nginx and Apache); without it, it is found by its name
    /// or its look.
    #[arg(long, value_name = "N")]
    latency_field: Option<NonZeroU8>,
    /// Do not show how far a long input has been read (shown on standard error, if that is a terminal).
    #[arg(long)]
    no_progress: bool,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["auto", "json", "csv", "nginx", "apache", "envoy"]).map(|name| match name.as_str() {
        "json" => Format::Json,
        "csv" => Format::Csv,
        "nginx" => Format::Log(LogFormat::Nginx),
        "apache" => Format::Log(LogFormat::Apache),
        "envoy" => Format::Log(LogFormat::Envoy),
        _ => Format::Auto,
    })
}

fn units() -> impl TypedValueParser<Value = LatencyUnit> {
    PossibleValuesParser::new(["s", "ms", "us"]).map(|name| match name.as_str() {
        "s" => LatencyUnit::Seconds,
        "ms" => LatencyUnit::Millis,
        _ => LatencyUnit::Micros,
    })
}

impl InputArgs {
    /// Whether it is said of an access log how its request times are written.
    pub(super) fn describes_a_log(&self) -> bool {
        self.latency_unit.is_some() || self.latency_field.is_some()
    }

    /// How the input is read.
    pub(in crate::cli) fn reading(&self) -> Result<Reading, CliError> {
        let longest = Duration::from(Latency::MAX);
        let max_latency = Duration::try_from_secs_f64(self.max_latency).ok();
        let mut reading = Reading::default();
        reading.max_latency = max_latency.filter(|span| !span.is_zero() && *span <= longest).ok_or_else(|| {
            let (seconds, longest) = (self.max_latency, longest.as_secs_f64());
            CliError::new(format!("--max-latency {seconds}: allowed: seconds, more than 0 and at most {longest}"))
        })?;
        reading.input =
            Input { format: self.format, latency_unit: self.latency_unit, latency_field: self.latency_field };
        Ok(reading)
    }

    /// Opens a file, or for `-` the standard input. A bar shows how far it has been read, unless the output goes to the
    /// same terminal meanwhile (`is_output_shown`).
    pub(in crate::cli) fn open(&self, path: &Path, is_output_shown: bool) -> Result<Box<dyn BufRead>, CliError> {
        let with_progress = !is_output_shown && self.with_progress();
        let opened = if is_standard_input(path) {
            prepared(io::stdin(), None, with_progress)
        } else {
            File::open(path).and_then(|file| prepared_file(file, with_progress))
        };
        opened.map_err(|error| CliError::during(name_of(path), error))
    }

    /// Opens a file, or for `-` the standard input, to be read several times, with a bar for each time.
    pub(in crate::cli) fn open_repeatable(&self, path: &Path) -> Result<Repeatable, CliError> {
        let opened = if is_standard_input(path) { Ok(None) } else { File::open(path).map(Some) };
        let file = opened.and_then(|file| match file {
            Some(file) if is_file(&file) => Ok(file),
            Some(pipe) => spooled(prepared(pipe, None, self.with_progress())?),
            None => spooled(prepared(io::stdin(), None, self.with_progress())?),
        });
        let file = file.map_err(|error| CliError::during(name_of(path), error))?;
        Ok(Repeatable { file, with_progress: self.with_progress() })
    }

    fn with_progress(&self) -> bool {
        !self.no_progress && can_draw()
    }
}

/// An input that can be read several times.
#[derive(Debug)]
pub(in crate::cli) struct Repeatable {
    file: File,
    with_progress: bool,
}

impl Repeatable {
    /// From its start, decompressed anew where it is compressed. Whoever was given it before has read enough.
    pub(in crate::cli) fn open(&self) -> io::Result<Box<dyn BufRead>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        prepared_file(file, self.with_progress)
    }
}

fn is_file(file: &File) -> bool {
    file.metadata().is_ok_and(|data| data.is_file())
}

/// All of `input` in a file without a name, which goes with the last that has it open.
fn spooled(mut input: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut input, &mut file)?;
    Ok(file)
}

/// What the input is called in messages.
pub(in crate::cli) fn name_of(path: &Path) -> String {
    if is_standard_input(path) { "standard input".into() } else { path.display().to_string() }
}

pub(super) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

fn prepared_file(file: File, with_progress: bool) -> io::Result<Box<dyn BufRead>> {
    let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
    prepared(file, size, with_progress)
}

fn prepared(input: impl Read + 'static, size: Option<u64>, with_progress: bool) -> io::Result<Box<dyn BufRead>> {
    let mut input = input;
    let mut head = Vec::new();
    input.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
    let is_compressed = head == GZIP;
    let input = io::Cursor::new(head).chain(input);
    if !with_progress {
        return Ok(if is_compressed { buffered(unpacked(input)) } else { buffered(input) });
    }
    let progress = Progress::new(size);
    Ok(if is_compressed {
        buffered(Counted::new(unpacked(Counted::new(input, &progress, Counts::Bytes)), &progress, Counts::Lines))
    } else {
        buffered(Counted::new(input, &progress, Counts::Both))
    })
}

fn unpacked(input: impl Read) -> impl Read {
    MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, input))
}

fn buffered(input: impl Read + 'static) -> Box<dyn BufRead> {
    Box::new(BufReader::with_capacity(BUFFER_BYTES, input))
}

/// What was guessed of an access log, and what was left out of it.
pub(in crate::cli) fn tell_of_log(name: &str, log: &LogReport, with_unit: bool) {
    if log.is_guessed || !with_unit && log.format == LogFormat::Apache {
        let unit = match log.latency_unit {
            Some(unit) => format!("request times are {unit}"),
            None => {
                "request times that are whole numbers are microseconds, others seconds (else: --latency-unit)".into()
            }
        };
        let end = if log.format == LogFormat::Nginx { "ended" } else { "started" };
        let format = log.format;
        eprint_line(format!(
            "{name}: read as an access log of {format}: {unit}, the time of a line is when the call {end}"
        ));
    }
    if let Some((line, problem)) = log.first_unused {
        let (unused, lines) = (log.unused, log.lines);
        eprint_line(format!("{name}: {unused} of {lines} lines were not used, the first is line {line}: {problem}"));
    }
    if log.late > 0 {
        let late = log.late;
        let (come, their, were) =
            if late == 1 { ("call comes", "its", "was") } else { ("calls come", "their", "were") };
        eprint_line(format!(
            "{name}: {late} {come} more than a minute after {their} place in the order of time, and {were} put where the log had got \
             to; sort the log, or name files in the order of time"
        ));
    }
}
