//! An alarm lamp or a relay on an output pin.

use embedded_hal::digital::{OutputPin, PinState};

use crate::state::StateKind;

/// Drives one pin from the state of a breaker: on while it is open (by itself or forced), blinking while it is half-open,
/// off while it is closed or disabled.
///
/// It has no timer. The caller counts ticks of the length that one blink is to last, on and off, and passes the count.
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
    /// An alarm that is on while the pin is high. Nothing is driven before the first [`Alarm::show`].
    pub const fn active_high(pin: P) -> Self {
        Self { pin, active: PinState::High, shown: None }
    }

    /// An alarm that is on while the pin is low. Nothing is driven before the first [`Alarm::show`].
    pub const fn active_low(pin: P) -> Self {
        Self { pin, active: PinState::Low, shown: None }
    }

    /// Shows `state`; while half-open the alarm is on at even `tick`s and off at odd ones. The pin is written only where
    /// it changes, so this may be called as often as wanted.
    ///
    /// # Errors
    /// That of the pin. What it shows is unknown then, and the next call writes it again, whatever it is to show.
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

    /// What the pin was last driven to; `None` before the first [`Alarm::show`] and after an error.
    pub const fn is_on(&self) -> Option<bool> {
        self.shown
    }

    /// Gives the pin back, as it is driven now.
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
