//! Cells in PostgreSQL.
//!
//! The timeline of its log is the incarnation: a replica that was promoted may lack what the primary had answered last.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::tls;
use super::{Cell, StoreError};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Run at each connection. Two processes may do so at the same time, so there is a lock.
const SETUP: &str = "
SET synchronous_commit = on;
SET statement_timeout = '2s';
SET idle_in_transaction_session_timeout = '2s';
BEGIN;
SELECT pg_advisory_xact_lock(7365829104);
CREATE TABLE IF NOT EXISTS weir_leases (key text COLLATE \"C\" PRIMARY KEY, bytes bytea NOT NULL);
COMMIT;";

/// One connection.
#[derive(Debug)]
pub struct Postgres {
    client: Client,
    incarnation: String,
    warning: Option<String>,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Self, StoreError> {
        let client = connect(url).await?;
        within(client.batch_execute(SETUP)).await?;
        let setting = |row: &Row| row.try_get::<_, String>(0).unwrap_or_default();
        let is_replica = within(client.query_one("SELECT pg_is_in_recovery()::text", &[])).await?;
        if setting(&is_replica) == "true" {
            return Err(StoreError::Unsafe("this PostgreSQL is a replica; name the primary".to_owned()));
        }
        let timeline = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
        let incarnation = setting(&within(client.query_one(timeline, &[])).await?);
        let fsync = setting(&within(client.query_one("SELECT current_setting('fsync')", &[])).await?);
        let warning = (fsync == "off").then(|| "this PostgreSQL has fsync off: a crash can lose leases".to_owned());
        Ok(Self { client, incarnation, warning })
    }

    pub(super) fn incarnation(&self) -> &str {
        &self.incarnation
    }

    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.query("SELECT bytes FROM weir_leases WHERE key = $1", &[&key]).await?;
        rows.first().map(|row| row.try_get(0)).transpose().map_err(|error| StoreError::Away(told(&error)))
    }

    pub(super) async fn swap(&self, key: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, StoreError> {
        let changed = match (old, new) {
            (None, None) => return Ok(true),
            (None, Some(new)) => {
                let insert = "INSERT INTO weir_leases (key, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1";
                self.query(insert, &[&key, &new]).await?
            }
            (Some(old), Some(new)) => {
                let update = "UPDATE weir_leases SET bytes = $3 WHERE key = $1 AND bytes = $2 RETURNING 1";
                self.query(update, &[&key, &old, &new]).await?
            }
            (Some(old), None) => {
                self.query("DELETE FROM weir_leases WHERE key = $1 AND bytes = $2 RETURNING 1", &[&key, &old]).await?
            }
        };
        Ok(changed.len() == 1)
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Cell>, StoreError> {
        let list = "SELECT key, bytes FROM weir_leases WHERE starts_with(key, $1)";
        let rows = self.query(list, &[&prefix]).await?;
        let cells = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        cells.collect::<Result<_, _>>().map_err(|error: Error| StoreError::Away(told(&error)))
    }

    async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        within(async { self.client.query(&self.client.prepare(sql).await?, values).await }).await
    }
}

/// Connects by TLS where the URL has an `sslmode` that requires it, and only then: a server may offer a certificate that nobody
/// can verify.
async fn connect(url: &str) -> Result<Client, StoreError> {
    let (url, authorities) = tls::authorities(url).map_err(StoreError::Away)?;
    // The library knows only one mode with TLS, and verifies as these three say.
    let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let mut config: Config = url.parse().map_err(|error: Error| StoreError::Away(told(&error)))?;
    config.connect_timeout(PATIENCE).application_name("weir control");
    // A connection ends with its client, or with an error that the client's next call tells.
    if config.get_ssl_mode() == SslMode::Require {
        let connector = MakeRustlsConnect::new(tls::client(authorities.as_deref()).map_err(StoreError::Away)?);
        let (client, connection) = within(config.connect(connector)).await?;
        tokio::spawn(connection);
        Ok(client)
    } else {
        let (client, connection) = within(config.ssl_mode(SslMode::Disable).connect(NoTls)).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

async fn within<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
    match timeout(PATIENCE, call).await {
        Ok(done) => done.map_err(|error| StoreError::Away(told(&error))),
        Err(_) => Err(StoreError::Away("PostgreSQL does not answer".to_owned())),
    }
}

fn told(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("PostgreSQL: {error}{}", cause.unwrap_or_default())
}
