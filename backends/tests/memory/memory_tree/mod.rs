//! Trees of kernel files: written by a test, or unpacked from `tests/fixtures/memory`.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tripline_backends::memory::Cgroup;
use tripline_runtime::core::MemorySample;
use tripline_runtime::{MemoryError, MemoryReading, MemorySource};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const V1_NONE: &str = "9223372036854771712\n";
pub(crate) const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
pub(crate) const V1_MOUNT: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

/// The files of a machine.
pub(crate) struct Tree(TempDir);

impl Tree {
    /// A machine with 16 GiB and no groups.
    pub(crate) fn new(cgroup: &str, mountinfo: &str) -> Self {
        let tree = Self(TempDir::new().unwrap());
        tree.write("proc/self/cgroup", cgroup);
        tree.write("proc/self/mountinfo", format!("25 1 0:22 / /proc rw - proc proc rw\n{mountinfo}"));
        tree.write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:        1 kB\nMemAvailable:   2 kB\n");
        tree
    }

    /// The fixture of this name: a comment, and for each file a line `=== path` followed by its text.
    pub(crate) fn fixture(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/memory").join(format!("{name}.tree"));
        let text = fs::read_to_string(path).unwrap();
        let tree = Self(TempDir::new().unwrap());
        for file in text.split("=== ").skip(1) {
            let (path, text) = file.split_once('\n').unwrap();
            tree.write(path, text);
        }
        tree
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// Creates a group of version 2; values in MiB.
    pub(crate) fn v2(&self, folder: &str, max: Option<u64>, current: u64, inactive: u64) {
        self.write(&format!("{folder}/memory.max"), max.map_or("max\n".to_owned(), |mib| format!("{}\n", mib * MIB)));
        self.write(&format!("{folder}/memory.current"), format!("{}\n", current * MIB));
        let stat = format!("anon 1\nfile 2\nactive_file 0\ninactive_file {}\nunevictable 0\n", inactive * MIB);
        self.write(&format!("{folder}/memory.stat"), stat);
    }

    /// Creates a group of version 1; usage in MiB.
    pub(crate) fn v1(&self, folder: &str, limit: &str, hierarchical: &str, usage: u64, inactive: u64) {
        self.write(&format!("{folder}/memory.limit_in_bytes"), limit);
        self.write(&format!("{folder}/memory.usage_in_bytes"), format!("{}\n", usage * MIB));
        let stat = format!(
            "inactive_file 1\nhierarchical_memory_limit {hierarchical}\ntotal_cache 2\ntotal_inactive_file {}\n",
            inactive * MIB
        );
        self.write(&format!("{folder}/memory.stat"), stat);
    }

    pub(crate) fn open(&self) -> Result<Cgroup, MemoryError> {
        Cgroup::discover_at(self.root())
    }

    pub(crate) fn read(&self) -> MemoryReading {
        self.open().unwrap().read().unwrap()
    }

    pub(crate) fn sample(&self) -> MemorySample {
        self.open().unwrap().sample().unwrap()
    }

    pub(crate) fn error(&self) -> String {
        self.open().unwrap_err().to_string()
    }

    /// Version 2 with the process in `/app`.
    pub(crate) fn app(max: Option<u64>, current: u64, inactive: u64) -> Self {
        let tree = Self::new("0::/app\n", V2_MOUNT);
        tree.v2("sys/fs/cgroup/app", max, current, inactive);
        tree
    }
}

/// A sample in MiB.
pub(crate) fn mib(used: u64, limit: Option<u64>) -> MemorySample {
    MemorySample { used: used * MIB, limit: limit.map(|limit| limit * MIB) }
}
