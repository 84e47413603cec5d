//! The fleet's part of an alert.

use std::fmt;

/// The part of a fleet that an alert describes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FleetPart {
    /// All replicas: this one sends for them.
    All {
        /// The number of their incident.
        epoch: u64,
        /// Replicas whose breaker is not closed.
        open: u32,
        /// The members of the fleet.
        members: u32,
        /// The host of the replica that was unwell first; empty if unknown.
        first: String,
        /// Whether it is a note: the number of open replicas has doubled since the last alert.
        has_doubled: bool,
        /// Whether it repeats a close, in case the alert was created after the first one.
        is_repeated: bool,
    },
    /// This replica alone; the fleet's engine was unreachable.
    Alone,
}

impl FleetPart {
    /// Whether it is a note about an open alert.
    pub const fn is_note(&self) -> bool {
        matches!(self, Self::All { has_doubled: true, .. })
    }

    /// Whether it repeats a close.
    pub const fn is_repeated(&self) -> bool {
        matches!(self, Self::All { is_repeated: true, .. })
    }
}

/// `37 of 1,000 replicas open, first: web-17`
impl fmt::Display for FleetPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => f.write_str("fleet engine unreachable; seen by this replica"),
            Self::All { open, members, first, .. } => {
                write!(f, "{} of {} replicas open", grouped(*open), grouped(*members))?;
                if first.is_empty() { Ok(()) } else { write!(f, ", first: {first}") }
            }
        }
    }
}

/// `1,000,000`
pub(super) fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let groups = [0, 12, 999, 1_000, 37_000, 1_234_567].map(grouped);
        assert_eq!(groups, ["0", "12", "999", "1,000", "37,000", "1,234,567"]);
        let part = FleetPart::All {
            epoch: 1,
            open: 37,
            members: 1_000,
            first: "web-17".into(),
            has_doubled: false,
            is_repeated: false,
        };
        assert_eq!(part.to_string(), "37 of 1,000 replicas open, first: web-17");
    }
}
