//! Reads an answer, whole or streamed, as pieces. Every event of a stream is an answer with the next parts.
//!
//! No event is marked as the last, and some streams give the finish reason more than once. So the answer is complete
//! when the stream ends and a reason was given.
//!
//! <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>

mod citation;
mod logprobs;

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use citation::Cited;
use weir_hub::buffer::{cut, malformed};
use weir_hub::call::ReplyStart;
use weir_hub::codec::json::{Kind, Raw, Str};
use weir_hub::fault::{FaultKind, UpstreamFault};
use weir_hub::piece::{Finish, Piece};
use weir_hub::reply::{Event, Flow, Pieces, Reader};
use weir_hub::signature::{Maker, named};
use weir_hub::usage::Usage;

use super::fault::in_answer;
use crate::provider::answer_tool::ANSWER_TOOL;
use crate::provider::openai::stray;
use crate::provider::redact;

/// How far an answer has been read.
pub(in crate::provider) struct Reading {
    /// The answer's id. It is also used for calls to which the model gives no id.
    id: String,
    begun: bool,
    usage: Usage,
    candidates: Vec<Candidate>,
    /// The alternative that the next pieces belong to.
    at: u8,
}

/// How far one of the alternatives has been read.
#[derive(Default)]
struct Candidate {
    /// How many blocks of reasoning have begun.
    thoughts: u32,
    thinking: Thinking,
    /// How many calls have come.
    calls: u32,
    cited: Cited,
    /// Whether it has text, calls or images.
    said: bool,
    finish: Option<Finish>,
}

/// Whether the last part was a thought, which the next thought then continues.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thinking {
    #[default]
    Not,
    Now,
}

impl Reading {
    pub(in crate::provider) fn new(start: &ReplyStart<'_>) -> Self {
        let usage = Usage { estimated: true, ..Usage::default() };
        Self { id: start.id.into(), begun: false, usage, candidates: Vec::new(), at: 0 }
    }
}

impl Reader for Reading {
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        match event {
            Event::Json { data, .. } => self.read(data, pieces).map(|()| Flow::More),
            Event::Exception { data, .. } => Err(in_answer(data).unwrap_or_else(|| stray(data))),
            // Some hosts end every stream with this event.
            Event::Done => self.end(pieces).map(|()| Flow::Ended),
        }
    }

    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        self.read(answer, pieces)?;
        if !self.is_complete() {
            return Err(malformed("The provider's answer does not say why it ended."));
        }
        self.finish(pieces);
        Ok(())
    }

    fn awaits_end(&self) -> bool {
        self.is_complete()
    }

    fn end(&mut self, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if !self.is_complete() {
            return Err(cut());
        }
        self.finish(pieces);
        Ok(())
    }
}

/// The members that matter in an answer or an error.
const MEMBERS: [&str; 6] = ["usageMetadata", "responseId", "modelVersion", "candidates", "promptFeedback", "error"];

impl Reading {
    fn read(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let [usage, id, model, candidates, feedback, error] = answer.pick(MEMBERS);
        // An error may come in an array, which has no members.
        if (error.is_some() || answer.kind() == Kind::Array)
            && let Some(fault) = in_answer(answer)
        {
            return Err(fault);
        }
        // Every event has one of these. If all are null or absent, and nothing else is there, it is an empty message.
        if [usage, id, model, candidates, feedback].iter().all(Option::is_none) {
            let empty = answer.kind() == Kind::Object && answer.members().all(|(name, _)| MEMBERS.contains(&&*name));
            return if empty || self.is_complete() { Ok(()) } else { Err(stray(answer)) };
        }
        if let Some(usage) = usage {
            self.count(usage);
        }
        if !self.begun {
            self.begun = true;
            if usage.is_some() {
                // The output count comes with it, further below.
                pieces(Piece::Usage(Usage { output: 0, reasoning: 0, ..self.usage }));
            }
            pieces(Piece::Start { id: str(id), model: str(model) });
        }
        for candidate in candidates.unwrap_or(Raw::NULL).items() {
            self.candidate(candidate, pieces)?;
        }
        let blocked = feedback.and_then(|feedback| feedback.get("blockReason")?.string());
        // The prompt itself was refused, so there are no candidates.
        if blocked.is_some_and(|reason| reason != "BLOCK_REASON_UNSPECIFIED") && self.candidates.is_empty() {
            self.candidates.push(Candidate { finish: Some(Finish::ContentFilter), ..Candidate::default() });
        }
        if usage.is_some() {
            self.usage.estimated = !self.is_complete();
            pieces(Piece::Usage(self.usage));
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let [index, content, logprobs, grounding, citations, reason, message] = candidate.pick([
            "index",
            "content",
            "logprobsResult",
            "groundingMetadata",
            "citationMetadata",
            "finishReason",
            "finishMessage",
        ]);
        let index = u8::try_from(index.and_then(Raw::integer).unwrap_or(0))
            .map_err(|_| malformed("The provider's answer has too many candidates."))?;
        while self.candidates.len() <= usize::from(index) {
            self.candidates.push(Candidate::default());
        }
        turn_to(index, &mut self.at, pieces);
        let Some(state) = self.candidates.get_mut(usize::from(index)) else { return Ok(()) };
        for part in content.and_then(|content| content.get("parts")).unwrap_or(Raw::NULL).items() {
            state.part(part, &self.id, pieces);
        }
        if let Some(result) = logprobs {
            logprobs::read(result, pieces);
        }
        state.cited.read(grounding, citations, pieces);
        if let Some(reason) = reason.and_then(Raw::string) {
            let message = message.and_then(Raw::string);
            state.finish = finish(&reason, message.as_deref(), state.said)?.or(state.finish);
        }
        Ok(())
    }

    /// Whether each alternative has given its finish reason.
    fn is_complete(&self) -> bool {
        !self.candidates.is_empty() && self.candidates.iter().all(|candidate| candidate.finish.is_some())
    }

    fn finish(&mut self, pieces: &mut Pieces<'_>) {
        for (index, candidate) in (0..=u8::MAX).zip(&self.candidates) {
            turn_to(index, &mut self.at, pieces);
            let finish = match candidate.finish {
                // The reason is the same whether the model is done or waits for the results of its calls.
                Some(Finish::Stop) | None if candidate.calls > 0 => Finish::ToolCalls,
                finish => finish.unwrap_or(Finish::Stop),
            };
            pieces(Piece::Finish(finish));
        }
    }

    /// Reads a usage object. This API counts thoughts, and what the provider's own tools read, apart from the rest.
    fn count(&mut self, usage: Raw<'_>) {
        let [prompt, read_by_tools, cached_read, answer, reasoning, heard, spoken] = usage.pick([
            "promptTokenCount",
            "toolUsePromptTokenCount",
            "cachedContentTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "promptTokensDetails",
            "candidatesTokensDetails",
        ]);
        let sound = |details: Option<Raw<'_>>| {
            let details = details.map(Raw::items).into_iter().flatten();
            let counts = details.map(|detail| detail.pick(["modality", "tokenCount"]));
            let of_sound = counts.filter(|[kind, _]| kind.is_some_and(|kind| kind.text() == "\"AUDIO\""));
            of_sound.filter_map(|[_, count]| count.and_then(Raw::integer)).sum()
        };
        let [prompt, read_by_tools, cached_read, answer, reasoning] =
            [prompt, read_by_tools, cached_read, answer, reasoning]
                .map(|count| count.and_then(Raw::integer).unwrap_or(0));
        self.usage = Usage {
            input: prompt.saturating_add(read_by_tools),
            output: answer.saturating_add(reasoning),
            cached_read,
            reasoning,
            audio_input: sound(heard),
            audio_output: sound(spoken),
            estimated: true,
            ..Usage::default()
        };
    }
}

impl Candidate {
    fn part(&mut self, part: Raw<'_>, answer: &str, pieces: &mut Pieces<'_>) {
        let [text, thought, signature, call, data] =
            part.pick(["text", "thought", "thoughtSignature", "functionCall", "inlineData"]);
        let text = text.and_then(Raw::str);
        let signature = signature.and_then(Raw::string).filter(|signature| !signature.is_empty());
        if thought.and_then(Raw::boolean) == Some(true) {
            // Drafts of images are also thoughts, but they have no text.
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                if self.thinking == Thinking::Not {
                    self.thinking = Thinking::Now;
                    self.thoughts += 1;
                }
                pieces(Piece::Reasoning { block: self.thoughts - 1, text });
            }
            self.sign(signature, None, pieces);
            return;
        }
        self.thinking = Thinking::Not;
        if let Some(text) = text {
            self.sign(signature, None, pieces);
            if !text.is_empty() {
                self.said = true;
                self.cited.said(text);
                pieces(Piece::Text(text));
            }
        } else if let Some(call) = call {
            self.call(call, signature, answer, pieces);
        } else {
            self.sign(signature, None, pieces);
            let [media_type, data] = data.unwrap_or(Raw::NULL).pick(["mimeType", "data"]).map(str);
            // Otherwise it is the work of one of the provider's own tools, which only callers of this API ask for.
            if media_type.written().starts_with("image") {
                self.said = true;
                pieces(Piece::Image { media_type, data });
            }
        }
    }

    fn call(&mut self, call: Raw<'_>, signature: Option<Cow<'_, str>>, answer: &str, pieces: &mut Pieces<'_>) {
        self.said = true;
        let [id, name, arguments] = call.pick(["id", "name", "args"]);
        // Whole answers are indented.
        let arguments = compact(arguments.map_or("{}", Raw::text));
        if name.and_then(Raw::string).as_deref() == Some(ANSWER_TOOL) {
            self.sign(signature, None, pieces);
            pieces(Piece::Text(Str::Plain(&arguments)));
            return;
        }
        let index = self.calls;
        self.calls += 1;
        self.sign(signature, Some(index), pieces);
        let made;
        let mut id = str(id);
        if id.is_empty() {
            made = format!("call_{answer}_{index}");
            id = Str::Plain(&made);
        }
        pieces(Piece::Call { index, id, name: str(name) });
        pieces(Piece::Arguments { index, json: Str::Plain(&arguments) });
    }

    /// Gives the signature of the next part, as a block of reasoning without text.
    fn sign(&mut self, signature: Option<Cow<'_, str>>, call: Option<u32>, pieces: &mut Pieces<'_>) {
        let Some(signature) = signature else { return };
        let block = self.thoughts;
        self.thoughts += 1;
        self.thinking = Thinking::Not;
        let proof = match call {
            Some(call) => Cow::Owned(format!("{call}{OF_CALL}{signature}")),
            None => signature,
        };
        pieces(Piece::Signature { block, signature: Str::Plain(&named(Maker::Gemini, &proof)) });
    }
}

/// JSON without space between its tokens.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keeps = |c: &char| {
        let keeps = in_string || !c.is_ascii_whitespace();
        in_string ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        keeps
    };
    json.chars().filter(keeps).collect()
}

/// The pieces that follow belong to the alternative with this index.
fn turn_to(index: u8, at: &mut u8, pieces: &mut Pieces<'_>) {
    if *at != index {
        *at = index;
        pieces(Piece::Choice(index.into()));
    }
}

/// Separates a call's number in its turn from its signature. Some callers' dialects keep reasoning apart from calls, so
/// the signature's position does not tell its call.
const OF_CALL: char = '.';

/// The call that a signature belongs to, if any, and the signature in the API's own form.
pub(super) fn proof_of_call(proof: &str) -> (Option<usize>, &str) {
    proof.split_once(OF_CALL).and_then(|(call, proof)| Some((Some(call.parse().ok()?), proof))).unwrap_or((None, proof))
}

/// What a finish reason means; `said` tells whether the answer has any content. `None` if the reason is empty.
///
/// <https://ai.google.dev/api/generate-content#FinishReason>
fn finish(reason: &str, message: Option<&str>, said: bool) -> Result<Option<Finish>, UpstreamFault> {
    Ok(Some(match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => return Ok(None),
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::ContentFilter,
        // The model failed to write what it wanted; it may succeed the next time.
        "MALFORMED_FUNCTION_CALL" | "MALFORMED_RESPONSE" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" => {
            let message = message.unwrap_or("The model's answer is broken.");
            return Err(malformed(&redact::fit(&format!("{reason}: {message}"))));
        }
        "MISSING_THOUGHT_SIGNATURE" => {
            let message = message.unwrap_or("A tool call has come back without its signature.");
            return Err(UpstreamFault::new(FaultKind::InvalidRequest, redact::fit(message)));
        }
        "STOP" => Finish::Stop,
        // `OTHER`, `NO_IMAGE`, `IMAGE_OTHER`, and future reasons: without content, the model did not do what it was
        // asked for.
        _ if !said => {
            let message = message.unwrap_or("The model has answered nothing.");
            return Err(malformed(&redact::fit(&format!("{reason}: {message}"))));
        }
        _ => Finish::Stop,
    }))
}

fn str(value: Option<Raw<'_>>) -> Str<'_> {
    value.and_then(Raw::str).unwrap_or(Str::EMPTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_between_tokens_goes() {
        let check = |json: &str, expect: &str| assert_eq!(compact(json), expect);
        check("{\n  \"a b\": [1, 2],\n  \"c\": \"d \\\" \\\\\" }", "{\"a b\":[1,2],\"c\":\"d \\\" \\\\\"}");
    }

    #[test]
    fn a_signature_says_to_which_call_it_belongs() {
        assert_eq!(proof_of_call("0.abc+/="), (Some(0), "abc+/="));
        assert_eq!(proof_of_call("abc+/="), (None, "abc+/="));
    }
}
