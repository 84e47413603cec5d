//! A bounded queue of lines that drops instead of blocking.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines between threads that log and the one thread that writes. Pushing never waits for the writer.
#[derive(Debug)]
pub(crate) struct LineQueue {
    max_bytes: usize,
    state: Mutex<State>,
    /// A line was pushed.
    pushed: Condvar,
    /// The queue is empty and its last line is written.
    drained: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    is_writing: bool,
    /// Since the start.
    dropped: u64,
    /// Of these, lines that no log line has reported yet.
    unreported: u64,
}

/// The next step of the writer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Write this line.
    Line(Box<[u8]>),
    /// Report that this many lines were dropped.
    Dropped(u64),
}

impl LineQueue {
    /// A queue of at most `max_bytes` of lines.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, state: Mutex::default(), pushed: Condvar::new(), drained: Condvar::new() }
    }

    /// Appends a line, or counts it as dropped where the queue is full. O(line), never blocks on output.
    pub(crate) fn push(&self, line: Box<[u8]>) {
        let mut state = self.lock();
        if state.bytes + line.len() > self.max_bytes {
            state.dropped += 1;
            state.unreported += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        drop(state);
        self.pushed.notify_one();
    }

    /// Blocks until there is a line, or dropped lines to report after the queue is empty. The line counts as being written until
    /// the next call.
    pub(crate) fn next(&self) -> Next {
        let mut state = self.lock();
        state.is_writing = false;
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.is_writing = true;
                return Next::Line(line);
            }
            let unreported = std::mem::take(&mut state.unreported);
            if unreported > 0 {
                state.is_writing = true;
                return Next::Dropped(unreported);
            }
            self.drained.notify_all();
            state = self.pushed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts a line that could not be written. It is not reported by a line of its own, which would fail as well.
    pub(crate) fn count_failed(&self) {
        self.lock().dropped += 1;
    }

    /// Lines dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Waits until all lines are written, at most for `limit`; false where some are not.
    pub(crate) fn wait_until_written(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        while state.is_writing || !state.lines.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.drained.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(bytes: usize) -> Box<[u8]> {
        vec![b'x'; bytes].into()
    }

    #[test]
    fn a_full_queue_drops_and_reports_once_when_it_is_empty() {
        let queue = LineQueue::new(10);
        for bytes in [4, 4, 4, 2, 1] {
            queue.push(line(bytes));
        }
        assert_eq!(queue.dropped(), 2);
        for bytes in [4, 4, 2] {
            assert_eq!(queue.next(), Next::Line(line(bytes)));
        }
        assert_eq!(queue.next(), Next::Dropped(2));
        queue.push(line(1));
        assert_eq!(queue.next(), Next::Line(line(1)));
        assert!(!queue.wait_until_written(Duration::ZERO), "the last line is still being written");
        assert_eq!(queue.dropped(), 2);
    }

    proptest! {
        #[test]
        fn it_keeps_order_and_bound_as_a_list_does(steps in prop::collection::vec(prop::option::of(0_usize..8), 0..200)) {
            const MAX: usize = 20;
            let queue = LineQueue::new(MAX);
            let mut model: VecDeque<usize> = VecDeque::new();
            let (mut dropped, mut unreported) = (0, 0);
            for step in steps {
                match step {
                    Some(bytes) if model.iter().sum::<usize>() + bytes > MAX => {
                        queue.push(line(bytes));
                        dropped += 1;
                        unreported += 1;
                    }
                    Some(bytes) => {
                        queue.push(line(bytes));
                        model.push_back(bytes);
                    }
                    None => {
                        if let Some(bytes) = model.pop_front() {
                            prop_assert_eq!(queue.next(), Next::Line(line(bytes)));
                        } else if unreported > 0 {
                            prop_assert_eq!(queue.next(), Next::Dropped(std::mem::take(&mut unreported)));
                        }
                    }
                }
                prop_assert_eq!(queue.dropped(), dropped);
            }
        }
    }
}
