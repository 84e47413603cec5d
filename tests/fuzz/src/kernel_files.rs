//! Kernel files: control groups of both versions, mounts, `meminfo`. An input contains files in the format of the
//! memory fixtures: a line `=== path`, then the text.

use std::fs;
use std::path::{Component, Path};

use tripline_backends::memory::{Cgroup, MemoryUsed, Sysinfo};
use tripline_runtime::MemorySource;

use super::memory_folder;

const MAX_FILES: usize = 48;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let root = memory_folder();
    for file in text.split("=== ").skip(1).take(MAX_FILES) {
        let Some((path, content)) = file.split_once('\n') else { continue };
        let path = Path::new(path.trim());
        let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        let is_kernels = path.starts_with("proc") || path.starts_with("sys");
        if !is_inside || !is_kernels || path.components().count() > 16 {
            continue;
        }
        let path = root.path().join(path);
        // What cannot be made, such as a folder in the place of a file, is not there.
        if path.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok()) {
            let _ = fs::write(path, content);
        }
    }
    for used in MemoryUsed::ALL {
        if let Ok(source) = Cgroup::discover_at(root.path()) {
            read(&source.counting(used));
        }
        if let Ok(source) = Sysinfo::at(root.path()) {
            read(&source.counting(used));
        }
    }
}

fn read(source: &dyn MemorySource) {
    match source.read() {
        Ok(reading) => {
            let ratio = reading.sample.ratio();
            assert!(ratio.is_none_or(|ratio| ratio.is_finite() && ratio >= 0.0), "{reading:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
