//! Prints lines on the host's console, through semihosting. Without `core::fmt`, whose code can panic.

use cortex_m_semihosting::{debug, hio};

use crate::Check;

/// Counts what was checked and what of it failed.
#[derive(Debug, Default)]
pub struct Report {
    checked: u32,
    failed: u32,
}

impl Report {
    /// Takes the result of a check; a failed one is written out.
    pub fn take(&mut self, name: &str, check: Check) {
        self.checked += 1;
        if let Err(reason) = check {
            self.failed += 1;
            write(&["FAILED ", name, ": ", reason, "\n"]);
        }
    }

    /// Writes a figure as `name value`.
    pub fn figure(&mut self, name: &str, value: u32) {
        let mut digits = [0; 10];
        write(&[name, " ", decimal(value, &mut digits), "\n"]);
    }

    /// Writes a figure, which must not be above its budget.
    pub fn budget(&mut self, name: &str, value: u32, budget: u32) {
        self.figure(name, value);
        self.take(name, if value <= budget { Ok(()) } else { Err("above its budget") });
    }

    /// Ends the run: the exit code is 0 where nothing failed and 1 otherwise.
    pub fn exit(mut self) -> ! {
        self.figure("checks", self.checked);
        self.figure("failed", self.failed);
        loop {
            debug::exit(if self.failed == 0 { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
        }
    }
}

fn write(parts: &[&str]) {
    if let Ok(mut console) = hio::hstdout() {
        for part in parts {
            let _ = console.write_all(part.as_bytes());
        }
    }
}

fn decimal(mut value: u32, digits: &mut [u8; 10]) -> &str {
    let mut first = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        first = place;
        if value == 0 {
            break;
        }
    }
    digits.get(first..).and_then(|used| core::str::from_utf8(used).ok()).unwrap_or("?")
}
