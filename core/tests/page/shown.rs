//! Bodies as a page shows them: JSON in few lines, and streams as they come, both shortened where they are long. What was left
//! out is marked and counted.

use std::fmt::Write;

use weir_hub::codec::json::{Kind, Raw, check};

/// What a line may hold before a value is broken into several.
const WIDTH: usize = 110;
/// What a string may hold, and what is left of one that is longer.
const STRING: (usize, usize) = (240, 120);
/// How many scalars an array may hold, and how many are left of more.
const SCALARS: (usize, usize) = (12, 4);
/// How many lines JSON may have, and how many are left of more.
const LINES: (usize, usize) = (72, 56);
/// What a line of a stream may hold, and what is left of one that is longer.
const LINE: (usize, usize) = (520, 320);
/// How many events may be shown, and how many are left of more: at the start and at the end.
const EVENTS: (usize, usize, usize) = (14, 8, 4);

/// A fenced block.
pub(crate) fn fenced(extension: &str, body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else { return format!("*{} bytes that are no text*\n", body.len()) };
    match (extension, check(text)) {
        ("json", Ok(value)) => format!("```jsonc\n{}\n```\n", json(value)),
        ("jsonl", _) => format!("```text\n{}\n```\n", events(text, "\n")),
        ("sse", _) => format!("```text\n{}\n```\n", events(text, "\n\n")),
        _ => format!("```text\n{}\n```\n", line(text)),
    }
}

/// JSON with its members in their order: what fits into a line stands in one.
fn json(value: Raw<'_>) -> String {
    let mut out = String::new();
    lay(value, 0, 0, &mut out);
    let count = out.lines().count();
    if count <= LINES.0 {
        return out;
    }
    let first: Vec<&str> = out.lines().take(LINES.1).collect();
    format!("{}\n// … {} lines more", first.join("\n"), count - LINES.1)
}

/// Appends `value`, of which the first line begins after `before` characters.
fn lay(value: Raw<'_>, depth: usize, before: usize, out: &mut String) {
    let flat = flat(value);
    if before + flat.chars().count() <= WIDTH {
        out.push_str(&flat);
        return;
    }
    let indent = "  ".repeat(depth + 1);
    let mut comma = "";
    match value.kind() {
        Kind::Object => {
            out.push('{');
            for (name, value) in value.members() {
                let name = format!("{}: ", quoted(&name));
                let _ = write!(out, "{comma}\n{indent}{name}");
                lay(value, depth + 1, indent.len() + name.chars().count() + 1, out);
                comma = ",";
            }
            let _ = write!(out, "\n{}}}", "  ".repeat(depth));
        }
        Kind::Array => {
            out.push('[');
            for value in value.items() {
                let _ = write!(out, "{comma}\n{indent}");
                lay(value, depth + 1, indent.len() + 1, out);
                comma = ",";
            }
            let _ = write!(out, "\n{}]", "  ".repeat(depth));
        }
        _ => out.push_str(&flat),
    }
}

/// A value on one line, shortened where it is long.
fn flat(value: Raw<'_>) -> String {
    match value.kind() {
        Kind::Object => {
            let members: Vec<_> =
                value.members().map(|(name, value)| format!("{}: {}", quoted(&name), flat(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Kind::Array => {
            let items: Vec<_> = value.items().collect();
            let scalars = items.iter().all(|item| !matches!(item.kind(), Kind::Object | Kind::Array));
            let shown = if scalars && items.len() > SCALARS.0 { SCALARS.1 } else { items.len() };
            let more = items.len() - shown;
            let more = if more == 0 { String::new() } else { format!(" /* … {more} more */") };
            let items: Vec<_> = items.into_iter().take(shown).map(flat).collect();
            format!("[{}{more}]", items.join(", "))
        }
        Kind::String => {
            let string = value.string().unwrap_or_default();
            let count = string.chars().count();
            if count <= STRING.0 {
                return value.text().to_owned();
            }
            let first: String = string.chars().take(STRING.1).collect();
            quoted(&format!("{first}… ({} characters more)", count - STRING.1))
        }
        _ => value.text().to_owned(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// The events of a stream that are separated by `separator`.
fn events(text: &str, separator: &str) -> String {
    // What this separates may be written with any ends of lines.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let events: Vec<String> =
        text.split(separator).filter(|event| !event.trim().is_empty()).map(|event| lines(event.trim_end())).collect();
    let (most, first, last) = EVENTS;
    if events.len() <= most {
        return events.join(separator);
    }
    let more = format!("… {} events more", events.len() - first - last);
    let (start, end) = (events.iter().take(first), events.iter().skip(events.len() - last));
    let shown: Vec<&str> = start.chain([&more]).chain(end).map(String::as_str).collect();
    shown.join(separator)
}

fn lines(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn line(line: &str) -> String {
    let count = line.chars().count();
    if count <= LINE.0 {
        return line.to_owned();
    }
    let first: String = line.chars().take(LINE.1).collect();
    format!("{first}… ({} characters more)", count - LINE.1)
}
