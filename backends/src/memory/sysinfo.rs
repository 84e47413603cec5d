//! The memory of the whole machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ::sysinfo::{MemoryRefreshKind, System};
use tripline_runtime::core::MemorySample;
use tripline_runtime::{MemoryError, MemoryReading, MemorySource};

use super::MemoryUsed;
use super::kernel_file::{BUFFER_LEN, KernelFile};
use super::machine::Machine;
use super::pressure::Confirmation;

/// The memory of the machine. Used is what new programs cannot get without swapping; the limit is the total without
/// reserved huge pages. On Linux the ZFS cache above its minimum does not count as used.
///
/// It covers all programs of the machine and ignores the limit of a container; there `cgroup` is the better source.
///
/// # Cost
/// On Linux one `pread` of `/proc/meminfo` and `/proc/pressure/memory`, and of `/proc/spl/kstat/zfs/arcstats` if ZFS is
/// loaded; tens of microseconds in total.
#[derive(Debug)]
pub struct Sysinfo {
    figure: MemoryUsed,
    reader: Mutex<Reader>,
}

#[derive(Debug)]
enum Reader {
    Linux(Box<Linux>),
    Other(Box<System>),
}

/// The files on Linux.
#[derive(Debug)]
struct Linux {
    meminfo: KernelFile,
    confirmation: Confirmation,
    /// `None` if `/proc/meminfo` describes a container, which does not own the ZFS cache.
    arcstats: Option<PathBuf>,
}

impl Sysinfo {
    /// Opens the source and reads it once.
    ///
    /// # Errors
    /// [`MemoryError`] if the system does not report its memory.
    pub fn new() -> Result<Self, MemoryError> {
        if cfg!(target_os = "linux") {
            return Self::at(Path::new("/"));
        }
        let system = System::new().map_err(|error| unreadable(error.to_string()))?;
        Self::with(Reader::Other(Box::new(system)))
    }

    /// Opens the memory of a Linux machine whose files (`/proc/meminfo`, `/proc/pressure/memory`,
    /// `/proc/spl/kstat/zfs/arcstats`) are below `root`: for tests, and for a machine whose `/` is mounted elsewhere.
    ///
    /// # Errors
    /// [`MemoryError`] if `/proc/meminfo` cannot be read or lacks the total or the available memory.
    pub fn at(root: &Path) -> Result<Self, MemoryError> {
        let mountinfo = std::fs::read(root.join("proc/self/mountinfo")).unwrap_or_default();
        let arcstats = (!shows_a_container(&mountinfo)).then(|| root.join("proc/spl/kstat/zfs/arcstats"));
        Self::with(Reader::Linux(Box::new(Linux {
            meminfo: KernelFile::open(root.join("proc/meminfo"))?,
            confirmation: Confirmation::open(Some(root.join("proc/pressure/memory")), None),
            arcstats,
        })))
    }

    fn with(reader: Reader) -> Result<Self, MemoryError> {
        let source = Self { figure: MemoryUsed::default(), reader: Mutex::new(reader) };
        source.read()?;
        Ok(source)
    }

    /// Selects what counts as used. Default: [`MemoryUsed::Unreclaimable`].
    #[must_use]
    pub fn counting(self, figure: MemoryUsed) -> Self {
        Self { figure, ..self }
    }
}

impl MemorySource for Sysinfo {
    fn name(&self) -> &'static str {
        "sysinfo"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        self.read().map(|reading| reading.sample)
    }

    fn read(&self) -> Result<MemoryReading, MemoryError> {
        match &mut *self.reader.lock().unwrap_or_else(PoisonError::into_inner) {
            Reader::Linux(linux) => linux.read(self.figure),
            Reader::Other(system) => other(system),
        }
    }
}

impl Linux {
    fn read(&mut self, figure: MemoryUsed) -> Result<MemoryReading, MemoryError> {
        let mut buffer = [0; BUFFER_LEN];
        let mut machine = self.meminfo.parse(&mut buffer, Machine::EXPECTED, Machine::parse)?;
        // The file is opened for each reading, because ZFS may be loaded and unloaded at any time.
        if let Some(path) = &self.arcstats
            && let Ok(file) = KernelFile::open(path.clone())
            && let Ok(arcstats) = file.read_all(&mut buffer)
        {
            machine = machine.with_zfs(arcstats);
        }
        let is_confirmed = self.confirmation.read(&mut buffer);
        Ok(MemoryReading::from(machine.sample(figure, is_confirmed)).at_level(machine.level(figure)))
    }
}

/// Whether lxcfs provides `/proc/meminfo`, which then shows the limits of a container.
fn shows_a_container(mountinfo: &[u8]) -> bool {
    let mut lines = mountinfo.split(|&byte| byte == b'\n');
    lines.any(|line| {
        line.split(|&byte| byte == b' ').nth(4) == Some(b"/proc/meminfo")
            && line.windows(b" - fuse.lxcfs ".len()).any(|words| words == b" - fuse.lxcfs ")
    })
}

fn other(system: &mut System) -> Result<MemoryReading, MemoryError> {
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    match system.total_memory() {
        0 => Err(unreadable("the system does not report how much there is".to_owned())),
        total => {
            let used = total.saturating_sub(system.available_memory());
            Ok(MemoryReading::from(MemorySample { used, limit: Some(total) }).at_level("memory of the machine"))
        }
    }
}

fn unreadable(why: String) -> MemoryError {
    MemoryError::Unreadable { what: "the machine's memory".to_owned(), error: io::Error::other(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_of_lxcfs_is_recognised_by_its_meminfo() {
        let lxcfs = b"90 80 0:50 /proc/meminfo /proc/meminfo rw shared:1 - fuse.lxcfs lxcfs rw,user_id=0\n";
        assert!(shows_a_container(lxcfs));
        assert!(!shows_a_container(b"90 80 0:50 /f /proc/meminfo rw - ext4 /dev/vda rw\n"));
        assert!(!shows_a_container(
            b"90 80 0:50 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw\n25 1 0:22 / /proc rw - proc proc rw\n"
        ));
        assert!(!shows_a_container(b""));
    }
}
