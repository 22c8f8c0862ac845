//! Tools, whether the model must call one, and the format of its answer. This API has all of these, but not all at
//! once.
//!
//! <https://docs.cohere.com/docs/tool-use-overview>,
//! <https://docs.cohere.com/docs/structured-outputs>

use alloc::vec::Vec;

use weir_hub::chat::{Chat, Format, Tool, ToolChoice};
use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::{Object, object};
use weir_hub::fault::Reject;

use super::{own_value, schema};
use crate::provider::To;
use crate::provider::answer_tool::{ANY_OBJECT, answer_tool};

pub(super) struct Tools<'a> {
    offered: Vec<&'a Tool<'a>>,
    answer: Option<Tool<'a>>,
    choice: Option<&'static str>,
    strict: Option<&'a str>,
    /// The answer's format, if the API itself sees to it.
    format: Option<&'a Format<'a>>,
}

impl<'a> Tools<'a> {
    /// `grounded`: whether the request has documents.
    pub(super) fn of(chat: &'a Chat<'a>, grounded: bool, to: &mut To<'_>) -> Result<Self, Reject> {
        let mut offered: Vec<_> = chat.tools.iter().collect();
        let choice = chat.tool_choice.as_ref();
        if offered.is_empty() && matches!(choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
            return Err(to.invalid("tool_choice", "there are no tools"));
        }
        to.call_one(chat);
        let mut choice = match choice {
            None | Some(ToolChoice::Auto) => None,
            Some(ToolChoice::None) if offered.is_empty() => None,
            Some(ToolChoice::None) => Some("NONE"),
            Some(ToolChoice::Required) => Some("REQUIRED"),
            // This API cannot name a tool. If only that tool is offered, none needs to be named.
            Some(ToolChoice::Named(name)) => {
                offered.retain(|tool| tool.name == *name);
                if offered.is_empty() {
                    return Err(to.invalid("tool_choice", "there is no tool of this name"));
                }
                to.emulates("tool_choice");
                Some("REQUIRED")
            }
        };
        let (mut answer, mut format) = (None, None);
        let named = matches!(chat.tool_choice, Some(ToolChoice::Named(_)));
        // If a call is required, there is no other answer.
        if chat.format != Format::Text && !named {
            if choice == Some("NONE") {
                (offered, choice) = (Vec::new(), None);
            }
            if offered.is_empty() && !grounded {
                format = Some(&chat.format);
            } else {
                // The API accepts a format neither with tools nor with documents.
                let description = match &chat.format {
                    Format::Schema { description, .. } => description.as_deref(),
                    Format::Text | Format::Json => None,
                };
                answer = Some(answer_tool(schema(&chat.format).unwrap_or(ANY_OBJECT), description));
                choice = Some("REQUIRED");
                to.emulates("response_format");
            }
        }
        // `strict` applies to all tools or to none. It is set if the caller asks for it on any.
        let strict = offered.iter().any(|tool| tool.strict == Some(true)).then_some("true");
        Ok(Self { offered, answer, choice, strict: strict.or_else(|| own_value(chat, "strict_tools")), format })
    }

    pub(super) fn write(&self, body: &mut Object<'_>) {
        let tools = || self.offered.iter().copied().chain(&self.answer);
        if tools().next().is_some() {
            body.array("tools", tools(), tool);
            if let Some(choice) = self.choice {
                body.string("tool_choice", choice);
            }
            if let Some(strict) = self.strict {
                body.raw("strict_tools", strict);
            }
        }
        if let Some(format) = self.format {
            body.object("response_format", |to| {
                to.string("type", "json_object");
                if let Some(schema) = schema(format) {
                    to.raw("json_schema", schema);
                }
            });
        }
    }
}

fn tool(out: &mut Vec<u8>, tool: &Tool<'_>) {
    object(out, |out| {
        out.string("type", "function");
        out.object("function", |function| {
            function.string("name", &tool.name);
            if let Some(description) = &tool.description {
                function.string("description", description);
            }
            // OpenAI accepts a function without parameters; this API requires a schema.
            let parameters = tool.parameters.map_or("{\"type\":\"object\",\"properties\":{}}", Raw::text);
            function.raw("parameters", parameters);
        });
    });
}
