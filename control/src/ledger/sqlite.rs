//! The embedded store: one SQLite file, which several processes may read while one writes.

mod age;
mod append;
mod layout;
mod look;

use std::collections::HashMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::gap::{Booking, Gap};
use super::series::Series;
use super::store::{Aged, Ages, Batch, Detail, Known, Leased, Position, Slice, Spent, Store, StoreError};
use super::sums::Sums;

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);

/// The ledger in a SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    /// The numbers of series that are in the file.
    series: HashMap<Series, i64>,
    /// The file's layout when it was opened.
    layout: usize,
}

impl Sqlite {
    /// Opens a ledger to write in it, and makes it if there is none. Only its user can read it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make(path).map_err(|error| StoreError::Database(format!("{}: {error}", path.display())))?;
        let connection = Connection::open(path).map_err(|error| named(path, &error))?;
        connection.busy_timeout(PATIENCE)?;
        // Pages that old rows leave go back to the file system. It must be said before the first table.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(|error| named(path, &error))?;
        // A power cut may take the last transactions, positions included: their lines are read again.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(64);
        let mut sqlite = Self { connection, series: HashMap::new(), layout: 0 };
        layout::bring_up_to_date(&mut sqlite.connection)?;
        sqlite.layout = layout::check(&sqlite.connection)?;
        Ok(sqlite)
    }

    /// Opens a ledger to read it, also while somebody writes.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.display().to_string()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| named(path, &error))?;
        connection.busy_timeout(PATIENCE)?;
        let layout = layout::check(&connection)?;
        Ok(Self { connection, series: HashMap::new(), layout })
    }

    /// Whether the file is not of an older Weir that nobody has written to since.
    fn is_narrow(&self) -> bool {
        self.layout >= layout::NARROW
    }
}

impl Store for Sqlite {
    fn positions(&mut self) -> Result<Vec<Position>, StoreError> {
        look::positions(&self.connection)
    }

    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let new = append::write(&transaction, &self.series, batch)?;
        transaction.commit()?;
        // Numbers of series are known only once they are in the file.
        self.series.extend(new);
        Ok(())
    }

    fn sums(&mut self, slice: Slice, each: &mut dyn FnMut(i64, i64, &Sums)) -> Result<(), StoreError> {
        let detail = if self.is_narrow() { slice.detail } else { Detail::Callers };
        look::sums(&self.connection, Slice { detail, ..slice }, each)
    }

    fn series(&mut self) -> Result<Vec<(i64, Series)>, StoreError> {
        look::series(&self.connection)
    }

    fn hours_from(&mut self) -> Result<i64, StoreError> {
        look::hours_from(&self.connection)
    }

    fn gaps(&mut self, from_ms: i64, until_ms: i64) -> Result<Vec<Gap>, StoreError> {
        look::gaps(&self.connection, from_ms, until_ms)
    }

    fn bookings(&mut self, from_ms: i64, until_ms: i64) -> Result<Vec<Booking>, StoreError> {
        look::bookings(&self.connection, from_ms, until_ms)
    }

    fn spent(&mut self, node: Option<&str>) -> Result<Vec<Spent>, StoreError> {
        look::spent(&self.connection, node)
    }

    fn known(&mut self, node: &str) -> Result<Known, StoreError> {
        if self.is_narrow() { look::known(&self.connection, node) } else { Ok(Known::default()) }
    }

    fn leased(&mut self, limits: &[String], lease: u64) -> Result<Leased, StoreError> {
        if self.is_narrow() { look::leased(&self.connection, limits, lease) } else { Ok(Leased::default()) }
    }

    fn age(&mut self, ages: Ages, now_ms: i64) -> Result<Aged, StoreError> {
        age::step(&mut self.connection, ages, now_ms)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// Makes an empty file, if there is none: SQLite gives the files beside it the same mode.
fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

fn named(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::Database(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
