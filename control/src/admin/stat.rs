//! Envoy's counters and gauges.

use std::io;

use serde_json::Value;

use super::Admin;

impl Admin {
    /// One of Envoy's counters or gauges, by its whole name. 0 if Envoy does not know it.
    pub async fn stat(&self, name: &str) -> io::Result<u64> {
        let path = format!("/stats?filter=^{}$&format=json", name.replace('.', "\\."));
        let answer = self.get(&path).await?;
        let told: Value = serde_json::from_slice(&answer.body).map_err(io::Error::other)?;
        let mut values = told.get("stats").and_then(Value::as_array).into_iter().flatten();
        Ok(values.find_map(|stat| stat.get("value")?.as_u64()).unwrap_or_default())
    }
}
