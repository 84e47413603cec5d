//! The configuration reference, from the key table.

use std::fmt::Write as _;

use super::keys::{FAMILY, Key, ROUTE_SECTIONS, SECTIONS, Section, UPSTREAM_SECTIONS, alert_keys, join};
use super::model::Config;
use super::proxy::{Route, Upstream};
use super::value::Shape;

const HEAD: &str = "\
# Configuration reference

<!-- Generated from the key table. Change the table, then run:
cargo run -p tripline-backends --example configuration_reference > backends/docs/configuration.md -->

Tripline reads one TOML file: `--config FILE`, else `breakers.toml` in the working directory, else the recommended
configuration. `tripline init` writes the recommended file, `tripline check FILE` reports every problem of a file at once.

- Every key may be left out and then has its default.
- An unknown key is reported: `tripline check` exits with 1 (`--lenient` does not), `tripline serve` warns and starts.
- The keys at the top of the file may also stand in a table `[circuit_breaker]`.
- A file without any text is an error; a file of comments means the defaults.
- An edit of the file takes effect within two seconds. A text with a problem changes nothing: the problem is logged and shown
  in the status. A key marked *restart* takes effect with the next start.
- Every key that is neither marked *restart* nor *secret* can be read and set while the process runs: `GET` and
  `POST /breaker/settings` exchange one JSON object of keys and values, all or nothing, `?describe=1` adds types, ranges and
  defaults; `tripline ctl get KEY` and `tripline ctl set KEY VALUE` do the same. Changes are saved in the file with its
  comments and order kept.
- A secret is never shown: not in the API, the log, `ctl` or debug output.
- `[breakers.NAME]` makes a breaker of its own; see [Many named breakers](breakers.md). Its keys are those of the top of the file but
  `name` and `state_dir`, and `inherit`, the name of a `[templates.NAME]`. What it does not set it inherits. `[breakers.NAME.alerts]` has
  `enabled`, `per_key` (incidents and alerts for each member of a family; *restart*) and these keys of `[opsgenie]`: ALERT_KEYS.
  `tripline check --resolved FILE` prints every breaker's settings and where each comes from.

";

const FAMILY_HEAD: &str = "\
## `[breakers.NAME]` with a `key`: a family

A breaker for each key; see [Many named breakers](breakers.md). These keys stand only here and in `[templates.NAME]`, and are changed in
the file. The largest `latency_window_size` is 64: a member takes 2.5 KiB at most.

| key | allowed | default | flags | meaning |
|---|---|---|---|---|
";

/// The configuration reference as Markdown: each key with its type, what is allowed, default, recommendation and meaning.
pub fn configuration_reference() -> String {
    let default = Config::default();
    let inherited = alert_keys().filter(|alert| alert.is_inherited).map(|alert| format!("`{}`", alert.key.name));
    let mut text = HEAD.replace("ALERT_KEYS", &inherited.collect::<Vec<_>>().join(", "));
    for section in &SECTIONS {
        let title =
            if section.path.is_empty() { "Top of the file".to_owned() } else { format!("`[{}]`", section.path) };
        part(&mut text, &title, section, &default);
    }
    let upstream = Upstream::named("NAME");
    for section in &UPSTREAM_SECTIONS {
        part(
            &mut text,
            &format!("`[{}]`", join("upstreams.NAME", section.path).trim_end_matches('.')),
            section,
            &upstream,
        );
    }
    let route = Route::default();
    for section in &ROUTE_SECTIONS {
        let title =
            if section.path.is_empty() { "`[[routes]]`".to_owned() } else { format!("`[routes.{}]`", section.path) };
        part(&mut text, &title, section, &route);
    }
    text.push_str(FAMILY_HEAD);
    for key in &FAMILY {
        row(&mut text, key, &default);
    }
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

/// One section with its table.
fn part<T>(text: &mut String, title: &str, section: &Section<T>, default: &T) {
    // Writing to a string does not fail.
    let _ = write!(text, "## {title}\n\n{}\n\n", section.about);
    text.push_str("| key | allowed | default | flags | meaning |\n|---|---|---|---|---|\n");
    for key in section.keys {
        row(text, key, default);
    }
    text.push('\n');
    for key in section.keys {
        if let Some(recommended) = &key.recommended {
            let name = join(section.path, key.name);
            let _ = writeln!(text, "- `{name} = {}` is recommended. {}", recommended.value, recommended.reason);
        }
    }
    if section.keys.iter().any(|key| key.recommended.is_some()) {
        text.push('\n');
    }
}

fn row<T>(text: &mut String, key: &Key<T>, default: &T) {
    let default = key.field.show(default).map_or_else(|| "not set".into(), |value| format!("`{value}`"));
    let mut flags = Vec::new();
    if key.restart_required {
        flags.push("restart");
    }
    if key.is_sensitive() {
        flags.push("secret");
    }
    let allowed = match key.field.shape() {
        Shape::Word(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        _ => key.field.to_string(),
    };
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "| `{}` | {} | {default} | {} | {} |",
        key.name,
        cell(&allowed),
        flags.join(", "),
        cell(key.about)
    );
}

/// `words` in a cell of a table.
fn cell(words: &str) -> String {
    words.replace('|', "\\|").replace('<', "&lt;")
}
