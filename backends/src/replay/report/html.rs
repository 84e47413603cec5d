//! The report: one HTML page with everything in it.

use std::io::{self, Write};
use std::time::Duration;

use super::escape::Escaped;
use super::model::Report;
use super::{data, tables};
use crate::replay::figures::Figures;
use crate::replay::human_format::{Clock, count, counted, on_one_line, share, span, times};

const TEMPLATE: &str = include_str!("page.html");
/// What every page of [`Report::write_html`] begins with, so that it is distinguished from other files.
pub const BEGINNING: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                                    <meta name=\"generator\" content=\"Tripline\">\n";
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page of `report`, with what belongs there in place of each `{{name}}` of the template.
fn write(report: &Report, source: &str, output: &mut impl Write) -> io::Result<()> {
    let clock = Clock::of(report.from);
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        output.write_all(before.as_bytes())?;
        match name {
            "style" => output.write_all(STYLE.as_bytes())?,
            "script" => output.write_all(SCRIPT.as_bytes())?,
            "source" => write!(output, "{}", Escaped(source))?,
            "headline" => write!(output, "{}", Escaped(&headline(report)))?,
            "recording" => write!(output, "{}", Escaped(&recording(report, clock)))?,
            "data" => data::write(report, output)?,
            "figures" => tables::figures(report, clock, output)?,
            "trips" => tables::trips(report, clock, output)?,
            "settings" => tables::settings(report, output)?,
            _ => {}
        }
        rest = after;
    }
    output.write_all(rest.as_bytes())
}

/// The outcome, in a sentence.
fn headline(report: &Report) -> String {
    if report.records == 0 {
        return "There are no records in this recording.".into();
    }
    match (report.settings.as_slice(), report.figures.as_slice()) {
        ([_], [figures]) if figures.trips == 0 => {
            format!("The breaker would never have tripped in {}.", span(figures.span))
        }
        ([_], [figures]) => {
            let rejected = match figures.rejected {
                0 => "no call rejected".into(),
                calls => format!(
                    "{} rejected, of which {} would have been fine",
                    counted(calls, "call", "calls"),
                    count(figures.rejected_fine)
                ),
            };
            format!(
                "The breaker would have tripped {} in {}: out for {} ({}), {rejected}.",
                times(figures.trips),
                span(figures.span),
                span(figures.open),
                share(figures.open_share()),
            )
        }
        (settings, figures) => {
            let each: Vec<_> = settings
                .iter()
                .zip(figures)
                .enumerate()
                .map(|(i, (setting, figures))| {
                    let verb = if i == 0 { " would have tripped" } else { "" };
                    format!("{}{verb} {}", on_one_line(&setting.name), times(figures.trips))
                })
                .collect();
            let (last, others) = each.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
            format!(
                "In {}, {} and {last}.",
                span(figures.first().map_or(Duration::ZERO, |f| f.span)),
                others.join(", ")
            )
        }
    }
}

/// The recording, in a sentence.
fn recording(report: &Report, clock: Clock) -> String {
    let calls = report.figures.first().map_or(0, Figures::calls);
    if report.records == 0 {
        return String::new();
    }
    let readings = if calls == 0 { ", only readings of memory" } else { "" };
    let (from, to) = (clock.write(report.from), clock.write(report.to));
    let mut text = format!("{}{readings}, from {from} to {to}", counted(calls, "call", "calls"));
    for note in report.usage.notes() {
        text.push_str("; ");
        text.push_str(&note);
    }
    text
}

impl Report {
    /// Writes one HTML page that needs no other file. `source` names the recording. The same recording and settings
    /// give the same bytes.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write_html(&self, source: &str, output: &mut impl Write) -> io::Result<()> {
        write(self, source, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_recognised_by_its_beginning() {
        assert!(TEMPLATE.starts_with(BEGINNING));
    }
}
