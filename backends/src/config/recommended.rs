//! The configuration to start from.

use super::keys::{Key, Recommended, SECTIONS, entries};
use super::model::Config;

/// Columns of a comment.
const WIDTH: usize = 100;

/// The recommended configuration, which is the default one, as TOML: every key with its meaning, what is allowed and its default. Keys that are not
/// set are written as comments. The text parses without problems and warnings.
pub fn recommended() -> String {
    let config = Config::default();
    let fixed: Vec<String> = entries().filter(|e| e.key.restart_required).map(|e| e.path()).collect();
    let mut text = String::from("# Configuration of Tripline. Every key may be left out; it then has its default.\n");
    let effect = "A change of it takes effect within two seconds, but for these keys, which need a restart:";
    comment(&mut text, &format!("{effect} {}.", fixed.join(", ")));
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

fn entry(text: &mut String, key: &Key<Config>, config: &Config) {
    comment(text, key.about);
    let default = key.field.show(config).unwrap_or_else(|| "not set".into());
    comment(text, &format!("Default: {default}. Allowed: {}", key.field));
    if let Some(Recommended { value, reason }) = &key.recommended {
        comment(text, &format!("Recommended: {value}. {reason}"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn each_recommended_value_is_allowed_and_stands_in_the_text() {
        let (config, warnings) = parse(&recommended(), "recommended").unwrap_or_default();
        assert_eq!((config, warnings), (Config::default(), Vec::new()));
        for entry in entries() {
            let Some(recommended) = &entry.key.recommended else { continue };
            let path = entry.path();
            // A key that is left out where it has its default shows it when it is described.
            let shown = entry.key.field.show(&Config::default());
            assert!(shown.as_deref().is_none_or(|shown| shown == recommended.value), "{path}: {shown:?}");
        }
    }

    #[test]
    fn a_key_without_a_value_reads_as_not_set() {
        for entry in entries() {
            let Some(unset) = entry.key.unset else { continue };
            let mut config = Config::default();
            unset(&mut config);
            assert_eq!(entry.key.field.value(&config), None, "{}", entry.path());
        }
    }
}
