//! Where leases are kept: cells of bytes, each under its own key, replaced by compare-and-set.
//!
//! An opened [`Store`] is one connection. It never connects again by itself: after an error it is opened anew, and the
//! [epoch](super::epoch) is looked at before anything is granted, because the server may have lost data meanwhile.

mod memory;
mod postgres;
mod redis;
mod sqlite;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use memory::Memory;
pub use postgres::Postgres;
pub use redis::Redis;
pub use sqlite::Sqlite;

/// The usual name of the embedded store's file, in Weir's state folder.
pub const FILE: &str = "leases.sqlite";

/// Why a store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or gave up. Whether what was asked has happened is unknown.
    #[error("the store of leases is away: {0}")]
    Away(String),
    /// It was made by a newer Weir.
    #[error("the store of leases was made by a newer weir; use that one")]
    Newer,
    /// It is set up in a way that loses data.
    #[error("the store of leases would lose data: {0}")]
    Unsafe(String),
    /// It has lost data while it was in use.
    #[error("the store of leases has lost data")]
    Lost,
}

/// A cell: its key and its bytes.
pub type Cell = (String, Vec<u8>);

/// Where the store is.
#[derive(Clone, Debug)]
pub enum Address {
    /// In this process.
    Memory(Memory),
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// In a Redis or Valkey server, by its URL.
    Redis(String),
    /// In a PostgreSQL server, by its URL.
    Postgres(String),
}

impl Address {
    /// Connects.
    pub async fn open(&self) -> Result<Store, StoreError> {
        Ok(match self {
            Self::Memory(memory) => Store::Memory(memory.clone()),
            Self::Sqlite(path) => Store::Sqlite(Sqlite::open(path)?),
            Self::Redis(url) => Store::Redis(Box::new(Redis::open(url).await?)),
            Self::Postgres(url) => Store::Postgres(Box::new(Postgres::open(url).await?)),
        })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory(Memory::default())),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("redis" | "rediss", _)) => Ok(Self::Redis(text.to_owned())),
            Some(("valkey", rest)) => Ok(Self::Redis(format!("redis:{rest}"))),
            Some(("valkeys", rest)) => Ok(Self::Redis(format!("rediss:{rest}"))),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            _ => Err(format!("\"{text}\" is no store; write sqlite:PATH, postgres://…, redis://… or memory")),
        }
    }
}

impl fmt::Display for Address {
    /// Without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(_) => f.write_str("memory"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Redis(url) | Self::Postgres(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                // A query may have a password.
                let rest = rest.split('?').next().unwrap_or(rest);
                write!(f, "{scheme}://{rest}")
            }
        }
    }
}

/// A store that was opened.
#[derive(Debug)]
pub enum Store {
    /// In this process.
    Memory(Memory),
    /// A SQLite file.
    Sqlite(Sqlite),
    /// A connection to Redis or Valkey.
    Redis(Box<Redis>),
    /// A connection to PostgreSQL.
    Postgres(Box<Postgres>),
}

impl Store {
    /// The bytes of a cell.
    pub async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.read(key)),
            Self::Sqlite(store) => store.read(key),
            Self::Redis(store) => store.read(key).await,
            Self::Postgres(store) => store.read(key).await,
        }
    }

    /// Replaces a cell if it has the bytes `old`; `None` is a cell that is not there. Returns whether it had.
    pub async fn swap(&self, key: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.swap(key, old, new)),
            Self::Sqlite(store) => store.swap(key, old, new),
            Self::Redis(store) => store.swap(key, old, new).await,
            Self::Postgres(store) => store.swap(key, old, new).await,
        }
    }

    /// The cells whose keys begin with `prefix`, in no order. It need not be one moment's picture.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Cell>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.list(prefix)),
            Self::Sqlite(store) => store.list(prefix),
            Self::Redis(store) => store.list(prefix).await,
            Self::Postgres(store) => store.list(prefix).await,
        }
    }

    /// What stays the same as long as the store cannot have lost what was written.
    pub fn incarnation(&self) -> &str {
        match self {
            Self::Memory(_) => "memory",
            Self::Sqlite(store) => store.incarnation(),
            Self::Redis(store) => store.incarnation(),
            Self::Postgres(store) => store.incarnation(),
        }
    }

    /// What an operator should know.
    pub fn warning(&self) -> Option<&str> {
        match self {
            Self::Memory(_) => Some("leases are kept in memory: a restart of this process forgets them"),
            Self::Sqlite(_) => None,
            Self::Redis(store) => store.warning(),
            Self::Postgres(store) => store.warning(),
        }
    }
}

#[cfg(test)]
mod tests;
