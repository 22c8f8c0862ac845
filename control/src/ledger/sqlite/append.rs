//! Writing a batch, inside a transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{OptionalExtension, Transaction, params, params_from_iter};

use super::layout;
use crate::ledger::gap::{Booking, Gap};
use crate::ledger::moment::{DAY, floor};
use crate::ledger::row::{Account, Row, Tokens, Tried};
use crate::ledger::series::Series;
use crate::ledger::store::{Batch, Detail, Move, Span, StoreError};
use crate::ledger::sums::{Sums, split};

/// The most series that a ledger has. Callers choose the names of users, applications and models: what is more than this counts
/// for [`OTHERS`] in sums. Its rows keep their names.
pub(super) const MOST_SERIES: i64 = 1_000_000;

/// The name of all that have no series of their own.
pub(super) const OTHERS: &str = "(others)";

/// Sums by the start of their step, or an instant in it, and the number of their series.
type Steps = HashMap<(i64, i64), Sums>;

/// Writes a batch. Gives the series that are new.
pub(super) fn write(
    transaction: &Transaction<'_>,
    known: &HashMap<Series, i64>,
    batch: &Batch,
) -> Result<HashMap<Series, i64>, StoreError> {
    for one in &batch.moves {
        move_on(transaction, one)?;
    }
    let mut numbers = Numbers { transaction, known, new: HashMap::new() };
    let (mut sums, mut keys) = (Steps::new(), Steps::new());
    let mut accounts: HashMap<&Account, i128> = HashMap::new();
    let mut leases: HashMap<(&str, u64), i128> = HashMap::new();
    let mut last: HashMap<i64, i64> = HashMap::new();
    for row in &batch.rows {
        let day = row.at_ms.div_euclid(DAY);
        let number = match last.entry(day) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(last_number(transaction, day)?),
        };
        *number += 1;
        let own = Series::of(&batch.node, row);
        let (series, folded) = numbers.of(&own)?;
        write_row(transaction, (day, *number), row, series, folded)?;
        for (at, tried) in row.tries.iter().enumerate() {
            write_try(transaction, (day, *number), at, tried)?;
        }
        for (at, settled) in row.settled.iter().enumerate() {
            let sql = "INSERT INTO settled VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let Account { limit, subject, window_ms } = &settled.account;
            transaction.prepare_cached(sql)?.execute(params![
                day,
                *number,
                small(at as u64),
                limit,
                subject,
                window_ms,
                settled.spent
            ])?;
            *accounts.entry(&settled.account).or_default() += i128::from(settled.spent);
            if let Some(lease) = settled.lease {
                *leases.entry((limit, lease)).or_default() += i128::from(settled.spent);
            }
        }
        let mut count = |series: &Series, more: Sums| -> Result<(), StoreError> {
            *sums.entry((row.at_ms, numbers.of(series)?.0)).or_default() += more;
            *keys.entry((row.at_ms, numbers.of(&series.of_key())?.0)).or_default() += more;
            Ok(())
        };
        count(&own, Sums::of_request(row))?;
        for part in row.parts() {
            count(&own.with(&part), Sums::of_part(row, &part))?;
        }
    }
    let new = numbers.new;
    for (detail, sums) in [(Detail::Callers, &sums), (Detail::Keys, &keys)] {
        for span in [Span::Hour, Span::Day] {
            let mut steps = Steps::new();
            for ((at_ms, series), more) in sums {
                *steps.entry((floor(*at_ms, span.ms()), *series)).or_default() += *more;
            }
            for ((start_ms, series), more) in steps {
                add(transaction, (detail, span), start_ms, series, &more)?;
            }
        }
    }
    for (account, amount) in accounts {
        spend(transaction, &batch.node, account, amount)?;
    }
    for ((limit, lease), amount) in leases {
        spend_lease(transaction, &batch.node, (limit, lease), amount, batch.rows.last())?;
    }
    note(transaction, batch)?;
    for gap in &batch.gaps {
        write_gap(transaction, gap)?;
    }
    for booking in &batch.bookings {
        write_booking(transaction, booking)?;
    }
    Ok(new)
}

/// Moves a position, if it is where the batch was read from.
fn move_on(transaction: &Transaction<'_>, Move { from, to }: &Move) -> Result<(), StoreError> {
    let sql = "SELECT position FROM files WHERE file = ?1";
    let now: Option<i64> = transaction.prepare_cached(sql)?.query_row([to.file], |row| row.get(0)).optional()?;
    if now.map(i64::cast_unsigned) != *from {
        return Err(StoreError::Moved);
    }
    let sql = "INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    transaction.prepare_cached(sql)?.execute(params![
        to.file,
        to.node,
        to.path,
        to.device.cast_signed(),
        to.inode.cast_signed(),
        to.offset.cast_signed(),
        to.head,
        to.tail.cast_signed(),
        to.read_ms,
        to.finished
    ])?;
    Ok(())
}

/// The numbers of series: those that are known, those of the file, and new ones.
struct Numbers<'t> {
    transaction: &'t Transaction<'t>,
    known: &'t HashMap<Series, i64>,
    new: HashMap<Series, i64>,
}

impl Numbers<'_> {
    /// The number of a series, and whether it had to be folded into that of others.
    fn of(&mut self, series: &Series) -> Result<(i64, bool), StoreError> {
        if let Some(number) = self.known.get(series).or_else(|| self.new.get(series)) {
            return Ok((*number, false));
        }
        let find = "SELECT id FROM series WHERE node = ?1 AND team = ?2 AND key = ?3 AND user = ?4 AND application = ?5
            AND endpoint = ?6 AND model = ?7 AND provider = ?8 AND upstream_model = ?9 AND outcome = ?10";
        let mut find = self.transaction.prepare_cached(find)?;
        let found = find.query_row(params_from_iter(series.values()), |row| row.get(0)).optional()?;
        let number = if let Some(found) = found {
            found
        } else {
            let sql = "SELECT coalesce(max(id), 0) FROM series";
            let last: i64 = self.transaction.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            let folded = fold(series);
            if last >= MOST_SERIES && folded != *series {
                return Ok((self.of(&folded)?.0, true));
            }
            let sql = "INSERT INTO series (node, team, key, user, application, endpoint, model, provider, upstream_model, outcome)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            self.transaction.prepare_cached(sql)?.execute(params_from_iter(series.values()))?;
            self.transaction.last_insert_rowid()
        };
        self.new.insert(series.clone(), number);
        Ok((number, false))
    }
}

/// The series without the names that callers choose.
fn fold(series: &Series) -> Series {
    let others = |name: &str| if name.is_empty() { String::new() } else { OTHERS.to_owned() };
    Series {
        user: others(&series.user),
        application: others(&series.application),
        model: others(&series.model),
        ..series.clone()
    }
}

fn last_number(transaction: &Transaction<'_>, day: i64) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(number), 0) FROM requests WHERE day = ?1";
    Ok(transaction.prepare_cached(sql)?.query_row([day], |row| row.get(0))?)
}

fn write_row(
    transaction: &Transaction<'_>,
    (day, number): (i64, i64),
    row: &Row,
    series: i64,
    folded: bool,
) -> Result<(), StoreError> {
    let name = |name: &'_ str| folded.then(|| name.to_owned());
    let sql =
        "INSERT INTO requests VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    transaction.prepare_cached(sql)?.execute(params![
        day,
        number,
        row.at_ms,
        series,
        name(&row.user),
        name(&row.application),
        name(&row.model),
        row.request_id,
        row.caller_request_id,
        row.answered_model,
        row.status,
        small(row.duration_ms),
        row.first_token_us.map(small),
        small(row.local_ms),
        row.cost,
        row.unpriced,
        row.soft
    ])?;
    Ok(())
}

fn write_try(
    transaction: &Transaction<'_>,
    (day, number): (i64, i64),
    at: usize,
    tried: &Tried,
) -> Result<(), StoreError> {
    let tokens = |of: fn(&Tokens) -> u64| tried.tokens.as_ref().map(|tokens| small(of(tokens)));
    let sql = "INSERT INTO tries VALUES
        (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
    transaction.prepare_cached(sql)?.execute(params![
        day,
        number,
        small(at as u64),
        tried.provider,
        tried.model,
        tried.outcome,
        tried.status,
        small(tried.duration_us),
        tried.tokens.map(|tokens| tokens.estimated),
        tokens(|tokens| tokens.input),
        tokens(|tokens| tokens.output),
        tokens(|tokens| tokens.cached_read),
        tokens(|tokens| tokens.cache_write),
        tokens(|tokens| tokens.cache_write_1h),
        tokens(|tokens| tokens.reasoning),
        tokens(|tokens| tokens.audio_input),
        tokens(|tokens| tokens.audio_output),
        tried.cost
    ])?;
    Ok(())
}

/// Adds to one sum. The cost's rest stays below 10^12, so no number of rows overflows it.
fn add(
    transaction: &Transaction<'_>,
    (detail, span): (Detail, Span),
    start_ms: i64,
    series: i64,
    more: &Sums,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO sums VALUES
        (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
        ON CONFLICT (span, start_ms, series) DO UPDATE SET
        requests = sums.requests + excluded.requests, tries = sums.tries + excluded.tries,
        estimated = sums.estimated + excluded.estimated, unpriced = sums.unpriced + excluded.unpriced,
        input = sums.input + excluded.input, output = sums.output + excluded.output,
        cached_read = sums.cached_read + excluded.cached_read, cache_write = sums.cache_write + excluded.cache_write,
        cache_write_1h = sums.cache_write_1h + excluded.cache_write_1h, reasoning = sums.reasoning + excluded.reasoning,
        audio_input = sums.audio_input + excluded.audio_input, audio_output = sums.audio_output + excluded.audio_output,
        local_ms = sums.local_ms + excluded.local_ms,
        cost_high = sums.cost_high + excluded.cost_high + (sums.cost_low + excluded.cost_low) / 1000000000000,
        cost_low = (sums.cost_low + excluded.cost_low) % 1000000000000";
    let (high, low) = split(more.cost);
    let counts = more.counts().map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    let values = [layout::number(detail, span), start_ms, series].into_iter().chain(counts).chain([high, low]);
    transaction.prepare_cached(sql)?.execute(params_from_iter(values))?;
    Ok(())
}

fn spend(transaction: &Transaction<'_>, node: &str, account: &Account, amount: i128) -> Result<(), StoreError> {
    let sql = "INSERT INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (node, limit_name, subject, window_ms) DO UPDATE SET
        spent_high = accounts.spent_high + excluded.spent_high + (accounts.spent_low + excluded.spent_low) / 1000000000000,
        spent_low = (accounts.spent_low + excluded.spent_low) % 1000000000000";
    let (high, low) = split(amount);
    let Account { limit, subject, window_ms } = account;
    transaction.prepare_cached(sql)?.execute(params![node, limit, subject, window_ms, high, low])?;
    Ok(())
}

/// Adds to what was used up of one lease. Its age goes by the latest request.
fn spend_lease(
    transaction: &Transaction<'_>,
    node: &str,
    (limit, lease): (&str, u64),
    amount: i128,
    latest: Option<&Row>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO leases VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (limit_name, lease) DO UPDATE SET latest_ms = max(leases.latest_ms, excluded.latest_ms),
        spent_high = leases.spent_high + excluded.spent_high + (leases.spent_low + excluded.spent_low) / 1000000000000,
        spent_low = (leases.spent_low + excluded.spent_low) % 1000000000000";
    let (high, low) = split(amount);
    let latest_ms = latest.map_or(0, |row| row.at_ms);
    transaction.prepare_cached(sql)?.execute(params![limit, lease.cast_signed(), node, latest_ms, high, low])?;
    Ok(())
}

/// Notes what is known of the node's log.
fn note(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let Batch { node, read_ms, failed, .. } = batch;
    if read_ms.is_none() && failed.is_none() {
        return Ok(());
    }
    let sql = "INSERT INTO logs VALUES (?1, coalesce(?2, 0), coalesce(?3, 0)) ON CONFLICT (node) DO UPDATE SET
        read_ms = max(logs.read_ms, coalesce(?2, 0)), failed = coalesce(?3, logs.failed)";
    transaction.prepare_cached(sql)?.execute(params![node, read_ms, failed.map(small)])?;
    Ok(())
}

fn write_gap(transaction: &Transaction<'_>, gap: &Gap) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO gaps (mark, node, kind, from_ms, until_ms, lines, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (mark) DO NOTHING";
    let Gap { mark, node, kind, from_ms, until_ms, lines, detail } = gap;
    let mark = Some(mark).filter(|mark| !mark.is_empty());
    transaction.prepare_cached(sql)?.execute(params![
        mark,
        node,
        kind.name(),
        from_ms,
        until_ms,
        lines.map(small),
        detail
    ])?;
    Ok(())
}

fn write_booking(transaction: &Transaction<'_>, booking: &Booking) -> Result<(), StoreError> {
    let sql = "INSERT INTO bookings
        (mark, at_ms, node, kind, limit_name, subject, window_ms, amount_high, amount_low, why)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (mark) DO UPDATE SET
        amount_high = excluded.amount_high, amount_low = excluded.amount_low";
    let Booking { mark, at_ms, node, kind, account: Account { limit, subject, window_ms }, amount, why } = booking;
    let mark = Some(mark).filter(|mark| !mark.is_empty());
    let (high, low) = split(*amount);
    let values = params![mark, at_ms, node, kind.name(), limit, subject, window_ms, high, low, why];
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// A number that SQLite can hold.
fn small(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
