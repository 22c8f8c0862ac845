//! Tools, and whether the model must call one.
//!
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use>

use alloc::format;
use alloc::vec::Vec;

use weir_hub::chat::{Chat, Tool, ToolChoice};
use weir_hub::codec::json::write::{Object, object};
use weir_hub::fault::Reject;

use super::thinking::{Answer, Thinking};
use crate::provider::To;
use crate::provider::answer_tool::{ANSWER_TOOL, answer_tool, called};
use crate::provider::claude::Generation;

/// Refuses what the model cannot do with tools. Returns the choice that it can be told.
///
/// A model that thinks cannot be told to call a tool:
/// <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>
pub(in crate::provider) fn check<'c>(
    chat: &'c Chat<'_>,
    generation: Generation,
    thinking: &Thinking<'_>,
    to: &mut To<'_>,
) -> Result<Option<&'c ToolChoice<'c>>, Reject> {
    if !generation.follows_schemas()
        && let Some(strict) = chat.tools.iter().position(|tool| tool.strict == Some(true))
    {
        to.unsupported(&format!("tools[{strict}].function.strict"));
    }
    let choice = chat.tool_choice.as_ref();
    if !matches!(choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
        return Ok(choice);
    }
    if chat.tools.is_empty() {
        return Err(to.invalid("tool_choice", "there are no tools"));
    }
    if thinking.thinks() && generation != Generation::Foreign {
        to.unsupported("tool_choice");
        return Ok(None);
    }
    Ok(choice)
}

pub(super) fn write(chat: &Chat<'_>, chosen: Option<&ToolChoice<'_>>, answer: Answer<'_>, body: &mut Object<'_>) {
    let answer = match answer {
        Answer::Tool { schema, description } => Some(answer_tool(schema, description)),
        Answer::Text | Answer::Native { .. } => None,
    };
    // A conversation in which tools were called must declare them, even if none may be called now.
    let past = if chat.tools.is_empty() { called(chat) } else { Vec::new() };
    let tools = || chat.tools.iter().chain(&past).chain(&answer);
    if tools().next().is_some() {
        body.array("tools", tools(), tool);
        choice(chat, chosen, answer.is_some(), body);
    }
}

fn choice(chat: &Chat<'_>, chosen: Option<&ToolChoice<'_>>, answers_by_tool: bool, body: &mut Object<'_>) {
    let parallel = chat.parallel_tools != Some(false);
    let (kind, name) = match (chosen, answers_by_tool) {
        (Some(ToolChoice::Named(name)), _) => ("tool", Some(&**name)),
        // The answer may also be a call of the caller's tools, unless there are none or the caller forbids calls.
        (Some(ToolChoice::None), true) => ("tool", Some(ANSWER_TOOL)),
        (_, true) if chat.tools.is_empty() => ("tool", Some(ANSWER_TOOL)),
        (_, true) | (Some(ToolChoice::Required), _) => ("any", None),
        (Some(ToolChoice::None), false) => ("none", None),
        (_, false) if chat.tools.is_empty() => ("none", None),
        (None, false) if parallel => return,
        (None | Some(ToolChoice::Auto), false) => ("auto", None),
    };
    body.object("tool_choice", |choice| {
        choice.string("type", kind);
        if let Some(name) = name {
            choice.string("name", name);
        }
        if !parallel && kind != "none" {
            choice.raw("disable_parallel_tool_use", "true");
        }
    });
}

/// The schema of a tool's arguments. OpenAI accepts functions without a schema, and schemas that do not say that
/// arguments are an object. This API requires both.
pub(in crate::provider) fn schema(to: &mut Object<'_>, name: &str, tool: &Tool<'_>) {
    let Some(schema) = tool.parameters else {
        return to.raw(name, "{\"type\":\"object\",\"properties\":{}}");
    };
    if schema.get("type").is_some_and(|kind| !kind.is_null()) {
        return to.raw(name, schema.text());
    }
    to.object(name, |to| {
        to.string("type", "object");
        for (name, value) in schema.members().filter(|(name, _)| name != "type") {
            to.raw(&name, value.text());
        }
    });
}

fn tool(out: &mut Vec<u8>, tool: &Tool<'_>) {
    object(out, |object| {
        object.string("name", &tool.name);
        if let Some(description) = &tool.description {
            object.string("description", description);
        }
        schema(object, "input_schema", tool);
        if tool.strict == Some(true) {
            object.raw("strict", "true");
        }
        if let Some(mark) = tool.cache {
            object.raw("cache_control", mark.text());
        }
    });
}
