//! Tools, and whether the model must call one.
//!
//! <https://ai.google.dev/gemini-api/docs/function-calling>, <https://ai.google.dev/api/caching#FunctionCallingConfig>,
//! <https://ai.google.dev/gemini-api/docs/tool-combination>

use alloc::vec::Vec;

use weir_hub::chat::{Chat, Tool, ToolChoice};
use weir_hub::codec::json::write::{Object, object, string};
use weir_hub::fault::Reject;

use crate::provider::To;
use crate::provider::gemini::Host;

/// Refuses what this API cannot express about tools.
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

/// Writes the tools: also `answer`, if the answer comes through a tool, and the search, if the model may search at this
/// host.
pub(super) fn write(chat: &Chat<'_>, answer: Option<&Tool<'_>>, search: Option<Host>, body: &mut Object<'_>) {
    if chat.tools.is_empty() && search.is_none() {
        return;
    }
    let out = body.member("tools");
    out.push(b'[');
    if !chat.tools.is_empty() {
        object(out, |tools| tools.array("functionDeclarations", chat.tools.iter().chain(answer), declaration));
    }
    if search.is_some() {
        if !chat.tools.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"googleSearch\":{}}");
    }
    out.push(b']');
    if !chat.tools.is_empty() {
        choice(chat, answer, search == Some(Host::GoogleAi), body);
    }
}

fn declaration(out: &mut Vec<u8>, tool: &Tool<'_>) {
    object(out, |function| {
        function.string("name", &tool.name);
        // The API requires it, but it may be empty.
        function.string("description", tool.description.as_deref().unwrap_or_default());
        if let Some(parameters) = tool.parameters {
            function.raw("parametersJsonSchema", parameters.text());
        }
    });
}

/// The tool choice. If Google's own tools are offered together with functions, Google's API must be told that their
/// calls may be shown, and has `VALIDATED` in place of `AUTO`. Vertex does not know that word and needs none.
fn choice(chat: &Chat<'_>, answer: Option<&Tool<'_>>, shows_search: bool, body: &mut Object<'_>) {
    let is_strict = chat.tools.iter().any(|tool| tool.strict == Some(true));
    let mode = match (&chat.tool_choice, answer) {
        (Some(ToolChoice::Named(name)), _) => Some(("ANY", Some(&**name))),
        (Some(ToolChoice::None), Some(answer)) => Some(("ANY", Some(&*answer.name))),
        (Some(ToolChoice::None), None) => Some(("NONE", None)),
        (Some(ToolChoice::Required), _) | (_, Some(_)) => Some(("ANY", None)),
        // Required calls follow their schema anyway.
        (None | Some(ToolChoice::Auto), None) if is_strict => Some(("VALIDATED", None)),
        (Some(ToolChoice::Auto), None) if shows_search => Some(("VALIDATED", None)),
        (Some(ToolChoice::Auto), None) => Some(("AUTO", None)),
        (None, None) => None,
    };
    if mode.is_none() && !shows_search {
        return;
    }
    body.object("toolConfig", |config| {
        if shows_search {
            config.raw("includeServerSideToolInvocations", "true");
        }
        let Some((mode, only)) = mode else { return };
        config.object("functionCallingConfig", |config| {
            config.string("mode", mode);
            if let Some(only) = only {
                config.array("allowedFunctionNames", [only], string);
            }
        });
    });
}
