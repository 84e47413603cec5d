//! A configuration that changes while the process runs: by an edited file, and by whoever calls [`LiveConfig::change`].
//!
//! One thread owns the configuration; it reads, saves and applies one thing after the other.
//!
//! - The file is read again when it has another text: its folder, and those of all symbolic links on its way, are watched
//!   (a Kubernetes `ConfigMap` is replaced by swapping a link), and it is read every few seconds anyway. A text with problems
//!   changes nothing: the problems are logged once and stand in [`LiveConfig::config_error`].
//! - A change of a key is written into the file before it applies. Comments, order, mode and whatever others wrote meanwhile
//!   are kept, and the file is replaced in one step: a reader, or whoever starts after a crash, sees the old or the new text.
//!   Where the file cannot be written the change applies all the same, and is said not to be saved; it holds until the file
//!   sets that key anew, or the process ends.
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
//! let breaker = Breaker::builder(Arc::new(ManualClock::default())).policy(opened.config().policy.clone()).build()?;
//! let live = opened.start(vec![Box::new(breaker.clone())])?;
//!
//! let applied = futures_lite::future::block_on(live.change(Change::set("latency_threshold", 250.0)?, "an example"))?;
//! assert!(applied.saved);
//! assert_eq!(breaker.read(|core| core.policy().latency_threshold.as_millis()), 250);
//! assert_eq!(std::fs::read_to_string(&path)?, "latency_threshold = 250 # as agreed\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod applier;
mod atomic_exchange;
mod config_actor;
mod edit;
mod file;
mod thread;
mod watch;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Change, Config, ConfigErrors, EMPTY, Warning, apply_environment, is_blank, parse, read};

use config_actor::ConfigActor;
use file::ConfigFile;
use thread::Message;
use watch::Watch;

pub use applier::Applier;

/// Looks up a variable of the environment, as [`process_variable`](crate::config::process_variable) does.
pub type Environment = Box<dyn Fn(&str) -> Option<String> + Send>;

/// A configuration that was read and is not watched yet.
pub struct LoadedConfig {
    file: Option<ConfigFile>,
    name: String,
    text: String,
    config: Config,
    warnings: Vec<Warning>,
    environment: Environment,
}

impl LoadedConfig {
    /// Reads a file, and lays the environment over it.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem of the file or the environment.
    pub fn file(path: &Path, environment: Environment) -> Result<Self, ConfigErrors> {
        let file = ConfigFile::new(path.to_owned());
        let text = read(path).map_err(|unread| file.problem(&unread.words))?;
        if is_blank(&text) {
            return Err(file.problem(EMPTY));
        }
        let opened = Self::text(&text, &file.name(), environment)?;
        Ok(Self { file: Some(file), ..opened })
    }

    /// Takes a text that is no file, and that problems call `name`: changes of it apply and are not saved.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem of the text or the environment.
    pub fn text(text: &str, name: &str, environment: Environment) -> Result<Self, ConfigErrors> {
        let (mut config, mut warnings) = parse(text, name)?;
        warnings.extend(apply_environment(&mut config, &environment)?);
        Ok(Self { file: None, name: name.to_owned(), text: text.to_owned(), config, warnings, environment })
    }

    /// What was read.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is odd about it.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The path of the file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(ConfigFile::path)
    }

    /// Watches the file on a thread of its own. The appliers are called for whatever changes from now on; what is in
    /// [`LoadedConfig::config`] is in force already.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(self, appliers: Vec<Box<dyn Applier>>) -> io::Result<LiveConfig> {
        let (sender, inbox) = channel();
        let config = Arc::new(self.config);
        let shared = Arc::new(Shared {
            config: Mutex::new(config.clone()),
            notes: Mutex::default(),
            reloads: AtomicU64::new(0),
            reload_errors: AtomicU64::new(0),
        });
        let watch = self.file.as_ref().map(|file| {
            file.clean_up();
            let touched = sender.clone();
            Watch::new(file.path().to_owned(), move || {
                // The thread may have ended.
                let _ = touched.send(Message::Touched);
            })
        });
        let owner = ConfigActor {
            file: self.file,
            name: self.name,
            text: self.text,
            unsaved: Change::none(),
            started: config,
            environment: self.environment,
            appliers,
            told: None,
            shared: shared.clone(),
        };
        std::thread::Builder::new().name("tripline-config".into()).spawn(move || thread::run(owner, &inbox, watch))?;
        Ok(LiveConfig { inner: Arc::new(Inner { sender, shared }) })
    }
}

impl fmt::Debug for LoadedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedConfig").field("name", &self.name).field("config", &self.config).finish_non_exhaustive()
    }
}

/// The configuration that is in force, and the way to change it. Clones share the same; with the last of them the watching
/// ends.
#[derive(Clone)]
pub struct LiveConfig {
    inner: Arc<Inner>,
}

struct Inner {
    sender: Sender<Message>,
    shared: Arc<Shared>,
}

/// A change is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// It stands in the file.
    pub saved: bool,
    /// Why it does not.
    pub reason: Option<String>,
}

impl Applied {
    /// It is in force and stands in no file.
    pub fn unsaved(reason: impl Into<String>) -> Self {
        Self { saved: false, reason: Some(reason.into()) }
    }
}

impl LiveConfig {
    /// Changes some keys: in the file, and then in what is running, before this resolves. `who` is who asked for it, for the
    /// log. A change that was begun is finished also where the future is dropped.
    ///
    /// # Errors
    /// [`ChangeError`]; then nothing has changed.
    pub async fn change(&self, change: Change, who: &str) -> Result<Applied, ChangeError> {
        let (reply, answer) = smol::channel::bounded(1);
        let message = Message::Change { change, who: who.to_owned(), reply };
        self.inner.sender.send(message).map_err(|_| ChangeError::Ended)?;
        answer.recv().await.unwrap_or(Err(ChangeError::Ended))
    }

    /// What is in force, with the environment laid over it.
    pub fn config(&self) -> Arc<Config> {
        self.inner.shared.config()
    }

    /// Why the file is not the configuration in force: its problems, or what is changed and not saved.
    pub fn config_error(&self) -> Option<String> {
        let notes = self.inner.shared.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<&str> = [&notes.file, &notes.unsaved].into_iter().flatten().map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("\n"))
    }

    /// How often a changed file came into force since the start.
    pub fn reloads(&self) -> u64 {
        // Relaxed: a statistic, as the next.
        self.inner.shared.reloads.load(Ordering::Relaxed)
    }

    /// How often a changed file had problems, each text counted once.
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
        // Where the thread has ended already, there is nothing to stop.
        let _ = self.sender.send(Message::Stop);
    }
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The file has problems of its own, which a change would cover up.
    File(ConfigErrors),
    /// The new value does not fit the others.
    Conflict(ConfigErrors),
    /// Others write the file all the time.
    Busy,
    /// The thread that owns the configuration has ended.
    Ended,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(errors) => write!(f, "the configuration file has problems and is left as it is: {errors}"),
            Self::Conflict(errors) => write!(f, "the other settings do not allow it: {errors}"),
            Self::Busy => f.write_str("others keep changing the configuration file; try again"),
            Self::Ended => f.write_str("the thread that owns the configuration has ended"),
        }
    }
}

impl std::error::Error for ChangeError {}

/// What the thread tells everybody.
struct Shared {
    config: Mutex<Arc<Config>>,
    notes: Mutex<Notes>,
    reloads: AtomicU64,
    reload_errors: AtomicU64,
}

#[derive(Default)]
struct Notes {
    file: Option<String>,
    unsaved: Option<String>,
}

impl Shared {
    fn config(&self) -> Arc<Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_config(&self, config: Config) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    fn note(&self, write: impl FnOnce(&mut Notes)) {
        write(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
