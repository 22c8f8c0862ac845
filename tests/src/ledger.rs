//! The ledger of what gateways have served, read from their access logs.

use std::path::Path;

use weir_control::ledger::follow::{Follower, Scope};
use weir_control::ledger::sqlite::Sqlite;
use weir_control::ledger::store::Store;

use crate::folder::Folder;
use crate::gateway::Gateway;

/// What the records of these gateways say was spent of a limit, in the limit's unit, over all its accounts.
pub fn booked(gateways: &[Gateway], limit: &str) -> u128 {
    let folder = Folder::new();
    let mut store = Sqlite::open(&folder.path().join("ledger.sqlite")).expect("a ledger");
    for (number, gateway) in gateways.iter().enumerate() {
        read(&mut store, &format!("envoy-{number}"), gateway.log_file());
    }
    let spent = store.spent(None).expect("what was spent");
    let of_limit = spent.iter().filter(|spent| spent.account.limit == limit);
    of_limit.map(|spent| u128::try_from(spent.amount).expect("no credits")).sum()
}

/// Reads what a gateway has served into the ledger in this file.
pub fn book(gateway: &Gateway, ledger: &Path) {
    read(&mut Sqlite::open(ledger).expect("a ledger"), "envoy", gateway.log_file());
}

fn read(store: &mut Sqlite, node: &str, log: &Path) {
    let step = Follower::new(node, log, Scope::Family).catch_up(store, 0).expect("a log that can be read");
    assert_eq!((step.unreadable, step.gaps), (0, 0));
}
