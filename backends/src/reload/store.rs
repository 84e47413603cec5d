//! Where the text of a configuration is kept.

use std::fmt;
use std::path::Path;

use crate::config::ConfigErrors;

/// Where the text of a configuration is kept: a file on disk, unless [`LoadedConfig::open`](super::LoadedConfig::open) is
/// given another place. Its methods may block for some seconds; they are called from one task.
pub trait ConfigStore: fmt::Debug + Send {
    /// What problems call it, such as its path.
    fn name(&self) -> String;

    /// Its path, where it is a file.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// Completes a write that was cut off; the text says what happened.
    fn recover(&self) -> Option<String> {
        None
    }

    /// The text.
    ///
    /// # Errors
    /// Why it cannot be read, to follow the name: `cannot be read: …`.
    fn read(&self) -> Result<String, String>;

    /// Replaces the text by what `edit` makes of it, and returns that. A reader, and a process that starts after a crash, sees
    /// the old text or the new one. Where others write meanwhile, `edit` gets theirs. `known` is the text as it was seen last.
    ///
    /// # Errors
    /// [`Unsaved`] where the text is as it was, or as others left it.
    fn rewrite(&self, known: &str, edit: &dyn Fn(&str) -> Result<String, Unsaved>) -> Result<String, Unsaved>;

    /// Removes what a process that was killed left behind.
    fn clean_up(&self) {}

    /// Calls `touched` whenever the text may have changed, until the result is dropped. Default: never, so that it is read every
    /// second.
    fn watch(&self, touched: Box<dyn Fn() + Send>) -> Box<dyn WatchedPath> {
        drop(touched);
        Box::new(Unwatched)
    }
}

/// A watch of a [`ConfigStore`].
pub trait WatchedPath: Send {
    /// Follows the path as it is now; false where changes may come without a call.
    fn follow(&mut self) -> bool;
}

struct Unwatched;

impl WatchedPath for Unwatched {
    fn follow(&mut self) -> bool {
        false
    }
}

/// Why a change is not in the file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unsaved {
    /// There is no file, or it may not be written.
    NotWritable(String),
    /// It has problems of its own.
    Bad(ConfigErrors),
    /// Others keep writing it.
    Busy,
    /// It would have problems with the change.
    Conflict(ConfigErrors),
}
