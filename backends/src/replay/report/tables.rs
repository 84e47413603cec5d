//! The tables of the page. They are there without any script.

use std::io::{self, Write};

use super::escape::Escaped;
use super::model::Report;
use crate::replay::comparison_table::rows;
use crate::replay::figures::Trip;
use crate::replay::human_format::{Clock, count};

/// The outcome of each setting: a row for each figure, a column for each setting.
pub(super) fn figures(report: &Report, clock: Clock, output: &mut impl Write) -> io::Result<()> {
    header(report, output)?;
    for row in rows(&report.figures, clock) {
        let class = if row.is_part { " class=\"part\"" } else { "" };
        write!(output, "<tr{class}><th scope=\"row\">{}</th>", Escaped(&row.label))?;
        for cell in &row.cells {
            write!(output, "<td>{}</td>", Escaped(cell))?;
        }
        writeln!(output, "</tr>")?;
    }
    writeln!(output, "</tbody></table>")
}

fn header(report: &Report, output: &mut impl Write) -> io::Result<()> {
    writeln!(output, "<table><thead><tr><td></td>")?;
    for setting in &report.settings {
        write!(output, "<th scope=\"col\">{}</th>", Escaped(&setting.name))?;
    }
    writeln!(output, "</tr></thead><tbody>")
}

/// Every trip that is listed one by one.
pub(super) fn trips(report: &Report, clock: Clock, output: &mut impl Write) -> io::Result<()> {
    let several = report.settings.len() > 1;
    if report.figures.iter().all(|figures| figures.trips == 0) {
        return writeln!(output, "<p class=\"dim\">There was none.</p>");
    }
    let setting = if several { "<th scope=\"col\">Setting</th>" } else { "" };
    writeln!(
        output,
        "<table class=\"list\"><thead><tr>{setting}<th scope=\"col\">When</th><th scope=\"col\">Why</th>"
    )?;
    writeln!(output, "<th scope=\"col\" class=\"number\">Record, counted from 0</th></tr></thead><tbody>")?;
    for (setting, figures) in report.settings.iter().zip(&report.figures) {
        for trip in &figures.first_trips {
            write!(output, "<tr>")?;
            if several {
                write!(output, "<td>{}</td>", Escaped(&setting.name))?;
            }
            let (at, index) = (clock.write(trip.at_nanos), count(trip.index));
            let why = why(trip);
            let why = Escaped(&why);
            writeln!(output, "<td>{at}</td><td>{why}</td><td class=\"number\">{index}</td></tr>")?;
        }
        let more = figures.trips - figures.first_trips.len() as u64;
        if more > 0 {
            let name = Escaped(&setting.name);
            writeln!(output, "<tr><td colspan=\"4\">{name}: and {} more</td></tr>", count(more))?;
        }
    }
    writeln!(output, "</tbody></table>")
}

/// Why it tripped, with the evidence.
pub(super) fn why(trip: &Trip) -> String {
    trip.why.map_or_else(|| trip.reason.as_str().replace('_', " "), |why| why.to_string())
}

/// The settings themselves, those that differ first.
pub(super) fn settings(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let Some((first, others)) = report.settings.split_first() else { return Ok(()) };
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in report.settings.iter().flat_map(|setting| &setting.values) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let value = |setting: &crate::replay::Setting, key: &str| {
        setting.values.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    };
    let differs = |key: &str| others.iter().any(|other| value(other, key) != value(first, key));
    keys.sort_by_key(|key| !differs(key));
    header(report, output)?;
    for key in keys {
        let class = if differs(key) { " class=\"differs\"" } else { "" };
        write!(output, "<tr{class}><th scope=\"row\">{}</th>", Escaped(key))?;
        for setting in &report.settings {
            write!(output, "<td>{}</td>", Escaped(&value(setting, key).unwrap_or_else(|| "not set".into())))?;
        }
        writeln!(output, "</tr>")?;
    }
    writeln!(output, "</tbody></table>")
}
