//! Commands of operators to all replicas.

use super::ReplicaText;

/// A command expires after this many milliseconds: replicas that beat later do not execute it.
pub const COMMAND_LASTS_MS: u64 = 60_000;
/// Maximum number of commands kept; a further one replaces the oldest.
pub const MAX_COMMANDS: usize = 8;

/// The action of a command on a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Admit every call and record none.
    Disable,
    /// Undo [`Action::Disable`].
    Enable,
    /// Close, and clear the window, the simulations and the incident.
    Reset,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Disable, Self::Enable, Self::Reset];

    /// The name in requests, in logs and on the engine.
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
    /// Number of the command, greater than that of every earlier one.
    pub number: u64,
    /// The action.
    pub action: Action,
    /// Name of the breaker.
    pub breaker: ReplicaText,
}

/// The commands that an engine holds. Each replica asks for the commands after the last one that it executed, and reports that
/// number. Numbers therefore increase even if the engine loses its state or its clock is set back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    last: u64,
    kept: heapless::Vec<(Command, u64), MAX_COMMANDS>,
}

impl Commands {
    /// Adds a command at `now_ms` of the engine's clock. Returns its number. O([`MAX_COMMANDS`]).
    pub fn place(&mut self, action: Action, breaker: &ReplicaText, now_ms: u64) -> u64 {
        if self.kept.is_full() {
            self.kept.remove(0);
        }
        self.last = self.last.saturating_add(1).max(now_ms);
        let command = Command { number: self.last, action, breaker: breaker.clone() };
        // There is capacity.
        let _ = self.kept.push((command, now_ms));
        self.last
    }

    /// The commands for a replica whose last executed command is `done` (0: none), in order.
    pub fn newer(&mut self, done: u64, now_ms: u64) -> impl Iterator<Item = &Command> {
        self.last = self.last.max(done);
        let is_due = move |at: u64| now_ms.saturating_sub(at) <= COMMAND_LASTS_MS;
        let newer = self.kept.iter().filter(move |(command, at)| command.number > done && is_due(*at));
        newer.map(|(command, _)| command)
    }
}
