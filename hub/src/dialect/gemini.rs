//! Gemini's `generateContent` and `streamGenerateContent`, as callers speak them: requests are read, answers and errors
//! written. Both spellings of a name are read (`maxOutputTokens`, `max_output_tokens`), as the API itself does.
//!
//! What this API has no place for in an answer: the stop sequence that was met is not told, and words of refusal are text.
//! Thoughts are shown only to who asked for them (`includeThoughts`). Proofs of reasoning that other models made travel in
//! `thoughtSignature`, in the alphabet that this API's SDKs decode; see `proof.rs`.
//!
//! <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/caching#Content>

mod fault;
mod names;
mod proof;
mod read;
mod reword;
mod stream;
mod whole;
mod write;

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use fault::{error, error_event};
pub use names::members;
pub use proof::{Proof, WRAPPED, is_wrapped};

use super::{Dialect, Writer};
use crate::call::Call;
use crate::call::ReplyStart;
use crate::chat::Chat;
use crate::codec::json::{Kind, Raw, scan};
use crate::endpoint::Endpoint;
use crate::fault::Reject;
use crate::piece::Answer;
use crate::usage::Usage;

/// See the module.
pub struct GenerateContent;

/// Where the system instruction stands, which is none of the contents.
pub const SYSTEM: usize = usize::MAX;

/// What a request says that wants to see thoughts; it is kept for the answer.
pub const SHOWS_THOUGHTS: &str = "{\"includeThoughts\":true}";

impl Dialect for GenerateContent {
    fn reword(&self, call: &Call<'_>) -> Option<Vec<u8>> {
        if call.asked.endpoint != Endpoint::CountContent {
            return reword::reword(call.body, call.scan);
        }
        let whole = ["generateContentRequest", "generate_content_request"];
        match whole.into_iter().find_map(|name| call.scan.raw(call.body, name)) {
            // The API takes either.
            Some(asked) if asked.kind() == Kind::Object && call.scan.raw(call.body, "contents").is_none() => {
                let body = asked.text().as_bytes();
                let reworded = scan(body).ok().and_then(|scan| reword::reword(body, &scan));
                reworded.or_else(|| Some(body.to_vec()))
            }
            _ => reword::reword(call.body, call.scan),
        }
    }

    fn read<'a>(&self, call: &Call<'a>) -> Result<Chat<'a>, Reject> {
        read::read(call.body, call.scan)
    }

    fn field<'f>(&self, field: &'f str) -> Cow<'f, str> {
        let config = |name: &str| format!("generationConfig.{name}").into();
        match field {
            "messages" => "contents".into(),
            "stop" => config("stopSequences"),
            "max_tokens" | "max_completion_tokens" => config("maxOutputTokens"),
            "temperature" | "seed" => config(field),
            "top_p" => config("topP"),
            "top_k" => config("topK"),
            "n" => config("candidateCount"),
            "presence_penalty" => config("presencePenalty"),
            "frequency_penalty" => config("frequencyPenalty"),
            "logprobs" => config("responseLogprobs"),
            "top_logprobs" => config("logprobs"),
            "reasoning_effort" | "thinking" => config("thinkingConfig"),
            "response_format.type" => config("responseMimeType"),
            "service_tier" => "serviceTier".into(),
            _ if field.starts_with("response_format") => config("responseJsonSchema"),
            _ if field.starts_with("tool_choice") => "toolConfig.functionCallingConfig".into(),
            _ => native(field),
        }
    }

    fn echo(&self, call: &Call<'_>) -> String {
        let shows = || {
            let config = call.scan.raw(call.body, "generationConfig");
            let config = config.or_else(|| call.scan.raw(call.body, "generation_config"))?;
            names::get(names::get(config, "thinkingConfig")?, "includeThoughts").and_then(Raw::boolean)
        };
        if shows() == Some(true) { SHOWS_THOUGHTS.to_owned() } else { String::new() }
    }

    fn stream(&self, start: &ReplyStart<'_>) -> Box<dyn Writer> {
        Box::new(stream::Stream::new(write::Thoughts::of(start)))
    }

    fn whole(&self, answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>) {
        whole::write(answer, usage, write::Thoughts::of(start), out);
    }
}

/// A path of OpenAI's in this API's words, where they differ.
fn native(field: &str) -> Cow<'_, str> {
    if let Some(rest) = field.strip_prefix("messages[")
        && let Some((index, rest)) = rest.split_once(']')
    {
        let content = match index.parse() {
            Ok(SYSTEM) => "systemInstruction".to_owned(),
            _ => format!("contents[{index}]"),
        };
        return match rest.strip_prefix(".content") {
            Some(part) if part.ends_with(".image_url.detail") => {
                format!("{content}.parts{}.mediaResolution", part.trim_end_matches(".image_url.detail")).into()
            }
            // Which part, but not what kind of part.
            Some(part) => format!("{content}.parts{}", part.split_inclusive(']').next().unwrap_or_default()).into(),
            // Calls are parts here; which one cannot be told from its number.
            None if rest.starts_with(".tool_call") => format!("{content}.parts").into(),
            None => format!("{content}{rest}").into(),
        };
    }
    if let Some(rest) = field.strip_prefix("tools")
        && let Some((index, member)) = rest.split_once(".function.")
    {
        let member = if member == "parameters" { "parametersJsonSchema" } else { member };
        return format!("tools[0].functionDeclarations{index}.{member}").into();
    }
    field.into()
}
