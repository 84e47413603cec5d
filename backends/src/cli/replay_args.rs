//! The arguments of `tripline replay`.

use std::path::PathBuf;

use clap::Args;

use super::replay;

#[derive(Debug, Args)]
#[command(after_long_help = replay::FORMATS)]
pub(crate) struct ReplayArgs {
    /// The configuration file. Default: the built-in defaults, neither breakers.toml nor the recommended configuration.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The breaker of the configuration whose settings are used; required if there are several.
    #[arg(long, value_name = "NAME")]
    pub(super) breaker: Option<String>,
    /// Override one key of the breaker, as in --set percentile=0.99; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Compare what each of these configuration files would have done with the recording.
    #[arg(long, value_name = "CONFIG", num_args = 1.., conflicts_with_all = ["config", "jsonl"])]
    pub(super) compare: Vec<PathBuf>,
    /// Write a report (one self-contained HTML file) with a chart of the recording and the trips.
    #[arg(long, value_name = "OUT.html", conflicts_with = "jsonl")]
    pub(super) report: Option<PathBuf>,
    /// Print one JSON object with calls, trips and recoveries (the default); with --compare or --report one for each setting.
    #[arg(long)]
    pub(super) summary: bool,
    /// The same as --summary.
    #[arg(long)]
    pub(super) json: bool,
    /// Print one JSON line for each input record.
    #[arg(long, conflicts_with_all = ["summary", "json"])]
    pub(super) jsonl: bool,
    #[command(flatten)]
    pub(super) input: replay::InputArgs,
    /// JSON lines, CSV with a header, or an access log, also compressed with gzip or zstd; - is the standard input.
    #[arg(required_unless_present = "compare")]
    pub(super) file: Option<PathBuf>,
}
