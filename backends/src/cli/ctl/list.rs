//! The breakers of a server as a table.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::client::{Client, CtlError};
use super::feed;
use super::show::{number, plain};
use super::style::{Line, Style};

/// The field with the rows of breakers.
const BREAKERS: &str = "breakers";
/// The field with the rows of a family's members.
const KEYS: &str = "keys";
/// Number of rows per request.
const PAGE: usize = 1_000;
/// Maximum number of pages. A server that always has another one does not serve this API.
const MAX_PAGES: usize = 100;

/// All breakers of a server, or all members of a family.
#[derive(Debug, Default)]
pub(super) struct List {
    rows: Vec<Value>,
    /// The rows are members.
    is_of_keys: bool,
}

/// One breaker of the list. A field that the server leaves out is unknown.
#[derive(Deserialize)]
struct Row {
    #[serde(alias = "key")]
    name: String,
    state: String,
    triggered: bool,
    trip_reason: Option<String>,
    current_percentile_ms: Option<f64>,
    latency_threshold_ms: Option<f64>,
    since: Option<String>,
    keys: Option<u64>,
    open_keys: Option<u64>,
}

/// Number of columns of the table. The last one is shown only if a breaker is a family.
const COLUMNS: usize = 7;
/// Number of columns of members, which share the threshold of their family.
const KEY_COLUMNS: usize = 4;
const HEAD: [&str; COLUMNS] = ["NAME", "STATE", "REASON", "PERCENTILE", "THRESHOLD", "SINCE", "OPEN KEYS"];

/// Reads all breakers.
pub(super) async fn read(client: &Client) -> Result<List, CtlError> {
    Ok(List { rows: pages(client, "/breakers", BREAKERS).await?, is_of_keys: false })
}

/// Reads the selected breaker, or if it is a family its members, or the selected one of these. Without a selection reads all
/// breakers.
pub(super) async fn read_selected(client: &Client) -> Result<List, CtlError> {
    let mut list = read(client).await?;
    let Some(name) = client.breaker() else { return Ok(list) };
    // Reports a name or a key that does not exist.
    feed::status(client).await?;
    list.rows.retain(|row| row.get("name").is_some_and(|other| other == name));
    if list.rows.iter().any(|row| row.get("keys").is_some_and(Value::is_number)) {
        list = List { rows: pages(client, &format!("/breakers/{name}/keys"), KEYS).await?, is_of_keys: true };
        list.rows.retain(|row| client.key().is_none_or(|key| row.get("key").is_some_and(|other| other == key)));
    }
    Ok(list)
}

/// Reads the rows of all pages at `path`, which are in `field`.
async fn pages(client: &Client, path: &str, field: &str) -> Result<Vec<Value>, CtlError> {
    let unexpected = || CtlError::Unexpected { path: path.to_owned() };
    let mut rows = Vec::new();
    let mut page = format!("{path}?limit={PAGE}");
    for _ in 0..MAX_PAGES {
        let mut body = client.get(&page).await?.body;
        match body.get_mut(field).map(Value::take) {
            Some(Value::Array(more)) => rows.extend(more),
            _ => return Err(unexpected()),
        }
        match body.get("next").and_then(Value::as_str) {
            // A key may have any characters.
            Some(next) => {
                let next: String = byte_serialize(next.as_bytes()).collect();
                page = format!("{path}?limit={PAGE}&after={next}");
            }
            None => return Ok(rows),
        }
    }
    Err(unexpected())
}

impl List {
    pub(super) fn is_several(&self) -> bool {
        self.rows.len() > 1
    }

    pub(super) fn any_open(&self) -> bool {
        self.rows.iter().any(is_open)
    }

    /// The list as received from the server, with all pages in one.
    pub(super) fn json(&self, only_open: bool) -> String {
        let rows: Vec<&Value> = self.rows.iter().filter(|row| !only_open || is_open(row)).collect();
        json!({ (if self.is_of_keys { KEYS } else { BREAKERS }): rows }).to_string()
    }

    /// The table as text.
    pub(super) fn table(&self, only_open: bool) -> String {
        let rows = self.rows().filter(|row| !only_open || row.triggered);
        let lines = self.lines_of(rows).into_iter().map(|(_, line)| line);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The table for a terminal with room for `height` lines, breakers that are not closed first.
    pub(super) fn lines(&self, height: usize) -> Vec<Line> {
        let mut rows: Vec<Row> = self.rows().collect();
        // The sort is stable: breakers with the same state keep the order of the configuration.
        rows.sort_by_key(|row| rank(&row.state));
        let hidden = if rows.len() + 1 > height { rows.len() + 2 - height.max(2) } else { 0 };
        rows.truncate(rows.len() - hidden);
        let lines = self.lines_of(rows.into_iter()).into_iter().map(|(style, line)| Line::default().with(style, line));
        let rest = (hidden > 0).then(|| Line::default().with(Style::Quiet, format!("and {hidden} more")));
        lines.chain(rest).collect()
    }

    /// The list on one line, for logs.
    pub(super) fn short(&self) -> String {
        let (count, mut open) = (self.rows.len(), self.rows().filter(|row| row.triggered).peekable());
        if open.peek().is_none() {
            return format!("{count} breakers, none open");
        }
        let open: Vec<String> = open.map(|row| row.short()).collect();
        format!("{count} breakers, {} open: {}", open.len(), open.join(", "))
    }

    /// One line for each breaker whose state or reason differs from `before`, or that was added or removed.
    pub(super) fn changes(&self, before: &Self) -> Vec<String> {
        let old: BTreeMap<String, Row> = before.rows().map(|row| (row.name.clone(), row)).collect();
        let new: BTreeMap<String, Row> = self.rows().map(|row| (row.name.clone(), row)).collect();
        let differs = |row: &&Row| old.get(&row.name).is_none_or(|before| before.short() != row.short());
        let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("{} removed", plain(name)));
        new.values().filter(differs).map(Row::short).chain(gone).collect()
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().filter_map(|row| Row::deserialize(row).ok())
    }

    /// The header and a line for each of `rows`, in columns.
    fn lines_of(&self, rows: impl Iterator<Item = Row>) -> Vec<(Style, String)> {
        let mut head = HEAD;
        let [first, ..] = &mut head;
        if self.is_of_keys {
            *first = "KEY";
        }
        let head = (Style::Quiet, head.map(str::to_owned));
        let all: Vec<(Style, [String; COLUMNS])> =
            std::iter::once(head).chain(rows.map(|row| (row.style(), row.cells()))).collect();
        let cells = |column: usize| all.iter().skip(1).filter_map(move |(_, cells)| cells.get(column));
        let columns = match cells(COLUMNS - 1).any(|cell| cell != UNKNOWN) {
            _ if self.is_of_keys => KEY_COLUMNS,
            true => COLUMNS,
            false => COLUMNS - 1,
        };
        let width = |column: usize| {
            all.iter().filter_map(|(_, cells)| cells.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..COLUMNS).map(|column| width(column).unwrap_or(0)).collect();
        let lines = all.iter().map(|(style, cells)| {
            let cells = cells.iter().zip(&widths).take(columns).map(|(cell, width)| format!("{cell:width$}"));
            (*style, cells.collect::<Vec<_>>().join("  ").trim_end().to_owned())
        });
        lines.collect()
    }
}

/// The text for an unknown value, and for one that does not apply.
const UNKNOWN: &str = "-";

/// The rank of a state; the worst one comes first.
fn rank(state: &str) -> usize {
    ["open", "forced_open", "half_open", "disabled"].iter().position(|worst| *worst == state).unwrap_or(4)
}

fn words(text: &str) -> String {
    plain(&text.replace('_', " "))
}

impl Row {
    fn cells(self) -> [String; COLUMNS] {
        let unknown = || UNKNOWN.to_owned();
        let millis = |value: Option<f64>| value.map_or_else(unknown, |value| format!("{} ms", number(value)));
        let keys = self.keys.map_or_else(unknown, |keys| format!("{} of {keys}", self.open_keys.unwrap_or(0)));
        [
            plain(&self.name),
            words(&self.state),
            self.reason().map_or_else(unknown, words),
            millis(self.current_percentile_ms),
            millis(self.latency_threshold_ms),
            self.since.as_deref().map_or_else(unknown, plain),
            keys,
        ]
    }

    fn reason(&self) -> Option<&str> {
        self.trip_reason.as_deref().filter(|_| self.triggered)
    }

    fn short(&self) -> String {
        let reason = self.reason().map_or_else(String::new, |reason| format!(" ({})", words(reason)));
        format!("{} {}{reason}", plain(&self.name), words(&self.state))
    }

    fn style(&self) -> Style {
        match rank(&self.state) {
            0 | 1 => Style::Bad,
            2 | 3 => Style::Warning,
            _ => Style::Plain,
        }
    }
}

fn is_open(row: &Value) -> bool {
    row.get("triggered").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn list(rows: &[(&str, &str)]) -> List {
        let row = |(name, state): &(&str, &str)| json!({"name": name, "state": state, "triggered": state.contains("open"), "trip_reason": "latency"});
        List { rows: rows.iter().map(row).collect(), is_of_keys: false }
    }

    fn lines(list: &List, height: usize) -> Vec<String> {
        list.lines(height).iter().map(|line| line.render(100, false)).collect()
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_worst_is_shown() {
        let all = list(&[("a", "closed"), ("b", "disabled"), ("c", "open"), ("d", "half_open")]);
        let names = |height| {
            let first = |line: &String| line.split_whitespace().next().unwrap().to_owned();
            lines(&all, height).iter().map(first).collect::<Vec<_>>()
        };
        assert_eq!(names(9), ["NAME", "c", "d", "b", "a"]);
        assert_eq!(names(5), ["NAME", "c", "d", "b", "a"]);
        assert_eq!(names(4), ["NAME", "c", "d", "and"]);
        assert_eq!(lines(&all, 4).last().unwrap(), "and 2 more");
        for height in 0..3 {
            assert_eq!(names(height), ["NAME", "and"], "{height}");
        }
    }

    #[test]
    fn keys_have_a_column_where_there_is_a_family() {
        let mut all = list(&[("a", "closed"), ("b", "closed")]);
        assert!(!all.table(false).contains("KEYS"));
        all.rows[1]["keys"] = json!(430);
        all.rows[1]["open_keys"] = json!(3);
        assert!(all.table(false).lines().last().unwrap().ends_with("3 of 430"), "{}", all.table(false));
    }

    #[test]
    fn keys_of_a_family_are_a_table_without_what_they_share() {
        let row = |key: &str| json!({"key": key, "state": "open", "triggered": true, "trip_reason": "latency"});
        let list = List { rows: vec![row("*"), row("a,b")], is_of_keys: true };
        let lines: Vec<String> = list.table(true).lines().map(str::to_owned).collect();
        assert_eq!(lines, ["KEY  STATE  REASON   PERCENTILE", "*    open   latency  -", "a,b  open   latency  -"]);
        assert!(list.json(true).starts_with("{\"keys\":["), "{}", list.json(true));
    }

    #[test]
    fn changes_are_those_of_state_and_reason() {
        let before = list(&[("a", "closed"), ("b", "open"), ("c", "closed")]);
        let now = list(&[("a", "closed"), ("b", "half_open"), ("d", "open")]);
        assert_eq!(now.changes(&before), ["b half open (latency)", "d open (latency)", "c removed"]);
        assert!(now.changes(&now).is_empty());
        assert_eq!(before.short(), "3 breakers, 1 open: b open (latency)");
        assert_eq!(list(&[("a", "closed")]).short(), "1 breakers, none open");
    }
}
