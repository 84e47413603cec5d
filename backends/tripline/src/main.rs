//! The `tripline` binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tripline_backends::cli::main()
}
