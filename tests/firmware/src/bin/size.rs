//! The image whose size is the flash cost of the core. It is measured, not run.
//!
//! With the feature `core` it contains a pointer to every public function of the core, so that all of them are linked
//! and none is merged into a caller; without it, it is the floor that is subtracted.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use panic_never as _;

#[entry]
fn main() -> ! {
    loop {
        #[cfg(feature = "core")]
        entry_points();
        cortex_m::asm::wfi();
    }
}

#[cfg(feature = "core")]
fn entry_points() {
    use core::hint::black_box;
    use tripline_core::{Breaker, Latency, MemorySample, Percentile, Policy};

    type Subject = Breaker<64>;
    macro_rules! link {
        ($($function:expr),* $(,)?) => { $(black_box($function as *const ());)* };
    }
    link!(
        Subject::new,
        Subject::try_admit,
        Subject::rejection,
        Subject::handle_finished,
        Subject::handle_dropped,
        Subject::handle_stalled,
        Subject::handle_memory,
        Subject::handle_memory_lost,
        Subject::handle_timeout,
        Subject::handle_policy,
        Subject::poll_event,
        Subject::poll_timeout,
        Subject::reset,
        Subject::enable,
        Subject::disable,
        Subject::force_open,
        Subject::simulate_memory,
        Subject::simulate_latency,
        Subject::undo_simulations,
        Subject::state,
        Subject::generation,
        Subject::generation_at,
        Subject::policy,
        Subject::slow_after,
        Subject::is_above,
        Subject::is_breach,
        Subject::percentile,
        Subject::samples,
        Subject::samples_above,
        Subject::samples_failed,
        Subject::stalled,
        Subject::memory_state,
        Subject::memory_sample,
        Subject::is_memory_simulated,
        Subject::is_latency_simulated,
        Subject::last_trip,
        Subject::is_in_incident,
        Subject::counts,
        Subject::events_emitted,
        Subject::events_dropped,
        Subject::clock_jumps,
        Subject::latest,
        Subject::on_clock,
        Subject::resume_incident,
        Subject::restore_tolerance,
        Subject::learned_tolerance,
        Subject::tolerance,
        Subject::evidence,
        Subject::trip_evidence,
        Latency::between,
        MemorySample::ratio,
        Percentile::new,
        Policy::default,
        Policy::for_capacity::<64>,
        Policy::effective_minimum_samples,
        Policy::memory_clear_ratio,
        tripline_core::TickExtender::instant,
        tripline_core::is_legal,
    );
    #[cfg(feature = "trend")]
    link!(Subject::trend);
    #[cfg(feature = "escalation")]
    {
        use tripline_core::{Escalation, Observation};
        fn observe(breaker: &Subject) -> Observation {
            Observation::of(breaker)
        }
        link!(
            Subject::incident,
            observe,
            Escalation::new,
            Escalation::restore,
            Escalation::save,
            Escalation::handle_policy,
            Escalation::handle,
            Escalation::poll_transition,
            Escalation::poll_timeout,
            Escalation::waits_for_breach,
            Escalation::pending,
        );
    }
}
