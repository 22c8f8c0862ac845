//! Gemini's `generateContent` and `streamGenerateContent`, as callers speak them: reads requests, writes answers and
//! errors. Like the API itself, it reads both spellings of a name (`maxOutputTokens`, `max_output_tokens`).
//!
//! Some things in an answer have no place in this API: the stop sequence is not named, and a refusal is written as
//! text. Thoughts are shown only to callers who asked for them (`includeThoughts`). Proofs of reasoning by other
//! makers' models travel in `thoughtSignature`, in the alphabet that this API's SDKs decode; see `proof.rs`.
//!
//! <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/caching#Content>

mod ending;
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
use crate::tail::Tail;
use crate::usage::Usage;

/// The dialect; see the module.
pub struct GenerateContent;

/// The index that stands for the system instruction, which is not one of the contents.
pub const SYSTEM: usize = usize::MAX;

/// The echo of a request that asks for thoughts; the writer of the answer reads it.
pub const SHOWS_THOUGHTS: &str = "{\"includeThoughts\":true}";

impl Dialect for GenerateContent {
    fn reword(&self, call: &Call<'_>) -> Option<Vec<u8>> {
        if call.asked.endpoint != Endpoint::CountContent {
            return reword::reword(call.body, call.scan);
        }
        let whole = ["generateContentRequest", "generate_content_request"];
        match whole.into_iter().find_map(|name| call.scan.raw(call.body, name)) {
            // The API accepts either `contents` or a whole request.
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

    fn tail(&self, _: &ReplyStart<'_>) -> Box<dyn Tail> {
        Box::new(ending::Ending::default())
    }

    fn whole(&self, answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>) {
        whole::write(answer, usage, write::Thoughts::of(start), out);
    }
}

/// This API's path for a path in OpenAI's API, if the two differ.
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
            // The path of the part, without its kind.
            Some(part) => format!("{content}.parts{}", part.split_inclusive(']').next().unwrap_or_default()).into(),
            // Calls are parts here. A call's number does not tell which part it is.
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
