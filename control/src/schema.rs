//! The JSON schema of the configuration file, for editors and for [`load`](crate::load) itself.

use serde_json::Value;
use weir_core::config::source::Source;

/// The schema as `config/schema.json` holds it: pretty, stable, with a newline at its end.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&value()).unwrap_or_default();
    text.push('\n');
    text
}

/// The schema as a value.
pub(crate) fn value() -> Value {
    schemars::schema_for!(Source).to_value()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_schema_is_fresh() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/schema.json");
        let held = std::fs::read_to_string(file).unwrap_or_default();
        assert!(held == super::schema(), "config/schema.json is stale: run `cargo xtask schema`");
    }
}
