//! The breakers of a server as a table.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, CtlError};
use super::show::{number, plain};

/// Breakers of one request.
const PAGE: usize = 1_000;
/// Pages that are read; a server that always has a next one is none of ours.
const MAX_PAGES: usize = 100;

/// All breakers of a server.
pub(super) struct List {
    rows: Vec<Value>,
}

/// One breaker, as the list says it. What a server leaves out is unknown.
#[derive(Deserialize)]
struct Row {
    name: String,
    state: String,
    triggered: bool,
    trip_reason: Option<String>,
    current_percentile_ms: Option<f64>,
    latency_threshold_ms: Option<f64>,
    since: Option<String>,
}

/// Reads all pages.
pub(super) async fn read(client: &Client) -> Result<List, CtlError> {
    const PATH: &str = "/breakers";
    let unexpected = || CtlError::Unexpected { path: PATH.to_owned() };
    let mut rows = Vec::new();
    let mut path = format!("{PATH}?limit={PAGE}");
    for _ in 0..MAX_PAGES {
        let mut body = client.get(&path).await?.body;
        match body.get_mut("breakers").map(Value::take) {
            Some(Value::Array(page)) => rows.extend(page),
            _ => return Err(unexpected()),
        }
        match body.get("next").and_then(Value::as_str) {
            // A name's characters need no encoding in a query.
            Some(next) => path = format!("{PATH}?limit={PAGE}&after={next}"),
            None => return Ok(List { rows }),
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

    /// As the server gave it, all pages in one.
    pub(super) fn json(&self, only_open: bool) -> String {
        let rows: Vec<&Value> = self.rows.iter().filter(|row| !only_open || is_open(row)).collect();
        json!({ "breakers": rows }).to_string()
    }

    /// For people.
    pub(super) fn table(&self, only_open: bool) -> String {
        let head = ["NAME", "STATE", "REASON", "PERCENTILE", "THRESHOLD", "SINCE"].map(str::to_owned);
        let rows = self.rows.iter().filter(|row| !only_open || is_open(row));
        let cells = rows.filter_map(|row| Row::deserialize(row).ok()).map(Row::cells);
        let all: Vec<[String; 6]> = std::iter::once(head).chain(cells).collect();
        let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
        let lines = all.iter().map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Row {
    fn cells(self) -> [String; 6] {
        let unknown = || "-".to_owned();
        let millis = |value: Option<f64>| value.map_or_else(unknown, |value| format!("{} ms", number(value)));
        let words = |text: &str| plain(&text.replace('_', " "));
        [
            plain(&self.name),
            words(&self.state),
            self.trip_reason.as_deref().filter(|_| self.triggered).map_or_else(unknown, words),
            millis(self.current_percentile_ms),
            millis(self.latency_threshold_ms),
            self.since.as_deref().map_or_else(unknown, plain),
        ]
    }
}

fn is_open(row: &Value) -> bool {
    row.get("triggered").and_then(Value::as_bool) == Some(true)
}
