//! A draft: the next content of a file, in a file beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The next content of a file, in a file beside it. Dropping it removes that file.
pub(super) struct Draft {
    pub(super) path: PathBuf,
}

impl Draft {
    pub(super) fn write(target: &Path, text: &str) -> io::Result<Self> {
        // Relaxed: only a name that differs from the others.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = prefix(target).ok_or(io::ErrorKind::InvalidFilename)?;
        let path = target.with_file_name(format!("{prefix}{}-{number}", std::process::id()));
        let mut file = create(&path)?;
        let draft = Self { path };
        file.write_all(text.as_bytes())?;
        keep_owner_and_mode(&file, target)?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a plain rename it is gone already.
        let _ = fs::remove_file(&self.path);
    }
}

/// How the names of drafts of `target` begin.
pub(super) fn prefix(target: &Path) -> Option<String> {
    Some(format!(".{}.tripline-", target.file_name()?.to_string_lossy()))
}

/// A new file that no other user can read yet: the text may hold a key.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn keep_owner_and_mode(file: &File, target: &Path) -> io::Result<()> {
    let metadata = fs::metadata(target)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
            // Only root may give a file away; a file that belongs to the writer is better than none.
            let _ = fchown(file, Some(metadata.uid()), Some(metadata.gid()));
        }
    }
    file.set_permissions(metadata.permissions())
}

/// Makes the new name durable. Not every file system can do this for a folder.
pub(super) fn sync_folder(target: &Path) {
    if let Some(folder) = target.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}
