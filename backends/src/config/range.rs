//! The numbers that a key takes.

use std::fmt;

/// The numbers that a key takes.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) min_is_in: bool,
    pub(crate) max_is_in: bool,
    pub(crate) whole: bool,
    pub(crate) unit: &'static str,
}

impl Range {
    /// `min` to `max`, both allowed, with fractions.
    pub(crate) const fn new(min: f64, max: f64, unit: &'static str) -> Self {
        Self { min, max, min_is_in: true, max_is_in: true, whole: false, unit }
    }

    /// Without the smallest value itself.
    pub(crate) const fn without_min(self) -> Self {
        Self { min_is_in: false, ..self }
    }

    /// Without the largest value itself.
    pub(crate) const fn without_max(self) -> Self {
        Self { max_is_in: false, ..self }
    }

    /// Without fractions.
    pub(crate) const fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// NaN and infinities are in no range.
    pub(crate) fn contains(&self, x: f64) -> bool {
        let above = if self.min_is_in { x >= self.min } else { x > self.min };
        let below = if self.max_is_in { x <= self.max } else { x < self.max };
        above && below && (!self.whole || x.fract() == 0.0)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max, unit, .. } = self;
        if self.min_is_in && self.max_is_in {
            write!(f, "{min} to {max}")?;
        } else {
            let sign = |is_in: bool| if is_in { "<=" } else { "<" };
            write!(f, "{min} {} x {} {max}", sign(self.min_is_in), sign(self.max_is_in))?;
        }
        write!(f, " ({unit}{})", if self.whole { ", whole" } else { "" })
    }
}
