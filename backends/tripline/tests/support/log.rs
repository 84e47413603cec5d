//! Access logs.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// An example from the fixtures.
pub(crate) fn log_fixture(name: &str) -> String {
    fs::read_to_string(format!("{}/../tests/fixtures/logs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub(crate) fn gzipped(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}
