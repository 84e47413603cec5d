//! The handle to the configuration in force.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use smol::channel::Sender;
use tripline_runtime::core::planted::planted;

use super::outcome::{Applied, ChangeError};
use super::shared::Shared;
use super::task::Message;
use crate::config::{Change, Config};

/// The configuration in force, and how it is changed. Clones share it; the watching ends with the last of them.
#[derive(Clone)]
pub struct LiveConfig {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) sender: Sender<Message>,
    pub(super) shared: Arc<Shared>,
}

impl LiveConfig {
    /// Changes some keys: in the file, and then in what is running, before this resolves. The log names `who` as the author.
    /// A change that was begun is finished also where the future is dropped.
    ///
    /// # Errors
    /// [`ChangeError`]; then nothing has changed.
    pub async fn change(&self, change: Change, who: &str) -> Result<Applied, ChangeError> {
        let (reply, answer) = smol::channel::bounded(1);
        let message = Message::Change { change, who: who.to_owned(), reply };
        self.inner.sender.try_send(message).map_err(|_| ChangeError::Ended)?;
        let answer = answer.recv().await;
        if planted("api: a command is never answered") {
            std::future::pending::<()>().await;
        }
        answer.unwrap_or(Err(ChangeError::Ended))
    }

    /// Requests a reload of the file, as after an edit of it, and of the files that it names, such as certificates. A file with the same
    /// text changes no setting.
    pub fn reload(&self) {
        // Where the task has ended, there is nothing to reload.
        let _ = self.inner.sender.try_send(Message::Reload);
    }

    /// The configuration in force, with the overrides of the environment.
    pub fn config(&self) -> Arc<Config> {
        self.inner.shared.config()
    }

    /// Why the file is not the configuration in force: its problems, what is changed and not saved, or what takes effect after a restart.
    pub fn config_error(&self) -> Option<String> {
        let notes = self.inner.shared.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<&str> =
            [&notes.file, &notes.unsaved, &notes.restart].into_iter().flatten().map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("\n"))
    }

    /// Number of edited files that took effect since the start.
    pub fn reloads(&self) -> u64 {
        // Relaxed: a statistic; it orders nothing, as the next.
        self.inner.shared.reloads.load(Ordering::Relaxed)
    }

    /// Number of edited files that had problems; each text counts once.
    pub fn reload_errors(&self) -> u64 {
        self.inner.shared.reload_errors.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for LiveConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveConfig").field("config_error", &self.config_error()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Where the task has ended already, there is nothing to stop.
        let _ = self.sender.try_send(Message::Stop);
    }
}
