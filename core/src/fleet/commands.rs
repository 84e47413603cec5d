//! What operators command all replicas.

use super::ReplicaText;

/// A replica that beats later than this after a command does not carry it out.
pub const COMMAND_LASTS_MS: u64 = 60_000;
/// So many commands are kept; the oldest makes room.
pub const MAX_COMMANDS: usize = 8;

/// What all replicas are to do to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Admit every call and record none.
    Disable,
    /// Undo that.
    Enable,
    /// Close, and forget the window, simulations and the incident.
    Reset,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Disable, Self::Enable, Self::Reset];

    /// The name as it stands in requests, in logs and on the engine.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Reset => "reset",
        }
    }

    /// The action of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// A command to all replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its number: greater than that of every earlier command.
    pub number: u64,
    /// What is to be done.
    pub action: Action,
    /// To the breaker of this name.
    pub breaker: ReplicaText,
}

/// The commands that an engine holds. Replicas ask for what is newer than the last one that they have carried out, and say its
/// number; so numbers go on also where the engine lost everything, or its clock was set back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    last: u64,
    kept: heapless::Vec<(Command, u64), MAX_COMMANDS>,
}

impl Commands {
    /// Takes a command at `now_ms` by the engine's clock; returns its number. O([`MAX_COMMANDS`]).
    pub fn place(&mut self, action: Action, breaker: &ReplicaText, now_ms: u64) -> u64 {
        if self.kept.is_full() {
            self.kept.remove(0);
        }
        self.last = self.last.saturating_add(1).max(now_ms);
        let command = Command { number: self.last, action, breaker: breaker.clone() };
        // There is room.
        let _ = self.kept.push((command, now_ms));
        self.last
    }

    /// What a replica is to carry out that has carried out the command of number `done` last (0: none), in order.
    pub fn newer(&mut self, done: u64, now_ms: u64) -> impl Iterator<Item = &Command> {
        self.last = self.last.max(done);
        let is_due = move |at: u64| now_ms.saturating_sub(at) <= COMMAND_LASTS_MS;
        let newer = self.kept.iter().filter(move |(command, at)| command.number > done && is_due(*at));
        newer.map(|(command, _)| command)
    }
}
