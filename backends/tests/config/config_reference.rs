//! The configuration reference matches the key table.

use tripline_backends::config::{configuration_reference, key_names};

#[test]
fn the_committed_reference_is_the_one_that_the_key_table_gives() {
    let committed = include_str!("../../docs/configuration.md").replace("\r\n", "\n");
    assert!(
        committed == configuration_reference(),
        "backends/docs/configuration.md is out of date; regenerate it with:\n\
         cargo run -p tripline-backends --example configuration_reference --features config >backends/docs/configuration.md"
    );
}

#[test]
fn every_key_is_in_the_reference_once() {
    let text = configuration_reference();
    for name in key_names() {
        let (section, key) = name.rsplit_once('.').unwrap_or(("", &name));
        let title = if section.is_empty() { "## Top of the file".to_owned() } else { format!("## `[{section}]`") };
        let part = text.split("\n## ").find(|part| part.starts_with(title.trim_start_matches("## ")));
        let rows = part.map_or(0, |part| part.matches(&format!("\n| `{key}` |")).count());
        assert_eq!(rows, 1, "{name}");
    }
}
