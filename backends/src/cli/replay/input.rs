//! The recorded calls: a file or standard input, compressed with gzip or zstd or not compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::num::NonZeroU8;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tripline_runtime::core::Latency;

use super::super::CliError;
use super::container::{BUFFER_BYTES, Container, MAGIC_BYTES};
use super::progress::{Counted, Counts, Progress, can_draw};
use super::spool::spooled;
use crate::replay::{FieldMapping, Format, Input, LatencyUnit, LogFormat, PathFilter, PathPatterns, Reading};
use crate::text::shown;

/// How the input is read, and whether its progress is shown.
#[derive(Debug, Args)]
pub(in crate::cli) struct InputArgs {
    /// How far to look ahead for the end of a call, more than 0; a longer call counts as started that long before its end.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub(super) max_latency: f64,
    /// The format of the input; auto detects it from the first lines.
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = formats())]
    format: Format,
    /// The unit of the request times of an access log. Default: that of the format; for Apache microseconds if they are
    /// whole numbers, else seconds.
    #[arg(long, value_name = "UNIT", value_parser = units())]
    pub(super) latency_unit: Option<LatencyUnit>,
    /// The request time is the N-th field from the end of the line (nginx and Apache); the same as --field latency=-N.
    #[arg(long, value_name = "N")]
    latency_field: Option<NonZeroU8>,
    /// Read a field as time, start, latency, status, path, host, method or key, as in `--field latency=took`; may be repeated.
    ///
    /// A field is a name: of JSON (a.b for one inside of another), of a column of CSV, of LTSV or of key=value; in any other
    /// text a position: 1 is the first field of the line, -1 the last. time is the end of a call, start its start;
    /// host is read for `tripline suggest --by host`, and host, method and key (of a family) for the routes of `tripline observe`.
    #[arg(long = "field", value_name = "ROLE=FIELD", allow_hyphen_values = true)]
    fields: Vec<FieldMapping>,
    /// Read only calls whose path matches (* matches any text, ? one character); may be repeated.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Skip calls whose path matches, such as long polls; may be repeated.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Do not show the progress bar of a long input on a terminal.
    #[arg(long)]
    no_progress: bool,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    let own = ["auto", "json", "csv"].into_iter();
    PossibleValuesParser::new(own.chain(LogFormat::all().map(LogFormat::name))).map(|name| match name.as_str() {
        "json" => Format::Json,
        "csv" => Format::Csv,
        name => LogFormat::named(name).map_or(Format::Auto, Format::Log),
    })
}

fn units() -> impl TypedValueParser<Value = LatencyUnit> {
    PossibleValuesParser::new(["s", "ms", "us", "ns"]).map(|name| match name.as_str() {
        "s" => LatencyUnit::Seconds,
        "ms" => LatencyUnit::Millis,
        "us" => LatencyUnit::Micros,
        _ => LatencyUnit::Nanos,
    })
}

impl InputArgs {
    /// Whether the arguments describe how an access log writes its request times.
    pub(super) fn describes_a_log(&self) -> bool {
        self.latency_unit.is_some() || self.latency_field.is_some() || !self.fields.is_empty()
    }

    /// The options for reading the input.
    pub(in crate::cli) fn reading(&self) -> Result<Reading, CliError> {
        let longest = Duration::from(Latency::MAX);
        let max_latency = Duration::try_from_secs_f64(self.max_latency).ok();
        let mut reading = Reading::default();
        reading.max_latency = max_latency.filter(|span| !span.is_zero() && *span <= longest).ok_or_else(|| {
            let (seconds, longest) = (self.max_latency, longest.as_secs_f64());
            CliError::new(format!("--max-latency {seconds}: allowed: seconds, more than 0 and at most {longest}"))
        })?;
        reading.input = Input {
            format: self.format,
            latency_unit: self.latency_unit,
            latency_field: self.latency_field,
            field_mappings: self.fields.clone(),
            paths: PathFilter::new(PathPatterns::new(self.include.iter().cloned(), self.exclude.iter().cloned())),
        };
        Ok(reading)
    }

    /// Opens a file, or standard input for `-`. A bar shows the progress, unless the output goes to the same terminal
    /// (`is_output_shown`).
    pub(in crate::cli) fn open(&self, path: &Path, is_output_shown: bool) -> Result<Box<dyn BufRead>, CliError> {
        let with_progress = !is_output_shown && self.with_progress();
        let opened = if is_standard_input(path) {
            prepared(io::stdin(), None, with_progress)
        } else {
            File::open(path).and_then(|file| prepared_file(file, with_progress))
        };
        opened.map_err(|error| CliError::during(name_of(path), error))
    }

    /// Opens a file, or standard input for `-`, for several readings, with a bar for each.
    pub(in crate::cli) fn open_repeatable(&self, path: &Path) -> Result<Repeatable, CliError> {
        let opened = if is_standard_input(path) { Ok(None) } else { File::open(path).map(Some) };
        let with_progress = self.with_progress();
        let reading = self.reading()?;
        let file = opened.map_err(|error| CliError::during(name_of(path), error)).and_then(|file| {
            let piped = match file {
                Some(file) if is_file(&file) => return Ok(file),
                Some(pipe) => prepared(pipe, None, with_progress),
                None => prepared(io::stdin(), None, with_progress),
            };
            let piped = piped.map_err(|error| CliError::during(name_of(path), error))?;
            spooled(piped, &name_of(path), &reading)
        })?;
        Ok(Repeatable { file, with_progress })
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
    /// Starts a reading from the beginning, decompressing again if necessary. Ends the previous reading.
    pub(in crate::cli) fn open(&self) -> io::Result<Box<dyn BufRead>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        prepared_file(file, self.with_progress)
    }
}

fn is_file(file: &File) -> bool {
    file.metadata().is_ok_and(|data| data.is_file())
}

/// The name of the input in messages.
pub(in crate::cli) fn name_of(path: &Path) -> String {
    if is_standard_input(path) { "standard input".into() } else { shown(path) }
}

pub(super) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Opens a file, decompressing it if necessary.
pub(in crate::cli) fn open_unpacked(path: &Path) -> io::Result<Box<dyn BufRead>> {
    prepared_file(File::open(path)?, false)
}

fn prepared_file(file: File, with_progress: bool) -> io::Result<Box<dyn BufRead>> {
    let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
    prepared(file, size, with_progress)
}

fn prepared(input: impl Read + 'static, size: Option<u64>, with_progress: bool) -> io::Result<Box<dyn BufRead>> {
    let mut input = input;
    let mut head = Vec::new();
    input.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
    let container = Container::of(&head)?;
    let input = io::Cursor::new(head).chain(input);
    if !with_progress {
        return Ok(buffered(container.unpacked(input)));
    }
    let progress = Progress::new(size);
    Ok(if container == Container::Plain {
        buffered(Counted::new(input, &progress, Counts::Both))
    } else {
        let packed = Counted::new(input, &progress, Counts::Bytes);
        buffered(Counted::new(container.unpacked(packed), &progress, Counts::Lines))
    })
}

fn buffered(input: impl Read + 'static) -> Box<dyn BufRead> {
    Box::new(BufReader::with_capacity(BUFFER_BYTES, input))
}
