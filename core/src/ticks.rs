//! Converts a 32-bit counter to time.

use core::num::NonZeroU32;

use crate::time::Instant;

/// Converts a 32-bit counter that wraps to an [`Instant`] that does not.
///
/// Pass every reading to [`TickExtender::instant`], at least one in each half turn of the counter: 2^31 ticks, which is
/// 35 minutes at 1 MHz and 29 s at 72 MHz. A reading up to half a turn behind the newest one, for example one taken
/// earlier in an interrupt, gives the earlier instant. Pass a counter that counts down as its complement: `!counter`.
///
/// No 64-bit atomics are needed: the extender belongs to the code that uses the instants, and the interrupt passes on
/// only the 32 bits.
///
/// ```
/// use core::num::NonZeroU32;
/// use tripline_core::{Instant, TickExtender};
///
/// let mut clock = TickExtender::new(NonZeroU32::new(1_000_000).expect("not zero"), 0xFFFF_FF00);
/// assert_eq!(clock.instant(0xFFFF_FF00), Instant::ZERO);
/// assert_eq!(clock.instant(0x0000_00F4), Instant::from_nanos(500_000)); // 500 ticks later, over the wrap
/// ```
#[derive(Debug, Clone)]
pub struct TickExtender {
    hertz: NonZeroU32,
    newest: u32,
    ticks: u64,
}

impl TickExtender {
    /// Creates a clock of `hertz` ticks per second that starts at [`Instant::ZERO`] at the counter value `start`.
    pub const fn new(hertz: NonZeroU32, start: u32) -> Self {
        Self { hertz, newest: start, ticks: 0 }
    }

    /// Returns the instant of the counter value `counter`; [`Instant::ZERO`] for a value before the start.
    pub fn instant(&mut self, counter: u32) -> Instant {
        let behind = self.newest.wrapping_sub(counter);
        let ahead = counter.wrapping_sub(self.newest);
        if ahead > i32::MAX as u32 {
            return self.at(self.ticks.saturating_sub(u64::from(behind)));
        }
        self.newest = counter;
        self.ticks = self.ticks.saturating_add(u64::from(ahead));
        self.at(self.ticks)
    }

    fn at(&self, ticks: u64) -> Instant {
        const NANOS_PER_SECOND: u64 = 1_000_000_000;
        let hertz = core::num::NonZeroU64::from(self.hertz);
        // In two parts, since all ticks times 10⁹ do not fit into 64 bits.
        let seconds = (ticks / hertz).saturating_mul(NANOS_PER_SECOND);
        let rest = (ticks % hertz).saturating_mul(NANOS_PER_SECOND) / hertz;
        Instant::from_nanos(seconds.saturating_add(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(hertz: u32, start: u32) -> TickExtender {
        TickExtender::new(NonZeroU32::new(hertz).unwrap(), start)
    }

    #[test]
    fn time_goes_on_over_many_wraps() {
        let mut clock = clock(1_000_000, 0);
        let mut counter = 0_u32;
        for step in 1..=100_u64 {
            counter = counter.wrapping_add(0x7FFF_FFFF);
            assert_eq!(clock.instant(counter), Instant::from_nanos(step * 0x7FFF_FFFF * 1_000));
        }
    }

    #[test]
    fn an_older_reading_is_an_earlier_instant_and_moves_nothing() {
        let mut clock = clock(1_000, 0);
        clock.instant(500);
        assert_eq!(clock.instant(400), Instant::from_millis(400));
        assert_eq!(clock.instant(501), Instant::from_millis(501));
        assert_eq!(clock.instant(u32::MAX), Instant::ZERO, "before the start");
    }

    #[test]
    fn an_older_reading_from_before_the_wrap_is_understood() {
        let mut clock = clock(1_000, u32::MAX - 9);
        assert_eq!(clock.instant(20), Instant::from_millis(30));
        assert_eq!(clock.instant(u32::MAX), Instant::from_millis(9));
        assert_eq!(clock.instant(30), Instant::from_millis(40));
    }

    #[test]
    fn rates_that_do_not_divide_a_second_do_not_drift() {
        let mut clock = clock(32_768, 0);
        let mut counter = 0_u32;
        for _ in 0..1_000 {
            counter = counter.wrapping_add(3_600 * 32_768);
            clock.instant(counter);
        }
        assert_eq!(clock.instant(counter), Instant::from_millis(1_000 * 3_600 * 1_000));
        assert_eq!(clock.instant(counter.wrapping_add(1)).as_nanos() % 1_000_000_000, 30_517);
    }

    #[test]
    fn the_slowest_and_the_fastest_rate_do_not_overflow() {
        for hertz in [1, u32::MAX] {
            let mut clock = clock(hertz, 0);
            clock.ticks = u64::MAX - 5;
            assert!(clock.instant(i32::MAX as u32) > Instant::from_millis(1_000));
        }
    }
}
