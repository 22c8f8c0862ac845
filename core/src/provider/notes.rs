//! Notes about a request, which its answer's headers tell.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::dialect::MOST_NOTED;

/// The most characters of a noted field's name.
const LONGEST_NOTED: usize = 128;

/// Stands for further fields, and for the rest of a long name.
const MORE: &str = "...";

/// What was left out of a request, or emulated; the answer's headers tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Fields that were left out, as they are named in a header. If there are many, only the first.
    pub dropped: Vec<String>,
    /// Fields that the provider does not know and whose effect is emulated, named in the same way.
    pub emulated: Vec<String>,
}

/// Adds `field` in the form for a header, unless it is already there or there are too many.
pub(super) fn note(fields: &mut Vec<String>, field: &str) {
    if fields.len() > MOST_NOTED {
        return;
    }
    let field = if fields.len() == MOST_NOTED { MORE.to_string() } else { in_header(field) };
    if !fields.contains(&field) {
        fields.push(field);
    }
}

/// A field's name in a form that is safe in a header and a log. The caller may have written anything: a line break in
/// it would begin another header.
pub(crate) fn in_header(field: &str) -> String {
    let visible = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '?' };
    let mut name: String = field.chars().take(LONGEST_NOTED).map(visible).collect();
    if field.chars().nth(LONGEST_NOTED).is_some() {
        name.push_str(MORE);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_fits_a_header() {
        let noted = |names: &[&str]| {
            let mut fields = Vec::new();
            for name in names {
                note(&mut fields, name);
            }
            fields
        };
        assert_eq!(noted(&["seed", "messages[0].content[0]", "seed"]), ["seed", "messages[0].content[0]"]);
        assert_eq!(noted(&["a\r\nset-cookie: b", "c,d", "\u{e9}"]), ["a??set-cookie:?b", "c?d", "?"]);
        assert_eq!(noted(&[&"x".repeat(1000)]), ["x".repeat(128) + "..."]);
        let many: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let many = noted(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((many.len(), many.last().map(String::as_str)), (MOST_NOTED + 1, Some("...")));
    }
}
