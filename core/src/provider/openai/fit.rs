//! Fits a relayed request to a host that deviates from OpenAI: leaves out the fields that the host lacks, renames
//! fields, and replaces unknown values.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::Call;
use weir_hub::chat::Effort;
use weir_hub::codec::json::write::{self, object};
use weir_hub::codec::json::{Kind, Raw};
use weir_hub::dialect::openai;
use weir_hub::endpoint::Endpoint;

use crate::provider::To;

/// A change of a top-level field: its new value, or its removal.
pub(super) type Change<'q> = (&'q str, Option<Vec<u8>>);

/// The changes to make for this host. Refuses what the host cannot express.
pub(super) fn changes<'t>(call: &Call<'_>, to: &mut To<'t>) -> Vec<Change<'t>> {
    let quirks = &to.upstream.quirks;
    let mut changes = Vec::new();
    for (from, into) in &quirks.renamed {
        if let Some(value) = call.scan.get(call.body, from) {
            changes.push((from.as_str(), None));
            changes.push((into.as_str(), Some(value.to_owned())));
        }
    }
    if !matches!(call.asked.endpoint, Endpoint::Chat | Endpoint::Completions) {
        return changes;
    }
    let given = |field: &str| call.scan.raw(call.body, field).filter(|value| !value.is_null());
    for field in &quirks.unsupported {
        let Some(value) = given(field) else { continue };
        if field == "parallel_tool_calls" && value.boolean() == Some(false) && call.asked.endpoint == Endpoint::Chat {
            if given("tools").is_some() {
                to.first_call();
            }
        } else if !asks_nothing(field, value) {
            to.lacks(field);
        }
        changes.push((field.as_str(), None));
    }
    for (field, known) in &quirks.values {
        let Some(value) = given(field).filter(|value| !knows(known, *value)) else { continue };
        let tools = given("tools");
        changes.push((field.as_str(), instead(field, value, known, tools, to)));
    }
    // A long conversation is read only if needed.
    let messages = if quirks.roles.is_empty() { None } else { given("messages") };
    if let Some(messages) = messages.and_then(|messages| with_roles(messages, &quirks.roles)) {
        changes.push(("messages", Some(messages)));
    }
    changes
}

/// Whether a field with this value may be left out.
fn asks_nothing(field: &str, value: Raw<'_>) -> bool {
    let is_text = || value.get("type").map(Raw::text) == Some("\"text\"");
    openai::is_neutral(field, value)
        || matches!((field, value.text()), ("tool_choice", "\"auto\"") | ("parallel_tool_calls", "true"))
        || field == "response_format" && is_text()
}

/// Whether `value` is one of those that are `known`: a string by its value, an object by its `type`.
pub(super) fn knows(known: &[String], value: Raw<'_>) -> bool {
    let kind = if value.kind() == Kind::Object { value.get("type") } else { Some(value) };
    kind.and_then(Raw::string).is_none_or(|kind| known.iter().any(|known| **known == *kind))
}

/// The efforts among the values that a host accepts.
pub(super) fn efforts(known: &[String]) -> Vec<Effort> {
    Effort::ALL
        .into_iter()
        .filter(|(name, _)| known.iter().any(|known| known == name))
        .map(|(_, effort)| effort)
        .collect()
}

/// The replacement for a value that this host does not accept.
fn instead(field: &str, value: Raw<'_>, known: &[String], tools: Option<Raw<'_>>, to: &mut To<'_>) -> Option<Vec<u8>> {
    let quoted = |word: &str| {
        let mut out = Vec::new();
        write::string(&mut out, word);
        out
    };
    if asks_nothing(field, value) {
        return None;
    }
    if field == "reasoning_effort"
        && let Some((_, wanted)) = Effort::ALL.into_iter().find(|(name, _)| value.string().as_deref() == Some(name))
    {
        let nearest = wanted.among(&efforts(known));
        match nearest {
            Some(_) => to.emulates(field),
            None => to.hint(field),
        }
        return nearest.map(|nearest| quoted(nearest.name()));
    }
    // If there is only one tool, to require any is to require it.
    let of_one = field == "tool_choice" && tools.is_some_and(|tools| tools.items().count() == 1);
    if of_one && known.iter().any(|known| known == "required") {
        return Some(quoted("required"));
    }
    to.lacks(field);
    None
}

/// The messages, with the roles renamed; `None` if the host accepts all of them.
fn with_roles(messages: Raw<'_>, roles: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    let other = |message: Raw<'_>| roles.get(&*message.get("role")?.string()?);
    if messages.kind() != Kind::Array || !messages.items().any(|message| other(message).is_some()) {
        return None;
    }
    let mut out = Vec::with_capacity(messages.text().len());
    write::array(&mut out, messages.items(), |out, message| match other(message) {
        None => out.extend_from_slice(message.text().as_bytes()),
        Some(role) => object(out, |to| {
            for (name, value) in message.members() {
                if name == "role" { to.string(&name, role) } else { to.raw(&name, value.text()) }
            }
        }),
    });
    Some(out)
}
