//! Tools, and whether the model must call one.
//!
//! <https://ai.google.dev/api/caching#Tool>, <https://ai.google.dev/api/caching#FunctionCallingConfig>

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
use core::fmt::Arguments;

use crate::chat::{Chat, Tool, ToolChoice};
use crate::codec::json::Raw;
use crate::dialect::fields::{each, invalid, object, required, string};
use crate::dialect::gemini::names::{list, members};
use crate::fault::Reject;

/// Reads the caller's own functions. Tools that run at Google are noted.
pub(super) fn read<'a>(tools: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    list(tools, format_args!("tools"), |tool, at| {
        object(tool, at)?;
        for (name, value) in members(tool) {
            if name == "functionDeclarations" {
                list(value, format_args!("{at}.{name}"), |function, at| declaration(function, at, chat))?;
            } else {
                chat.foreign.push(format!("{at}.{name}"));
            }
        }
        Ok(())
    })?;
    Ok(())
}

fn declaration<'a>(function: Raw<'a>, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(function, at)?;
    let name = string(required(function, "name", at)?, format_args!("{at}.name"))?;
    let mut tool = Tool { name, description: None, parameters: None, strict: None, cache: None };
    for (name, value) in members(function) {
        let path = format_args!("{at}.{name}");
        match &*name {
            "name" => {}
            "description" => tool.description = Some(string(value, path)?),
            "parametersJsonSchema" => {
                object(value, path)?;
                tool.parameters = Some(value);
            }
            // Describes the function's result to the model. Elsewhere the model sees the result only when it comes.
            "response" | "responseJsonSchema" => chat.hints.push(path.to_string()),
            "behavior" if matches!(value.text(), "\"BLOCKING\"" | "\"UNSPECIFIED\"") => {}
            _ => chat.foreign.push(path.to_string()),
        }
    }
    chat.tools.push(tool);
    Ok(())
}

pub(super) fn choice<'a>(config: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(config, format_args!("toolConfig"))?;
    for (name, value) in members(config) {
        if name == "functionCallingConfig" {
            calling(value, chat)?;
        } else if value.boolean() != Some(false) {
            chat.foreign.push(format!("toolConfig.{name}"));
        }
    }
    Ok(())
}

fn calling<'a>(config: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let at = format_args!("toolConfig.functionCallingConfig");
    object(config, at)?;
    let (mut mode, mut only) = (None, alloc::vec::Vec::new());
    for (name, value) in members(config) {
        let at = format_args!("{at}.{name}");
        match &*name {
            "mode" => mode = Some(string(value, at)?.to_ascii_uppercase()),
            "allowedFunctionNames" => only = each(value, at, |name, at| string(name, at))?,
            _ => chat.foreign.push(at.to_string()),
        }
    }
    chat.tool_choice = match mode.as_deref() {
        None | Some("MODE_UNSPECIFIED") => None,
        Some("AUTO") => Some(ToolChoice::Auto),
        Some("NONE") => Some(ToolChoice::None),
        Some("ANY") => Some(ToolChoice::Required),
        // The model decides whether to call, but a call must follow the schema.
        Some("VALIDATED") => {
            chat.tools.iter_mut().for_each(|tool| tool.strict = Some(true));
            Some(ToolChoice::Auto)
        }
        Some(_) => {
            return Err(invalid(format_args!("{at}.mode"), "it must be 'AUTO', 'ANY', 'NONE' or 'VALIDATED'"));
        }
    };
    if only.is_empty() {
        return Ok(());
    }
    let names = format_args!("{at}.allowedFunctionNames");
    let known: BTreeSet<_> = chat.tools.iter().map(|tool| &tool.name).collect();
    if let Some(unknown) = only.iter().position(|name| !known.contains(name)) {
        return Err(invalid(format_args!("{names}[{unknown}]"), "there is no function of this name"));
    }
    if only.len() == 1 && chat.tool_choice == Some(ToolChoice::Required) {
        chat.tool_choice = only.pop().map(ToolChoice::Named);
    } else if only.len() < chat.tools.len() {
        // Other APIs cannot limit a choice to some functions, so only those are offered.
        let only: BTreeSet<_> = only.into_iter().collect();
        chat.tools.retain(|tool| only.contains(&tool.name));
        chat.emulated.push(names.to_string());
    }
    Ok(())
}
