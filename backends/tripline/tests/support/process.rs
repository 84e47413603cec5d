//! The binary as a command that ends on its own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::eventually;

/// Environment variables that must not affect the tests.
const VARIABLES: [&str; 21] = [
    "OPSGENIE_API_KEY",
    "OPSGENIE_REGION",
    "OPSGENIE_API_URL",
    "OPSGENIE_TEAM",
    "Environment",
    "DEPLOYMENT_ENV",
    "BOOKMAKER_ID",
    "PROJECT_ID",
    "CLIENT_ID",
    "SERVICE_ID",
    "HOSTNAME",
    "HOST",
    "CONTAINER_NAME",
    "POD_NAME",
    "BUSINESS_UNIT",
    "BUSINESS",
    "DEPARTMENT",
    "TRIPLINE_BREAKER",
    "TRIPLINE_TOKEN",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary, to be run in `folder`, without the environment variables that it reads.
pub(crate) fn tripline(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// The binary as in [`tripline`], with a closed standard output.
pub(crate) fn tripline_unread(folder: &Path) -> Command {
    let (_, writer) = std::io::pipe().unwrap();
    let mut command = tripline(folder);
    command.stdout(writer);
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Finished {
    finish(&mut tripline(folder), arguments, None)
}

pub(crate) fn run_with_input(folder: &Path, arguments: &[&str], input: &str) -> Finished {
    finish(tripline(folder).stdin(Stdio::piped()), arguments, Some(input))
}

fn finish(command: &mut Command, arguments: &[&str], input: Option<&str>) -> Finished {
    let mut child = command.args(arguments).spawn().unwrap();
    let writer = child.stdin.take().zip(input.map(str::to_owned)).map(|(mut stdin, input)| {
        // On a thread, because the child may write before it has read everything, and may end earlier.
        std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())))
    });
    let output = child.wait_with_output().unwrap();
    if let Some(writer) = writer {
        writer.join().unwrap();
    }
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits for the end of a child; a timeout fails the test.
#[track_caller]
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    eventually("the process ends", || child.try_wait().unwrap())
}
