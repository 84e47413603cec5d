//! The command line: what each command of `tripline` does.

mod alerts;
mod check;
mod ctl;
// What utoipa's macros write names types by longer paths than they need.
#[allow(unused_qualifications)]
mod demo;
mod init;
mod replay;
mod serve;
mod suggest;
mod token;

use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::ConfigErrors;

/// A circuit breaker that opens when a service is about to fall over.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server whose endpoint GET /test is protected by a breaker.
    #[command(after_long_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Check a configuration file: all problems at once, exit code 1 if there are any.
    ///
    /// Warnings do not change the exit code: what hardly means what it says, and what `tripline serve` would
    /// refuse. The environment is not looked at.
    Check {
        /// The file to check.
        file: PathBuf,
    },
    /// Write the recommended configuration with a comment for every key; an existing file is left alone.
    Init {
        /// The file to write.
        #[arg(default_value = DEFAULT_CONFIG)]
        file: PathBuf,
    },
    /// Feed recorded calls through the same breaker on a virtual clock.
    Replay(ReplayArgs),
    /// Propose a latency threshold, window and confidence from a healthy recording.
    Suggest(suggest::SuggestArgs),
    /// Look at a running server and operate it.
    Ctl(ctl::CtlArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The configuration file; without it breakers.toml in the working directory, and if there is none the recommended
    /// configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on, in place of http.listen in the configuration, which is 127.0.0.1:8080 where it is not set.
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
}

const SERVE_HELP: &str = "\
The bearer token of the API is the value of TRIPLINE_TOKEN in the environment, else the content of http.token_file; it has \
at least 16 bytes. On any but a loopback address there must be one.

SIGTERM and SIGINT stop the server: requests in flight are waited for, 30 seconds at most, and then the alerts that still \
wait, 10 seconds at most. A second signal ends it at once.

Exit codes: 0 stopped, and every request was answered; 1 it could not start, or requests were cut off; 2 bad arguments.";

/// An address to listen on.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "an IP address with a port is needed, such as 127.0.0.1:8080 or [::1]:8080")
}

#[derive(Debug, Args)]
#[command(after_long_help = replay::FORMATS)]
struct ReplayArgs {
    /// The configuration file; without it the defaults (neither breakers.toml nor the recommended configuration).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change one key of the breaker, as in --set percentile=0.99; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// What each of these configuration files would have done with the same recording, side by side.
    #[arg(long, value_name = "CONFIG", num_args = 1.., conflicts_with_all = ["config", "jsonl"])]
    compare: Vec<PathBuf>,
    /// Write a page (HTML, one file, nothing else needed) with the recording drawn and what would have happened.
    #[arg(long, value_name = "OUT.html", conflicts_with = "jsonl")]
    report: Option<PathBuf>,
    /// Print one JSON object with calls, trips and recoveries (the default); with --compare or --report one for each setting.
    #[arg(long)]
    summary: bool,
    /// The same as --summary.
    #[arg(long)]
    json: bool,
    /// Print one JSON line for each input record.
    #[arg(long, conflicts_with_all = ["summary", "json"])]
    jsonl: bool,
    #[command(flatten)]
    input: replay::InputArgs,
    /// JSON lines, CSV with a header, or an access log, also compressed with gzip or zstd; - is the standard input.
    #[arg(required_unless_present = "compare")]
    file: Option<PathBuf>,
}

/// Where the configuration is looked for when none is named.
const DEFAULT_CONFIG: &str = "breakers.toml";

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let result = match cli.command {
        Command::Serve(args) => serve::serve(&args),
        Command::Check { file } => check::check(&file),
        Command::Init { file } => init::init(&file),
        Command::Replay(args) => return replay::replay(&args).map_or_else(failed, |trust| trust.exit_code().into()),
        Command::Suggest(args) => return suggest::suggest(&args).map_or_else(failed, |trust| trust.exit_code().into()),
        Command::Ctl(args) => return ctl::ctl(&args).unwrap_or_else(failed),
    };
    result.map_or_else(failed, |()| ExitCode::SUCCESS)
}

fn failed(failure: CliError) -> ExitCode {
    eprint_line(failure);
    ExitCode::FAILURE
}

/// Help, the version, or what is wrong with the arguments. For `ctl` that is 1 too: there 2 says that a breaker is open.
fn unparsed(error: &clap::Error) -> ExitCode {
    // Nobody may be reading.
    let _ = error.print();
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if std::env::args_os().nth(1).is_some_and(|command| command == "ctl") => ExitCode::FAILURE,
        code => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

/// A line for standard output. Nobody may be reading there any more, which is no reason to fail.
fn print_line(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line for standard error, in the same way.
fn eprint_line(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A command did not do what it should: the text says what is wrong, where and what is allowed.
#[derive(Debug)]
struct CliError(String);

impl Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CliError {
    fn new(text: impl Display) -> Self {
        Self(text.to_string())
    }

    /// Every problem of a configuration, and the unknown keys, of which one may be why.
    fn with_config(errors: &ConfigErrors) -> Self {
        let problems = errors.problems().iter().map(ToString::to_string);
        let warnings = errors.warnings().iter().map(|warning| format!("warning: {warning}"));
        Self(problems.chain(warnings).collect::<Vec<_>>().join("\n"))
    }

    /// Something failed while `what` was being done.
    fn during(what: impl Display, error: impl Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}
