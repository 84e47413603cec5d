//! The configuration to start from.

use super::keys::{Key, SECTIONS};
use super::model::Config;

/// Columns of a comment.
const WIDTH: usize = 100;

/// The recommended configuration as TOML: every key with what it means, what is allowed and its default. Keys that are
/// not set stand there as comments. It parses without problems and warnings.
pub fn recommended() -> String {
    let config = Config::default();
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
            entry(&mut text, key, &config);
        }
    }
    text
}

/// Why a key is as it is recommended, found by the experiments of `tests/tests/{decisions,recovery}.rs`.
fn why(key: &str) -> Option<&'static str> {
    Some(match key {
        "trend_analysis_enabled" => {
            "Recommended: off. With trip_confidence it delays trips without making them more accurate."
        }
        "trip_confidence" => {
            "Recommended: 0.995. In the experiments lower values trip no sooner, since evidence must last; 0 trips most of the \
             healthy services."
        }
        "max_wait_time" => {
            "Recommended: 60. After a long fault, 300 rejects about 150 good calls for each slow one that it spares."
        }
        _ => return None,
    })
}

fn entry(text: &mut String, key: &Key, config: &Config) {
    comment(text, key.about);
    let usual = key.field.show(config).unwrap_or_else(|| "not set".into());
    comment(text, &format!("Default: {usual}. Allowed: {}", key.field));
    if let Some(why) = why(key.name) {
        comment(text, why);
    }
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
