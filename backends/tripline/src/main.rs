//! The `tripline` binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Gives memory of connections that have ended back to the system, which glibc's allocator does not, and does not slow down a static
/// image, as musl's does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tripline_backends::cli::main()
}
