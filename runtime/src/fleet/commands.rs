//! Commands of operators to all replicas.

use std::fmt;

use tripline_core::fleet::{Action, Command};
use tripline_core::planted::planted;

use crate::breaker::Breaker;
use crate::breaker::name::BreakerName;
use crate::fleet::engine::{CommandProgress, EngineError};
use crate::fleet::shared::{Fleet, Inner};

/// The reason why a command was not placed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// Commands are off for this replica ([`FleetSettings::takes_commands`](crate::FleetSettings)).
    Off,
    /// The engine may not have recorded it.
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
    /// Commands all replicas to apply `action` to `breaker`. Each executes it with its next beat. A replica that does not reach
    /// the engine within a minute never executes it. Returns the number of the command.
    ///
    /// # Errors
    /// [`CommandError`] if commands are off, or the engine may not have recorded it.
    pub async fn command(&self, action: Action, breaker: &BreakerName) -> Result<u64, CommandError> {
        let inner = &self.inner;
        self.commands()?;
        let number = inner.within(inner.engine.command(action, breaker)).await.map_err(CommandError::Engine)?;
        tracing::warn!(number, action = action.as_str(), breaker = breaker.as_str(), "a command to all replicas");
        inner.beat_now();
        Ok(number)
    }

    /// Number of replicas that have executed the command of this number.
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
    /// Executes commands. Returns true if there were any.
    pub(super) fn carry_out(&self, commands: &[Command]) -> bool {
        for command in commands {
            let breaker = {
                let mut state = self.state();
                if !planted("fleet: a command is executed again") {
                    state.done = command.number;
                }
                let entry = state.breakers.get(command.breaker.as_str()).filter(|entry| !entry.is_retired);
                entry.map(|entry| (entry.breaker.clone(), entry.family.clone()))
            };
            let (number, action) = (command.number, command.action.as_str());
            // Replicas of different versions may have different breakers.
            let Some((breaker, family)) = breaker else {
                let breaker = command.breaker.as_str();
                tracing::warn!(number, action, breaker, "a command to all replicas names a breaker that is not here");
                continue;
            };
            let operate = match command.action {
                Action::Disable => Breaker::disable,
                Action::Enable => Breaker::enable,
                Action::Reset => Breaker::reset,
            };
            match &family {
                Some(family) => family.members().iter().for_each(operate),
                None => operate(&breaker),
            }
            let breaker = breaker.name().as_str();
            tracing::warn!(number, action, breaker, "executed a command to all replicas");
        }
        !commands.is_empty()
    }
}
