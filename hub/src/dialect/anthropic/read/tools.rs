//! Tools, and whether the model must call one.
//!
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use>

use alloc::format;
use core::fmt::Arguments;

use crate::chat::{Chat, Tool, ToolChoice};
use crate::codec::json::Raw;
use crate::dialect::fields::{boolean, each, invalid, left_out, object, required, string};
use crate::fault::Reject;

/// Reads the caller's own tools. Tools that Anthropic defines or runs are noted.
pub(super) fn read<'a>(tools: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    each(tools, format_args!("tools"), |item, at| {
        object(item, at)?;
        let kind = item.get("type").filter(|kind| !kind.is_null());
        match kind.map(|kind| string(kind, format_args!("{at}.type"))).transpose()?.as_deref() {
            None | Some("custom") => custom(item, at, chat),
            Some(kind) => {
                chat.foreign.push(format!("{at}.{kind}"));
                Ok(())
            }
        }
    })?;
    Ok(())
}

fn custom<'a>(item: Raw<'a>, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let schema = required(item, "input_schema", at)?;
    object(schema, format_args!("{at}.input_schema"))?;
    let mut tool = Tool {
        name: string(required(item, "name", at)?, format_args!("{at}.name"))?,
        description: None,
        parameters: Some(schema),
        strict: None,
        cache: None,
    };
    for (name, value) in item.members() {
        let path = format_args!("{at}.{name}");
        match &*name {
            "name" | "type" | "input_schema" => {}
            _ if value.is_null() || matches!(value.text(), "[]" | "false") => {}
            "description" => tool.description = Some(string(value, path)?),
            "strict" => tool.strict = Some(boolean(value, path)?),
            "cache_control" => tool.cache = Some(value),
            // Asks to stream arguments without checking them first. Nobody else checks them anyway.
            "eager_input_streaming" => {}
            "allowed_callers" if value.items().all(|caller| caller.text() == "\"direct\"") => {}
            _ => chat.foreign.push(format!("{path}")),
        }
    }
    chat.tools.push(tool);
    Ok(())
}

pub(super) fn choice<'a>(choice: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let at = format_args!("tool_choice");
    object(choice, at)?;
    left_out(choice.members(), &["type", "name", "disable_parallel_tool_use"], &[], at, &mut chat.hints);
    chat.tool_choice = Some(match &*string(required(choice, "type", at)?, format_args!("tool_choice.type"))? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(string(required(choice, "name", at)?, format_args!("tool_choice.name"))?),
        _ => {
            let problem = "it must be 'auto', 'any', 'tool' or 'none'";
            return Err(invalid(format_args!("tool_choice.type"), problem));
        }
    });
    if let Some(alone) = choice.get("disable_parallel_tool_use").filter(|alone| !alone.is_null()) {
        let alone = boolean(alone, format_args!("tool_choice.disable_parallel_tool_use"))?;
        chat.parallel_tools = alone.then_some(false);
    }
    Ok(())
}
