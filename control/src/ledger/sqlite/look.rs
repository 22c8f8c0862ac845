//! Reading.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row as Found, params};

use super::layout;
use crate::ledger::gap::{Booking, BookingKind, Gap, GapKind};
use crate::ledger::row::Account;
use crate::ledger::series::Series;
use crate::ledger::store::{Known, Leased, Position, Slice, Spent, StoreError};
use crate::ledger::sums::{Sums, join};

/// Every file that was ever read.
pub(super) fn positions(connection: &Connection) -> Result<Vec<Position>, StoreError> {
    let sql =
        "SELECT file, node, path, device, inode, position, head, tail, read_ms, finished FROM files ORDER BY file";
    all(connection, sql, [], |row| {
        Ok(Position {
            file: row.get(0)?,
            node: row.get(1)?,
            path: row.get(2)?,
            device: row.get::<_, i64>(3)?.cast_unsigned(),
            inode: row.get::<_, i64>(4)?.cast_unsigned(),
            offset: row.get::<_, i64>(5)?.cast_unsigned(),
            head: row.get(6)?,
            tail: row.get::<_, i64>(7)?.cast_unsigned(),
            read_ms: row.get(8)?,
            finished: row.get(9)?,
        })
    })
}

/// Each sum of a slice.
pub(super) fn sums(
    connection: &Connection,
    slice: Slice,
    each: &mut dyn FnMut(i64, i64, &Sums),
) -> Result<(), StoreError> {
    let sql = "SELECT start_ms, series, requests, tries, estimated, unpriced, input, output, cached_read, cache_write,
        cache_write_1h, reasoning, audio_input, audio_output, local_ms, cost_high, cost_low
        FROM sums WHERE span = ?1 AND start_ms >= ?2 AND start_ms < ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![layout::number(slice.detail, slice.span), slice.from_ms, slice.until_ms])?;
    while let Some(row) = rows.next()? {
        let mut counts = [0_i128; 13];
        for (at, count) in counts.iter_mut().enumerate() {
            *count = row.get::<_, i64>(at + 2)?.into();
        }
        each(row.get(0)?, row.get(1)?, &Sums::from_counts(counts, join(row.get(15)?, row.get(16)?)));
    }
    Ok(())
}

/// The series, by number.
pub(super) fn series(connection: &Connection) -> Result<Vec<(i64, Series)>, StoreError> {
    let sql =
        "SELECT id, node, team, key, user, application, endpoint, model, provider, upstream_model, outcome FROM series";
    all(connection, sql, [], |row| {
        let mut values: [String; 10] = Default::default();
        for (at, value) in values.iter_mut().enumerate() {
            *value = row.get(at + 1)?;
        }
        Ok((row.get(0)?, Series::from_values(values)))
    })
}

/// The first instant from which there are sums by hour.
pub(super) fn hours_from(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT value FROM facts WHERE name = 'hours_from'";
    let found = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(i64::MIN))
}

/// The gaps that touch a time.
pub(super) fn gaps(connection: &Connection, from_ms: i64, until_ms: i64) -> Result<Vec<Gap>, StoreError> {
    let sql = "SELECT mark, node, kind, from_ms, until_ms, lines, detail FROM gaps
        WHERE until_ms >= ?1 AND from_ms < ?2 ORDER BY from_ms, id";
    all(connection, sql, params![from_ms, until_ms], |row| {
        Ok(Gap {
            mark: row.get::<_, Option<String>>(0)?.unwrap_or_default(),
            node: row.get(1)?,
            // A kind that a newer Weir has written tells at least that lines could not be read.
            kind: GapKind::from_name(&row.get::<_, String>(2)?).unwrap_or(GapKind::Unreadable),
            from_ms: row.get(3)?,
            until_ms: row.get(4)?,
            lines: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
            detail: row.get(6)?,
        })
    })
}

/// The bookings in a time.
pub(super) fn bookings(connection: &Connection, from_ms: i64, until_ms: i64) -> Result<Vec<Booking>, StoreError> {
    let sql = "SELECT mark, at_ms, node, kind, limit_name, subject, window_ms, amount_high, amount_low, why
        FROM bookings WHERE at_ms >= ?1 AND at_ms < ?2 ORDER BY at_ms, id";
    all(connection, sql, params![from_ms, until_ms], |row| {
        Ok(Booking {
            mark: row.get::<_, Option<String>>(0)?.unwrap_or_default(),
            at_ms: row.get(1)?,
            node: row.get(2)?,
            kind: BookingKind::from_name(&row.get::<_, String>(3)?).unwrap_or(BookingKind::Credit),
            account: account(row, 4)?,
            amount: join(row.get(7)?, row.get(8)?),
            why: row.get(9)?,
        })
    })
}

/// What is known of an Envoy's log.
pub(super) fn known(connection: &Connection, node: &str) -> Result<Known, StoreError> {
    let mut statement = connection.prepare_cached("SELECT read_ms, failed FROM logs WHERE node = ?1")?;
    let read = |row: &Found<'_>| Ok(Known { read_ms: row.get(0)?, failed: row.get::<_, i64>(1)?.cast_unsigned() });
    Ok(statement.query_row([node], read).optional()?.unwrap_or_default())
}

/// What was used up of a lease, under all names of its limit.
pub(super) fn leased(connection: &Connection, limits: &[String], lease: u64) -> Result<Leased, StoreError> {
    let sql = "SELECT node, spent_high, spent_low FROM leases WHERE limit_name = ?1 AND lease = ?2";
    let mut leased = Leased::default();
    for limit in limits {
        let read = |row: &Found<'_>| Ok((row.get(0)?, join(row.get(1)?, row.get(2)?)));
        for (node, amount) in all(connection, sql, params![limit, lease.cast_signed()], read)? {
            leased = Leased { node, amount: leased.amount + amount };
        }
    }
    Ok(leased)
}

/// What is spent of each account.
pub(super) fn spent(connection: &Connection, node: Option<&str>) -> Result<Vec<Spent>, StoreError> {
    let mut amounts: BTreeMap<Account, i128> = BTreeMap::new();
    let read = |row: &Found<'_>| Ok((account(row, 0)?, join(row.get(3)?, row.get(4)?)));
    let sql =
        "SELECT limit_name, subject, window_ms, spent_high, spent_low FROM accounts WHERE ?1 IS NULL OR node = ?1";
    let mut found = all(connection, sql, params![node], read)?;
    if node.is_none() {
        let sql = "SELECT limit_name, subject, window_ms, amount_high, amount_low FROM bookings";
        found.extend(all(connection, sql, [], read)?);
    }
    for (account, amount) in found {
        *amounts.entry(account).or_default() += amount;
    }
    Ok(amounts.into_iter().map(|(account, amount)| Spent { account, amount }).collect())
}

fn account(row: &Found<'_>, at: usize) -> rusqlite::Result<Account> {
    Ok(Account { limit: row.get(at)?, subject: row.get(at + 1)?, window_ms: row.get(at + 2)? })
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    read: impl FnMut(&Found<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
