//! The rows of all breakers, drawn for all readers together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tripline_runtime::Clock;
use tripline_runtime::core::Instant;

use super::places::{Places, SubscriberSlot};
use super::publisher::event;
use super::subscriber::MIN_GAP;

/// How often rows are drawn while there is a reader and nothing happens.
pub(super) const TICK: Duration = Duration::from_secs(2);

/// The rows that were drawn last, and who reads them.
#[derive(Debug)]
pub(super) struct RowCache {
    clock: Arc<dyn Clock>,
    places: Places,
    drawn: Mutex<Drawn>,
}

/// Rows, each with the version in which it changed.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    at: Option<Instant>,
    /// Events in the log when they were drawn.
    events: u64,
    /// Grows with every change.
    version: u64,
    names: String,
    names_version: u64,
    rows: Vec<DrawnRow>,
}

#[derive(Debug)]
struct DrawnRow {
    name: String,
    text: String,
    /// When it changed last.
    version: u64,
}

#[derive(Serialize)]
struct Names<'a> {
    breakers: Vec<&'a str>,
}

impl RowCache {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, places: Places::default(), drawn: Mutex::default() }
    }

    /// A place for one more reader; `None` where every place is taken by a reader that began a moment ago.
    pub(super) fn enter(&self) -> Option<SubscriberSlot> {
        self.places.enter(self.clock.now())
    }

    /// The rows, for one reader at a time.
    pub(super) fn lock(&self) -> MutexGuard<'_, Drawn> {
        // Nothing can panic while it holds the lock.
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drawn {
    /// Takes names and rows from `draw` where the rows are out of date at `now`: after [`TICK`], or after [`MIN_GAP`] where the log has
    /// grown to `events`.
    pub(super) fn refresh<R: Serialize>(&mut self, now: Instant, events: u64, draw: impl FnOnce() -> Vec<(String, R)>) {
        let max_age = if self.events == events { TICK } else { MIN_GAP };
        if self.at.is_some_and(|at| at <= now && now.since(at) < max_age) {
            return;
        }
        self.replace(draw().into_iter().map(|(name, row)| (name, event("breaker", &row))).collect());
        (self.at, self.events) = (Some(now), events);
    }

    fn replace(&mut self, rows: Vec<(String, String)>) {
        let version = self.version + 1;
        // The names seldom change, so the row of a name usually stands where it stood before.
        let known = |index: usize, name: &str| {
            let here = self.rows.get(index).filter(|row| row.name == name);
            here.or_else(|| self.rows.iter().find(|row| row.name == name))
        };
        let rows = rows.into_iter().enumerate().map(|(index, (name, text))| {
            let unchanged = known(index, &name).filter(|row| row.text == text).map(|row| row.version);
            DrawnRow { name, text, version: unchanged.unwrap_or(version) }
        });
        self.rows = rows.collect();
        let names = event("breakers", &Names { breakers: self.rows.iter().map(|row| row.name.as_str()).collect() });
        if self.names != names {
            (self.names, self.names_version) = (names, version);
        }
        self.version = version;
    }

    /// Appends what changed after version `seen`.
    pub(super) fn write_newer(&self, seen: &mut u64, text: &mut String) {
        if self.names_version > *seen {
            text.push_str(&self.names);
        }
        for row in self.rows.iter().filter(|row| row.version > *seen) {
            text.push_str(&row.text);
        }
        *seen = self.version;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(rows: &[(u8, u8)]) -> Vec<(String, String)> {
        rows.iter().map(|(name, text)| (format!("n{name}"), format!("n{name}={text};"))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// A reader that looks now and then knows exactly the rows of its last look, and gets nothing while nothing changes.
        #[test]
        fn a_reader_knows_the_rows_of_its_last_look(
            steps in proptest::collection::vec((proptest::collection::btree_map(0_u8..6, 0_u8..3, 0..6), any::<bool>()), 1..20),
        ) {
            let (mut drawn_rows, mut seen) = (Drawn::default(), 0);
            let mut known = std::collections::BTreeMap::new();
            for (rows, looks) in steps {
                let rows: Vec<_> = rows.into_iter().collect();
                drawn_rows.replace(drawn(&rows));
                if !looks {
                    continue;
                }
                let mut text = String::new();
                drawn_rows.write_newer(&mut seen, &mut text);
                let mut again = String::new();
                drawn_rows.write_newer(&mut seen, &mut again);
                prop_assert_eq!(again, "");
                let (names, changed) = text.rsplit_once("\n\n").unwrap_or(("", &text));
                for row in changed.split_terminator(';') {
                    let (name, value) = row.split_once('=').unwrap_or_default();
                    known.insert(name.to_owned(), value.to_owned());
                }
                if !names.is_empty() {
                    known.retain(|name, _| names.contains(&format!("\"{name}\"")));
                }
                let expected: std::collections::BTreeMap<_, _> =
                    rows.iter().map(|(name, text)| (format!("n{name}"), text.to_string())).collect();
                prop_assert_eq!(&known, &expected);
            }
        }
    }
}
