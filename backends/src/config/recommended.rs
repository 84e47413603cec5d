//! The configuration to start from.

use std::time::Duration;

use tripline_runtime::core::Confidence;

use super::keys::{Key, SECTIONS};
use super::model::Config;

/// Columns of a comment.
const WIDTH: usize = 100;

/// The recommended configuration as TOML: every key with what it means, what is allowed and its default. Keys that are
/// not set stand there as comments. It parses without problems and warnings.
pub fn recommended() -> String {
    let config = recommended_config();
    let default = Config::default();
    let mut text = String::from(
        "# Configuration of Tripline. Every key may be left out; it then has its default.\n\
         # A change of it takes effect within two seconds; one of name, memory_source, stall_detection, state_dir,\n\
         # [http] and [log] with the next start.\n",
    );
    for section in &SECTIONS {
        text.push('\n');
        comment(&mut text, section.about);
        if !section.path.is_empty() {
            line(&mut text, &format!("[{}]", section.path));
        }
        for key in section.keys {
            text.push('\n');
            entry(&mut text, key, &config, &default);
        }
    }
    text
}

/// What is recommended where it differs from what an original file without the key means, and why.
fn recommended_config() -> Config {
    let mut config = Config::default();
    // The experiments of `tests/tests/decisions.rs`: with evidence the trend makes no trip truer, only later.
    config.policy.trend_analysis = false;
    // The least confidence at which no more than one of 240 healthy services trips.
    config.policy.trip_confidence = Confidence::new(0.95).unwrap_or_default();
    // The experiments of `tests/tests/recovery.rs`: after a long fault 300 s refuse 145 good calls for each slow one spared.
    config.policy.max_wait_time = Duration::from_secs(60);
    config
}

fn entry(text: &mut String, key: &Key, config: &Config, default: &Config) {
    comment(text, key.about);
    let usual = key.field.show(default).unwrap_or_else(|| "not set".into());
    comment(text, &format!("Default: {usual}. Allowed: {}", key.field));
    match key.field.show(config) {
        Some(value) => line(text, &format!("{} = {value}", key.name)),
        None => line(text, &format!("# {} = {}", key.name, key.example.unwrap_or_else(|| key.field.blank()))),
    }
}

/// Appends `words` as a comment, broken at spaces.
fn comment(text: &mut String, words: &str) {
    let mut column = usize::MAX;
    for word in words.split(' ') {
        let length = word.chars().count() + 1;
        if column.saturating_add(length) > WIDTH {
            if column != usize::MAX {
                text.push('\n');
            }
            text.push('#');
            column = 1;
        }
        text.push(' ');
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
