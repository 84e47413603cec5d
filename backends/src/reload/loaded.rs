//! A configuration that was read and is not watched yet.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use super::applier::Applier;
use super::config_actor::{ConfigActor, Environment};
use super::file::ConfigFile;
use super::live_config::{Inner, LiveConfig};
use super::shared::Shared;
use super::thread::{self, Message};
use super::watch::Watch;
use crate::config::{
    Change, Config, ConfigErrors, EMPTY, Warning, WarningKind, apply_environment, is_blank, parse, read,
};

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
    /// Reads a file, and lays the environment over it. A write in place that was cut off is completed before.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem of the file or the environment.
    pub fn file(path: &Path, environment: Environment) -> Result<Self, ConfigErrors> {
        let file = ConfigFile::new(path.to_owned());
        let recovered = file.recover();
        let text = read(path).map_err(|unread| file.problem(&unread.words))?;
        if is_blank(&text) {
            return Err(file.problem(EMPTY));
        }
        let opened = Self::text(&text, &file.name(), environment)?;
        let mut warnings = opened.warnings;
        warnings.extend(recovered.map(|message| Warning {
            file: file.name(),
            line: None,
            key: String::new(),
            message,
            kind: WarningKind::Unlikely,
        }));
        Ok(Self { file: Some(file), warnings, ..opened })
    }

    /// Takes a text that is in no file; problems call it `name`. Changes of it apply and are not saved.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem of the text or the environment.
    pub fn text(text: &str, name: &str, environment: Environment) -> Result<Self, ConfigErrors> {
        let (mut config, mut warnings) = parse(text, name)?;
        warnings.extend(apply_environment(&mut config, &environment)?);
        Ok(Self { file: None, name: name.to_owned(), text: text.to_owned(), config, warnings, environment })
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
        self.file.as_ref().map(ConfigFile::path)
    }

    /// Watches the file on a thread of its own. The appliers are called for each change from now on;
    /// [`LoadedConfig::config`] is in force already.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(self, appliers: Vec<Box<dyn Applier>>) -> io::Result<LiveConfig> {
        let (sender, inbox) = channel();
        let config = Arc::new(self.config);
        let shared = Arc::new(Shared::new(config.clone()));
        let watch = self.file.as_ref().map(|file| {
            file.clean_up();
            let touched = sender.clone();
            Watch::new(file.path().to_owned(), move || {
                // The thread may have ended.
                let _ = touched.send(Message::Touched);
            })
        });
        let actor = ConfigActor {
            file: self.file,
            name: self.name,
            text: self.text,
            unsaved: Change::none(),
            started: config,
            environment: self.environment,
            appliers,
            reported: None,
            shared: shared.clone(),
        };
        std::thread::Builder::new().name("tripline-config".into()).spawn(move || thread::run(actor, &inbox, watch))?;
        Ok(LiveConfig { inner: Arc::new(Inner { sender, shared }) })
    }
}

impl fmt::Debug for LoadedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedConfig").field("name", &self.name).field("config", &self.config).finish_non_exhaustive()
    }
}
