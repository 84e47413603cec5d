//! Replaces one file by another in one step.

use std::io;
use std::path::Path;

/// What became of the file that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swapped {
    /// It now has the new one's name.
    Exchanged,
    /// It is gone.
    Replaced,
}

/// Puts `new` in the place of `target`, which must exist. Where the system can, the two exchange their names, so that what
/// another writer put there at the last moment is not lost.
///
/// # Errors
/// Where neither is possible; then nothing has changed.
pub(super) fn swap(new: &Path, target: &Path) -> io::Result<Swapped> {
    match exchange(new, target) {
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) => {
            std::fs::rename(new, target).map(|()| Swapped::Replaced)
        }
        exchanged => exchanged.map(|()| Swapped::Exchanged),
    }
}

#[cfg(target_os = "linux")]
fn exchange(new: &Path, target: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_new: &Path, _target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
