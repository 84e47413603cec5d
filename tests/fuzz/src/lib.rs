//! The bodies of the fuzz targets, without the fuzzer. Each module has `run`, which panics if the code under test is
//! wrong. The workspace's tests replay the corpus and all earlier crashes through the same functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

pub mod alert_answers;
pub mod api_requests;
pub mod configuration;
pub mod core_inputs;
pub mod kernel_files;
pub mod proxy_bytes;
pub mod recordings;
pub mod service_bytes;
pub mod state_file;
pub mod strict_http;

/// A folder that is gone with its guard, in memory where the machine has such a file system.
pub fn memory_folder() -> tempfile::TempDir {
    let shared = std::path::Path::new("/dev/shm");
    tempfile::TempDir::new_in(shared).or_else(|_| tempfile::TempDir::new()).expect("a folder can be made")
}
