//! A JSON answer through a tool that the model must call, for providers that have no other way.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use weir_hub::chat::{Chat, Content, Tool};
use weir_hub::codec::json::Raw;

/// The tool that carries an answer that must be JSON (`response_format`). Its input is the answer's content.
pub(super) const ANSWER_TOOL: &str = "weir_json_answer";

/// The schema of an answer that may be any object.
pub(super) const ANY_OBJECT: &str = "{\"type\":\"object\"}";

/// The tool for an answer that follows `schema`.
pub(super) fn answer_tool<'a>(schema: &'a str, description: Option<&'a str>) -> Tool<'a> {
    Tool {
        name: Cow::Borrowed(ANSWER_TOOL),
        description: Some(description.unwrap_or("Gives the final answer to the user, as JSON.").into()),
        parameters: Raw::parse(schema),
        strict: None,
        cache: None,
    }
}

/// The tools that were called so far, with only their names. Some providers want every tool of a conversation to be
/// declared, even if none may be called now.
pub(super) fn called<'a>(chat: &'a Chat<'_>) -> Vec<Tool<'a>> {
    let (mut tools, mut names): (Vec<Tool<'a>>, BTreeSet<&str>) = Default::default();
    for part in chat.turns.iter().flat_map(|turn| &turn.parts) {
        if let Content::Call { name, .. } = &part.content
            && names.insert(name)
        {
            let name = Cow::Borrowed(&**name);
            tools.push(Tool { name, description: None, parameters: None, strict: None, cache: None });
        }
    }
    tools
}
