//! The tables, and how a file of an older layout is brought up to date.

use rusqlite::{Connection, TransactionBehavior};

use crate::ledger::store::{Detail, Span, StoreError};

/// One step for each layout: the first makes the tables, each later one changes them. A step that was released never changes.
const STEPS: [&str; 2] = [FIRST, SECOND];

/// Rows lie by day, so that a day is removed as a whole. Sums lie by step and time, so that a range is read in one go.
/// What may exceed 64 bits is two columns: multiples of 10^12, and the rest.
const FIRST: &str = "
    CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE files (
        file INTEGER PRIMARY KEY, node TEXT NOT NULL, path TEXT NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,
        position INTEGER NOT NULL, head BLOB NOT NULL, tail INTEGER NOT NULL, read_ms INTEGER NOT NULL, finished INTEGER NOT NULL
    );
    CREATE TABLE series (
        id INTEGER PRIMARY KEY, node TEXT NOT NULL, team TEXT NOT NULL, key TEXT NOT NULL, user TEXT NOT NULL,
        application TEXT NOT NULL, endpoint TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
        upstream_model TEXT NOT NULL, outcome TEXT NOT NULL,
        UNIQUE (node, team, key, user, application, endpoint, model, provider, upstream_model, outcome)
    );
    CREATE TABLE requests (
        day INTEGER NOT NULL, number INTEGER NOT NULL, at_ms INTEGER NOT NULL, series INTEGER NOT NULL,
        user TEXT, application TEXT, model TEXT,
        request_id TEXT NOT NULL, caller_request_id TEXT NOT NULL, answered_model TEXT NOT NULL,
        status INTEGER NOT NULL, duration_ms INTEGER NOT NULL, first_token_us INTEGER, local_ms INTEGER NOT NULL,
        cost INTEGER, unpriced INTEGER NOT NULL, soft TEXT NOT NULL,
        PRIMARY KEY (day, number)
    ) WITHOUT ROWID;
    CREATE TABLE tries (
        day INTEGER NOT NULL, number INTEGER NOT NULL, try INTEGER NOT NULL,
        provider TEXT NOT NULL, upstream_model TEXT NOT NULL, outcome TEXT NOT NULL, status INTEGER NOT NULL,
        duration_us INTEGER NOT NULL, estimated INTEGER, input INTEGER, output INTEGER, cached_read INTEGER,
        cache_write INTEGER, cache_write_1h INTEGER, reasoning INTEGER, audio_input INTEGER, audio_output INTEGER, cost INTEGER,
        PRIMARY KEY (day, number, try)
    ) WITHOUT ROWID;
    CREATE TABLE settled (
        day INTEGER NOT NULL, number INTEGER NOT NULL, account INTEGER NOT NULL,
        limit_name TEXT NOT NULL, subject TEXT NOT NULL, window_ms INTEGER NOT NULL, spent INTEGER NOT NULL,
        PRIMARY KEY (day, number, account)
    ) WITHOUT ROWID;
    CREATE TABLE sums (
        span INTEGER NOT NULL, start_ms INTEGER NOT NULL, series INTEGER NOT NULL,
        requests INTEGER NOT NULL, tries INTEGER NOT NULL, estimated INTEGER NOT NULL, unpriced INTEGER NOT NULL,
        input INTEGER NOT NULL, output INTEGER NOT NULL, cached_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,
        cache_write_1h INTEGER NOT NULL, reasoning INTEGER NOT NULL, audio_input INTEGER NOT NULL,
        audio_output INTEGER NOT NULL, local_ms INTEGER NOT NULL, cost_high INTEGER NOT NULL, cost_low INTEGER NOT NULL,
        PRIMARY KEY (span, start_ms, series)
    ) WITHOUT ROWID;
    CREATE TABLE accounts (
        node TEXT NOT NULL, limit_name TEXT NOT NULL, subject TEXT NOT NULL, window_ms INTEGER NOT NULL,
        spent_high INTEGER NOT NULL, spent_low INTEGER NOT NULL,
        PRIMARY KEY (node, limit_name, subject, window_ms)
    ) WITHOUT ROWID;
    CREATE TABLE gaps (
        id INTEGER PRIMARY KEY, mark TEXT UNIQUE, node TEXT NOT NULL, kind TEXT NOT NULL, from_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL, lines INTEGER, detail TEXT NOT NULL
    );
    CREATE TABLE bookings (
        id INTEGER PRIMARY KEY, mark TEXT UNIQUE, at_ms INTEGER NOT NULL, node TEXT NOT NULL, kind TEXT NOT NULL,
        limit_name TEXT NOT NULL, subject TEXT NOT NULL, window_ms INTEGER NOT NULL,
        amount_high INTEGER NOT NULL, amount_low INTEGER NOT NULL, why TEXT NOT NULL
    );
";

/// Adds what was used up of each lease, what is known of each log, and sums without users and applications.
const SECOND: &str = "
    CREATE TABLE leases (
        limit_name TEXT NOT NULL, lease INTEGER NOT NULL, node TEXT NOT NULL, latest_ms INTEGER NOT NULL,
        spent_high INTEGER NOT NULL, spent_low INTEGER NOT NULL,
        PRIMARY KEY (limit_name, lease)
    ) WITHOUT ROWID;
    CREATE TABLE logs (node TEXT PRIMARY KEY, read_ms INTEGER NOT NULL, failed INTEGER NOT NULL) WITHOUT ROWID;
    INSERT OR IGNORE INTO series (node, team, key, user, application, endpoint, model, provider, upstream_model, outcome)
        SELECT DISTINCT node, team, key, '', '', endpoint, model, provider, upstream_model, outcome FROM series;
    INSERT INTO sums SELECT
        sums.span + 2, sums.start_ms, narrow.id, sum(requests), sum(tries), sum(estimated), sum(unpriced), sum(input),
        sum(output), sum(cached_read), sum(cache_write), sum(cache_write_1h), sum(reasoning), sum(audio_input),
        sum(audio_output), sum(local_ms), sum(cost_high) + sum(cost_low) / 1000000000000, sum(cost_low) % 1000000000000
        FROM sums JOIN series AS wide ON wide.id = sums.series JOIN series AS narrow ON
        narrow.node = wide.node AND narrow.team = wide.team AND narrow.key = wide.key AND narrow.user = ''
        AND narrow.application = '' AND narrow.endpoint = wide.endpoint AND narrow.model = wide.model
        AND narrow.provider = wide.provider AND narrow.upstream_model = wide.upstream_model AND narrow.outcome = wide.outcome
        GROUP BY sums.span + 2, sums.start_ms, narrow.id;
";

/// From which layout on there are leases, logs, and sums without users and applications.
pub(super) const NARROW: usize = 2;

/// Makes the tables, or changes those of an older layout.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<(), StoreError> {
    if check(connection)? == STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it meanwhile.
    let have = check(&transaction)?;
    for step in STEPS.iter().skip(have) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(STEPS.len()).unwrap_or_default())?;
    Ok(transaction.commit()?)
}

/// How many steps a file has. It fails if these are more than are known.
pub(super) fn check(connection: &Connection) -> Result<usize, StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(found) {
        Ok(have) if have <= STEPS.len() => Ok(have),
        _ => Err(StoreError::Newer { found, known: i64::try_from(STEPS.len()).unwrap_or_default() }),
    }
}

/// A span's number in the table of sums.
pub(super) const fn number(detail: Detail, span: Span) -> i64 {
    match (detail, span) {
        (Detail::Callers, Span::Hour) => 0,
        (Detail::Callers, Span::Day) => 1,
        (Detail::Keys, Span::Hour) => 2,
        (Detail::Keys, Span::Day) => 3,
    }
}
