//! Counts instructions and bytes of stack.

use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use cortex_m::register::msp;

const RELOAD: u32 = 0x00FF_FFFF;
/// With `-icount shift=7` an instruction takes 128 ns; the timer of this machine ticks every 80 ns.
const NANOS_PER_INSTRUCTION: u32 = 128;
const NANOS_PER_TICK: u32 = 80;

/// Counts instructions with SysTick.
#[derive(Debug)]
pub struct Counter {
    ticks_for_nothing: u32,
}

impl Counter {
    /// Starts the timer; `None` where it was taken already.
    pub fn start() -> Option<Self> {
        let mut timer = Peripherals::take()?.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(RELOAD);
        timer.clear_current();
        timer.enable_counter();
        let mut counter = Self { ticks_for_nothing: 0 };
        counter.ticks_for_nothing = counter.ticks(|| ());
        Some(counter)
    }

    /// The instructions that `work` takes, give or take one; at most ten million.
    pub fn instructions(&self, work: impl FnOnce()) -> u32 {
        self.ticks(work).saturating_sub(self.ticks_for_nothing) * NANOS_PER_TICK / NANOS_PER_INSTRUCTION
    }

    fn ticks(&self, work: impl FnOnce()) -> u32 {
        let from = SYST::get_current();
        work();
        from.wrapping_sub(SYST::get_current()) & RELOAD
    }
}

/// A loop of exactly 2 · `rounds` instructions, to hold the counter against.
pub fn known_loop(rounds: u32) {
    // SAFETY: it changes one register, which is named, and the flags.
    unsafe {
        core::arch::asm!("2:", "subs {0}, #1", "bne 2b", inout(reg) rounds => _, options(nomem, nostack));
    }
}

const PATTERN: u32 = 0xC5C5_C5C5;
/// What is left alone below the stack pointer for the frame that paints.
const MARGIN: u32 = 64;

unsafe extern "C" {
    static mut __sheap: u32;
}

/// How many bytes of stack `work` uses: what lies below is painted first and looked at afterwards.
#[inline(never)]
pub fn stack_depth(work: impl FnOnce()) -> u32 {
    let bottom = (&raw mut __sheap).addr() as u32;
    let top = (msp::read() - MARGIN) & !3;
    for address in (bottom..top).step_by(4) {
        // SAFETY: between the end of the statics and the stack pointer nothing lives, and there is no heap.
        unsafe { (address as *mut u32).write_volatile(PATTERN) };
    }
    work();
    let mut lowest = bottom;
    // SAFETY: as above, and only words that were painted are read.
    while lowest < top && unsafe { (lowest as *const u32).read_volatile() } == PATTERN {
        lowest += 4;
    }
    top + MARGIN - lowest
}
