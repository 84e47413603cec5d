//! Runs the whole process on virtual time under many seeds, and checks the invariants after every event.
//!
//! See the guide in CONTRIBUTING.md.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use tripline_tests::simulate::command;

fn main() -> ExitCode {
    command::main(std::env::args().skip(1))
}
