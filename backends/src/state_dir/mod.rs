//! Incidents and alerts that survive a kill: a folder on disk for each breaker.
//!
//! In the folder of a breaker are `state.json`, which is only ever replaced as a whole, and `lock`, which a process holds
//! while it uses the folder. Nothing in it is secret, and yet only its owner can read it.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//! use tripline_backends::state_dir::StateDir;
//! use tripline_runtime::{Breaker, SystemClock, SupervisedBreaker};
//!
//! let breaker = Breaker::builder(Arc::new(SystemClock::new())).build()?;
//! let opened = StateDir::open(Path::new("/var/lib/tripline"), breaker.name())?;
//! let watch = opened.connect(SupervisedBreaker::new(breaker));
//! # drop(watch);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod folder;
mod format;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tripline_runtime::{BreakerName, DurableState, StateStore, SupervisedBreaker};

pub use self::error::{ForeignState, Quarantined, StateDirError};
use self::folder::Folder;
pub use self::format::{decode, encode};

/// Keeps the state of one breaker in a folder of its own. Clones keep it in the same folder.
///
/// A save costs two `fsync`s (of the file and of its folder), on a thread of the `blocking` pool.
#[derive(Debug, Clone)]
pub struct StateDir {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    /// Saves that were begun.
    begun: AtomicU64,
    /// The newest of them that is on disk. Locked while one is written: a save whose future was dropped still ends.
    on_disk: Mutex<u64>,
}

/// A folder that was opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// Keeps the state from now on.
    pub store: StateDir,
    /// The saved state; `None` if there is none that can be used.
    pub state: Option<DurableState>,
    /// Files in the place of the state that hold none. They are kept under another name for inspection.
    pub problems: Vec<Quarantined>,
}

impl Opened {
    /// Logs the problems as errors; `watch` goes on with what was kept, and keeps its state here from now on.
    #[must_use]
    pub fn connect(self, watch: SupervisedBreaker) -> SupervisedBreaker {
        for problem in &self.problems {
            tracing::error!("{problem}");
        }
        let watch = watch.store(Arc::new(self.store));
        match self.state {
            Some(state) => watch.resume(state),
            None => watch,
        }
    }
}

impl StateDir {
    /// Opens the folder of `breaker` in `root`, and makes both where they are missing. It blocks for a few accesses to the
    /// disk. The folder is ours until the last clone of the store is dropped.
    ///
    /// # Errors
    /// [`StateDirError`] where the folder cannot be made, written to or read, or another process has it.
    pub fn open(root: &Path, breaker: &BreakerName) -> Result<Opened, StateDirError> {
        let folder = Folder::open(root, breaker)?;
        let mut problems = Vec::new();
        let state = match folder.read()? {
            None => None,
            Some(found) => match found.and_then(|bytes| decode(&bytes, breaker)) {
                Ok(state) => Some(state),
                Err(why) => {
                    problems.push(folder.set_aside(why)?);
                    None
                }
            },
        };
        let shared = Shared { folder, begun: AtomicU64::new(0), on_disk: Mutex::new(0) };
        Ok(Opened { store: Self { shared: Arc::new(shared) }, state, problems })
    }
}

#[async_trait]
impl StateStore for StateDir {
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        let text = encode(state)?;
        let shared = self.shared.clone();
        // Relaxed: only the order of the numbers matters.
        let number = shared.begun.fetch_add(1, Ordering::Relaxed) + 1;
        smol::unblock(move || shared.write(number, &text)).await
    }
}

impl Shared {
    fn write(&self, number: u64, text: &[u8]) -> io::Result<()> {
        let mut on_disk = self.on_disk.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was given up must not replace what came after it.
        if number > *on_disk {
            self.folder.replace(text)?;
            *on_disk = number;
        }
        Ok(())
    }
}
