//! Reads a chat-completions request. Errors name the field: `messages[2].content[0].image_url.url`.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Arguments;

use crate::chat::{Chat, Content, Format, Outcome, Part, Role, Source, Tool, ToolChoice, Turn};
use crate::codec::json::{Kind, Raw, Scan};
use crate::dialect::fields::{self, boolean, count, data_url, each, effort, invalid, number, object, required, string};
use crate::fault::Reject;

/// Reads the request in `body`, which `scan` has passed.
pub(super) fn read<'a>(body: &'a [u8], scan: &'a Scan) -> Result<Chat<'a>, Reject> {
    let mut chat = Chat::default();
    // The newer name wins, as it does at OpenAI.
    let mut completion_tokens = None;
    let mut identifier = None;
    let mut messages = None;
    for (name, value) in scan.members(body) {
        let Some(value) = Raw::of_checked(value) else { continue };
        let at = format_args!("{name}");
        match &*name {
            "model" | "stream" | "stream_options" => {}
            "messages" => messages = Some(value),
            _ if value.is_null() => {}
            // Whatever their name, values that change nothing ask for nothing.
            _ if is_neutral(&name, value) => {}
            "tools" => chat.tools = tools(value, &mut chat.foreign)?,
            "tool_choice" => chat.tool_choice = Some(tool_choice(value)?),
            "parallel_tool_calls" => chat.parallel_tools = Some(boolean(value, at)?),
            "max_tokens" => chat.max_tokens = Some(count(value, at)?),
            "max_completion_tokens" => completion_tokens = Some(count(value, at)?),
            "temperature" => chat.temperature = Some(number(value, at)?),
            "top_p" => chat.top_p = Some(number(value, at)?),
            "top_k" => {
                count(value, at)?;
                chat.top_k = Some(value);
            }
            "stop" => chat.stop = stop(value)?,
            "response_format" => chat.format = response_format(value)?,
            "reasoning_effort" => chat.effort = Some(effort(value, at)?),
            "presence_penalty" => chat.presence_penalty = Some(number(value, at)?),
            "frequency_penalty" => chat.frequency_penalty = Some(number(value, at)?),
            "seed" => chat.seed = Some(number(value, at)?),
            "logit_bias" => {
                object(value, at)?;
                chat.logit_bias = Some(value);
            }
            "n" => chat.n = Some(count(value, at)?),
            "logprobs" => chat.logprobs = chat.logprobs.or(boolean(value, at)?.then_some(0)),
            "top_logprobs" => {
                let most = value.integer().ok_or_else(|| invalid(at, "it must be a whole number"))?;
                chat.logprobs = Some(most);
            }
            "metadata" => {
                object(value, at)?;
                chat.metadata = Some(value);
            }
            "service_tier" => chat.service_tier = Some(string(value, at)?),
            "user" => chat.user = Some(string(value, at)?),
            "safety_identifier" => identifier = Some(string(value, at)?),
            _ => chat.extra.push((name, value)),
        }
    }
    chat.max_tokens = completion_tokens.or(chat.max_tokens);
    // The successor of `user`.
    chat.user = identifier.or(chat.user);
    let messages = messages.ok_or_else(|| Reject::Missing { field: "messages".to_owned() })?;
    if messages.kind() == Kind::Array && messages.items().next().is_none() {
        return Err(invalid(format_args!("messages"), "it must not be empty"));
    }
    let mut at = 0..;
    let hints = &mut chat.hints;
    chat.turns = each(messages, format_args!("messages"), |message, path| {
        turn(message, at.next().unwrap_or_default(), path, hints)
    })?;
    Ok(chat)
}

/// Whether a field has the value that it has when it is left out.
pub(crate) fn is_neutral(name: &str, value: Raw<'_>) -> bool {
    let is_empty = || value.members().next().is_none() && value.items().next().is_none();
    match name {
        "n" => value.integer() == Some(1),
        "presence_penalty" | "frequency_penalty" => value.number() == Some(0.0),
        "logprobs" | "store" => value.boolean() == Some(false),
        "top_logprobs" => value.integer() == Some(0),
        "logit_bias" | "metadata" => value.kind() == Kind::Object && is_empty(),
        "tools" | "functions" => value.kind() == Kind::Array && is_empty(),
        "modalities" => value.kind() == Kind::Array && value.items().all(|modality| modality.text() == "\"text\""),
        "service_tier" => matches!(value.text(), "\"auto\"" | "\"default\""),
        "verbosity" => value.text() == "\"medium\"",
        _ => false,
    }
}

fn turn<'a>(message: Raw<'a>, index: usize, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Turn<'a>, Reject> {
    object(message, at)?;
    let role = match &*string(required(message, "role", at)?, format_args!("{at}.role"))? {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        "function" => {
            return Err(invalid(format_args!("{at}.role"), "'function' has been replaced by 'tool'"));
        }
        _ => {
            let problem = "it must be 'system', 'developer', 'user', 'assistant' or 'tool'";
            return Err(invalid(format_args!("{at}.role"), problem));
        }
    };
    let mut turn = Turn { role, at: index, parts: Vec::new(), extra: Vec::new() };
    let (mut plain, mut details, mut calls, mut refusal) = (None, None, None, None);
    let (mut content, mut call_id) = (None, None);
    for (name, value) in message.members() {
        match &*name {
            "role" => {}
            "content" => content = Some(value),
            _ if value.is_null() => {}
            "tool_call_id" if role == Role::Tool => {
                call_id = Some(string(value, format_args!("{at}.tool_call_id"))?);
            }
            "tool_calls" if role == Role::Assistant => calls = Some(value),
            "refusal" if role == Role::Assistant => refusal = Some(string(value, format_args!("{at}.refusal"))?),
            "reasoning_content" | "reasoning" if role == Role::Assistant && plain.is_none() => {
                plain = Some(string(value, format_args!("{at}.{name}"))?);
            }
            "reasoning_details" if role == Role::Assistant => details = Some(value),
            // A second name for the same words, and notes about an earlier answer, LiteLLM's among them: nothing that is asked.
            "reasoning_content" | "reasoning" | "annotations" | "provider_specific_fields"
                if role == Role::Assistant => {}
            _ if matches!(value.text(), "[]" | "{}") => {}
            _ => turn.extra.push((name, value)),
        }
    }
    match details {
        Some(details) => reasoning(details, plain, format_args!("{at}.reasoning_details"), &mut turn.parts)?,
        None => turn.parts.extend(plain.map(|text| Part::from(Content::Reasoning { text, signature: None }))),
    }
    let said = match content.filter(|content| !content.is_null()) {
        Some(content) => parts(content, role, format_args!("{at}.content"), hints)?,
        None if role == Role::Assistant => Vec::new(),
        None => return Err(Reject::Missing { field: format!("{at}.content") }),
    };
    if role == Role::Tool {
        let id = call_id.ok_or_else(|| Reject::Missing { field: format!("{at}.tool_call_id") })?;
        turn.parts.push(Content::Result { id, parts: said, outcome: Outcome::Worked }.into());
    } else {
        turn.parts.extend(said);
    }
    turn.parts.extend(refusal.map(|words| Part::from(Content::Refusal(words))));
    if let Some(calls) = calls {
        turn.parts.extend(each(calls, format_args!("{at}.tool_calls"), call)?);
    }
    Ok(turn)
}

fn parts<'a>(
    content: Raw<'a>,
    role: Role,
    at: Arguments<'_>,
    hints: &mut Vec<String>,
) -> Result<Vec<Part<'a>>, Reject> {
    match content.kind() {
        Kind::String => Ok(content.string().map(|text| Content::Text(text).into()).into_iter().collect()),
        Kind::Array => each(content, at, |part, at| self::part(part, role, at, hints)),
        _ => Err(invalid(at, "it must be a string or an array of parts")),
    }
}

fn part<'a>(part: Raw<'a>, role: Role, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Part<'a>, Reject> {
    object(part, at)?;
    let kind = string(required(part, "type", at)?, format_args!("{at}.type"))?;
    let content = match &*kind {
        "text" => Content::Text(string(required(part, "text", at)?, format_args!("{at}.text"))?),
        "refusal" => Content::Refusal(string(required(part, "refusal", at)?, format_args!("{at}.refusal"))?),
        // OpenAI takes images from people only; that tools give some back is common all the same.
        "image_url" if matches!(role, Role::User | Role::Tool) => image(part, at, hints)?,
        "file" if role != Role::Assistant => file(part, at)?,
        "input_audio" if role == Role::User => {
            let audio = required(part, "input_audio", at)?;
            let at = format_args!("{at}.input_audio");
            object(audio, at)?;
            Content::Audio {
                format: string(required(audio, "format", at)?, format_args!("{at}.format"))?,
                data: string(required(audio, "data", at)?, format_args!("{at}.data"))?,
            }
        }
        kind => Content::Other { field: format!("{at}.{kind}") },
    };
    Ok(Part { content, cache: part.get("cache_control").filter(|mark| !mark.is_null()) })
}

fn image<'a>(part: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Content<'a>, Reject> {
    let image = required(part, "image_url", at)?;
    let at = format_args!("{at}.image_url");
    object(image, at)?;
    fields::detail(image, at, hints);
    let at = format_args!("{at}.url");
    let url = image.get("url").ok_or_else(|| Reject::Missing { field: at.to_string() })?;
    fields::image(url, at)
}

/// A file in the request; one that was uploaded before belongs to one provider.
fn file<'a>(part: Raw<'a>, at: Arguments<'_>) -> Result<Content<'a>, Reject> {
    let file = required(part, "file", at)?;
    object(file, format_args!("{at}.file"))?;
    let Some(data) = file.get("file_data").filter(|data| !data.is_null()) else {
        return Ok(Content::Other { field: format!("{at}.file.file_id") });
    };
    let at = format_args!("{at}.file.file_data");
    let name = file.get("filename").and_then(Raw::string);
    match data_url(string(data, at)?) {
        Some((media_type, data)) => Ok(Content::Document { source: Source::File { media_type, data }, name }),
        _ => Err(invalid(at, "it must be a data URL with base64")),
    }
}

fn call<'a>(call: Raw<'a>, at: Arguments<'_>) -> Result<Part<'a>, Reject> {
    object(call, at)?;
    if let Some(kind) = call.get("type").filter(|kind| kind.text() != "\"function\"") {
        string(kind, format_args!("{at}.type"))?;
        return Ok(Content::Other { field: format!("{at}.type") }.into());
    }
    let id = string(required(call, "id", at)?, format_args!("{at}.id"))?;
    let function = required(call, "function", at)?;
    let at = format_args!("{at}.function");
    object(function, at)?;
    let name = string(required(function, "name", at)?, format_args!("{at}.name"))?;
    let arguments = string(required(function, "arguments", at)?, format_args!("{at}.arguments"))?;
    Ok(Content::Call { id, name, arguments }.into())
}

/// Reads `reasoning_details`, the way in which reasoning with a proof travels through this dialect: as
/// `{"type":"reasoning.text","text":…,"signature":…,"index":…}` and `{"type":"reasoning.encrypted","data":…}`.
///
/// Items of one index belong together, so that a caller who only collects a stream's items in order has it right.
fn reasoning<'a>(
    details: Raw<'a>,
    plain: Option<Cow<'a, str>>,
    at: Arguments<'_>,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Reject> {
    let mut last = None;
    each(details, at, |item, at| {
        object(item, at)?;
        let index = item.get("index").and_then(Raw::integer);
        let field = |name| item.get(name).and_then(Raw::string);
        match field("type").as_deref() {
            Some("reasoning.encrypted") => {
                let data = string(required(item, "data", at)?, format_args!("{at}.data"))?;
                parts.push(Content::Redacted(data).into());
            }
            Some("reasoning.text") => {
                let (more, proof) = (field("text").unwrap_or_default(), field("signature"));
                match parts.last_mut().map(|part| &mut part.content) {
                    Some(Content::Reasoning { text, signature }) if index.is_some() && index == last => {
                        text.to_mut().push_str(&more);
                        *signature = proof.or(signature.take());
                    }
                    _ => parts.push(Content::Reasoning { text: more, signature: proof }.into()),
                }
            }
            // Summaries and kinds to come say nothing that the text does not.
            _ => {}
        }
        last = index;
        Ok(())
    })?;
    // A proof without its words: they are in the plain field, if it was the only one.
    if let (Some(plain), [Part { content: Content::Reasoning { text, .. }, .. }]) = (plain, parts.as_mut_slice())
        && text.is_empty()
    {
        *text = plain;
    }
    Ok(())
}

/// Functions; a tool of another kind is run by its provider, and noted.
fn tools<'a>(tools: Raw<'a>, foreign: &mut Vec<String>) -> Result<Vec<Tool<'a>>, Reject> {
    let mut functions = Vec::new();
    each(tools, format_args!("tools"), |item, at| {
        object(item, at)?;
        let kind = string(required(item, "type", at)?, format_args!("{at}.type"))?;
        if kind == "function" {
            functions.push(tool(item, at)?);
        } else {
            foreign.push(format!("{at}.{kind}"));
        }
        Ok(())
    })?;
    Ok(functions)
}

fn tool<'a>(tool: Raw<'a>, at: Arguments<'_>) -> Result<Tool<'a>, Reject> {
    let cache = tool.get("cache_control").filter(|mark| !mark.is_null());
    let function = required(tool, "function", at)?;
    let at = format_args!("{at}.function");
    object(function, at)?;
    let given = |name| function.get(name).filter(|value| !value.is_null());
    let parameters = given("parameters");
    if let Some(parameters) = parameters {
        object(parameters, format_args!("{at}.parameters"))?;
    }
    Ok(Tool {
        name: string(required(function, "name", at)?, format_args!("{at}.name"))?,
        description: given("description").map(|text| string(text, format_args!("{at}.description"))).transpose()?,
        parameters,
        strict: given("strict").map(|strict| boolean(strict, format_args!("{at}.strict"))).transpose()?,
        cache,
    })
}

fn tool_choice(choice: Raw<'_>) -> Result<ToolChoice<'_>, Reject> {
    let at = format_args!("tool_choice");
    match (choice.kind(), choice.string().as_deref()) {
        (_, Some("auto")) => Ok(ToolChoice::Auto),
        (_, Some("none")) => Ok(ToolChoice::None),
        (_, Some("required")) => Ok(ToolChoice::Required),
        (Kind::Object, _) => {
            if required(choice, "type", at)?.text() != "\"function\"" {
                return Err(invalid(format_args!("tool_choice.type"), "only 'function' is known here"));
            }
            let function = required(choice, "function", at)?;
            let name = required(function, "name", format_args!("tool_choice.function"))?;
            Ok(ToolChoice::Named(string(name, format_args!("tool_choice.function.name"))?))
        }
        _ => Err(invalid(at, "it must be 'auto', 'none', 'required' or a named function")),
    }
}

/// One stop sequence or several.
pub(crate) fn stop(stop: Raw<'_>) -> Result<Vec<Cow<'_, str>>, Reject> {
    match stop.kind() {
        Kind::String => Ok(stop.string().into_iter().collect()),
        Kind::Array => each(stop, format_args!("stop"), |stop, at| string(stop, at)),
        _ => Err(invalid(format_args!("stop"), "it must be a string or an array of strings")),
    }
}

fn response_format(format: Raw<'_>) -> Result<Format<'_>, Reject> {
    let at = format_args!("response_format");
    object(format, at)?;
    match &*string(required(format, "type", at)?, format_args!("response_format.type"))? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let named = required(format, "json_schema", at)?;
            let at = format_args!("response_format.json_schema");
            object(named, at)?;
            let schema = required(named, "schema", at)?;
            object(schema, format_args!("{at}.schema"))?;
            let text = |name| named.get(name).and_then(Raw::string);
            let strict = named.get("strict").and_then(Raw::boolean);
            Ok(Format::Schema { name: text("name"), strict, schema, description: text("description") })
        }
        _ => Err(invalid(format_args!("response_format.type"), "it must be 'text', 'json_object' or 'json_schema'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::scan;
    use alloc::string::String;
    use alloc::vec;

    fn refused(body: &str) -> (Option<String>, String) {
        let scan = scan(body.as_bytes()).unwrap();
        let problem = read(body.as_bytes(), &scan).unwrap_err().problem();
        (problem.param, problem.code)
    }

    #[test]
    fn refusals_name_the_field() {
        let check = |body: &str, field: &str| assert_eq!(refused(body).0.as_deref(), Some(field), "{body}");
        let message = |message: &str, field: &str| {
            check(&format!(r#"{{"messages":[{{"role":"user","content":"a"}},{message}]}}"#), field);
        };
        check("{}", "messages");
        check(r#"{"messages":[]}"#, "messages");
        check(r#"{"messages":"hi"}"#, "messages");
        message("7", "messages[1]");
        message("{}", "messages[1].role");
        message(r#"{"role":"robot","content":"a"}"#, "messages[1].role");
        message(r#"{"role":"user"}"#, "messages[1].content");
        message(r#"{"role":"user","content":7}"#, "messages[1].content");
        message(r#"{"role":"user","content":[{"type":"text"}]}"#, "messages[1].content[0].text");
        message(
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"ftp://a"}}]}"#,
            "messages[1].content[1].image_url.url",
        );
        message(r#"{"role":"tool","content":"a"}"#, "messages[1].tool_call_id");
        message(
            r#"{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f"}}]}"#,
            "messages[1].tool_calls[0].function.arguments",
        );
        let top = |member: &str, field: &str| {
            check(&format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{member}}}"#), field);
        };
        top(r#""max_tokens":0"#, "max_tokens");
        top(r#""temperature":"hot""#, "temperature");
        top(r#""stop":[1]"#, "stop[0]");
        top(r#""tools":[{"type":"function","function":{}}]"#, "tools[0].function.name");
        top(r#""tool_choice":"maybe""#, "tool_choice");
        top(
            r#""response_format":{"type":"json_schema","json_schema":{"name":"a"}}"#,
            "response_format.json_schema.schema",
        );
        top(r#""reasoning_effort":"huge""#, "reasoning_effort");
    }

    #[test]
    fn pieces_of_reasoning_belong_together_by_index() {
        let body = br#"{"messages":[{"role":"assistant","content":"hi","reasoning_details":[
            {"type":"reasoning.text","text":"a","index":0},{"type":"reasoning.text","text":"b","index":0},
            {"type":"reasoning.text","signature":"s","index":0},{"type":"reasoning.encrypted","data":"x","index":1},
            {"type":"reasoning.text","text":"c","signature":"t","index":2}]}]}"#;
        let scan = scan(body).unwrap();
        let turn = read(body, &scan).unwrap().turns.remove(0);
        let reasoning = |text: &'static str, proof: &'static str| Content::Reasoning {
            text: text.into(),
            signature: Some(proof.into()),
        };
        let expect =
            vec![reasoning("ab", "s"), Content::Redacted("x".into()), reasoning("c", "t"), Content::Text("hi".into())];
        assert_eq!(turn.parts.into_iter().map(|part| part.content).collect::<Vec<_>>(), expect);
    }
}
