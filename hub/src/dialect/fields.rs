//! Reads the fields of a request. Errors name a field by its path.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Arguments, Display};

use crate::chat::{Chat, Content, Detail, Effort, Part, Source, ToolChoice};
use crate::codec::json::{Kind, Raw, check, write};
use crate::dialect::MOST_NOTED;
use crate::fault::Reject;

pub(super) fn each<'a, T>(
    array: Raw<'a>,
    at: Arguments<'_>,
    mut read: impl FnMut(Raw<'a>, Arguments<'_>) -> Result<T, Reject>,
) -> Result<Vec<T>, Reject> {
    if array.kind() != Kind::Array {
        return Err(invalid(at, "it must be an array"));
    }
    array.items().enumerate().map(|(index, item)| read(item, format_args!("{at}[{index}]"))).collect()
}

pub(super) fn required<'a>(object: Raw<'a>, name: &str, at: impl Display) -> Result<Raw<'a>, Reject> {
    needed(given(object, name), name, at)
}

/// A member that must be there: `found`, or the error that it is missing.
pub(super) fn needed<'a>(found: Option<Raw<'a>>, name: &str, at: impl Display) -> Result<Raw<'a>, Reject> {
    found.ok_or_else(|| Reject::Missing { field: format!("{at}.{name}") })
}

/// The member called `name`, unless it is `null`.
pub(super) fn given<'a>(object: Raw<'a>, name: &str) -> Option<Raw<'a>> {
    object.get(name).filter(|value| !value.is_null())
}

pub(super) fn object(value: Raw<'_>, at: Arguments<'_>) -> Result<(), Reject> {
    if value.kind() == Kind::Object { Ok(()) } else { Err(invalid(at, "it must be an object")) }
}

/// Notes the members of an object that are not `known` and ask for something. No other dialect can express them.
pub(super) fn others(object: Raw<'_>, known: &[&str], at: Arguments<'_>, foreign: &mut Vec<String>) {
    for (name, value) in object.members() {
        if !known.contains(&&*name) && !matches!(value.text(), "null" | "false" | "[]" | "{}") {
            foreign.push(format!("{at}.{name}"));
        }
    }
}

/// Notes the `members` that are left out: all except those in `read`, and those in `echoed`, which come from an answer
/// and are only sent back. They are no reason to refuse, because many clients send more than they were asked for.
pub(super) fn left_out<'a>(
    members: impl Iterator<Item = (Cow<'a, str>, Raw<'a>)>,
    read: &[&str],
    echoed: &[&str],
    at: Arguments<'_>,
    hints: &mut Vec<String>,
) {
    for (name, value) in members {
        if !value.is_null() && !read.contains(&&*name) && !echoed.contains(&&*name) {
            leave_out(format_args!("{at}.{name}"), hints);
        }
    }
}

/// The members with these names, found in one pass; `null` counts as absent. All other members are [left
/// out](left_out).
pub(super) fn taken<'a, const N: usize>(
    object: Raw<'a>,
    names: [&str; N],
    echoed: &[&str],
    at: Arguments<'_>,
    hints: &mut Vec<String>,
) -> [Option<Raw<'a>>; N] {
    let mut found = [None; N];
    let others = object.members().filter(|(name, value)| {
        let slot = names.iter().zip(&mut found).find(|(known, _)| *known == name);
        slot.map(|(_, slot)| *slot = Some(*value).filter(|value| !value.is_null())).is_none()
    });
    left_out(others, &[], echoed, at, hints);
    found
}

/// Notes one thing that is left out, once. A body may have very many, so only as many are kept as the answer names.
pub(super) fn leave_out(path: Arguments<'_>, hints: &mut Vec<String>) {
    if hints.len() <= MOST_NOTED {
        let path = path.to_string();
        if !hints.contains(&path) {
            hints.push(path);
        }
    }
}

/// Notes which stream options are left out. The usage option is handled elsewhere. Answers that are written here have
/// no padding.
pub(super) fn stream_options(options: Raw<'_>, hints: &mut Vec<String>) {
    let padded =
        |(name, value): &(Cow<'_, str>, Raw<'_>)| name != "include_obfuscation" || value.boolean() != Some(false);
    left_out(options.members().filter(padded), &["include_usage"], &[], format_args!("stream_options"), hints);
}

/// A call's arguments as an object. They stay as the model wrote them if that is an object; no arguments become an
/// empty one. Models write other things, too, and a provider would refuse the conversation with such a call every time.
/// Then the text is put in an object, where the model can see the mistake, and this is noted.
pub(super) fn arguments<'a>(written: Cow<'a, str>, at: Arguments<'_>, emulated: &mut Vec<String>) -> Cow<'a, str> {
    if matches!(written.trim(), "" | "null") {
        return Cow::Borrowed("{}");
    }
    if check(&written).is_ok_and(|arguments| arguments.kind() == Kind::Object) {
        return written;
    }
    leave_out(at, emulated);
    let mut out = Vec::with_capacity(written.len() + 32);
    write::object(&mut out, |arguments| arguments.string("invalid_arguments", &written));
    Cow::Owned(String::from_utf8(out).unwrap_or_default())
}

/// Whether the model called the tool directly. If a program that the model wrote did, it can only go on where that
/// program runs.
pub(super) fn is_direct(caller: Raw<'_>) -> bool {
    caller.is_null() || caller.get("type").is_some_and(|kind| kind.text() == "\"direct\"")
}

pub(super) fn string<'a>(value: Raw<'a>, at: Arguments<'_>) -> Result<Cow<'a, str>, Reject> {
    value.string().ok_or_else(|| invalid(at, "it must be a string"))
}

pub(super) fn boolean(value: Raw<'_>, at: Arguments<'_>) -> Result<bool, Reject> {
    value.boolean().ok_or_else(|| invalid(at, "it must be true or false"))
}

pub(super) fn count(value: Raw<'_>, at: Arguments<'_>) -> Result<u64, Reject> {
    value.integer().filter(|count| *count > 0).ok_or_else(|| invalid(at, "it must be a whole number from 1"))
}

pub(super) fn number<'a>(value: Raw<'a>, at: Arguments<'_>) -> Result<Raw<'a>, Reject> {
    if value.kind() == Kind::Number { Ok(value) } else { Err(invalid(at, "it must be a number")) }
}

pub(super) fn invalid(at: Arguments<'_>, problem: &str) -> Reject {
    Reject::Invalid { field: at.to_string(), problem: problem.to_owned() }
}

/// The effort with this name.
pub(super) fn effort(value: Raw<'_>, at: Arguments<'_>) -> Result<Effort, Reject> {
    let name = string(value, at)?;
    let level = Effort::ALL.into_iter().find(|(level, _)| *level == name);
    level
        .map(|(_, level)| level)
        .ok_or_else(|| invalid(at, "it must be 'none', 'minimal', 'low', 'medium', 'high', 'xhigh' or 'max'"))
}

/// How closely to look at an image. An unknown word is only noted, because the model can answer without it.
pub(super) fn detail(given: Option<Raw<'_>>, at: Arguments<'_>, hints: &mut Vec<String>) -> Option<Detail> {
    match given?.text() {
        "\"auto\"" => None,
        "\"low\"" => Some(Detail::Low),
        "\"high\"" => Some(Detail::High),
        "\"original\"" => Some(Detail::Original),
        _ => {
            leave_out(format_args!("{at}.detail"), hints);
            None
        }
    }
}

/// An image at a URL, or the image itself in a data URL.
pub(super) fn image<'a>(url: Raw<'a>, at: Arguments<'_>) -> Result<Content<'a>, Reject> {
    let url = string(url, at)?;
    if is_address(&url) {
        return Ok(Content::ImageUrl(url));
    }
    let (media_type, data) =
        data_url(url).ok_or_else(|| invalid(at, "it must be an http(s) URL or a data URL with base64"))?;
    Ok(Content::Image { media_type, data })
}

/// Whether a file is at a URL that its provider can fetch. Google's models also read Google's own store.
pub(super) fn is_address(url: &str) -> bool {
    ["https://", "http://", "gs://"].iter().any(|scheme| url.starts_with(scheme))
}

/// A media type in the form that providers compare: in lower case, with its usual name, and without parameters such as
/// a charset.
pub(super) fn media_type(given: Cow<'_, str>) -> Cow<'_, str> {
    let bare = given.split(';').next().unwrap_or_default().trim();
    if bare.eq_ignore_ascii_case("image/jpg") {
        Cow::Borrowed("image/jpeg")
    } else if bare.len() == given.len() && !bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        given
    } else {
        Cow::Owned(bare.to_ascii_lowercase())
    }
}

/// Content as in OpenAI's APIs: one text, or parts.
pub(super) fn said<'a>(
    content: Raw<'a>,
    at: Arguments<'_>,
    part: impl FnMut(Raw<'a>, Arguments<'_>) -> Result<Part<'a>, Reject>,
) -> Result<Vec<Part<'a>>, Reject> {
    match content.kind() {
        Kind::String => Ok(content.string().map(|text| Content::Text(text).into()).into_iter().collect()),
        Kind::Array => each(content, at, part),
        _ => Err(invalid(at, "it must be a string or an array of parts")),
    }
}

/// A list of allowed tools, as in OpenAI's APIs: the other tools are removed from `chat`. `name` gives the name of a
/// tool in the list; `None` for one that runs at the provider, which was noted among the tools.
pub(super) fn allowed<'a>(
    list: Raw<'a>,
    at: Arguments<'_>,
    chat: &mut Chat<'a>,
    mut name: impl FnMut(Raw<'a>, Arguments<'_>, &mut Vec<String>) -> Result<Option<Cow<'a, str>>, Reject>,
) -> Result<ToolChoice<'a>, Reject> {
    let mode = format_args!("{at}.mode");
    let chosen = match &*string(required(list, "mode", at)?, mode)? {
        "auto" => ToolChoice::Auto,
        "required" => ToolChoice::Required,
        _ => return Err(invalid(mode, "it must be 'auto' or 'required'")),
    };
    left_out(list.members(), &["type", "mode", "tools"], &[], at, &mut chat.hints);
    let tools = required(list, "tools", at)?;
    let names = each(tools, format_args!("{at}.tools"), |tool, at| name(tool, at, &mut chat.hints))?;
    let names: BTreeSet<_> = names.into_iter().flatten().collect();
    chat.tools.retain(|tool| names.contains(&tool.name));
    Ok(chosen)
}

/// Audio in the request, which OpenAI calls `input_audio`.
pub(super) fn sound<'a>(part: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Content<'a>, Reject> {
    let audio = required(part, "input_audio", at)?;
    let at = format_args!("{at}.input_audio");
    object(audio, at)?;
    left_out(audio.members(), &["format", "data"], &[], at, hints);
    Ok(Content::Audio {
        format: string(required(audio, "format", at)?, format_args!("{at}.format"))?,
        data: string(required(audio, "data", at)?, format_args!("{at}.data"))?,
    })
}

/// A file in the request, as a data URL.
pub(super) fn file<'a>(data: Raw<'a>, name: Option<Cow<'a, str>>, at: Arguments<'_>) -> Result<Content<'a>, Reject> {
    match data_url(string(data, at)?) {
        Some((media_type, data)) => Ok(Content::Document { source: Source::File { media_type, data }, name }),
        None => Err(invalid(at, "it must be a data URL with base64")),
    }
}

/// Splits `data:image/png;base64,…` into media type and data.
pub(super) fn data_url(url: Cow<'_, str>) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    fn split(url: &str) -> Option<(&str, &str)> {
        let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
        // Parameters such as a charset may be between them.
        let kind = kind.strip_suffix(";base64")?;
        let (media_type, _) = kind.split_once(';').unwrap_or((kind, ""));
        Some((media_type, data))
    }
    Some(match url {
        Cow::Borrowed(url) => {
            let (kind, data) = split(url)?;
            (media_type(kind.into()), data.into())
        }
        Cow::Owned(url) => {
            let (kind, data) = split(&url)?;
            (media_type(kind.to_owned().into()), data.to_owned().into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_is_taken_apart() {
        let check = |url: &str, expect: Option<(&str, &str)>| {
            assert_eq!(data_url(url.into()), expect.map(|(kind, data)| (kind.into(), data.into())), "{url}");
            assert_eq!(data_url(Cow::Owned(url.to_owned())), expect.map(|(kind, data)| (kind.into(), data.into())));
        };
        check("data:image/png;base64,AAAA", Some(("image/png", "AAAA")));
        check("data:image/png;charset=utf-8;base64,AAAA", Some(("image/png", "AAAA")));
        check("data:image/png,AAAA", None);
        check("data:image/PNG;base64,AAAA", Some(("image/png", "AAAA")));
        check("data:IMAGE/JPG;base64,AAAA", Some(("image/jpeg", "AAAA")));
    }

    #[test]
    fn a_media_type_has_one_name() {
        let check = |given: &str, expect: &str| assert_eq!(media_type(given.into()), expect);
        check("application/pdf", "application/pdf");
        check("Application/PDF", "application/pdf");
        check("text/plain; charset=UTF-8", "text/plain");
        check("image/jpg", "image/jpeg");
        check("image/svg+xml", "image/svg+xml");
    }
}
