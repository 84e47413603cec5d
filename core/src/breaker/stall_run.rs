//! Whether stalled calls are reported, and how many have stalled without one finishing, in one byte.

/// 0 until stalled calls are reported; then one more than the calls that stalled since the last one that finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct StallRun(u8);

impl StallRun {
    /// No stalled call was reported.
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn is_reported(self) -> bool {
        self.0 > 0
    }

    pub(super) fn report(&mut self) {
        self.0 = self.0.max(1);
    }

    /// Whether no call has stalled since the last one that finished.
    #[cfg(target_pointer_width = "64")]
    pub(super) const fn is_over(self) -> bool {
        self.0 <= 1
    }

    /// Calls that stalled since the last one that finished, of which it counts 254.
    #[cfg(feature = "trend")]
    pub(super) const fn calls(self) -> u8 {
        self.0.saturating_sub(1)
    }

    /// So many more calls are stalled, and so many that were have been given up.
    #[cfg(feature = "trend")]
    pub(super) fn calls_stalled(&mut self, more: u16, dropped: u16) {
        let calls = u16::from(self.calls()).saturating_sub(dropped).saturating_add(more);
        self.0 = u8::try_from(calls.saturating_add(1)).unwrap_or(u8::MAX);
    }

    #[cfg(feature = "trend")]
    pub(super) fn call_finished(&mut self) {
        self.0 = self.0.min(1);
    }
}
