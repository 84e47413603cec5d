//! The fleet of a server, and commands to all its replicas.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use smol::Timer;
use tripline_runtime::core::fleet::Action;

use super::command::CtlCommand;
use super::show::{aligned, plain, scalar};
use super::{CliError, Session, unexpected_response};

/// Replicas carry a command out within about 6 s.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// Between two questions how many have done it.
const BETWEEN: Duration = Duration::from_millis(500);

/// What a command means for all replicas; `None` for one that is for one process only.
pub(super) const fn command_to_all(command: &CtlCommand) -> Option<Action> {
    match command {
        CtlCommand::Disable => Some(Action::Disable),
        CtlCommand::Enable => Some(Action::Enable),
        CtlCommand::Reset { .. } => Some(Action::Reset),
        _ => None,
    }
}

impl Session {
    pub(super) async fn fleet(&self) -> Result<(), CliError> {
        let path = "/fleet";
        let answer = self.client.get(path).await?;
        let text = text(&answer.body).ok_or_else(|| unexpected_response(path))?;
        self.print(&answer, || text);
        Ok(())
    }

    /// Commands all replicas, and waits until they have done it.
    pub(super) async fn command_all(&self, action: Action, command: &CtlCommand) -> Result<ExitCode, CliError> {
        const COMMAND: &str = "/breaker/fleet-command";
        if matches!(command, CtlCommand::Reset { yes: false }) {
            self.confirm_reset(" of all replicas").await?;
        }
        let body = json!({"action": action.as_str(), "confirm": true});
        let answer = self.client.post(COMMAND, Some(&body)).await?.body;
        let number = answer.get("number").and_then(Value::as_u64).ok_or_else(|| unexpected_response(COMMAND))?;
        let path = format!("/fleet/command?number={number}");
        let asked_at = Instant::now();
        loop {
            let answer = self.client.get(&path).await?;
            let count = |name: &str| answer.body.get(name).and_then(Value::as_u64);
            let (done, members) = count("done").zip(count("members")).ok_or_else(|| unexpected_response(&path))?;
            if done >= members {
                self.print(&answer, || format!("{}: done by {done} of {members} replicas", action.as_str()));
                return Ok(ExitCode::SUCCESS);
            }
            if asked_at.elapsed() > MAX_WAIT {
                let seconds = MAX_WAIT.as_secs();
                return Err(CliError::new(format!(
                    "{}: done by {done} of {members} replicas within {seconds} s; one that takes no commands (fleet.commands) or \
                     does not reach the engine within a minute does not carry it out",
                    action.as_str()
                )));
            }
            Timer::after(BETWEEN).await;
        }
    }
}

/// For people: the replica and its engine, then a line for each breaker.
fn text(body: &Value) -> Option<String> {
    let word = |name: &str| body.get(name).and_then(scalar).map(|text| plain(&text));
    let engine = match (body.get("up")?.as_bool()?, body.get("alone")?.as_bool()?) {
        (true, _) => "reached".to_owned(),
        (false, alone) => {
            let error = word("error").unwrap_or_default();
            format!("{error}{}", if alone { "; this replica pages alone" } else { "" })
        }
    };
    let mut rows = vec![
        ("replica".to_owned(), word("replica")?),
        ("engine".to_owned(), engine),
        ("members".to_owned(), word("members")?),
    ];
    for breaker in body.get("breakers")?.as_array()? {
        let text = |name: &str| breaker.get(name).and_then(Value::as_str).map(plain);
        rows.push((text("name")?, text("summary")?));
    }
    Some(aligned(&rows))
}
