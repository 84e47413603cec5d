//! An interrupt and a breaker working together: the main loop decides, the SysTick handler does the transfers.
//!
//! Two `heapless::spsc` queues connect them, so neither waits for the other and they share only 32-bit words. The main
//! loop asks the breaker for each transfer and orders it; the handler makes one ordered transfer each millisecond and
//! reports its duration. The alarm shows the state on an output pin. The bus is slow for 100 ms, and the program exits
//! with 0 if the alarm showed exactly that.
#![no_std]
#![no_main]

use core::cell::Cell;
use core::convert::Infallible;
use core::num::{NonZeroU16, NonZeroU32};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use cortex_m::interrupt::{self, Mutex};
use cortex_m::peripheral::{Peripherals, syst::SystClkSource};
use cortex_m_rt::{entry, exception};
use embedded_hal::digital::{ErrorType, OutputPin};
use heapless::spsc::{Consumer, Producer, Queue};
use panic_never as _;
use tripline_core::{
    Alarm, Breaker, Generation, Latency, Outcome, Policy, Ratio, State, TickExtender, TripAfter, TripReason,
};
use tripline_firmware::report::Report;
use tripline_firmware::{Check, ensure};

const TICKS_PER_SECOND: NonZeroU32 = const { NonZeroU32::new(1_000).unwrap() };
const CORE_CLOCK_HERTZ: u32 = 12_500_000;
const SLOW_FROM: u32 = 100;
const SLOW_UNTIL: u32 = 200;
const LAST_TICK: u32 = 500;
/// Places in a queue; one of them stays empty.
const QUEUE: usize = 4;

/// A transfer that was made.
struct Done {
    generation: Generation,
    tick: u32,
    latency: Latency,
}

/// The handler's ends of the queues.
struct Bus {
    orders: Consumer<'static, Generation>,
    done: Producer<'static, Done>,
}

static BUS: Mutex<Cell<Option<Bus>>> = Mutex::new(Cell::new(None));
static TICK: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // Only this handler changes it, so a load and a store do; no core without atomic read-modify-write is left out.
    let tick = TICK.load(Ordering::Relaxed).wrapping_add(1);
    TICK.store(tick, Ordering::Relaxed);
    interrupt::free(|section| {
        let slot = BUS.borrow(section);
        let Some(mut bus) = slot.take() else { return };
        // A queue's ends do not know its length at compile time; without this the remainder in them could be by zero.
        let known = bus.orders.capacity() < QUEUE && bus.done.capacity() < QUEUE;
        if known && let Some(generation) = bus.orders.dequeue() {
            let slow = (SLOW_FROM..SLOW_UNTIL).contains(&tick);
            let latency = Latency::from_micros(if slow { 950 } else { 200 });
            // The main loop orders one at a time, so there is room.
            let _ = bus.done.enqueue(Done { generation, tick, latency });
        }
        slot.set(Some(bus));
    });
}

#[entry]
fn main() -> ! {
    static mut ORDERS: Queue<Generation, QUEUE> = Queue::new();
    static mut DONE: Queue<Done, QUEUE> = Queue::new();
    let (orders, orders_taken) = ORDERS.split();
    let (done, done_taken) = DONE.split();
    interrupt::free(|section| BUS.borrow(section).set(Some(Bus { orders: orders_taken, done })));
    start_ticks();

    let mut report = Report::default();
    report.take("the alarm tells the story", run(orders, done_taken));
    report.exit()
}

fn run(mut orders: Producer<'static, Generation>, mut done: Consumer<'static, Done>) -> Check {
    let mut breaker = Breaker::<16>::new(policy(), 7).map_err(|_| "the window does not fit")?;
    let mut clock = TickExtender::new(TICKS_PER_SECOND, 0);
    let mut alarm = Alarm::active_high(Lamp::default());
    let mut ordered = false;
    let mut refused = 0_u32;
    loop {
        let tick = TICK.load(Ordering::Relaxed);
        while let Some(transfer) = done.dequeue() {
            ordered = false;
            breaker.handle_finished(clock.instant(transfer.tick), transfer.generation, transfer.latency, Outcome::Ok);
        }
        if !ordered {
            match breaker.try_admit(clock.instant(tick)) {
                Ok(generation) => ordered = orders.enqueue(generation).is_ok(),
                Err(_) => refused += 1,
            }
        }
        let Ok(()) = alarm.show(breaker.state().kind(), tick);
        if tick >= LAST_TICK {
            break;
        }
        cortex_m::asm::wfi();
    }

    ensure!(breaker.state() == State::Closed);
    ensure!(alarm.is_on() == Some(false));
    ensure!(breaker.counts().trips(TripReason::Latency) == 1);
    ensure!(breaker.counts().trips(TripReason::ProbeSlow) >= 1);
    ensure!(refused > 20);
    let lamp = alarm.release();
    // Off, on when it opens, off and on while probing, off in the end; written only where it changes.
    ensure!(lamp.first == Some(false) && !lamp.high && lamp.turned_on >= 2);
    Ok(())
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_micros(800);
    policy.latency_window_size = const { NonZeroU16::new(16).unwrap() };
    policy.minimum_samples = Some(8);
    policy.wait_time = Duration::from_millis(20);
    policy.wait_jitter = Ratio::ZERO;
    // A bus has no hiccups of seconds.
    policy.trip_after = TripAfter::Millis(20);
    policy.warm_up = Duration::ZERO;
    policy
}

fn start_ticks() {
    let Some(peripherals) = Peripherals::take() else { return };
    let mut timer = peripherals.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CORE_CLOCK_HERTZ / TICKS_PER_SECOND - 1);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}

/// A pin that remembers what it was driven to.
#[derive(Default)]
struct Lamp {
    first: Option<bool>,
    high: bool,
    turned_on: u32,
}

impl Lamp {
    fn set(&mut self, high: bool) {
        self.first.get_or_insert(high);
        self.turned_on += u32::from(high && !self.high);
        self.high = high;
    }
}

impl ErrorType for Lamp {
    type Error = Infallible;
}

impl OutputPin for Lamp {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true);
        Ok(())
    }
}
