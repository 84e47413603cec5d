//! The scores as a table in Markdown.

use super::score::Medians;

/// The head of the table.
pub const HEADER: &str = "| fault | breaker | opened | rejected but fine | admitted but slow | most slow at once after the first trip | back after | not closed |\n\
    |---|---|---|---|---|---|---|---|";

/// One row of the table. A breaker that did not open has no recovery time either: –.
pub fn row(fault: &str, breaker: &str, medians: &Medians) -> String {
    let back = match medians.back_after_s {
        _ if medians.openings == 0.0 => "–".to_owned(),
        seconds if seconds.is_finite() => format!("{seconds:.1} s"),
        _ => "not yet".to_owned(),
    };
    format!(
        "| {fault} | {breaker} | {} | {} | {} | {} | {back} | {:.0} % |",
        medians.openings,
        medians.rejected_good,
        medians.admitted_slow,
        medians.most_slow_at_once,
        medians.open_share * 100.0
    )
}
