//! What happens in a run, line by line.

use tripline_core::Instant;

use super::violation::clock_time;

/// What happens in a run, where that was asked for.
#[derive(Debug)]
pub(super) struct Trace(Option<Vec<String>>);

impl Trace {
    pub(super) fn new(is_kept: bool) -> Self {
        Self(is_kept.then(Vec::new))
    }

    /// Adds a line, where lines are kept.
    pub(super) fn note(&mut self, at: Instant, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.push(format!("{} {}", clock_time(at), line()));
        }
    }

    /// The lines so far.
    pub(super) fn take(&mut self) -> Vec<String> {
        self.0.take().unwrap_or_default()
    }
}
