//! Drives an alarm lamp or a relay on an output pin.

use embedded_hal::digital::{OutputPin, PinState};

use crate::state::StateKind;

/// Drives one pin from the state of a breaker: on while it is open or forced open, blinking while it is half-open, off
/// while it is closed or disabled.
///
/// `Alarm` has no timer. The caller counts ticks and passes the count; one tick is one phase of the blinking, on or
/// off.
///
/// ```
/// use tripline_core::{Alarm, StateKind};
/// # use embedded_hal::digital::{ErrorType, OutputPin};
/// # struct Lamp;
/// # impl ErrorType for Lamp { type Error = core::convert::Infallible; }
/// # impl OutputPin for Lamp {
/// #     fn set_low(&mut self) -> Result<(), Self::Error> { Ok(()) }
/// #     fn set_high(&mut self) -> Result<(), Self::Error> { Ok(()) }
/// # }
///
/// let mut alarm = Alarm::active_low(Lamp);
/// alarm.show(StateKind::Open, 0)?;
/// assert_eq!(alarm.is_on(), Some(true));
/// # Ok::<(), core::convert::Infallible>(())
/// ```
#[derive(Debug)]
pub struct Alarm<P> {
    pin: P,
    active: PinState,
    shown: Option<bool>,
}

impl<P: OutputPin> Alarm<P> {
    /// Creates an alarm that is on while the pin is high. The pin is not written before the first [`Alarm::show`].
    pub const fn active_high(pin: P) -> Self {
        Self { pin, active: PinState::High, shown: None }
    }

    /// Creates an alarm that is on while the pin is low. The pin is not written before the first [`Alarm::show`].
    pub const fn active_low(pin: P) -> Self {
        Self { pin, active: PinState::Low, shown: None }
    }

    /// Shows `state`. While half-open the alarm is on at even values of `tick` and off at odd ones. The pin is written
    /// only on a change, so this may be called at any rate.
    ///
    /// # Errors
    /// The error of the pin. The level of the pin is unknown after it, and the next call writes the pin again.
    pub fn show(&mut self, state: StateKind, tick: u32) -> Result<(), P::Error> {
        let on = match state {
            StateKind::Open | StateKind::ForcedOpen => true,
            StateKind::HalfOpen => tick & 1 == 0,
            StateKind::Closed | StateKind::Disabled => false,
        };
        if self.shown == Some(on) {
            return Ok(());
        }
        self.shown = None;
        self.pin.set_state(if on { self.active } else { !self.active })?;
        self.shown = Some(on);
        Ok(())
    }

    /// Whether the pin was last driven on; `None` before the first [`Alarm::show`] and after an error.
    pub const fn is_on(&self) -> Option<bool> {
        self.shown
    }

    /// Returns the pin at its present level.
    pub fn release(self) -> P {
        self.pin
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use embedded_hal_mock::eh1::MockError;
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};

    use super::*;

    fn pin(levels: &[State]) -> Mock {
        Mock::new(&levels.iter().map(|&level| Transaction::set(level)).collect::<std::vec::Vec<_>>())
    }

    #[test]
    fn an_active_high_alarm_is_high_while_open_and_low_while_closed() {
        let mut alarm = Alarm::active_high(pin(&[State::Low, State::High, State::Low, State::High, State::Low]));
        let states =
            [StateKind::Closed, StateKind::Open, StateKind::Closed, StateKind::ForcedOpen, StateKind::Disabled];
        for state in states {
            alarm.show(state, 0).unwrap();
        }
        alarm.release().done();
    }

    #[test]
    fn an_active_low_alarm_is_low_while_open() {
        let mut alarm = Alarm::active_low(pin(&[State::Low, State::High]));
        alarm.show(StateKind::Open, 1).unwrap();
        alarm.show(StateKind::Closed, 1).unwrap();
        alarm.release().done();
    }

    #[test]
    fn it_blinks_with_the_tick_while_half_open() {
        let mut alarm = Alarm::active_high(pin(&[State::High, State::Low, State::High]));
        for tick in [0, 1, u32::MAX - 1] {
            alarm.show(StateKind::HalfOpen, tick).unwrap();
        }
        alarm.release().done();
    }

    #[test]
    fn what_is_shown_already_is_not_written_again() {
        let mut alarm = Alarm::active_high(pin(&[State::High]));
        for tick in 0..5 {
            alarm.show(StateKind::Open, tick).unwrap();
        }
        alarm.release().done();
    }

    #[test]
    fn an_error_of_the_pin_is_returned_and_the_next_call_writes_again() {
        let broken = MockError::Io(ErrorKind::NotConnected);
        let failing = Transaction::set(State::High).with_error(broken.clone());
        let mut alarm = Alarm::active_high(Mock::new(&[failing, Transaction::set(State::High)]));
        assert_eq!(alarm.show(StateKind::Open, 0), Err(broken));
        assert_eq!(alarm.is_on(), None);
        alarm.show(StateKind::Open, 0).unwrap();
        assert_eq!(alarm.is_on(), Some(true));
        alarm.release().done();
    }
}
