//! Removing what is too old, a little at a time, so that nobody who writes waits for long.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::layout;
use crate::ledger::moment::{DAY, floor};
use crate::ledger::store::{Aged, Ages, Detail, Span, StoreError};

/// How many requests are removed in one step.
const ROWS: i64 = 2000;

/// How many pages go back to the file system in one step.
const PAGES: usize = 500;

/// Removes a part of what is too old.
pub(super) fn step(connection: &mut Connection, ages: Ages, now_ms: i64) -> Result<Aged, StoreError> {
    let before = |days: Option<u32>| Some(floor(now_ms, DAY) - i64::from(days?) * DAY);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut gone = Aged::default();
    if let Some(before) = before(ages.rows) {
        gone = rows(&transaction, before)?;
    }
    for (span, days) in [(Span::Hour, ages.hours), (Span::Day, ages.days)] {
        if let Some(before) = before(days).filter(|_| !gone.more) {
            gone.sums += sums(&transaction, span, before)?;
            gone.more = gone.sums > 0;
        }
    }
    transaction.commit()?;
    let given_back = give_back(connection)?;
    gone.more |= given_back == PAGES;
    Ok(gone)
}

/// Gives free pages back to the file system. How many.
fn give_back(connection: &Connection) -> Result<usize, StoreError> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = statement.query([])?;
    let mut given_back = 0;
    // Each row is a page that has been given back.
    while pages.next()?.is_some() {
        given_back += 1;
    }
    Ok(given_back)
}

/// Removes the oldest requests, if they are from before this instant.
fn rows(transaction: &Transaction<'_>, before: i64) -> Result<Aged, StoreError> {
    transaction.execute("DELETE FROM leases WHERE latest_ms < ?1", params![before])?;
    let oldest: Option<i64> = transaction.query_row("SELECT min(day) FROM requests", [], |row| row.get(0))?;
    let Some(day) = oldest.filter(|day| *day < before.div_euclid(DAY)) else { return Ok(Aged::default()) };
    let sql = "SELECT min(number) FROM requests WHERE day = ?1";
    let first: i64 = transaction.query_row(sql, params![day], |row| row.get(0))?;
    let mut gone = Aged { more: true, ..Aged::default() };
    for table in ["settled", "tries", "requests"] {
        let sql = format!("DELETE FROM {table} WHERE day = ?1 AND number < ?2");
        let count = transaction.execute(&sql, params![day, first.saturating_add(ROWS)])?;
        gone.rows = count as u64;
    }
    Ok(gone)
}

/// Removes the sums of the oldest step, if it is from before this instant. How many they were.
fn sums(transaction: &Transaction<'_>, span: Span, before: i64) -> Result<u64, StoreError> {
    if span == Span::Hour {
        // It is said before the first one goes, so that no answer is made of what is left.
        let sql = "INSERT INTO facts (name, value) VALUES ('hours_from', ?1)
            ON CONFLICT (name) DO UPDATE SET value = max(facts.value, excluded.value)";
        transaction.execute(sql, params![before])?;
    } else {
        transaction.execute("DELETE FROM gaps WHERE until_ms < ?1", params![before])?;
    }
    let mut gone = 0;
    for detail in [Detail::Callers, Detail::Keys] {
        let number = layout::number(detail, span);
        let sql = "DELETE FROM sums WHERE span = ?1 AND start_ms < ?2
            AND start_ms = (SELECT min(start_ms) FROM sums WHERE span = ?1)";
        gone += transaction.execute(sql, params![number, before])? as u64;
    }
    Ok(gone)
}
