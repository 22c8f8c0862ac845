//! The keys of cells. What was counted stays when a limit is renamed, so a cell goes by the name that its limit had first. A limit that
//! counts in another unit than it did then has that name with the unit, and so begins anew.

use weir_core::lease::Account;

use super::limits::Limits;
use super::store::{Store, StoreError};

/// What the keys of accounts begin with.
pub(super) const ACCOUNTS: &str = "account\t";
/// What the keys of names begin with. Such a cell has a limit's name in its key, and the name of its accounts as its bytes.
const NAMES: &str = "name\t";
/// What the keys of units begin with. Such a cell has a first name in its key, and the unit of its accounts as its bytes.
const UNITS: &str = "unit\t";
/// What separates a first name from a unit. No name has it.
const IN: char = '\u{1f}';

/// The key of an account's cell. `root` is its limit's first name. No name has a tab.
pub(super) fn key(root: &str, account: &Account) -> String {
    format!("{ACCOUNTS}{root}\t{}\t{}", account.window_ms, account.subject)
}

/// The account of a key; its limit is the first name.
pub(super) fn account(key: &str) -> Option<Account> {
    let mut parts = key.strip_prefix(ACCOUNTS)?.splitn(3, '\t');
    let (limit, window, subject) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Account { limit: limit.to_owned(), subject: subject.to_owned(), window_ms: window.parse().ok()? })
}

/// The name by which a limit's accounts are kept: its own, or that of the limit whose accounts it has taken over.
pub(super) async fn root(store: &Store, limits: &Limits, name: &str) -> Result<String, StoreError> {
    let cell = |name: &str| format!("{NAMES}{name}");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    loop {
        if let Some(root) = store.read(&cell(name)).await? {
            return Ok(text(root));
        }
        // One that was renamed before it was ever used has no cell either.
        let was = limits.get(name).filter(|limit| limit.name == name).and_then(|limit| limit.was.clone());
        let mut root = was.as_deref().unwrap_or(name).to_owned();
        if let Some(was) = &was {
            if let Some(earlier) = store.read(&cell(was)).await? {
                root = text(earlier);
            } else {
                store.swap(&cell(was), None, Some(root.as_bytes())).await?;
            }
        } else {
            let taken = store.list(NAMES).await?;
            // Another limit had this name once, and its accounts still go by it.
            while taken.iter().any(|(_, bytes)| bytes == root.as_bytes()) {
                root.push('~');
            }
        }
        if store.swap(&cell(name), None, Some(root.as_bytes())).await? {
            return Ok(root);
        }
    }
}

/// The name by which a limit's accounts are kept that count in this unit: the root itself for the first unit that it had.
pub(super) async fn in_unit(store: &Store, root: String, unit: u32) -> Result<String, StoreError> {
    let (cell, unit) = (format!("{UNITS}{root}"), unit.to_string());
    loop {
        match store.read(&cell).await? {
            Some(first) if first == unit.as_bytes() => return Ok(root),
            Some(_) => return Ok(format!("{root}{IN}{unit}")),
            None => _ = store.swap(&cell, None, Some(unit.as_bytes())).await?,
        }
    }
}

/// Every name that the accounts with this first name ever had.
pub(super) async fn all(store: &Store, root: &str) -> Result<Vec<String>, StoreError> {
    let root = root.split(IN).next().unwrap_or(root);
    let names = store.list(NAMES).await?.into_iter().filter(|(_, bytes)| bytes == root.as_bytes());
    Ok(names.filter_map(|(key, _)| Some(key.strip_prefix(NAMES)?.to_owned())).collect())
}
