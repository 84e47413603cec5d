//! The report: one HTML page with everything in it.

mod data;
mod tables;

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::time::Duration;

use super::chart::Drawing;
use super::words::{Clock, count, counted, on_one_line, share, span, times};

const TEMPLATE: &str = include_str!("page.html");
/// What every page of [`Drawing::write_html`] begins with, so that it can be told from other files.
pub const BEGINNING: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                                    <meta name=\"generator\" content=\"Tripline\">\n";
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page of `drawing`, with what belongs there in place of each `{{name}}` of the template.
pub(super) fn write(drawing: &Drawing, source: &str, output: &mut impl Write) -> io::Result<()> {
    let clock = Clock::of(drawing.from);
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        output.write_all(before.as_bytes())?;
        match name {
            "style" => output.write_all(STYLE.as_bytes())?,
            "script" => output.write_all(SCRIPT.as_bytes())?,
            "source" => write!(output, "{}", Escaped(source))?,
            "headline" => write!(output, "{}", Escaped(&headline(drawing)))?,
            "recording" => write!(output, "{}", Escaped(&recording(drawing, clock)))?,
            "data" => data::write(drawing, output)?,
            "figures" => tables::figures(drawing, clock, output)?,
            "trips" => tables::trips(drawing, clock, output)?,
            "settings" => tables::settings(drawing, output)?,
            _ => {}
        }
        rest = after;
    }
    output.write_all(rest.as_bytes())
}

/// What happened, in a sentence.
fn headline(drawing: &Drawing) -> String {
    if drawing.records == 0 {
        return "There are no records in this recording.".into();
    }
    match (drawing.settings.as_slice(), drawing.figures.as_slice()) {
        ([_], [figures]) if figures.trips == 0 => {
            format!("The breaker would never have tripped in {}.", span(figures.span))
        }
        ([_], [figures]) => {
            let refused = match figures.refused {
                0 => "no call refused".into(),
                calls => format!(
                    "{} refused, of which {} would have been fine",
                    counted(calls, "call", "calls"),
                    count(figures.refused_fine)
                ),
            };
            format!(
                "The breaker would have tripped {} in {}: out for {} ({}), {refused}.",
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

/// What was recorded, in a sentence.
fn recording(drawing: &Drawing, clock: Clock) -> String {
    let calls = drawing.figures.first().map_or(0, super::figures::Figures::calls);
    if drawing.records == 0 {
        return String::new();
    }
    let readings = if calls == 0 { ", only readings of memory" } else { "" };
    let (from, to) = (clock.write(drawing.from), clock.write(drawing.to));
    format!("{}{readings}, from {from} to {to}", counted(calls, "call", "calls"))
}

/// A text that cannot become markup.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() => f.write_str(" ")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_can_be_told_by_its_beginning() {
        assert!(TEMPLATE.starts_with(BEGINNING));
    }
}
