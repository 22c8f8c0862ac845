//! Writes generated content, whole and as the chunks of a stream.
//!
//! <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>. A stream has no last event: it ends after
//! the chunk with a `finishReason`. A function call comes in one piece, its arguments as an object.

use bytes::Bytes;

use super::{Api, Framing};
use crate::{
    answer::{Answer, Call, Choice, End, Usage},
    dialect::{Event, Moment, quote},
};

/// What thoughts are signed with.
const SIGNATURE: &str = "CikBjz1rX3NpbXVsYXRlZCBzaWduYXR1cmUgb2YgYSBzaW11bGF0ZWQgdGhvdWdodA==";

/// Whether a model signs everything and insists on its signatures: from the third generation on.
pub(super) fn signs(model: &str) -> bool {
    let generation = model.strip_prefix("gemini-").and_then(|rest| rest.split(['.', '-']).next()?.parse::<u32>().ok());
    generation >= Some(3)
}

/// A `GenerateContentResponse`.
pub(super) fn whole(answer: &Answer, api: Api) -> Bytes {
    let candidates: Vec<String> = answer
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| candidate(&parts(answer, choice), Some(&choice.end), index))
        .collect();
    Bytes::from(response(answer, &candidates, answer.usage.output, api))
}

/// The chunks of a stream.
pub(super) fn events(answer: &Answer, framing: Framing, api: Api) -> Vec<Event> {
    let mut writer = Writer { answer, framing, api, events: Vec::new() };
    if answer.choices.is_empty() {
        writer.chunk(Moment::Finish, &[], 0);
    }
    let mut said = answer.usage.reasoning.saturating_sub(pieces(answer));
    for (index, choice) in answer.choices.iter().enumerate() {
        let mut token = |part: String, cost: u32| {
            said = said.saturating_add(cost).min(answer.usage.output);
            writer.chunk(Moment::Token, &[candidate(&[part], None, index)], said);
        };
        for piece in &choice.thinking {
            token(thought(piece), 1);
        }
        for piece in &choice.text {
            token(format!(r#"{{"text":{}}}"#, quote(piece)), 1);
        }
        for (number, call) in choice.calls.iter().enumerate() {
            token(function_call(answer, choice, call, number), u32::try_from(call.arguments.len()).unwrap_or(u32::MAX));
        }
    }
    for (index, choice) in answer.choices.iter().enumerate() {
        // The signature of a text comes with the end of it, on a part without any.
        let signed = is_signed(answer, choice) && choice.calls.is_empty();
        let signature = if signed { format!(r#","thoughtSignature":"{SIGNATURE}""#) } else { String::new() };
        let part = format!(r#"{{"text":""{signature}}}"#);
        writer.chunk(Moment::Finish, &[candidate(&[part], Some(&choice.end), index)], answer.usage.output);
    }
    if framing == Framing::Array {
        writer.events.push(Event { moment: Moment::Terminal, bytes: Bytes::from_static(b"\n]\n") });
    }
    writer.events
}

struct Writer<'a> {
    answer: &'a Answer,
    framing: Framing,
    api: Api,
    events: Vec<Event>,
}

impl Writer<'_> {
    fn chunk(&mut self, moment: Moment, candidates: &[String], said: u32) {
        let chunk = response(self.answer, candidates, said, self.api);
        let framed = match (self.framing, self.events.is_empty()) {
            (Framing::Sse, _) => format!("data: {chunk}\r\n\r\n"),
            (Framing::Array, true) => format!("[{chunk}"),
            (Framing::Array, false) => format!(",\r\n{chunk}"),
        };
        self.events.push(Event { moment, bytes: Bytes::from(framed) });
    }
}

/// How many pieces of thought are said aloud.
fn pieces(answer: &Answer) -> u32 {
    answer.choices.iter().map(|choice| u32::try_from(choice.thinking.len()).unwrap_or(u32::MAX)).sum()
}

fn parts(answer: &Answer, choice: &Choice) -> Vec<String> {
    let mut parts = Vec::new();
    if !choice.thinking.is_empty() {
        parts.push(thought(&choice.thinking.concat()));
    }
    if !choice.text.is_empty() {
        let signature =
            if is_signed(answer, choice) { format!(r#","thoughtSignature":"{SIGNATURE}""#) } else { String::new() };
        parts.push(format!(r#"{{"text":{}{signature}}}"#, quote(&choice.text.concat())));
    }
    parts.extend(choice.calls.iter().enumerate().map(|(number, call)| function_call(answer, choice, call, number)));
    parts
}

fn thought(text: &str) -> String {
    format!(r#"{{"text":{},"thought":true}}"#, quote(text))
}

fn is_signed(answer: &Answer, choice: &Choice) -> bool {
    !choice.thinking.is_empty() || signs(&answer.model)
}

/// A call; only the first of a turn is signed, and only newer models give it an id.
fn function_call(answer: &Answer, choice: &Choice, call: &Call, number: usize) -> String {
    let arguments = call.arguments.concat();
    // A limit may have cut the arguments; what is sent is an object all the same.
    let arguments = if serde_json::from_str::<serde_json::Value>(&arguments).is_ok() { &arguments } else { "{}" };
    let id = if signs(&answer.model) { format!(r#","id":"{}""#, call.id) } else { String::new() };
    let signed = number == 0 && is_signed(answer, choice);
    let signature = if signed { format!(r#","thoughtSignature":"{SIGNATURE}""#) } else { String::new() };
    format!(r#"{{"functionCall":{{"name":{},"args":{arguments}{id}}}{signature}}}"#, quote(&call.name))
}

fn candidate(parts: &[String], end: Option<&End>, index: usize) -> String {
    // What was cut before its first part has none.
    let parts = if parts.is_empty() { String::new() } else { format!(r#""parts":[{}],"#, parts.join(",")) };
    let finish = end.map_or(String::new(), |end| {
        let reason = match end {
            End::Done | End::Stop(_) | End::Tools => "STOP",
            End::Length => "MAX_TOKENS",
            End::Filtered => "SAFETY",
        };
        format!(r#""finishReason":"{reason}","#)
    });
    let ratings = if end == Some(&End::Filtered) {
        r#","safetyRatings":[{"category":"HARM_CATEGORY_DANGEROUS_CONTENT","probability":"HIGH","blocked":true}]"#
    } else {
        ""
    };
    format!(r#"{{"content":{{{parts}"role":"model"}},{finish}"index":{index}{ratings}}}"#)
}

/// `said` is all output so far, thoughts included.
fn response(answer: &Answer, candidates: &[String], said: u32, api: Api) -> String {
    let body = if answer.choices.is_empty() {
        r#""promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}"#.to_owned()
    } else {
        format!(r#""candidates":[{}]"#, candidates.join(","))
    };
    let (model, id) = (quote(&answer.model), &answer.id);
    format!(r#"{{{body}{},"modelVersion":{model},"responseId":"{id}"}}"#, answer.told(|used| usage(used, said, api)))
}

/// Thoughts are counted apart from what the candidates say.
fn usage(used: Usage, said: u32, api: Api) -> String {
    let thoughts = used.reasoning.min(said);
    let spoken = said - thoughts;
    let (input, cached) = (used.input, used.cache.read);
    let traffic = if api == Api::Vertex { r#","trafficType":"ON_DEMAND""# } else { "" };
    let some = |name: &str, count: u32| if count > 0 { format!(r#","{name}":{count}"#) } else { String::new() };
    format!(
        r#","usageMetadata":{{"promptTokenCount":{input}{}{},"totalTokenCount":{},"promptTokensDetails":[{{"modality":"TEXT","tokenCount":{input}}}]{}{traffic}}}"#,
        some("cachedContentTokenCount", cached),
        some("candidatesTokenCount", spoken),
        input.saturating_add(said),
        some("thoughtsTokenCount", thoughts),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_models_sign() {
        let check = |model: &str, expect: bool| assert_eq!(signs(model), expect, "{model}");
        check("gemini-2.5-pro", false);
        check("gemini-3-pro-preview", true);
        check("gemini-3.5-flash+tokens-3", true);
        check("gemma-3-27b-it", false);
    }
}
