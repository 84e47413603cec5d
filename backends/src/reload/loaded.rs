//! A configuration that was read and is not watched yet.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use smol::channel::unbounded;
use tripline_runtime::{Clock, SystemClock};

use super::applier::Applier;
use super::config_actor::{ConfigActor, Environment};
use super::file::ConfigFile;
use super::live_config::{Inner, LiveConfig};
use super::shared::Shared;
use super::store::ConfigStore;
use super::task::{self, Message};
use crate::config::{Change, Config, ConfigErrors, EMPTY, Warning, WarningKind, apply_environment, is_blank, parse};

/// A configuration that was read and is not watched yet.
pub struct LoadedConfig {
    store: Option<Box<dyn ConfigStore>>,
    name: String,
    text: String,
    config: Config,
    warnings: Vec<Warning>,
    environment: Environment,
}

impl LoadedConfig {
    /// Reads a file, and lays the environment over it. A write in place that was cut off is completed before.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem of the file or the environment.
    pub fn file(path: &Path, environment: Environment) -> Result<Self, ConfigErrors> {
        Self::open(Box::new(ConfigFile::new(path.to_owned())), environment)
    }

    /// As [`LoadedConfig::file`], for a text that is kept elsewhere.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem of the text or the environment.
    pub fn open(store: Box<dyn ConfigStore>, environment: Environment) -> Result<Self, ConfigErrors> {
        let name = store.name();
        let problem = |words: &str| ConfigErrors::with_file(&name, words);
        let recovered = store.recover();
        let text = store.read().map_err(|words| problem(&words))?;
        if is_blank(&text) {
            return Err(problem(EMPTY));
        }
        let opened = Self::text(&text, &name, environment)?;
        let mut warnings = opened.warnings;
        warnings.extend(recovered.map(|message| Warning {
            file: name.clone(),
            line: None,
            key: String::new(),
            message,
            kind: WarningKind::Unlikely,
        }));
        Ok(Self { store: Some(store), warnings, ..opened })
    }

    /// Takes a text that is in no file; problems call it `name`. Changes of it apply and are not saved.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem of the text or the environment.
    pub fn text(text: &str, name: &str, environment: Environment) -> Result<Self, ConfigErrors> {
        let (mut config, mut warnings) = parse(text, name)?;
        warnings.extend(apply_environment(&mut config, &environment)?);
        Ok(Self { store: None, name: name.to_owned(), text: text.to_owned(), config, warnings, environment })
    }

    /// The configuration as read.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its warnings.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The path of the file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        self.store.as_ref().and_then(|store| store.path())
    }

    /// Watches the file on a thread of its own. The appliers are called for each change from now on;
    /// [`LoadedConfig::config`] is in force already.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(self, appliers: Vec<Box<dyn Applier>>) -> io::Result<LiveConfig> {
        let (live, task) = self.start_by(Arc::new(SystemClock::new()), appliers);
        std::thread::Builder::new().name("tripline-config".into()).spawn(move || smol::block_on(task))?;
        Ok(live)
    }

    /// As [`LoadedConfig::start`], by another clock and on an executor of your own: nothing is watched or changed unless the
    /// task is polled. Reading and writing a file may block it for some seconds.
    pub fn start_by(
        self,
        clock: Arc<dyn Clock>,
        appliers: Vec<Box<dyn Applier>>,
    ) -> (LiveConfig, impl Future<Output = ()> + Send + use<>) {
        let (sender, inbox) = unbounded();
        let config = Arc::new(self.config);
        let shared = Arc::new(Shared::new(config.clone()));
        let watch = self.store.as_ref().map(|store| {
            store.clean_up();
            let touched = sender.clone();
            store.watch(Box::new(move || {
                // The task may have ended.
                let _ = touched.try_send(Message::Touched);
            }))
        });
        let actor = ConfigActor {
            store: self.store,
            name: self.name,
            text: self.text,
            unsaved: Change::none(),
            started: config,
            environment: self.environment,
            appliers,
            reported: None,
            shared: shared.clone(),
        };
        (LiveConfig { inner: Arc::new(Inner { sender, shared }) }, task::run(actor, inbox, watch, clock))
    }
}

impl fmt::Debug for LoadedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedConfig").field("name", &self.name).field("config", &self.config).finish_non_exhaustive()
    }
}
