//! Reads a chat-completions request. Errors name the field: `messages[2].content[0].image_url.url`.

mod message;

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Arguments;

use crate::chat::{Chat, Display, Format, Tool, ToolChoice};
use crate::codec::json::{Kind, Raw, Scan};
use crate::dialect::fields::{
    allowed, boolean, count, each, effort, given, invalid, left_out, needed, number, object, others, required,
    stream_options, string, taken,
};
use crate::fault::Reject;
use message::Noted;

/// Members of an answer's parts and calls, including those that SDKs add. They mean nothing when they are sent back.
const ECHOED: [&str; 6] = ["id", "index", "annotations", "logprobs", "parsed", "parsed_arguments"];

/// Reads the request in `body`, which was scanned into `scan`.
pub(super) fn read<'a>(body: &'a [u8], scan: &'a Scan) -> Result<Chat<'a>, Reject> {
    let mut chat = Chat::default();
    // The newer name wins, as at OpenAI.
    let mut completion_tokens = None;
    let (mut messages, mut choice) = (None, None);
    for (name, value) in scan.members(body) {
        let at = format_args!("{name}");
        match &*name {
            "model" | "stream" => {}
            "stream_options" => stream_options(value, &mut chat.hints),
            "messages" => messages = Some(value),
            _ if value.is_null() => {}
            // A value that changes nothing asks for nothing, whatever the field.
            _ if is_neutral(&name, value) => {}
            "tools" => chat.tools = tools(value, &mut chat.foreign)?,
            "tool_choice" => choice = Some(value),
            "parallel_tool_calls" => chat.parallel_tools = Some(boolean(value, at)?),
            "max_completion_tokens" => completion_tokens = Some(count(value, at)?),
            "top_k" => {
                count(value, at)?;
                chat.top_k = Some(value);
            }
            "response_format" => chat.format = response_format(value, &mut chat.hints)?,
            "reasoning_effort" => {
                chat.effort = Some(effort(value, at)?);
                // This API has no setting for how reasoning is shown.
                chat.display = Some(Display::Summarized);
            }
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
            "safety_identifier" => chat.safety_identifier = Some(string(value, at)?),
            _ if sampling(&name, value, &mut chat)? => {}
            _ => chat.extra.push((name, value)),
        }
    }
    chat.max_tokens = completion_tokens.or(chat.max_tokens);
    if let Some(choice) = choice {
        choose(choice, &mut chat)?;
    }
    let messages = messages.ok_or_else(|| Reject::Missing { field: "messages".to_owned() })?;
    if messages.kind() == Kind::Array && messages.items().next().is_none() {
        return Err(invalid(format_args!("messages"), "it must not be empty"));
    }
    let mut at = 0..;
    let Chat { hints, emulated, .. } = &mut chat;
    chat.turns = each(messages, format_args!("messages"), |message, path| {
        message::read(message, at.next().unwrap_or_default(), path, Noted { hints, emulated })
    })?;
    Ok(chat)
}

/// Reads a field that chats and text completions have in common; returns `false` for any other.
pub(crate) fn sampling<'a>(name: &str, value: Raw<'a>, chat: &mut Chat<'a>) -> Result<bool, Reject> {
    let at = format_args!("{name}");
    match name {
        "max_tokens" => chat.max_tokens = Some(count(value, at)?),
        "temperature" => chat.temperature = Some(number(value, at)?),
        "top_p" => chat.top_p = Some(number(value, at)?),
        "stop" => chat.stop = stop(value)?,
        "presence_penalty" => chat.presence_penalty = Some(number(value, at)?),
        "frequency_penalty" => chat.frequency_penalty = Some(number(value, at)?),
        "seed" => chat.seed = Some(number(value, at)?),
        "logit_bias" => {
            object(value, at)?;
            chat.logit_bias = Some(value);
        }
        "n" => chat.n = Some(count(value, at)?),
        "user" => chat.user = Some(string(value, at)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Whether a field has its default value.
pub fn is_neutral(name: &str, value: Raw<'_>) -> bool {
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

/// Reads functions. A tool of another kind runs at its provider, and is noted.
fn tools<'a>(tools: Raw<'a>, foreign: &mut Vec<String>) -> Result<Vec<Tool<'a>>, Reject> {
    let mut functions = Vec::new();
    each(tools, format_args!("tools"), |item, at| {
        object(item, at)?;
        let kind = string(required(item, "type", at)?, format_args!("{at}.type"))?;
        if kind == "function" {
            functions.push(tool(item, at, foreign)?);
        } else {
            foreign.push(format!("{at}.{kind}"));
        }
        Ok(())
    })?;
    Ok(functions)
}

fn tool<'a>(tool: Raw<'a>, at: Arguments<'_>, foreign: &mut Vec<String>) -> Result<Tool<'a>, Reject> {
    let cache = given(tool, "cache_control");
    let function = required(tool, "function", at)?;
    others(tool, &["type", "function", "cache_control"], at, foreign);
    let at = format_args!("{at}.function");
    object(function, at)?;
    others(function, &["name", "description", "parameters", "strict"], at, foreign);
    let given = |name| given(function, name);
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

/// Reads `tool_choice`; the tools are known by now. If it is a list of allowed tools, the others are removed.
///
/// <https://platform.openai.com/docs/api-reference/chat/create#chat_create-tool_choice>
fn choose<'a>(choice: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let at = format_args!("tool_choice");
    chat.tool_choice = match (choice.kind(), choice.string().as_deref()) {
        (_, Some("auto")) => Some(ToolChoice::Auto),
        (_, Some("none")) => Some(ToolChoice::None),
        (_, Some("required")) => Some(ToolChoice::Required),
        (Kind::Object, _) => match &*string(required(choice, "type", at)?, format_args!("{at}.type"))? {
            "function" => Some(ToolChoice::Named(called(choice, at, &mut chat.hints)?)),
            "allowed_tools" => {
                left_out(choice.members(), &["type", "allowed_tools"], &[], at, &mut chat.hints);
                let list = required(choice, "allowed_tools", at)?;
                let chosen = allowed(list, format_args!("{at}.allowed_tools"), chat, |tool, at, hints| {
                    let is_function = tool.get("type").is_some_and(|kind| kind.text() == "\"function\"");
                    is_function.then(|| called(tool, at, hints)).transpose()
                });
                Some(chosen?)
            }
            kind => {
                chat.foreign.push(format!("{at}.{kind}"));
                None
            }
        },
        _ => return Err(invalid(at, "it must be 'auto', 'none', 'required' or an object")),
    };
    Ok(())
}

/// The name of the function that an object names.
fn called<'a>(tool: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Cow<'a, str>, Reject> {
    let [function, _] = taken(tool, ["function", "type"], &[], at, hints);
    let function = needed(function, "function", at)?;
    let at = format_args!("{at}.function");
    let [name] = taken(function, ["name"], &[], at, hints);
    string(needed(name, "name", at)?, format_args!("{at}.name"))
}

/// One stop sequence or several.
fn stop(stop: Raw<'_>) -> Result<Vec<Cow<'_, str>>, Reject> {
    match stop.kind() {
        Kind::String => Ok(stop.string().into_iter().collect()),
        Kind::Array => each(stop, format_args!("stop"), |stop, at| string(stop, at)),
        _ => Err(invalid(format_args!("stop"), "it must be a string or an array of strings")),
    }
}

fn response_format<'a>(format: Raw<'a>, hints: &mut Vec<String>) -> Result<Format<'a>, Reject> {
    let at = format_args!("response_format");
    object(format, at)?;
    let kind = string(required(format, "type", at)?, format_args!("response_format.type"))?;
    // The schema is in a member that is called like its type.
    left_out(format.members(), &["type", &kind], &[], at, hints);
    match &*kind {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let named = required(format, "json_schema", at)?;
            let at = format_args!("response_format.json_schema");
            object(named, at)?;
            left_out(named.members(), &["name", "strict", "schema", "description"], &[], at, hints);
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
    use crate::chat::Content;
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
    fn of_tools_only_those_that_are_allowed_are_there() {
        let chat = |choice: &str| {
            let tools = r#"[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#;
            format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"tool_choice":{choice},"tools":{tools}}}"#)
        };
        let read = |body: &str| {
            let scan = scan(body.as_bytes()).unwrap();
            read(body.as_bytes(), &scan).map(|chat| {
                let names: Vec<_> = chat.tools.into_iter().map(|tool| tool.name.into_owned()).collect();
                (names.join(","), chat.tool_choice == Some(ToolChoice::Required), chat.foreign)
            })
        };
        let allowed = |mode: &str, tools: &str| {
            chat(&format!(r#"{{"type":"allowed_tools","allowed_tools":{{"mode":"{mode}","tools":[{tools}]}}}}"#))
        };
        let g = r#"{"type":"function","function":{"name":"g"}}"#;
        assert_eq!(read(&allowed("required", g)), Ok(("g".to_owned(), true, vec![])));
        assert_eq!(read(&allowed("auto", r#"{"type":"custom"}"#)), Ok((String::new(), false, vec![])));
        assert!(
            matches!(read(&allowed("never", g)), Err(Reject::Invalid { field, .. }) if field == "tool_choice.allowed_tools.mode")
        );
        let custom = chat(r#"{"type":"custom","custom":{"name":"c"}}"#);
        assert_eq!(read(&custom), Ok(("f,g".to_owned(), false, vec!["tool_choice.custom".to_owned()])));
    }

    /// Many clients send `name`, as OpenAI's own examples did. No provider may be passed over because of it.
    #[test]
    fn whoever_speaks_may_be_named() {
        let body = br#"{"messages":[{"role":"tool","tool_call_id":"1","name":"f","content":"a"},
            {"role":"user","name":"ann","content":"b"}]}"#;
        let scan = scan(body).unwrap();
        let chat = read(body, &scan).unwrap();
        assert!(chat.turns.iter().all(|turn| turn.extra.is_empty()));
        assert_eq!(chat.hints, ["messages[1].name"]);
    }

    /// Otherwise such a conversation could not go on.
    #[test]
    fn arguments_that_are_no_object_become_one() {
        let check = |written: &str, expect: &str, noted: bool| {
            let mut arguments = Vec::new();
            crate::codec::json::write::string(&mut arguments, written);
            let arguments = String::from_utf8(arguments).unwrap();
            let call = format!(r#"{{"id":"1","type":"function","function":{{"name":"f","arguments":{arguments}}}}}"#);
            let body = format!(r#"{{"messages":[{{"role":"assistant","tool_calls":[{call}]}}]}}"#);
            let scan = scan(body.as_bytes()).unwrap();
            let chat = read(body.as_bytes(), &scan).unwrap();
            let Content::Call { arguments, .. } = &chat.turns[0].parts[0].content else { panic!() };
            assert_eq!(arguments, expect);
            let field = "messages[0].tool_calls[0].function.arguments";
            assert_eq!(chat.emulated, if noted { vec![field] } else { vec![] });
        };
        check(r#"{"a": 1}"#, r#"{"a": 1}"#, false);
        check(" ", "{}", false);
        check("null", "{}", false);
        check(r#"{"a": "b"#, r#"{"invalid_arguments":"{\"a\": \"b"}"#, true);
        check("[1]", r#"{"invalid_arguments":"[1]"}"#, true);
        check("ls -l", r#"{"invalid_arguments":"ls -l"}"#, true);
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
