//! The window's samples on the heap: as many as its policy sets.

use tripline_core::{Breaker as Core, Sample, SampleStore};

/// The largest window of a shared breaker, in samples.
// The threads of a model checker have small stacks.
pub const MAX_WINDOW: usize = if cfg!(tripline_loom) { 8 } else { 1_024 };

/// The core of a shared breaker: up to [`MAX_WINDOW`](crate::MAX_WINDOW) samples, of which it allocates as many as its
/// policy sets.
pub type SharedCore = Core<MAX_WINDOW, HeapSamples>;

/// The samples of a window on the heap: 8 bytes for each sample of the largest window that its policies have set.
#[derive(Debug, Clone, Default)]
pub struct HeapSamples(Box<[Sample]>);

impl AsRef<[Sample]> for HeapSamples {
    #[inline]
    fn as_ref(&self) -> &[Sample] {
        &self.0
    }
}

impl AsMut<[Sample]> for HeapSamples {
    #[inline]
    fn as_mut(&mut self) -> &mut [Sample] {
        &mut self.0
    }
}

impl SampleStore for HeapSamples {
    const GROWS: bool = true;

    fn grow(&mut self, places: usize) {
        if places > self.0.len() {
            let mut samples = Vec::with_capacity(places);
            samples.extend_from_slice(&self.0);
            samples.resize(places, Sample::NONE);
            self.0 = samples.into_boxed_slice();
        }
    }
}
