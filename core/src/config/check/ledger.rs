//! Checks how long the ledger keeps things.

use alloc::format;

use super::Check;
use crate::config::entry::Ledger;
use crate::config::source;

/// Keeps things for good.
const FOREVER: &str = "forever";

/// The most days that can be meant: a century.
const MOST: u32 = 36_525;

impl Check {
    pub(in crate::config) fn ledger(&mut self, written: &source::Ledger) -> Ledger {
        Ledger {
            rows: self.days("rows", written.rows.as_deref(), Some(90)),
            hours: self.days("hours", written.hours.as_deref(), Some(400)),
            days: self.days("days", written.days.as_deref(), None),
        }
    }

    fn days(&mut self, field: &str, written: Option<&str>, default: Option<u32>) -> Option<u32> {
        let text = match written.map(str::trim) {
            None => return default,
            Some(FOREVER) => return None,
            Some(text) => text,
        };
        let days = text.strip_suffix('d').and_then(|days| days.trim_end().parse().ok());
        let found = days.filter(|days| (1..=MOST).contains(days));
        if found.is_none() {
            let hint = format!("such as 90d, or {FOREVER}; from 1d to {MOST}d");
            self.error(format!("ledger.{field}"), format!("\"{text}\" is no number of days"), Some(hint));
        }
        found
    }
}
