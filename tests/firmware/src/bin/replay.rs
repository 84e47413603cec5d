//! Replays the golden vectors and scenarios, calls every public entry point and exits with 0 if all results are
//! correct.
//!
//! There is no allocator, and a reachable panic would not link. The seeded faults show that both, and a wrong result,
//! are detected.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use panic_never as _;
use tripline_core::Policy;
use tripline_firmware::report::Report;
use tripline_firmware::{Check, bad_input, ensure, scenarios, surface, vectors};

#[cfg(feature = "seed-alloc")]
extern crate alloc;

#[entry]
fn main() -> ! {
    let mut report = Report::default();
    let replayed = vectors::replay(&mut report);
    report.figure("vectors", replayed);
    for &(name, scenario) in scenarios::ALL.iter().chain(bad_input::ALL) {
        report.take(name, scenario());
    }
    report.take("a policy comes back from postcard", policy_round_trip());
    black_box(surface::call_all());
    #[cfg(feature = "seed-alloc")]
    black_box(alloc::boxed::Box::new(black_box(1)));
    #[cfg(feature = "seed-panic")]
    black_box([1, 2, 3][black_box(1_usize)]);
    report.exit()
}

fn policy_round_trip() -> Check {
    let mut policy = Policy::default();
    policy.minimum_samples = Some(33);
    let mut room = [0; 128];
    let written = postcard::to_slice(&policy, &mut room).map_err(|_| "it does not fit into 128 bytes")?;
    ensure!(postcard::from_bytes::<Policy>(written) == Ok(policy));
    // Bytes that are no policy are refused: a percentile out of range.
    ensure!(postcard::from_bytes::<Policy>(&[0xFF; 128]).is_err());
    Ok(())
}
