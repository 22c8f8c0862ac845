//! Cells and lines of tables, CSV and JSON.

use std::fmt::Write;

use serde_json::{Value, json};

/// A number, or its digits if a reader's 64 bits would not hold it.
pub(super) fn whole(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| json!(number.to_string()), |small| json!(small))
}

/// A caller chooses some of the names: none may control a terminal.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Thousands apart: `1 234 567`.
pub(super) fn grouped(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Writes rows in columns: names to the left, numbers to the right.
pub(super) fn align(text: &mut String, rows: &[Vec<String>], names: usize) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|at| width(at).unwrap_or_default()).collect();
    for row in rows {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                if at < names { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// Writes a line of CSV (RFC 4180).
pub(super) fn csv_line(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells = cells.map(|cell| {
        // A spreadsheet would take a caller's name that begins like this for a formula.
        let cell = if cell.starts_with(['=', '+', '@', '\t', '\r']) { format!("'{cell}") } else { cell };
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    });
    let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(","));
}
