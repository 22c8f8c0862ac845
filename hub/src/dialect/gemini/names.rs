//! Reads members by either spelling of their names, and values in the forms that this API's JSON allows.
//!
//! <https://protobuf.dev/programming-guides/json/>

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Arguments;

use crate::codec::json::{Kind, Raw};
use crate::dialect::fields::{each, invalid};
use crate::fault::Reject;

/// The name as the API's own pages write it: `max_output_tokens` becomes `maxOutputTokens`.
pub(super) fn camel(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.contains('_') {
        return name;
    }
    let mut out = String::with_capacity(name.len());
    let mut after = false;
    for (at, c) in name.char_indices() {
        if c == '_' && at > 0 {
            after = true;
        } else if core::mem::take(&mut after) {
            out.push(c.to_ascii_uppercase());
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// The members of an object that are not `null`, by their documented names.
pub fn members(object: Raw<'_>) -> impl Iterator<Item = (Cow<'_, str>, Raw<'_>)> {
    object.members().filter(|(_, value)| !value.is_null()).map(|(name, value)| (camel(name), value))
}

/// The member called `name`, in either spelling.
pub(super) fn get<'a>(object: Raw<'a>, name: &str) -> Option<Raw<'a>> {
    members(object).filter(|(member, _)| member == name).last().map(|(_, value)| value)
}

/// Reads each item of a list. A single item may be without brackets.
pub(super) fn list<'a, T>(
    value: Raw<'a>,
    at: Arguments<'_>,
    mut read: impl FnMut(Raw<'a>, Arguments<'_>) -> Result<T, Reject>,
) -> Result<Vec<T>, Reject> {
    if value.kind() == Kind::Object {
        Ok([read(value, format_args!("{at}[0]"))?].into())
    } else {
        each(value, at, read)
    }
}

/// A whole number: `7`, `7.0` or `"7"`.
pub(super) fn whole<'a>(value: Raw<'a>, at: Arguments<'_>) -> Result<Raw<'a>, Reject> {
    let text = value.text();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_whole = fraction.bytes().all(|digit| digit == b'0') && digits.parse::<i64>().is_ok();
    let number = if is_whole { Raw::parse(digits).filter(|number| number.kind() == Kind::Number) } else { None };
    number.ok_or_else(|| invalid(at, "it must be a whole number"))
}

/// A whole number that is a count.
pub(super) fn count(value: Raw<'_>, at: Arguments<'_>) -> Result<u64, Reject> {
    let number = whole(value, at)?.integer().filter(|count| *count > 0);
    number.ok_or_else(|| invalid(at, "it must be a whole number from 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_spelt_in_two_ways() {
        let check = |name: &str, expect: &str| assert_eq!(camel(name.into()), expect);
        check("max_output_tokens", "maxOutputTokens");
        check("maxOutputTokens", "maxOutputTokens");
        check("_response_json_schema", "_responseJsonSchema");
        check("text", "text");
    }

    #[test]
    fn a_whole_number_may_be_written_in_three_ways() {
        let check = |value: &str, expect: Option<&str>| {
            let number = whole(Raw::parse(value).unwrap(), format_args!("n"));
            assert_eq!(number.ok().map(Raw::text), expect, "{value}");
        };
        check("7", Some("7"));
        check("7.0", Some("7"));
        check("\"7\"", Some("7"));
        check("-7", Some("-7"));
        check("7.5", None);
        check("\"x\"", None);
        check("7e1", None);
        check("[]", None);
    }
}
