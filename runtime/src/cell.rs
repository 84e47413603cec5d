//! The shared core: one owner at a time, and an admission word that everybody can read.

use tripline_core::{Breaker as Core, Generation, State};

use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// Room for samples in every shared breaker.
pub const CAPACITY: usize = 1_024;

/// The core behind a lock, and what it means for asking in one word beside it.
///
/// This is the whole inner interface: [`Cell::admission`] for the hot path, [`Cell::with`] for everything else.
#[derive(Debug)]
pub(crate) struct Cell {
    word: AtomicU64,
    core: Mutex<Core<CAPACITY>>,
}

/// What the admission word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Closed: go ahead in this generation.
    Tracked(Generation),
    /// Disabled: go ahead, nothing is recorded.
    Untracked(Generation),
    /// The core must be asked.
    Ask,
}

const ASK: u64 = 0;
const TRACKED: u64 = 1;
const UNTRACKED: u64 = 2;
const MODE_BITS: u32 = 2;

impl Cell {
    pub(crate) fn new(core: Core<CAPACITY>) -> Self {
        Self { word: AtomicU64::new(word(&core)), core: Mutex::new(core) }
    }

    /// Whether a call may go ahead without asking the core. One load.
    pub(crate) fn admission(&self) -> Admission {
        // Acquire pairs with the Release store in `with`: who reads a generation sees what its owner did before.
        let word = self.word.load(Ordering::Acquire);
        let generation = Generation::new((word >> MODE_BITS) as u32);
        match word & ((1 << MODE_BITS) - 1) {
            TRACKED => Admission::Tracked(generation),
            UNTRACKED => Admission::Untracked(generation),
            _ => Admission::Ask,
        }
    }

    /// Owns the core for the length of `act`, and publishes what came of it before anybody else can own it.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Core<CAPACITY>) -> R) -> R {
        let mut core = lock(&self.core);
        let result = act(&mut core);
        // Release pairs with the Acquire load in `admission`.
        self.word.store(word(&core), Ordering::Release);
        result
    }
}

fn word(core: &Core<CAPACITY>) -> u64 {
    let mode = match core.state() {
        State::Closed => TRACKED,
        State::Disabled => UNTRACKED,
        State::Open { .. } | State::HalfOpen { .. } | State::ForcedOpen => ASK,
    };
    u64::from(core.generation().get()) << MODE_BITS | mode
}
