//! The access log's records.

use std::ops;
use std::path::Path;

use serde_json::Value;

use crate::logs;

/// One line of the access log.
#[derive(Clone, Debug)]
pub struct Record(Value);

impl Record {
    /// Every record in an access log. Fails if a line is no JSON.
    pub(crate) fn all(log: &Path) -> Vec<Self> {
        let text = logs::since(log, 0);
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        whole.lines().map(read).map(Self).collect()
    }

    /// The targets tried and what became of each, as `provider/model outcome`.
    pub fn tries(&self) -> Vec<String> {
        let tries = self["tries"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        tries.map(|one| format!("{} {}", text(&one["target"]), text(&one["outcome"]))).collect()
    }
}

impl ops::Deref for Record {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}
