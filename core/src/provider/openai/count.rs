//! The request that counts the tokens of a chat, in the format of Responses: OpenAI can count nothing else.
//!
//! <https://platform.openai.com/docs/api-reference/responses/input-tokens>

use alloc::vec::Vec;

use weir_hub::codec::json::write::{Object, array, object};
use weir_hub::codec::json::{Kind, Raw};

/// Made from the request for the chat, as it would be sent.
pub(super) fn write(chat: Raw<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(chat.text().len() + 64);
    let get = |name| chat.get(name).unwrap_or(Raw::NULL);
    object(&mut out, |body| {
        let mut items = Items { out: body.member("input"), some: false };
        items.out.push(b'[');
        for message in get("messages").items() {
            items.message(message);
        }
        items.out.push(b']');
        for name in ["model", "parallel_tool_calls"] {
            if let Some(value) = chat.get(name) {
                body.raw(name, value.text());
            }
        }
        if let Some(tools) = chat.get("tools") {
            body.array("tools", tools.items(), |out, tool| object(out, |to| declared(tool, to)));
        }
        match (chat.get("tool_choice"), get("tool_choice").get("function")) {
            (_, Some(function)) => body.object("tool_choice", |to| {
                to.string("type", "function");
                passed(function, "name", to);
            }),
            (Some(choice), None) => body.raw("tool_choice", choice.text()),
            (None, None) => {}
        }
        if let Some(effort) = chat.get("reasoning_effort") {
            body.object("reasoning", |to| to.raw("effort", effort.text()));
        }
        if chat.get("response_format").is_some() || chat.get("verbosity").is_some() {
            body.object("text", |to| {
                if let Some(format) = chat.get("response_format") {
                    to.object("format", |to| shape(format, to));
                }
                passed(chat, "verbosity", to);
            });
        }
    });
    out
}

/// The array of messages, calls and results.
struct Items<'o> {
    out: &'o mut Vec<u8>,
    some: bool,
}

impl Items<'_> {
    fn item(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        if core::mem::replace(&mut self.some, true) {
            self.out.push(b',');
        }
        object(self.out, write);
    }

    fn message(&mut self, message: Raw<'_>) {
        let role = message.get("role").and_then(Raw::string).unwrap_or_default();
        let content = message.get("content").unwrap_or(Raw::NULL);
        if role == "tool" {
            return self.item(|to| {
                to.string("type", "function_call_output");
                to.raw("call_id", message.get("tool_call_id").unwrap_or(Raw::NULL).text());
                to.raw("output", content.text());
            });
        }
        if !content.is_null() {
            self.item(|to| {
                to.string("role", &role);
                match content.kind() {
                    Kind::Array => array(to.member("content"), content.items(), |out, part| {
                        object(out, |to| said(part, role == "assistant", to));
                    }),
                    _ => to.raw("content", content.text()),
                }
            });
        }
        if let Some(refusal) = message.get("refusal") {
            self.item(|to| {
                to.string("role", &role);
                to.array("content", [refusal], |out, refusal| {
                    object(out, |to| {
                        to.string("type", "refusal");
                        to.raw("refusal", refusal.text());
                    });
                });
            });
        }
        for call in message.get("tool_calls").unwrap_or(Raw::NULL).items() {
            let function = call.get("function").unwrap_or(Raw::NULL);
            self.item(|to| {
                to.string("type", "function_call");
                to.raw("call_id", call.get("id").unwrap_or(Raw::NULL).text());
                passed(function, "name", to);
                passed(function, "arguments", to);
            });
        }
    }
}

/// One part of a message.
fn said(part: Raw<'_>, answered: bool, to: &mut Object<'_>) {
    let kind = part.get("type").and_then(Raw::string).unwrap_or_default();
    match &*kind {
        "text" => {
            to.string("type", if answered { "output_text" } else { "input_text" });
            passed(part, "text", to);
        }
        "image_url" => {
            let image = part.get("image_url").unwrap_or(Raw::NULL);
            to.string("type", "input_image");
            to.raw("image_url", image.get("url").unwrap_or(Raw::NULL).text());
            to.raw("detail", image.get("detail").map_or("\"auto\"", Raw::text));
        }
        "file" => {
            let file = part.get("file").unwrap_or(Raw::NULL);
            to.string("type", "input_file");
            passed(file, "filename", to);
            passed(file, "file_data", to);
        }
        // Audio and anything else is sent unchanged; the provider decides.
        _ => part.members().for_each(|(name, value)| to.raw(&name, value.text())),
    }
}

/// One tool. In Responses, every tool is strict unless it says otherwise.
fn declared(tool: Raw<'_>, to: &mut Object<'_>) {
    let function = tool.get("function").unwrap_or(Raw::NULL);
    to.string("type", "function");
    passed(function, "name", to);
    passed(function, "description", to);
    to.raw("parameters", function.get("parameters").map_or("{\"type\":\"object\",\"properties\":{}}", Raw::text));
    to.raw("strict", function.get("strict").map_or("false", Raw::text));
}

fn shape(format: Raw<'_>, to: &mut Object<'_>) {
    passed(format, "type", to);
    for (name, value) in format.get("json_schema").unwrap_or(Raw::NULL).members() {
        to.raw(&name, value.text());
    }
}

fn passed(from: Raw<'_>, name: &str, to: &mut Object<'_>) {
    if let Some(value) = from.get(name) {
        to.raw(name, value.text());
    }
}
