//! Incidents and alerts that survive a kill, in one folder on disk per breaker.
//!
//! The folder of a breaker contains `state.json`, which is only replaced as a whole, and `lock`, which a process holds
//! while it uses the folder. The files contain no secrets, but only their owner can read them.
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

/// Stores the state of one breaker in a folder of its own. Clones share the folder.
///
/// A save costs two `fsync`s (of the file and of its folder), on a thread of the `blocking` pool.
#[derive(Debug, Clone)]
pub struct StateDir {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    /// Number of saves that were started.
    begun: AtomicU64,
    /// Number of the newest save on disk. Locked during a write: a save whose future was dropped still completes.
    on_disk: Mutex<u64>,
}

/// An opened folder.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// Stores the state from now on.
    pub store: StateDir,
    /// The saved state; `None` if there is no usable one.
    pub state: Option<DurableState>,
    /// State files that were not usable. They are kept under another name for inspection.
    pub problems: Vec<Quarantined>,
}

impl Opened {
    /// Logs the problems as errors. `watch` resumes from the saved state and stores its state here from now on.
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
    /// Opens the folder of `breaker` in `root`, and creates both if they are missing. Blocks for a few disk accesses. The
    /// folder stays locked until the last clone of the store is dropped.
    ///
    /// # Errors
    /// [`StateDirError`] if the folder cannot be created, written to or read, or if another process holds it.
    pub fn open(root: &Path, breaker: &BreakerName) -> Result<Opened, StateDirError> {
        let folder = Folder::open(root, breaker)?;
        let (state, problem) = recover(folder.read()?, breaker, |why| folder.set_aside(why))?;
        let shared = Shared { folder, begun: AtomicU64::new(0), on_disk: Mutex::new(0) };
        Ok(Opened { store: Self { shared: Arc::new(shared) }, state, problems: problem.into_iter().collect() })
    }
}

/// Decodes the stored bytes `found` (`None` if there are none), or sets them aside if they are not a state of this breaker; `Err` in `found`
/// sets them aside unread. A custom store that uses [`encode`] can start the same way. At most one part of the result is `Some`.
///
/// # Errors
/// Those of `set_aside`.
pub fn recover(
    found: Option<Result<Vec<u8>, ForeignState>>,
    breaker: &BreakerName,
    set_aside: impl FnOnce(ForeignState) -> Result<Quarantined, StateDirError>,
) -> Result<(Option<DurableState>, Option<Quarantined>), StateDirError> {
    match found.map(|found| found.and_then(|bytes| decode(&bytes, breaker))) {
        None => Ok((None, None)),
        Some(Ok(state)) => Ok((Some(state), None)),
        Some(Err(why)) => Ok((None, Some(set_aside(why)?))),
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
        // An abandoned save must not replace a later one.
        if number > *on_disk {
            self.folder.replace(text)?;
            *on_disk = number;
        }
        Ok(())
    }
}
