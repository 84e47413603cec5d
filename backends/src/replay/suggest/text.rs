//! A suggestion as TOML that can be pasted as it is; everything else is a comment.

use std::fmt::Write as _;
use std::io::{self, Write};

use tripline_runtime::BreakerName;

use super::fault_injection::{Delay, Fault};
use super::suggestion::{Proposal, ProposedKey, Recording, Side, Suggestion};
use crate::replay::comparison_table::aligned;
use crate::replay::figures::{Figures, between};
use crate::replay::human_format::{Clock, count, counted, latency, number, on_one_line, share, span};

/// The name of the recommended configuration.
pub(crate) const RECOMMENDED: &str = "recommended";

impl Suggestion {
    /// Writes it for people: TOML with comments. `source` says where the recording came from.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write_text(&self, source: &str, output: &mut impl Write) -> io::Result<()> {
        self.write_table(source, None, output)
    }

    /// As [`Suggestion::write_text`], with the keys in the table of the breaker `name`.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write_breaker(&self, source: &str, name: &BreakerName, output: &mut impl Write) -> io::Result<()> {
        self.write_table(source, Some(name), output)
    }

    fn write_table(&self, source: &str, name: Option<&BreakerName>, output: &mut impl Write) -> io::Result<()> {
        for line in head(source, &self.recording) {
            writeln!(output, "# {line}")?;
        }
        if self.is_healthy {
            let length = between(self.recording.from_nanos, self.recording.to_nanos);
            writeln!(output, "# It looks healthy: no incident in {}.", span(length))?;
        }
        for doubt in &self.doubts {
            writeln!(output, "# ! {doubt}")?;
        }
        let Some(proposal) = &self.proposal else { return Ok(()) };
        if let Some(name) = name {
            // In quotes, as a point would separate tables.
            writeln!(output, "\n[breakers.\"{name}\"]")?;
        }
        snippet(proposal, output)?;
        writeln!(output)?;
        table(output, &cost_rows(&proposal.sides))?;
        writeln!(output, "#")?;
        writeln!(output, "# Had the service got slower: time from then to the trip, and calls started meanwhile (the")?;
        writeln!(output, "# middle of the tries that tripped, at 8 places of the recording)")?;
        table(output, &fault_rows(&proposal.sides))?;
        if proposal.is_twice_healthy {
            writeln!(
                output,
                "# Twice as long is no fault here: the threshold lies above twice the typical percentile."
            )?;
        }
        Ok(())
    }
}

fn head(source: &str, recording: &Recording) -> Vec<String> {
    let p = number(recording.percentile_of.get() * 100.0);
    let clock = Clock::of(recording.from_nanos);
    let (usual, quiet) = recording.calls_per_second;
    let mut lines = vec![format!("Suggested by tripline from {}:", on_one_line(source))];
    let calls = counted(recording.calls, "call", "calls");
    if recording.records == 0 {
        return lines;
    }
    lines.push(format!(
        "{calls} in {}, from {} to {}; {} failed.",
        span(between(recording.from_nanos, recording.to_nanos)),
        clock.write(recording.from_nanos),
        clock.write(recording.to_nanos),
        count(recording.failed)
    ));
    if let (Some(all), Some(typical), Some(worst)) = (recording.percentile, recording.typical, recording.worst_calm) {
        lines.push(format!("Usually {} calls a second, {} in the quietest tenth.", number(usual), number(quiet)));
        lines.push(format!(
            "The {p}th percentile of all calls is {}; of segments of {} calls typically {}, {} in the worst that is not slow.",
            latency(all),
            count(recording.stretch_calls),
            latency(typical),
            latency(worst)
        ));
        if recording.hiccups > 0 {
            let hiccups = counted(recording.hiccups, "short hiccup", "short hiccups");
            lines.push(format!("{hiccups} beside, to be ridden out."));
        }
    }
    lines
}

fn snippet(proposal: &Proposal, output: &mut impl Write) -> io::Result<()> {
    writeln!(output)?;
    for ProposedKey { key, value, reason } in &proposal.keys {
        for line in reason.lines() {
            writeln!(output, "# {line}")?;
        }
        writeln!(output, "{key} = {value}")?;
    }
    if !proposal.kept.is_empty() {
        let base = on_one_line(&proposal.base);
        let is_recommended = base.trim_end_matches(" with --set") == RECOMMENDED;
        writeln!(output, "# As {}.", if is_recommended { base } else { format!("in {base}") })?;
    }
    proposal.kept.iter().try_for_each(|(key, value)| writeln!(output, "{key} = {value}"))
}

fn cost_rows(sides: &[Side]) -> Vec<(String, Vec<String>)> {
    let row = |label: &str, cell: &dyn Fn(&Side) -> String| (label.to_owned(), sides.iter().map(cell).collect());
    let figures = |cell: &dyn Fn(&Figures) -> String| {
        let cells: Vec<String> = sides.iter().map(|side| cell(&side.cost.figures)).collect();
        cells
    };
    vec![
        row("On this recording", &|side| on_one_line(&side.name)),
        row("false trips", &|side| count(side.cost.false_trips)),
        ("trips in all".into(), figures(&|f| count(f.trips))),
        ("rejected calls".into(), figures(&|f| count(f.rejected))),
        ("  would have been fine".into(), figures(&|f| count(f.rejected_fine))),
        ("time open".into(), figures(&|f| format!("{} ({})", span(f.open), share(f.open_share())))),
    ]
}

fn fault_rows(sides: &[Side]) -> Vec<(String, Vec<String>)> {
    let head = (String::new(), sides.iter().map(|side| on_one_line(&side.name)).collect());
    let faults = Fault::ALL.into_iter().enumerate().map(|(nth, fault)| {
        (fault.words(), sides.iter().map(|side| side.delays.get(nth).map_or_else(String::new, delay)).collect())
    });
    std::iter::once(head).chain(faults).collect()
}

fn delay(delay: &Delay) -> String {
    let Some((after, calls)) = delay.median else {
        return if delay.tried == 0 { "not tried".into() } else { "no trip".into() };
    };
    let mut text = format!("{} ({})", span(after), counted(calls, "call", "calls"));
    if delay.tripped < delay.tried {
        let _ = write!(text, ", {} of {}", delay.tripped, delay.tried);
    }
    text
}

fn table(output: &mut impl Write, rows: &[(String, Vec<String>)]) -> io::Result<()> {
    aligned(rows).iter().try_for_each(|line| writeln!(output, "# {}", line.trim_end()))
}
