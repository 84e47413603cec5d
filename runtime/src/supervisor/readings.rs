//! The memory readings of one poll: each source is read once.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tripline_core::Instant;

use crate::clock::Clock;
use crate::memory::{MemoryError, MemoryReading, MemorySource};
use crate::sync::Arc;

/// The result of a source, and its time.
#[derive(Debug)]
pub(crate) struct SourceReading {
    pub(crate) reading: Result<MemoryReading, MemoryError>,
    pub(crate) at: Instant,
}

/// The sources read in this poll.
#[derive(Debug, Default)]
pub(crate) struct Readings(Vec<(Arc<dyn MemorySource>, Arc<SourceReading>)>);

impl Readings {
    /// Returns the reading of `source`, which is read on first use.
    pub(crate) fn read(&mut self, source: &Arc<dyn MemorySource>, clock: &dyn Clock) -> Arc<SourceReading> {
        if let Some((_, known)) = self.0.iter().find(|(other, _)| Arc::ptr_eq(other, source)) {
            return known.clone();
        }
        // A source that panics must not stop the supervisor.
        let reading = catch_unwind(AssertUnwindSafe(|| source.read())).unwrap_or_else(|_| {
            Err(MemoryError::Unreadable {
                what: source.name().to_owned(),
                error: io::Error::other("the source panicked"),
            })
        });
        let made = Arc::new(SourceReading { reading, at: clock.now() });
        self.0.push((source.clone(), made.clone()));
        made
    }
}
