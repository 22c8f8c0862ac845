//! Cells in Redis or Valkey. Its only script is compare-and-set of one key.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, Script, TlsCertificates, Value};
use tokio::sync::OnceCell;

use super::super::tls;
use super::{Cell, StoreError};

/// What all keys begin with, so that others may use the same server.
const PREFIX: &str = "weir:lease:";

/// Replaces a value if it is what was read. An argument more says whether there must be, or shall be, one.
const SWAP: &str = r"
local now = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
  if now then return 0 end
elseif now ~= ARGV[2] then
  return 0
end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[4])
end
return 1";

/// How long a server may take to answer. It is alone on the way of a request whose lease is used up.
const PATIENCE: Duration = Duration::from_secs(1);

/// One connection to one process of the server.
#[derive(Debug)]
pub struct Redis {
    connection: MultiplexedConnection,
    swap: Script,
    incarnation: String,
    warning: OnceCell<String>,
}

impl Redis {
    pub(super) async fn open(url: &str) -> Result<Self, StoreError> {
        let client = client(url)?;
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
        let told = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        if told("role") == "slave" {
            return Err(StoreError::Unsafe("this Redis is a replica; name the primary".to_owned()));
        }
        let policy = told("maxmemory_policy");
        if told("maxmemory") != "0" && !policy.is_empty() && policy != "noeviction" {
            let why = format!("Redis evicts keys (maxmemory-policy {policy}); set it to noeviction");
            return Err(StoreError::Unsafe(why));
        }
        let fsync: Result<Vec<String>, _> =
            redis::cmd("CONFIG").arg("GET").arg("appendfsync").query_async(&mut connection).await;
        let has_log = told("aof_enabled") == "1";
        let loses_nothing = has_log && fsync.is_ok_and(|pair| pair.get(1).is_some_and(|value| value == "always"));
        let incarnation = if loses_nothing { "appendfsync always".to_owned() } else { told("run_id") };
        let warning = OnceCell::new();
        if !has_log {
            let text = "this Redis has no append-only file: when it restarts, no lease is granted for some seconds, and what was \
                        spent is read from the ledger; set `appendonly yes`";
            let _ = warning.set(text.to_owned());
        }
        Ok(Self { connection, swap: Script::new(SWAP), incarnation, warning })
    }

    pub(super) fn incarnation(&self) -> &str {
        &self.incarnation
    }

    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.get().map(String::as_str)
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("GET").arg(format!("{PREFIX}{key}")).query_async(&mut connection).await?)
    }

    pub(super) async fn swap(&self, key: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, StoreError> {
        let mut connection = self.connection.clone();
        let mut call = self.swap.key(format!("{PREFIX}{key}"));
        for bytes in [old, new] {
            call.arg(u8::from(bytes.is_some())).arg(bytes.unwrap_or_default());
        }
        let swapped: u8 = call.invoke_async(&mut connection).await?;
        Ok(swapped == 1)
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Cell>, StoreError> {
        let mut connection = self.connection.clone();
        let (mut keys, mut cursor) = (Vec::<String>::new(), 0_u64);
        let pattern = format!("{PREFIX}{prefix}*");
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000);
            let (next, found): (u64, Vec<String>) = scan.query_async(&mut connection).await?;
            keys.extend(found);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        keys.sort();
        keys.dedup();
        let mut cells = Vec::new();
        for keys in keys.chunks(500) {
            let values: Vec<Value> = redis::cmd("MGET").arg(keys).query_async(&mut connection).await?;
            for (key, value) in keys.iter().zip(values) {
                // One that has been removed meanwhile is nil.
                if let Value::BulkString(bytes) = value {
                    cells.push((key.strip_prefix(PREFIX).unwrap_or(key).to_owned(), bytes));
                }
            }
        }
        Ok(cells)
    }
}

/// Connects by TLS where the URL says `rediss`.
fn client(url: &str) -> Result<Client, StoreError> {
    let (url, root_cert) = tls::authorities(url).map_err(StoreError::Away)?;
    if !url.starts_with("rediss:") {
        return Ok(Client::open(url)?);
    }
    // The library takes the process's own. Where there is one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert })?)
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        Self::Away(format!("Redis: {error}"))
    }
}
