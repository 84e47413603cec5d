//! A fleet over Redis 5 or newer, or Valkey: one server, with TLS, password and ACL user.
//!
//! Each call is one Lua script that uses the server's clock. All keys of a service have one hash tag and last 24 h.
//! Replicas repeat lost state, so neither persistence nor replication is needed.

mod connection;
#[cfg(test)]
#[path = "../../../tests/redis_server/mod.rs"]
mod redis_server;
mod scripts;
#[cfg(test)]
mod server_errors;
#[cfg(test)]
mod tests;
mod url;

use async_trait::async_trait;
use redis::Value;
use tripline_runtime::core::fleet::{
    Action, COMMAND_LASTS_MS, Claim, Command, DueStage, FleetStage, FleetView, KindSet, Known, MAX_COMMANDS, PageAt,
    ReplicaText, Report, Terms, kind_of_rank, rank, text,
};
use tripline_runtime::{Beat, BreakerName, CommandProgress, EngineError, FleetEngine, Heartbeat};

use connection::Connection;
use scripts::Scripts;

pub use self::url::RedisUrlError;

/// A replica without a call for this long is no longer a member.
const FORGET_MS: u64 = 600_000;
/// Lifetime of a key after its last write.
const EXPIRE_SECONDS: u64 = 86_400;

/// The keys of commands to all replicas.
const COMMAND_KEYS: [&str; 3] = ["commands", "last-command", "done"];

/// The engine of a fleet on a Redis or Valkey server.
#[derive(Debug)]
pub struct RedisFleet {
    connection: Connection,
    scripts: Scripts,
    /// The prefix of all keys.
    prefix: String,
}

impl RedisFleet {
    /// Creates the engine at `address` (`redis://[user:password@]host[:port][/number]`, or `rediss://` for TLS) for the
    /// replicas of `service` in `namespace`. Does not connect yet.
    ///
    /// # Errors
    /// [`RedisUrlError`] if the address cannot be read or is not supported. It does not quote the address, which may
    /// contain a password.
    pub fn new(address: &str, namespace: &str, service: &str) -> Result<Self, RedisUrlError> {
        let connection = Connection::new(url::client(address)?, url::password(address));
        Ok(Self { connection, scripts: Scripts::new(), prefix: prefix(namespace, service) })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn beat_at(&self, now_ms: Option<u64>, beat: &Beat<'_>) -> Result<Heartbeat, EngineError> {
        let mut call = self.scripts.beat.prepare_invoke();
        for key in ["members", "incidents", "born"] {
            call.key(self.key(key));
        }
        if beat.commands_done.is_some() {
            for key in COMMAND_KEYS {
                call.key(self.key(key));
            }
        }
        call.arg(now(now_ms)).arg(beat.replica.as_str()).arg(FORGET_MS).arg(EXPIRE_SECONDS);
        // Empty if it takes none.
        call.arg(now(beat.commands_done)).arg(COMMAND_LASTS_MS);
        let parts = array(self.connection.call(&call).await?)?;
        let [Value::Int(members), Value::Array(names) | Value::Set(names), Value::Array(commands)] = &*parts else {
            return Err(unexpected());
        };
        let name = |value: &Value| match value {
            Value::BulkString(bytes) => BreakerName::new(&String::from_utf8_lossy(bytes)).ok(),
            _ => None,
        };
        let mut heartbeat = Heartbeat::new(count(*members), names.iter().filter_map(name).collect());
        heartbeat.commands = commands.iter().filter_map(command).collect();
        Ok(heartbeat)
    }

    async fn command_at(&self, now_ms: Option<u64>, action: Action, breaker: &BreakerName) -> Result<u64, EngineError> {
        let mut call = self.scripts.command.prepare_invoke();
        for key in COMMAND_KEYS {
            call.key(self.key(key));
        }
        call.arg(now(now_ms)).arg(action.as_str()).arg(breaker.as_str()).arg(MAX_COMMANDS).arg(EXPIRE_SECONDS);
        match self.connection.call(&call).await? {
            Value::BulkString(number) => String::from_utf8_lossy(&number).parse().map_err(|_| unexpected()),
            _ => Err(unexpected()),
        }
    }

    async fn sync_at(
        &self,
        now_ms: Option<u64>,
        breaker: &BreakerName,
        report: &Report<'_>,
        terms: &Terms,
    ) -> Result<FleetView, EngineError> {
        let mut call = self.scripts.sync.prepare_invoke();
        for key in ["members", "incidents", "born"] {
            call.key(self.key(key));
        }
        for set in ["open", "unwell", "incident", "probing"] {
            call.key(self.key(&format!("{set}:{breaker}")));
        }
        call.arg(now(now_ms)).arg(breaker.as_str()).arg(report.replica.as_str()).arg(report.cause.as_str());
        for number in numbers(report, terms) {
            call.arg(number);
        }
        let answer = self.connection.call(&call).await?;
        view(&answer).ok_or_else(unexpected)
    }

    async fn acknowledge_at(
        &self,
        now_ms: Option<u64>,
        breaker: &BreakerName,
        replica: &ReplicaText,
        claim: &Claim,
    ) -> Result<bool, EngineError> {
        let mut call = self.scripts.acknowledge.prepare_invoke();
        call.key(self.key("incidents")).key(self.key(&format!("incident:{breaker}")));
        call.arg(now(now_ms)).arg(breaker.as_str()).arg(replica.as_str()).arg(claim.epoch).arg(claim.fence);
        call.arg(claim.due.code()).arg(rank(Some(claim.kind))).arg(claim.open);
        Ok(self.connection.call(&call).await? == Value::Int(1))
    }
}

/// Returns `namespace:{service}:`. The hash tag keeps the keys of a service together; braces in a name would break it.
fn prefix(namespace: &str, service: &str) -> String {
    let plain = |text: &str| text.replace(['{', '}'], "_");
    format!("{}:{{{}}}:", plain(namespace), plain(service))
}

fn array(answer: Value) -> Result<Vec<Value>, EngineError> {
    match answer {
        Value::Array(parts) => Ok(parts),
        _ => Err(unexpected()),
    }
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Parses a command as the script stores it: its number, when it was given, the action and the breaker.
fn command(kept: &Value) -> Option<Command> {
    let Value::BulkString(bytes) = kept else { return None };
    let kept = String::from_utf8_lossy(bytes);
    let mut parts = kept.splitn(4, ' ');
    let (number, _, action, breaker) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Command { number: number.parse().ok()?, action: Action::from_name(action)?, breaker: text(breaker) })
}

/// Returns an empty text: the server's clock is used.
fn now(now_ms: Option<u64>) -> String {
    now_ms.map_or_else(String::new, |now| now.to_string())
}

fn unexpected() -> EngineError {
    EngineError::Rejected { reason: "the server's response is not that of the script".to_owned() }
}

/// Returns the numbers of a report and its terms, in the order of the script.
fn numbers(report: &Report<'_>, terms: &Terms) -> [u64; 29] {
    let Known { epoch, active, kind, stage, sent, age_ms } = report.known;
    let (paged, confirmed) = report.paged.map_or_else(Default::default, |paged| (paged.kinds, paged.confirmed));
    let (is_share, page_at) = match terms.page_at {
        PageAt::Count(count) => (0, count),
        PageAt::Millionths(share) => (1, share),
    };
    [
        report.open.into(),
        rank(report.unwell).into(),
        report.can_deliver.into(),
        epoch,
        active.into(),
        rank(kind).into(),
        stage.code().into(),
        sent.bits().into(),
        age_ms,
        paged.bits().into(),
        confirmed.code().into(),
        report.closed_alone_ms.is_some().into(),
        report.closed_alone_ms.unwrap_or(0),
        terms.ttl_ms,
        terms.gather_ms,
        terms.grace_ms,
        terms.settle_ms,
        terms.hold_ms,
        terms.lease_ms,
        terms.escalate_after_ms,
        terms.cooldown_ms,
        is_share,
        page_at.into(),
        report.probe.code().into(),
        terms.probe_millionths.into(),
        terms.probe_grant_ms,
        terms.probe_lease_ms,
        FORGET_MS,
        EXPIRE_SECONDS,
    ]
}

/// Parses the view in the script's response.
fn view(answer: &Value) -> Option<FleetView> {
    let Value::Array(fields) = answer else { return None };
    let number = |at: usize| match fields.get(at) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let whole = |at: usize| u64::try_from(number(at)?).ok();
    let small = |at: usize| u32::try_from(number(at)?).ok();
    let code = |at: usize| u8::try_from(number(at)?).ok();
    let words = |at: usize| match fields.get(at) {
        Some(Value::BulkString(bytes)) => Some(text(&String::from_utf8_lossy(bytes))),
        _ => None,
    };
    let known = Known {
        epoch: whole(0)?,
        active: number(1)? == 1,
        kind: kind_of_rank(code(2)?),
        stage: FleetStage::from_code(code(3)?),
        sent: KindSet::from_bits(code(4)?),
        age_ms: whole(5)?,
    };
    let mut view = FleetView::of(known);
    (view.open, view.unwell, view.members) = (small(6)?, small(7)?, small(8)?);
    view.due_in_ms = u64::try_from(number(9)?).ok();
    if let Some(due) = DueStage::from_code(code(10)?) {
        let (fence, kind) = (whole(11)?, kind_of_rank(code(12)?)?);
        view.claim = Some(Claim { due, epoch: known.epoch, fence, kind, sent: known.sent, open: view.open });
    }
    (view.first, view.cause) = (words(13)?, words(14)?);
    view.may_probe = number(15)? == 1;
    Some(view)
}

#[async_trait]
impl FleetEngine for RedisFleet {
    async fn beat(&self, beat: &Beat<'_>) -> Result<Heartbeat, EngineError> {
        self.beat_at(None, beat).await
    }

    async fn sync(&self, breaker: &BreakerName, report: &Report<'_>, terms: &Terms) -> Result<FleetView, EngineError> {
        self.sync_at(None, breaker, report, terms).await
    }

    async fn acknowledge(
        &self,
        breaker: &BreakerName,
        replica: &ReplicaText,
        claim: &Claim,
    ) -> Result<bool, EngineError> {
        self.acknowledge_at(None, breaker, replica, claim).await
    }

    async fn command(&self, action: Action, breaker: &BreakerName) -> Result<u64, EngineError> {
        self.command_at(None, action, breaker).await
    }

    async fn command_progress(&self, number: u64) -> Result<CommandProgress, EngineError> {
        let mut call = self.scripts.progress.prepare_invoke();
        call.key(self.key("members")).key(self.key("done"));
        call.arg(now(None)).arg(number).arg(FORGET_MS);
        match &*array(self.connection.call(&call).await?)? {
            [Value::Int(done), Value::Int(members)] => Ok(CommandProgress::new(count(*done), count(*members))),
            _ => Err(unexpected()),
        }
    }

    async fn leave(&self, replica: &ReplicaText) -> Result<(), EngineError> {
        let mut call = self.scripts.leave.prepare_invoke();
        call.key(self.key("members")).key(self.key("incidents")).key(self.key("done"));
        call.arg(now(None)).arg(replica.as_str()).arg(self.prefix.as_str());
        self.connection.call(&call).await.map(|_| ())
    }
}
