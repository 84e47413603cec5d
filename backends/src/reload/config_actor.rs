//! The actor that reads, changes and applies the configuration, one change after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tripline_runtime::core::planted::planted;

use super::applier::Applier;
use super::edit::edit;
use super::outcome::{Applied, ChangeError};
use super::shared::Shared;
use super::store::{ConfigStore, Unsaved};
use crate::config::{
    Change, Config, ConfigErrors, Difference, EMPTY, Warning, apply_environment, differences, is_blank, parse,
};

/// Looks up a variable of the environment, as [`process_variable`](crate::config::process_variable) does.
pub type Environment = Box<dyn Fn(&str) -> Option<String> + Send>;

pub(super) struct ConfigActor {
    pub(super) store: Option<Box<dyn ConfigStore>>,
    /// The name of the text in problems.
    pub(super) name: String,
    /// The last good text of the file, or the one that stands in for a file.
    pub(super) text: String,
    /// The change that is in force and not in the file.
    pub(super) unsaved: Change,
    /// The configuration at the start of the process.
    pub(super) started: Arc<Config>,
    pub(super) environment: Environment,
    pub(super) appliers: Vec<Box<dyn Applier>>,
    /// The problem with the file that was reported last.
    pub(super) reported: Option<String>,
    pub(super) shared: Arc<Shared>,
}

/// The author of a reload, for the log.
const THE_FILE: &str = "the file";

impl ConfigActor {
    /// Changes some keys: in the file, where possible, and in what is running.
    pub(super) fn change(&mut self, change: Change, who: &str) -> Result<Applied, ChangeError> {
        let keys = change.keys();
        // A change that could not be saved before may be saved now.
        let wanted = self.unsaved.clone().and(change);
        let saved = match &self.store {
            None => Err(Unsaved::NotWritable("there is no configuration file".into())),
            Some(store) => store.rewrite(&self.text, &|base| self.edited(base, &wanted)),
        };
        let by = |key: &str| if keys.iter().any(|changed| changed == key) { who } else { THE_FILE };
        match saved {
            Ok(text) => {
                let (config, _) = self.read(&text).map_err(ChangeError::File)?;
                self.text = text;
                self.unsaved = Change::none();
                self.apply(config, by, true);
                self.clear_error();
                self.note_unsaved("");
                Ok(Applied { saved: true, reason: None })
            }
            Err(Unsaved::NotWritable(reason)) => {
                let text = self.edited(&self.text, &wanted).map_err(change_error)?;
                let (config, _) = self.read(&text).map_err(ChangeError::Conflict)?;
                self.unsaved = wanted;
                self.apply(config, by, false);
                self.note_unsaved(&reason);
                Ok(Applied::unsaved(reason))
            }
            Err(unsaved) => Err(change_error(unsaved)),
        }
    }

    /// Reads the file, and applies its text where that is another one. Whether one came into force.
    pub(super) fn check(&mut self) -> bool {
        let Some(store) = &self.store else { return false };
        let problems = match store.read() {
            Ok(text) if text == self.text || planted("reload: an edit is not seen") => {
                self.clear_error();
                return false;
            }
            // The first step of writing a file in place, and hardly ever intended.
            Ok(text) if is_blank(&text) => self.problem(EMPTY),
            Ok(text) => match self.reload(text) {
                Ok(()) => return true,
                Err(errors) => errors,
            },
            Err(words) => self.problem(&words),
        };
        self.report_invalid(&problems);
        false
    }

    /// Lets all read again what the configuration in force names.
    pub(super) fn refresh(&mut self) {
        let config = self.shared.config();
        for applier in &mut self.appliers {
            if catch_unwind(AssertUnwindSafe(|| applier.refresh(&config))).is_err() {
                tracing::error!("not everything was read again: an applier panicked");
            }
        }
    }

    fn problem(&self, words: &str) -> ConfigErrors {
        ConfigErrors::with_file(&self.name, words)
    }

    fn reload(&mut self, text: String) -> Result<(), ConfigErrors> {
        let (new, warnings) = parse(&text, &self.name)?;
        // A change that is not in the file stays, except for the keys that the file now sets anew.
        let mut unsaved = self.unsaved.clone();
        if let Ok((old, _)) = parse(&self.text, &self.name) {
            let changed = differences(&old, &new);
            // Nor for a breaker that it adds or removes, which is one difference of all its keys.
            let is_of = |key: &str, changed: &str| key.strip_prefix(changed).is_some_and(|rest| rest.starts_with('.'));
            unsaved.retain(|key| changed.iter().all(|now| now.key != key && !is_of(key, &now.key)));
        }
        let effective = self.edited(&text, &unsaved).unwrap_or_else(|_| {
            // They no longer fit together: the file is the later of the two.
            unsaved = Change::none();
            text.clone()
        });
        let (config, _) = self.read(&effective)?;
        self.text = text;
        self.unsaved = unsaved;
        // Relaxed: a statistic.
        self.shared.reloads.fetch_add(1, Ordering::Relaxed);
        tracing::info!(file = %self.name, "the configuration file has changed and is in force");
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        self.apply(config, |_| THE_FILE, true);
        self.clear_error();
        if self.unsaved.is_empty() {
            self.note_unsaved("");
        }
        Ok(())
    }

    /// `base` with `change`, if both are valid.
    fn edited(&self, base: &str, change: &Change) -> Result<String, Unsaved> {
        parse(base, &self.name).map_err(Unsaved::Bad)?;
        let no_toml = |error| ConfigErrors::with_file(&self.name, format!("cannot be edited: {error}"));
        let text = edit(base, change).map_err(|error| Unsaved::Bad(no_toml(error)))?;
        parse(&text, &self.name).map_err(Unsaved::Conflict)?;
        Ok(text)
    }

    /// The configuration of `text`, with the environment laid over it.
    fn read(&self, text: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        let (mut config, mut warnings) = parse(text, &self.name)?;
        warnings.extend(apply_environment(&mut config, &self.environment)?);
        Ok((config, warnings))
    }

    fn apply<'w>(&mut self, config: Config, by: impl Fn(&str) -> &'w str, saved: bool) {
        let old = self.shared.config();
        for difference in differences(&old, &config) {
            let (key, old, new) = (difference.key.as_str(), &difference.old, &difference.new);
            tracing::info!(key, %old, %new, by = by(key), saved, "setting changed");
        }
        self.note_restart(&old, &config);
        let left_out = usize::from(planted("reload: the last breaker keeps its settings"));
        let count = self.appliers.len().saturating_sub(left_out);
        for applier in self.appliers.iter_mut().take(count) {
            // A panic must not end the other appliers and the thread.
            if catch_unwind(AssertUnwindSafe(|| applier.apply(&old, &config))).is_err() {
                tracing::error!(
                    "the changed configuration was not applied everywhere because an applier panicked; restart the process to apply it"
                );
            }
        }
        self.shared.set_config(config);
    }

    /// Reports the problems of the file: once in the log, and in the status until the file is valid.
    fn report_invalid(&mut self, errors: &ConfigErrors) {
        let words = errors.to_string();
        if self.reported.as_ref() != Some(&words) {
            // Relaxed: a statistic.
            self.shared.reload_errors.fetch_add(1, Ordering::Relaxed);
            for problem in errors.problems() {
                tracing::error!("{problem}");
            }
            for warning in errors.warnings() {
                tracing::warn!("{warning}");
            }
            tracing::error!(file = %self.name, "the changed configuration file is not used; the running configuration stays");
            self.reported = Some(words.clone());
        }
        if !planted("reload: a bad edit is not reported") {
            self.shared.note(|notes| notes.file = Some(words));
        }
    }

    fn clear_error(&mut self) {
        if self.reported.take().is_some() {
            tracing::info!(file = %self.name, "the configuration file is valid again");
        }
        self.shared.note(|notes| notes.file = None);
    }

    /// Reports what the process must be restarted for: in the log when it changes, and in the status until it is as at the start.
    fn note_restart(&self, old: &Config, config: &Config) {
        let changed = differences(old, config);
        let mut pending = Vec::new();
        for difference in differences(&self.started, config).into_iter().filter(|now| now.restart_required) {
            let Difference { key, old, new, .. } = difference;
            if changed.iter().any(|now| now.key == key) {
                tracing::warn!(key, %old, %new, "the changed setting takes effect after a restart");
            }
            pending.push(format!("{key} = {new} (in force: {old})"));
        }
        let words = format!("takes effect after a restart of the process: {}", pending.join(", "));
        self.shared.note(|notes| notes.restart = (!pending.is_empty()).then_some(words));
    }

    fn note_unsaved(&self, reason: &str) {
        let keys = self.unsaved.keys().join(", ");
        let is_reported = !keys.is_empty() && !planted("reload: a change that is not saved is not reported");
        let words = is_reported.then(|| format!("changed and not saved: {keys}: {reason}"));
        self.shared.note(|notes| notes.unsaved = words);
    }
}

fn change_error(unsaved: Unsaved) -> ChangeError {
    match unsaved {
        Unsaved::Bad(errors) => ChangeError::File(errors),
        Unsaved::Conflict(errors) => ChangeError::Conflict(errors),
        Unsaved::Busy | Unsaved::NotWritable(_) => ChangeError::Busy,
    }
}
