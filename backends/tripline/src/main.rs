//! The `tripline` binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Gives memory of connections that have ended back to the system, in glibc and in a static image alike, and allocates the buffers of a
/// request quicker.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tripline_backends::cli::main()
}
