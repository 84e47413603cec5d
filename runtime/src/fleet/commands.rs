//! What an operator commands all replicas.

use std::fmt;

use tripline_core::fleet::{Action, Command};

use crate::breaker::name::BreakerName;
use crate::fleet::engine::{CommandProgress, EngineError};
use crate::fleet::shared::{Fleet, Inner};

/// Why a command was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// This replica takes no commands ([`FleetSettings::takes_commands`](crate::FleetSettings)), so it gives none.
    Off,
    /// The engine does not know of it.
    Engine(EngineError),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => {
                f.write_str("commands to all replicas are off; allowed with fleet.commands = true on each of them")
            }
            Self::Engine(error) => write!(f, "the fleet's engine: {error}"),
        }
    }
}

impl std::error::Error for CommandError {}

impl Fleet {
    /// Commands all replicas to do `action` to `breaker`. Each carries it out with its next beat, one that does not reach the
    /// engine within a minute never. Returns its number.
    ///
    /// # Errors
    /// [`CommandError`] where this replica may not, or the engine is not known to have it.
    pub async fn command(&self, action: Action, breaker: &BreakerName) -> Result<u64, CommandError> {
        let inner = &self.inner;
        self.commands()?;
        let number = inner.within(inner.engine.command(action, breaker)).await.map_err(CommandError::Engine)?;
        tracing::warn!(number, action = action.as_str(), breaker = breaker.as_str(), "a command to all replicas");
        inner.beat_now();
        Ok(number)
    }

    /// How many replicas have carried out the command of this number.
    ///
    /// # Errors
    /// As [`Fleet::command`].
    pub async fn command_progress(&self, number: u64) -> Result<CommandProgress, CommandError> {
        self.commands()?;
        let inner = &self.inner;
        inner.within(inner.engine.command_progress(number)).await.map_err(CommandError::Engine)
    }

    fn commands(&self) -> Result<(), CommandError> {
        if self.inner.settings.takes_commands { Ok(()) } else { Err(CommandError::Off) }
    }
}

impl Inner {
    /// Carries out what was commanded; true where there was something.
    pub(super) fn carry_out(&self, commands: &[Command]) -> bool {
        for command in commands {
            let breaker = {
                let mut state = self.state();
                if command.number <= state.done {
                    continue;
                }
                state.done = command.number;
                state.breakers.get(command.breaker.as_str()).map(|entry| entry.breaker.clone())
            };
            let (number, action) = (command.number, command.action.as_str());
            // Replicas of different versions may have different breakers.
            let Some(breaker) = breaker else {
                let breaker = command.breaker.as_str();
                tracing::warn!(number, action, breaker, "a command to all replicas names a breaker that is not here");
                continue;
            };
            match command.action {
                Action::Disable => breaker.disable(),
                Action::Enable => breaker.enable(),
                Action::Reset => breaker.reset(),
            }
            let breaker = breaker.name().as_str();
            tracing::warn!(number, action, breaker, "carried out a command to all replicas");
        }
        !commands.is_empty()
    }
}
