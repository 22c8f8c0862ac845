//! Every field of the configuration has its line in `docs/configure.md`: tables that are made from the schema.
//!
//! `BLESS=1 cargo test -p weir-control` writes them.

use std::fmt::Write;

use serde_json::Value;
use weir_control::schema;

/// Where each type of the schema stands in the file, in the order in which the page has them.
const SECTIONS: [(&str, &str); 19] = [
    ("", "Top level"),
    ("Limits", "`limits` (general, or of one model)"),
    ("Provider", "`providers.NAME`"),
    ("Aws", "`providers.NAME.aws`"),
    ("Quirks", "`providers.NAME.quirks`"),
    ("Model", "`models.NAME`"),
    ("Target", "`models.NAME.targets[]`"),
    ("Price", "`models.NAME.targets[].price`"),
    ("PriceCase", "`models.NAME.targets[].price.when[]`"),
    ("Quota", "`quotas.NAME`"),
    ("Key", "`keys[]`"),
    ("Team", "`teams.NAME`"),
    ("Callers", "`callers`"),
    ("Jwt", "`callers.jwt`"),
    ("Local", "`local`"),
    ("LocalModel", "`local.models.NAME`"),
    ("Cors", "`cors`"),
    ("Telemetry", "`telemetry`"),
    ("Ledger", "`ledger`"),
];

fn parsed() -> Value {
    serde_json::from_str(&schema::schema()).unwrap()
}

/// The tables.
fn reference() -> String {
    let schema = parsed();
    let mut page = String::new();
    for (name, title) in SECTIONS {
        let section = if name.is_empty() { Some(&schema) } else { schema.pointer(&format!("/$defs/{name}")) };
        let fields = section.and_then(|section| section.get("properties")).and_then(Value::as_object);
        let _ = write!(page, "## {title}\n\n| field | what it is |\n|---|---|\n");
        for (field, value) in fields.into_iter().flatten() {
            let text = value.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
            let _ = writeln!(page, "| `{field}` | {} |", text.replace('|', "\\|"));
        }
        page.push('\n');
    }
    page
}

const OPEN: &str = "<!-- What follows is generated from the schema; `make bless` writes it. -->\n\n";
const CLOSE: &str = "<!-- Up to here. -->\n";

#[test]
fn the_page_about_the_configuration_is_fresh() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configure.md");
    let held = std::fs::read_to_string(file).unwrap();
    let (before, rest) = held.split_once(OPEN).expect("the mark where the tables begin");
    let (_, after) = rest.split_once(CLOSE).expect("the mark where they end");
    let fresh = format!("{before}{OPEN}{}{CLOSE}{after}", reference());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, fresh).unwrap();
        return;
    }
    assert!(held == fresh, "docs/configure.md is stale: `make bless`");
}

#[test]
fn every_section_of_the_configuration_has_its_table() {
    let schema = parsed();
    let defs = schema["$defs"].as_object().unwrap();
    let of_fields = defs.iter().filter(|(_, value)| value.get("properties").is_some()).map(|(name, _)| name.as_str());
    let missing: Vec<&str> = of_fields.filter(|name| !SECTIONS.iter().any(|(known, _)| known == name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
