use super::*;
use crate::ledger::gap::{BookingKind, GapKind};
use crate::ledger::moment::{DAY, HOUR, floor};
use crate::ledger::row::{Account, Row, Settled, Tokens, Tried};
use crate::ledger::store::{Move, Span};

const NOON: i64 = 1_796_126_400_000;

fn store() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("ledger.sqlite")).unwrap();
    (folder, store)
}

fn row(at_ms: i64, key: &str, cost: i64) -> Row {
    let tokens = Some(Tokens { input: 10, output: 5, ..Tokens::default() });
    let tried =
        Tried { provider: "openai".into(), model: "gpt-x".into(), tokens, cost: Some(cost), ..Tried::default() };
    let account = Account { limit: "month".into(), subject: key.into(), window_ms: 7 };
    Row {
        at_ms,
        key: key.into(),
        provider: "openai".into(),
        upstream_model: "gpt-x".into(),
        outcome: "ok".into(),
        cost: Some(cost),
        tries: vec![tried],
        settled: vec![Settled { account, spent: cost, lease: Some(3) }],
        ..Row::default()
    }
}

fn total(store: &mut Sqlite, span: Span) -> Sums {
    let mut total = Sums::default();
    let slice = |detail| Slice { detail, span, from_ms: i64::MIN, until_ms: i64::MAX };
    store.sums(slice(Detail::Callers), &mut |_, _, sums| total += *sums).unwrap();
    let mut narrow = Sums::default();
    store.sums(slice(Detail::Keys), &mut |_, _, sums| narrow += *sums).unwrap();
    assert_eq!(narrow, total);
    total
}

#[test]
fn sums_beyond_64_bits_are_exact() {
    let (_folder, mut store) = store();
    let most = i64::MAX;
    for _ in 0..5 {
        let rows = vec![row(NOON, "ada", most), row(NOON, "ada", most), row(NOON, "bob", 1)];
        store.append(&Batch { node: "n".into(), rows, ..Batch::default() }).unwrap();
    }
    let expect = 10 * i128::from(most) + 5;
    assert_eq!((total(&mut store, Span::Hour).cost, total(&mut store, Span::Day).cost), (expect, expect));
    let spent = store.spent(None).unwrap();
    assert_eq!(spent.iter().map(|one| one.amount).collect::<Vec<_>>(), [10 * i128::from(most), 5]);
    assert_eq!(store.spent(Some("another")).unwrap(), []);
}

#[test]
fn a_batch_whose_position_has_moved_writes_nothing() {
    let (_folder, mut store) = store();
    let to = Position { file: 1, offset: 100, node: "n".into(), ..Position::default() };
    let batch = |from, offset| Batch {
        node: "n".into(),
        rows: vec![row(NOON, "ada", 1)],
        moves: vec![Move { from, to: Position { offset, ..to.clone() } }],
        ..Batch::default()
    };
    store.append(&batch(None, 100)).unwrap();
    for late in [batch(None, 100), batch(Some(50), 200)] {
        assert!(matches!(store.append(&late), Err(StoreError::Moved)));
    }
    store.append(&batch(Some(100), 200)).unwrap();
    assert_eq!(total(&mut store, Span::Hour).requests, 2);
    assert_eq!(store.positions().unwrap(), [Position { offset: 200, ..to }]);
}

#[test]
fn gaps_and_bookings_of_one_mark_are_written_once() {
    let (_folder, mut store) = store();
    let gap = Gap {
        mark: "killed:1".into(),
        node: "n".into(),
        kind: GapKind::Killed,
        from_ms: NOON,
        until_ms: NOON + 5,
        lines: None,
        detail: String::new(),
    };
    let account = Account { limit: "month".into(), subject: "ada".into(), window_ms: 7 };
    let lost = Booking {
        mark: "lost:1".into(),
        at_ms: NOON,
        node: "n".into(),
        kind: BookingKind::Lost,
        account: account.clone(),
        amount: 1 << 80,
        why: "Envoy was killed".into(),
    };
    let credit =
        Booking { mark: String::new(), kind: BookingKind::Credit, amount: -3, why: "sorry".into(), ..lost.clone() };
    let bookings = vec![lost.clone(), credit.clone()];
    let batch = Batch { node: "n".into(), gaps: vec![gap.clone()], bookings, ..Batch::default() };
    store.append(&batch).unwrap();
    store.append(&batch).unwrap();
    assert_eq!(store.gaps(NOON - 1, NOON + 1).unwrap(), [gap]);
    assert_eq!(store.bookings(NOON, NOON + 1).unwrap(), [lost, credit.clone(), credit]);
    assert_eq!(store.spent(None).unwrap(), [Spent { account, amount: (1 << 80) - 6 }]);
}

/// Removes all that is too old. How many rows and sums that were.
fn age(store: &mut Sqlite, ages: Ages) -> (u64, u64) {
    let (mut rows, mut sums) = (0, 0);
    loop {
        let gone = store.age(ages, NOON).unwrap();
        (rows, sums) = (rows + gone.rows, sums + gone.sums);
        if !gone.more {
            return (rows, sums);
        }
    }
}

#[test]
fn old_rows_go_and_their_sums_stay() {
    let (_folder, mut store) = store();
    let rows = (0..10).map(|day| row(NOON - day * DAY, "ada", 1)).collect();
    store.append(&Batch { node: "n".into(), rows, ..Batch::default() }).unwrap();
    let ages = Ages { rows: Some(2), hours: Some(4), days: None };
    assert_eq!(age(&mut store, ages), (7, 10));
    assert_eq!(age(&mut store, ages), (0, 0));
    let free: i64 = store.connection.pragma_query_value(None, "freelist_count", |row| row.get(0)).unwrap();
    assert_eq!(free, 0);
    assert_eq!((total(&mut store, Span::Hour).requests, total(&mut store, Span::Day).requests), (5, 10));
    assert_eq!(store.hours_from().unwrap(), floor(NOON, DAY) - 4 * DAY);
    let tries: i64 = store.connection.query_row("SELECT count(*) FROM tries", [], |row| row.get(0)).unwrap();
    assert_eq!(tries, 3);
}

#[test]
fn a_reader_sees_what_a_writer_writes_meanwhile() {
    let (folder, mut store) = store();
    let path = folder.path().join("ledger.sqlite");
    let mut reader = Sqlite::open_to_read(&path).unwrap();
    store.append(&Batch { node: "n".into(), rows: vec![row(NOON, "ada", 1)], ..Batch::default() }).unwrap();
    assert_eq!(total(&mut reader, Span::Hour).requests, 1);
    assert!(reader.append(&Batch { rows: vec![row(NOON, "ada", 1)], ..Batch::default() }).is_err());
    // Two writers share the numbers of rows and series.
    let mut other = Sqlite::open(&path).unwrap();
    for store in [&mut other, &mut store] {
        store.append(&Batch { node: "n".into(), rows: vec![row(NOON + HOUR, "bob", 1)], ..Batch::default() }).unwrap();
    }
    assert_eq!(total(&mut reader, Span::Day).requests, 3);
    assert!(matches!(Sqlite::open_to_read(&folder.path().join("none")), Err(StoreError::Missing(_))));
}

/// As the first release wrote it.
#[test]
fn a_ledger_of_the_first_layout_is_read_and_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let mut rows: Vec<Row> = (0..6).map(|at| row(NOON + at * HOUR, "ada", i64::MAX / 2)).collect();
    for (at, row) in rows.iter_mut().enumerate() {
        row.user = format!("user-{}", at % 2);
    }
    {
        let mut store = Sqlite::open(&path).unwrap();
        store.append(&Batch { node: "n".into(), rows: rows.clone(), ..Batch::default() }).unwrap();
        let back = "DROP TABLE leases; DROP TABLE logs; DELETE FROM sums WHERE span > 1;
            DELETE FROM series WHERE user = ''; PRAGMA user_version = 1";
        store.connection.execute_batch(back).unwrap();
    }
    let expect = 3 * i128::from(i64::MAX / 2) * 2;
    let mut reader = Sqlite::open_to_read(&path).unwrap();
    assert_eq!(total(&mut reader, Span::Hour).cost, expect);
    assert_eq!((reader.known("n").unwrap(), reader.leased(&["month".into()], 3).unwrap()), Default::default());
    let mut store = Sqlite::open(&path).unwrap();
    assert_eq!((total(&mut store, Span::Hour).cost, total(&mut store, Span::Day).cost), (expect, expect));
    store.append(&Batch { node: "n".into(), rows, ..Batch::default() }).unwrap();
    assert_eq!((total(&mut store, Span::Hour).cost, total(&mut store, Span::Day).cost), (2 * expect, 2 * expect));
}

#[test]
fn what_is_known_of_a_log_and_of_a_lease_reads_back() {
    let (_folder, mut store) = store();
    let batch = Batch { node: "n".into(), ..Batch::default() };
    store.append(&Batch { read_ms: Some(7), ..batch.clone() }).unwrap();
    store.append(&Batch { failed: Some(3), ..batch.clone() }).unwrap();
    store.append(&Batch { rows: vec![row(NOON, "ada", 5), row(NOON, "bob", 6)], ..batch }).unwrap();
    assert_eq!(store.known("n").unwrap(), Known { read_ms: 7, failed: 3 });
    assert_eq!(store.leased(&["month".into()], 3).unwrap(), Leased { node: "n".into(), amount: 11 });
    assert_eq!(store.leased(&["month".into()], 4).unwrap(), Leased::default());
}

#[test]
fn the_ledger_of_a_newer_weir_is_refused() {
    let (folder, store) = store();
    store.connection.pragma_update(None, "user_version", 99).unwrap();
    let again = Sqlite::open(&folder.path().join("ledger.sqlite"));
    assert!(matches!(again, Err(StoreError::Newer { found: 99, .. })));
}
