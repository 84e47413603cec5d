//! The stages of an incident: those reached and those due.

/// The stage that an incident has reached, as acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub enum FleetStage {
    /// No alert was sent.
    #[default]
    Pending,
    /// The first page was sent.
    Initial,
    /// The escalation was sent.
    Escalated,
    /// The close was sent.
    Resolved,
    /// The second close was sent; nothing is left to do.
    Settled,
}

impl FleetStage {
    /// The number that engines store.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The stage of this [`code`](Self::code); larger numbers are [`FleetStage::Settled`].
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Pending,
            1 => Self::Initial,
            2 => Self::Escalated,
            3 => Self::Resolved,
            _ => Self::Settled,
        }
    }

    /// The name used in status and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Initial => "initial",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
            Self::Settled => "settled",
        }
    }
}

/// A stage for a replica to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DueStage {
    /// The first page.
    Initial,
    /// The escalation of a lasting incident.
    Escalated,
    /// The number of open replicas has doubled.
    Note,
    /// All replicas are healthy.
    Resolved,
    /// The close once more, for an alert that was created late.
    ResolvedAgain,
}

impl DueStage {
    /// The number that engines store.
    pub const fn code(self) -> u8 {
        match self {
            Self::Initial => 1,
            Self::Escalated => 2,
            Self::Resolved => 3,
            Self::ResolvedAgain => 4,
            Self::Note => 5,
        }
    }

    /// The stage of this [`code`](Self::code).
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Initial),
            2 => Some(Self::Escalated),
            3 => Some(Self::Resolved),
            4 => Some(Self::ResolvedAgain),
            5 => Some(Self::Note),
            _ => None,
        }
    }

    /// The name used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Escalated => "escalated",
            Self::Note => "note",
            Self::Resolved => "resolved",
            Self::ResolvedAgain => "resolved_again",
        }
    }
}
