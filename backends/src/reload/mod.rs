//! A configuration that changes while the process runs: by an edit of its file, and by [`LiveConfig::change`].
//!
//! One task owns the configuration, on a thread of its own by default; it reads, saves and applies one change after the other.
//!
//! - The file is read again when its text changes: its folder, and those of all symbolic links on its path, are watched (a
//!   Kubernetes `ConfigMap` is replaced by swapping a link), and it is read every few seconds anyway; every second where it
//!   is mounted alone, as nothing can be watched there. A text with problems changes nothing: the problems are logged once
//!   and are in [`LiveConfig::config_error`].
//! - A change of a key is written into the file before it applies. Comments, order, mode and edits by others are kept. The
//!   file is replaced in one step: a reader, and a process that starts after a crash, sees the old or the new text. Where
//!   the file cannot be replaced, because it is mounted alone into a container or its folder is read-only, it is written in
//!   place, after a whole copy of the new text beside it or in the temporary folder; the copy is kept until the write is
//!   whole, and [`LoadedConfig::file`] completes a write that was cut off.
//! - Where the file cannot be written the change applies, is reported as not saved, and holds until the file sets that key
//!   anew or the process ends.
//!
//! ```
//! use std::sync::Arc;
//! use tripline_backends::config::{Change, process_variable};
//! use tripline_backends::reload::LoadedConfig;
//! use tripline_runtime::{Breaker, test_util::ManualClock};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("breakers.toml");
//! std::fs::write(&path, "latency_threshold = 300 # as agreed\n")?;
//! let opened = LoadedConfig::file(&path, Box::new(process_variable))?;
//! let breaker = Breaker::builder(Arc::new(ManualClock::default())).policy(opened.config().breaker.policy.clone()).build()?;
//! let live = opened.start(vec![Box::new(breaker.clone())])?;
//!
//! let applied = futures_lite::future::block_on(live.change(Change::set("latency_threshold", 250.0)?, "an example"))?;
//! assert!(applied.saved);
//! assert_eq!(breaker.read(|core| core.policy().latency_threshold.as_millis()), 250);
//! assert_eq!(std::fs::read_to_string(&path)?, "latency_threshold = 250 # as agreed\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod applier;
mod config_actor;
mod edit;
mod file;
mod live_config;
mod loaded;
mod outcome;
mod shared;
mod store;
mod task;
mod watch;

pub use applier::Applier;
pub use config_actor::Environment;
pub use live_config::LiveConfig;
pub use loaded::LoadedConfig;
pub use outcome::{Applied, ChangeError};
pub use store::{ConfigStore, Unsaved, WatchedPath};
#[cfg(feature = "cli")]
pub(crate) use watch::Watch;
