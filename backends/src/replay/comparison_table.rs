//! The figures of several settings as the rows of a table, the same on the terminal and on the page.

use std::fmt::Write as _;
use std::time::Duration;

use super::figures::Figures;
use super::human_format::{Clock, count, share, span};

/// A row: what it is, and a cell for each setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its label.
    pub(crate) label: String,
    /// It is a part of the row above it that is none.
    pub(crate) is_part: bool,
    /// One for each setting.
    pub(crate) cells: Vec<String>,
}

/// The outcome of each setting as a table. `clock` formats instants.
pub(crate) fn rows(figures: &[Figures], clock: Clock) -> Vec<Row> {
    let row = |is_part, label: &str, cell: &dyn Fn(&Figures) -> String| Row {
        label: label.into(),
        is_part,
        cells: figures.iter().map(cell).collect(),
    };
    let of = |part: u64, whole: u64| match whole {
        0 => "-".to_owned(),
        _ => format!("{} ({})", count(part), share(part as f64 / whole as f64)),
    };
    let time_of = |part: Duration, f: &Figures| {
        let whole = f.span.as_secs_f64();
        let share_of_it = if whole > 0.0 { part.as_secs_f64() / whole } else { 0.0 };
        format!("{} ({})", span(part), share(share_of_it))
    };
    let mut rows = vec![
        row(false, "trips", &|f| count(f.trips)),
        row(true, "first at", &|f| f.first_trips.first().map_or_else(|| "-".into(), |trip| clock.write(trip.at_nanos))),
    ];
    for reason in reasons(figures) {
        rows.push(row(true, &format!("by {}", reason.replace('_', " ")), &|f| {
            let found = f.reasons.iter().find(|(known, _)| known.as_str() == reason);
            found.map_or_else(|| "-".into(), |&(_, times)| count(times))
        }));
    }
    if figures.iter().any(|f| f.trips_with_stalls > 0) {
        rows.push(row(true, "with calls hanging", &|f| count(f.trips_with_stalls)));
    }
    rows.extend([
        row(false, "recoveries", &|f| count(f.recoveries)),
        row(false, "time open", &|f| time_of(f.open, f)),
        row(true, "of it half-open", &|f| if f.open.is_zero() { "-".into() } else { span(f.half_open) }),
        row(true, "longest outage", &|f| if f.trips == 0 { "-".into() } else { span(f.longest_outage) }),
        row(false, "calls rejected", &|f| of(f.rejected, f.calls())),
        row(true, "would have been fine", &|f| of(f.rejected_fine, f.rejected)),
        row(true, "slow or failed, avoided", &|f| of(f.rejected_bad, f.rejected)),
    ]);
    if figures.iter().any(|f| f.rejected_ignored() > 0) {
        rows.push(row(true, "ignored (client gave up)", &|f| of(f.rejected_ignored(), f.rejected)));
    }
    rows.extend([
        row(false, "calls admitted", &|f| of(f.admitted, f.calls())),
        row(true, "slow or failed", &|f| of(f.admitted_bad, f.admitted)),
    ]);
    rows
}

/// Rows of a label and cells as lines of text: labels on the left, cells on the right of their columns.
pub(crate) fn aligned(rows: &[(String, Vec<String>)]) -> Vec<String> {
    let length = |text: &String| text.chars().count();
    let label_width = rows.iter().map(|(label, _)| length(label)).max().unwrap_or(0);
    let columns = rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let cells_of = |column: usize| rows.iter().filter_map(move |(_, cells)| cells.get(column));
    let widths: Vec<usize> = (0..columns).map(|column| cells_of(column).map(length).max().unwrap_or(0)).collect();
    let line = |(label, cells): &(String, Vec<String>)| {
        let mut line = format!("{label:label_width$}");
        for (cell, &width) in cells.iter().zip(&widths) {
            // A string takes everything.
            let _ = write!(line, "  {cell:>width$}");
        }
        line
    };
    rows.iter().map(line).collect()
}

/// Every reason that some setting tripped for, in the order of the settings.
fn reasons(figures: &[Figures]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (reason, _) in figures.iter().flat_map(|f| &f.reasons) {
        if !found.contains(&reason.as_str()) {
            found.push(reason.as_str());
        }
    }
    found
}
