//! The configuration file, and its manual edits.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tripline_backends::reload::{ConfigStore, Unsaved, WatchedPath};

use super::random::Random;
use super::settings::Edit;

/// The configuration file. It outlives the process. Clones share it.
#[derive(Clone)]
pub(super) struct SimFile {
    state: Arc<Mutex<State>>,
}

pub(super) struct State {
    pub(super) text: String,
    pub(super) is_read_only: bool,
    watcher: Option<Box<dyn Fn() + Send>>,
    random: Random,
    edits: u64,
}

impl SimFile {
    pub(super) fn new(text: String, seed: u64) -> Self {
        let state = State { text, is_read_only: false, watcher: None, random: Random::new(seed, 5), edits: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Edits the file as an operator. The event is sometimes lost.
    pub(super) fn edit(&self, edit: Edit) {
        let mut state = self.state();
        state.edits += 1;
        state.text = edit.of(&state.text, state.edits);
        state.announce();
    }

    /// Writes the whole file as an operator.
    pub(super) fn write(&self, text: String) {
        let mut state = self.state();
        state.text = text;
        state.announce();
    }
}

impl State {
    fn announce(&mut self) {
        if self.random.chance(0.8)
            && let Some(watcher) = &self.watcher
        {
            watcher();
        }
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile").finish_non_exhaustive()
    }
}

impl ConfigStore for SimFile {
    fn name(&self) -> String {
        "breakers.toml".to_owned()
    }

    fn read(&self) -> Result<String, String> {
        Ok(self.state().text.clone())
    }

    fn rewrite(&self, _: &str, edit: &dyn Fn(&str) -> Result<String, Unsaved>) -> Result<String, Unsaved> {
        let mut state = self.state();
        if state.is_read_only {
            return Err(Unsaved::NotWritable("breakers.toml is read-only".to_owned()));
        }
        if state.text.trim().is_empty() {
            // Like a file that others are writing.
            return Err(Unsaved::Busy);
        }
        let mut text = edit(&state.text)?;
        if state.random.chance(0.2) {
            // Another writer was faster: this edit goes on top of that one.
            state.edits += 1;
            text = edit(&Edit::Comment.of(&state.text, state.edits))?;
        }
        state.text.clone_from(&text);
        state.announce();
        Ok(text)
    }

    fn watch(&self, touched: Box<dyn Fn() + Send>) -> Box<dyn WatchedPath> {
        self.state().watcher = Some(touched);
        Box::new(Followed)
    }
}

struct Followed;

impl WatchedPath for Followed {
    fn follow(&mut self) -> bool {
        true
    }
}
