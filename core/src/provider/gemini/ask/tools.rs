//! Tools, and whether the model must call one.
//!
//! <https://ai.google.dev/gemini-api/docs/function-calling>, <https://ai.google.dev/api/caching#FunctionCallingConfig>

use alloc::vec::Vec;

use crate::chat::{Chat, Tool, ToolChoice};
use crate::codec::json::write::{Object, object, string};
use crate::fault::Reject;
use crate::provider::To;

/// Refuses what the model cannot be told about tools.
pub(super) fn check(chat: &Chat<'_>, to: &mut To<'_>) -> Result<(), Reject> {
    if chat.tools.is_empty() && matches!(chat.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
        return Err(to.invalid("tool_choice", "there are no tools"));
    }
    to.call_one(chat);
    if chat.tools.iter().any(|tool| tool.cache.is_some()) {
        to.hint("tools.cache_control");
    }
    Ok(())
}

/// Writes the tools, and `answer` beside them if an answer comes through one.
pub(super) fn write(chat: &Chat<'_>, answer: Option<&Tool<'_>>, searches: bool, body: &mut Object<'_>) {
    if chat.tools.is_empty() && !searches {
        return;
    }
    let out = body.member("tools");
    out.push(b'[');
    if !chat.tools.is_empty() {
        object(out, |tools| tools.array("functionDeclarations", chat.tools.iter().chain(answer), declaration));
    }
    if searches {
        if !chat.tools.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"googleSearch\":{}}");
    }
    out.push(b']');
    if !chat.tools.is_empty() {
        choice(chat, answer, body);
    }
}

fn declaration(out: &mut Vec<u8>, tool: &Tool<'_>) {
    object(out, |function| {
        function.string("name", &tool.name);
        // Required by the API, though it may say nothing.
        function.string("description", tool.description.as_deref().unwrap_or_default());
        if let Some(parameters) = tool.parameters {
            function.raw("parametersJsonSchema", parameters.text());
        }
    });
}

fn choice(chat: &Chat<'_>, answer: Option<&Tool<'_>>, body: &mut Object<'_>) {
    let is_strict = chat.tools.iter().any(|tool| tool.strict == Some(true));
    let (mode, only) = match (&chat.tool_choice, answer) {
        (Some(ToolChoice::Named(name)), _) => ("ANY", Some(&**name)),
        (Some(ToolChoice::None), Some(answer)) => ("ANY", Some(&*answer.name)),
        (Some(ToolChoice::None), None) => ("NONE", None),
        (Some(ToolChoice::Required), _) | (_, Some(_)) => ("ANY", None),
        // Calls that must be made follow their schema anyway.
        (None | Some(ToolChoice::Auto), None) if is_strict => ("VALIDATED", None),
        (Some(ToolChoice::Auto), None) => ("AUTO", None),
        (None, None) => return,
    };
    body.object("toolConfig", |config| {
        config.object("functionCallingConfig", |config| {
            config.string("mode", mode);
            if let Some(only) = only {
                config.array("allowedFunctionNames", [only], string);
            }
        });
    });
}
