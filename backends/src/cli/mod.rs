//! The command line: the commands of `tripline`.

mod check;
mod ctl;
// utoipa's macros emit longer paths than needed.
#[allow(unused_qualifications)]
mod demo;
mod init;
mod observe;
mod output;
mod proxy;
mod replay;
mod replay_args;
mod serve;
mod suggest;
mod suggest_by;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::process::log::print_bounded;

pub(crate) use output::{CliError, eprint_line, print_line, print_styled};
pub(crate) use replay_args::ReplayArgs;

/// A circuit breaker that opens before a service fails.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server with a demo endpoint behind each breaker, the management API and the dashboard.
    #[command(after_long_help = serve::HELP)]
    Serve(serve::ServeArgs),
    /// Follow an access log and show what a breaker in front of the service would do, without affecting requests.
    #[command(after_long_help = observe::HELP)]
    Observe(observe::ObserveArgs),
    /// Forward requests to a service in any language, protected by breakers.
    #[command(after_long_help = proxy::HELP)]
    Proxy(proxy::ProxyArgs),
    /// Check a configuration file: all problems at once, exit code 1 if there are any.
    ///
    /// Exit codes: 0 valid, 1 a problem or an unknown key (with --lenient unknown keys are warnings), 2 bad arguments.
    ///
    /// Warnings do not change the exit code. They report settings that are valid but probably not intended, and
    /// obstacles to the start of `tripline serve`. Environment variables are not read.
    Check {
        /// Report unknown keys as warnings, as `tripline serve` does.
        #[arg(long)]
        lenient: bool,
        /// Print every setting of every breaker with the line that sets it.
        #[arg(long)]
        resolved: bool,
        /// The file to check.
        file: PathBuf,
    },
    /// Write the recommended configuration with a comment for every key; an existing file is not overwritten.
    Init {
        /// The file to write.
        #[arg(default_value = serve::DEFAULT_CONFIG)]
        file: PathBuf,
    },
    /// Replay recorded calls through the same breaker on a virtual clock.
    Replay(ReplayArgs),
    /// Propose a latency threshold, window and confidence from a recording of a healthy service.
    Suggest(suggest::SuggestArgs),
    /// Inspect and operate a running server.
    Ctl(ctl::CtlArgs),
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let result = match cli.command {
        Command::Serve(args) => serve::serve(&args),
        Command::Observe(args) => observe::observe(&args),
        Command::Proxy(args) => proxy::proxy(&args),
        Command::Check { lenient, resolved, file } => check::check(&file, lenient, resolved),
        Command::Init { file } => init::init(&file),
        Command::Replay(args) => return replay::replay(&args).map_or_else(failed, |trust| trust.exit_code().into()),
        Command::Suggest(args) => return suggest::suggest(&args).map_or_else(failed, |trust| trust.exit_code().into()),
        Command::Ctl(args) => return ctl::ctl(&args, Cli::command).unwrap_or_else(failed),
    };
    result.map_or_else(failed, |()| ExitCode::SUCCESS)
}

fn failed(failure: CliError) -> ExitCode {
    // A server that shuts down may have a standard error that is full and has no reader.
    print_bounded(io::stderr(), failure);
    ExitCode::FAILURE
}

/// Prints help, the version, or the error in the arguments. For `ctl` an error exits with 1: its exit code 2 means an
/// open breaker.
fn unparsed(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        // The message repeats the arguments, which may contain control characters.
        eprint_line(error.render().to_string().trim_end());
    } else {
        // A closed output is not a failure.
        let _ = error.print();
    }
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if std::env::args_os().nth(1).is_some_and(|command| command == "ctl") => ExitCode::FAILURE,
        code => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}
