//! Tools, and whether the model must call one.
//!
//! Besides functions, the caller runs two other kinds of tool, so any model can use them. A custom tool takes free
//! text. The model sees it as a function with one string. A grammar for that text is explained to the model in words,
//! because no other API enforces one. A namespace is a group of tools: its name becomes a prefix of theirs. Both are
//! noted as emulated.
//!
//! <https://platform.openai.com/docs/guides/function-calling>

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Arguments;

use crate::chat::{Chat, Tool, ToolChoice};
use crate::codec::json::write::object as write_object;
use crate::codec::json::{Collected, Kind, Raw, Str, check};
use crate::dialect::fields::{
    allowed, boolean, each, given, invalid, leave_out, left_out, object, others, required, string,
};
use crate::fault::Reject;

/// The schema of the function that stands for a custom tool.
const FREE_TEXT: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"The tool's input, as plain text."}},"required":["input"],"additionalProperties":false}"#;

/// No namespace's name is longer, in bytes. It is a prefix of each of its tools' names.
const MAX_NAMESPACE: usize = 256;

/// The known members of a function or a custom tool.
const KNOWN: [&str; 10] = [
    "type",
    "name",
    "description",
    "parameters",
    "strict",
    "format",
    "defer_loading",
    "async",
    "allowed_callers",
    "output_schema",
];

/// Reads the tools at `at`. A tool that its provider would run is noted as foreign.
pub(super) fn read<'a>(tools: Raw<'a>, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    each(tools, at, |item, at| tool(item, None, at, chat)).map(drop)
}

/// Reads tools that an item of the conversation brings, as Codex sends them. They count from the beginning of the
/// conversation, and replace earlier tools of the same name.
///
/// <https://platform.openai.com/docs/api-reference/responses/create#responses_create-input>, `additional_tools`
pub(super) fn add<'a>(item: Raw<'a>, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    left_out(item.members(), &["type", "role", "tools"], &["id"], at, &mut chat.hints);
    leave_out(format_args!("{at}.additional_tools"), &mut chat.emulated);
    read(required(item, "tools", at)?, format_args!("{at}.tools"), chat)
}

/// Keeps one tool of each name, the latest. A conversation brings the same tools again and again.
pub(super) fn settle(chat: &mut Chat<'_>) {
    let mut latest = BTreeMap::new();
    for (at, tool) in chat.tools.iter().enumerate() {
        latest.insert(tool.name.clone(), at);
    }
    let mut at = 0..;
    chat.tools.retain(|tool| latest.get(&tool.name).copied() == at.next());
}

/// The tools that items of `input` bring.
pub(super) fn added(input: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    let brings = |item: &Raw<'_>| item.get("type").is_some_and(|kind| kind.text() == "\"additional_tools\"");
    input.items().filter(brings).filter_map(|item| item.get("tools")).flat_map(Raw::items)
}

fn tool<'a>(item: Raw<'a>, namespace: Option<&str>, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(item, at)?;
    let text = |name: &str| string(required(item, name, at)?, format_args!("{at}.{name}"));
    let kind = text("type")?;
    match &*kind {
        "function" | "custom" => {}
        "namespace" if namespace.is_none() => {
            let name = text("name")?;
            if name.len() > MAX_NAMESPACE {
                return Err(invalid(format_args!("{at}.name"), "it must not be longer than 256 bytes"));
            }
            chat.emulated.push(format!("{at}.namespace"));
            left_out(item.members(), &["type", "name", "tools"], &[], at, &mut chat.hints);
            let tools = required(item, "tools", at)?;
            return each(tools, format_args!("{at}.tools"), |item, at| tool(item, Some(&name), at, chat)).map(drop);
        }
        "web_search" | "web_search_preview" if searches_as_usual(item) && namespace.is_none() => {
            // Under its name in chat completions, for providers that can search, too.
            let options = Cow::Borrowed("web_search_options");
            if chat.extra.iter().all(|(name, _)| *name != options) {
                chat.extra.extend(Raw::parse("{}").map(|usual| (options, usual)));
            }
            return Ok(());
        }
        kind => {
            chat.foreign.push(format!("{at}.{kind}"));
            return Ok(());
        }
    }
    let given = |name| given(item, name);
    // Such a tool is found by a search at the provider, or answered later. No other provider has these.
    for name in ["defer_loading", "async"] {
        if given(name).map(|value| boolean(value, format_args!("{at}.{name}"))).transpose()? == Some(true) {
            chat.foreign.push(format!("{at}.{name}"));
        }
    }
    if given("allowed_callers").is_some_and(|callers| callers.items().any(|caller| caller.text() != "\"direct\"")) {
        chat.foreign.push(format!("{at}.allowed_callers"));
    }
    // The model sees the result when it comes.
    if given("output_schema").is_some() {
        chat.hints.push(format!("{at}.output_schema"));
    }
    others(item, &KNOWN, at, &mut chat.foreign);
    let description = given("description").map(|value| string(value, format_args!("{at}.description"))).transpose()?;
    let mut tool =
        Tool { name: reached(namespace, text("name")?), description, parameters: None, strict: None, cache: None };
    if kind == "function" {
        tool.parameters = given("parameters");
        if let Some(parameters) = tool.parameters {
            object(parameters, format_args!("{at}.parameters"))?;
        }
        tool.strict = given("strict").map(|value| boolean(value, format_args!("{at}.strict"))).transpose()?;
    } else {
        chat.emulated.push(format!("{at}.custom"));
        tool.parameters = Raw::parse(FREE_TEXT);
        let format = given("format").unwrap_or(Raw::NULL);
        let part = |name| format.get(name).and_then(Raw::string).unwrap_or_default();
        let at = format_args!("{at}.format");
        match &*part("type") {
            _ if format.is_null() => {}
            "grammar" => {
                left_out(format.members(), &["type", "syntax", "definition"], &[], at, &mut chat.hints);
                tool.description = Some(Cow::Owned(format!(
                    "{}\n\nThe input must follow this grammar ({}):\n{}",
                    tool.description.unwrap_or_default(),
                    part("syntax"),
                    part("definition")
                )));
            }
            "text" => left_out(format.members(), &["type"], &[], at, &mut chat.hints),
            _ => leave_out(at, &mut chat.hints),
        }
    }
    chat.tools.push(tool);
    Ok(())
}

/// Whether a web search has no options that only its maker supports.
fn searches_as_usual(tool: Raw<'_>) -> bool {
    tool.members().all(|(name, value)| match &*name {
        "type" => true,
        "search_context_size" => value.is_null() || value.text() == "\"medium\"",
        "external_web_access" => value.is_null() || value.boolean() == Some(true),
        _ => value.is_null(),
    })
}

/// Reads `tool_choice`; the tools are known by now. If it is a list of allowed tools, the others are removed.
pub(super) fn choose<'a>(choice: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let at = format_args!("tool_choice");
    if choice.kind() != Kind::Object {
        chat.tool_choice = Some(match choice.string().as_deref() {
            Some("auto") => ToolChoice::Auto,
            Some("none") => ToolChoice::None,
            Some("required") => ToolChoice::Required,
            _ => return Err(invalid(at, "it must be 'auto', 'none', 'required' or an object")),
        });
        return Ok(());
    }
    chat.tool_choice = match &*string(required(choice, "type", at)?, format_args!("{at}.type"))? {
        "function" | "custom" => Some(ToolChoice::Named(called(choice, at, &mut chat.hints)?)),
        "allowed_tools" => {
            let chosen = allowed(choice, at, chat, |tool, at, hints| {
                let by_name = matches!(tool.get("type").map(Raw::text), Some("\"function\"" | "\"custom\""));
                by_name.then(|| called(tool, at, hints)).transpose()
            });
            Some(chosen?)
        }
        kind => {
            chat.foreign.push(format!("{at}.{kind}"));
            None
        }
    };
    Ok(())
}

/// The name of the tool that an object names.
fn called<'a>(tool: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Cow<'a, str>, Reject> {
    left_out(tool.members(), &["type", "name", "namespace"], &[], at, hints);
    let namespace = tool.get("namespace").and_then(Raw::string);
    Ok(reached(namespace.as_deref(), string(required(tool, "name", at)?, format_args!("{at}.name"))?))
}

/// The model's name for a tool, in a namespace or not.
pub(super) fn reached<'a>(namespace: Option<&str>, name: Cow<'a, str>) -> Cow<'a, str> {
    match namespace {
        Some(namespace) => Cow::Owned(format!("{namespace}__{name}")),
        None => name,
    }
}

/// The arguments with which a custom tool's function was called.
pub(super) fn argument(input: &str) -> String {
    let mut out = Vec::with_capacity(16 + input.len());
    write_object(&mut out, |arguments| arguments.string("input", input));
    String::from_utf8(out).unwrap_or_default()
}

/// Passes a custom tool's input to `then`. The input is in the arguments of the function that stands for the tool. If
/// the model did not follow the schema, the input is all that it wrote.
pub(super) fn input<T>(arguments: &Collected, then: impl FnOnce(Str<'_>) -> T) -> T {
    let text = arguments.get().text();
    let input = check(&text).ok().and_then(|arguments| arguments.get("input")?.str());
    then(input.unwrap_or(Str::Plain(&text)))
}

/// The tools of a request that are not plain functions, by the model's name for each.
#[derive(Default)]
pub(super) struct Special(BTreeMap<String, Known>);

/// One of these tools.
pub(super) struct Known {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) kind: Takes,
}

/// The kind of a tool's input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// JSON.
    Arguments,
    /// Free text.
    Input,
}

impl Special {
    /// The special tools among `tools`, which were read before.
    pub(super) fn of(tools: Raw<'_>) -> Self {
        let mut special = Self::default();
        special.add(tools, None);
        special
    }

    fn add(&mut self, tools: Raw<'_>, namespace: Option<&str>) {
        for tool in tools.items() {
            let text = |name| tool.get(name).and_then(Raw::string).unwrap_or_default();
            let kind = match &*text("type") {
                "custom" => Takes::Input,
                "function" if namespace.is_some() => Takes::Arguments,
                "namespace" if namespace.is_none() => {
                    self.add(tool.get("tools").unwrap_or(Raw::NULL), Some(&text("name")));
                    continue;
                }
                _ => continue,
            };
            let name = text("name");
            let reached = reached(namespace, Cow::Borrowed(&*name)).into_owned();
            let known = Known { name: name.into_owned(), namespace: namespace.map(ToOwned::to_owned), kind };
            self.0.insert(reached, known);
        }
    }

    /// The tool that the model calls `name`.
    pub(super) fn get(&self, name: Str<'_>) -> Option<&Known> {
        if self.0.is_empty() { None } else { self.0.get(&*name.text()) }
    }
}
