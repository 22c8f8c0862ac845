//! Cells in a SQLite file.
//!
//! A transaction is written to the file before it is answered, and synced later. So a killed process loses nothing, and a crash of
//! the machine may lose the last moments: the number of the system's boot is the store's incarnation.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Cell, StoreError};

/// How long one process waits for another.
const PATIENCE: Duration = Duration::from_secs(5);

/// A SQLite file that is open. A call takes some microseconds, so it is made where it is asked for.
#[derive(Debug)]
pub struct Sqlite {
    connection: Mutex<Connection>,
    boot: String,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let at = |error: rusqlite::Error| StoreError::Away(format!("{}: {error}", path.display()));
        let connection = Connection::open(path).map_err(at)?;
        connection.busy_timeout(PATIENCE).map_err(at)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(at)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(at)?;
        let table = "CREATE TABLE IF NOT EXISTS cells (key TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID";
        connection.execute(table, []).map_err(at)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Ok(Self { connection: Mutex::new(connection), boot: boot.trim().to_owned() })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn incarnation(&self) -> &str {
        &self.boot
    }

    pub(super) fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT bytes FROM cells WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    pub(super) fn swap(&self, key: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, StoreError> {
        let connection = self.connection();
        let changed = match (old, new) {
            (None, None) => return Ok(true),
            (None, Some(new)) => connection
                .prepare_cached("INSERT INTO cells (key, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![key, new])?,
            (Some(old), Some(new)) => connection
                .prepare_cached("UPDATE cells SET bytes = ?3 WHERE key = ?1 AND bytes = ?2")?
                .execute(params![key, old, new])?,
            (Some(old), None) => connection
                .prepare_cached("DELETE FROM cells WHERE key = ?1 AND bytes = ?2")?
                .execute(params![key, old])?,
        };
        Ok(changed == 1)
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Cell>, StoreError> {
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached("SELECT key, bytes FROM cells WHERE substr(key, 1, length(?1)) = ?1 AND key >= ?1")?;
        let cells = statement.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(cells.collect::<Result<_, _>>()?)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Away(error.to_string())
    }
}
