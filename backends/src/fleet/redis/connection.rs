//! One connection, opened on first use and reopened after a failure.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, RedisError, ScriptInvocation, Value};
use smol::lock::Mutex;
use tripline_runtime::EngineError;

use crate::text::{escape_controls, redact, shorten};

/// Timeouts of a connection and of a response. Their sum is below the timeout of a fleet's runner.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_400);
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1_400);
/// Maximum length of a quoted error of the server, in characters.
const REASON_CHARS: usize = 300;

#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    /// Scheme, host and port, for reasons.
    server: String,
    /// The password, which is removed from reasons.
    password: String,
    open: Mutex<Option<MultiplexedConnection>>,
}

impl Connection {
    pub(super) fn new(client: Client, password: String) -> Self {
        let address = client.get_connection_info().addr();
        let scheme = if matches!(address, ConnectionAddr::TcpTls { .. }) { "rediss" } else { "redis" };
        Self { server: format!("{scheme}://{address}"), client, password, open: Mutex::new(None) }
    }

    /// Returns the server's response to a script.
    pub(super) async fn call(&self, script: &ScriptInvocation<'_>) -> Result<Value, EngineError> {
        let mut connection = self.connected().await.map_err(|error| self.failure(&error))?;
        match script.invoke_async(&mut connection).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let failure = self.failure(&error);
                if !matches!(failure, EngineError::ForeignKey { .. }) {
                    // The connection may be half dead, or lead to a server that is no longer the primary.
                    *self.open.lock().await = None;
                }
                Err(failure)
            }
        }
    }

    async fn connected(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &*open {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        *open = Some(connection.clone());
        Ok(connection)
    }

    fn failure(&self, error: &RedisError) -> EngineError {
        if error.code() == Some("FOREIGN") {
            return EngineError::ForeignKey { key: error.detail().unwrap_or_default().to_owned() };
        }
        let words = shorten(&escape_controls(&redact(&error.to_string(), &[&self.password])), REASON_CHARS);
        if let Some(cause) = cause(error.code().unwrap_or_default(), &words) {
            return EngineError::Rejected { reason: format!("{cause}: {words}") };
        }
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::AuthenticationFailed | ErrorKind::Extension => {
                EngineError::Rejected { reason: words }
            }
            _ if words.contains("Parse error") => {
                EngineError::Rejected { reason: format!("{} does not speak the protocol of Redis", self.server) }
            }
            _ => EngineError::Unreachable { reason: format!("{}: {words}", self.server) },
        }
    }
}

/// Returns the cause of an error of the server where its own text does not state what to change. An error inside a script has its code
/// in the text in Redis 5 and 6.
fn cause(code: &str, text: &str) -> Option<&'static str> {
    let is = |word: &str| code == word || text.contains(&format!("-{word} "));
    if ["MOVED", "ASK", "TRYAGAIN", "CROSSSLOT", "CLUSTERDOWN"].into_iter().any(is) {
        Some("the server is a node of a Redis Cluster, which is not supported")
    } else if is("READONLY") {
        Some("the server is a read-only replica; name the primary")
    } else if is("OOM") {
        Some("the server has reached its maxmemory")
    } else if is("NOAUTH") || text.contains("unauthenticated") {
        Some("the server requires a password, and the address has none")
    } else if text.contains("unknown command") {
        Some("the server executes no scripts; Redis Sentinel is not supported")
    } else if text.contains("non deterministic") {
        Some("Redis 5 or newer is needed")
    } else {
        None
    }
}
