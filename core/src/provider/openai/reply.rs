//! Reads a chat-completions answer, whole or streamed, as pieces.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>,
//! <https://platform.openai.com/docs/api-reference/chat-streaming>

mod calls;
mod said;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use calls::Calls;
use said::{Delta, Thoughts};
use weir_hub::buffer::{cut, cut_whole, malformed};
use weir_hub::call::ReplyStart;
use weir_hub::codec::json::{Raw, Str};
use weir_hub::endpoint::Delivery;
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::{Finish, Piece};
use weir_hub::reply::{Event, Flow, Pieces, Reader};

use super::event::{Members, is_cut, is_failure, is_ping};
use super::fault::{failed, in_answer, stray};

/// Nobody asks for this many choices; a larger index is a mistake and must not take memory.
const MAX_CHOICES: usize = 128;

/// How far an answer has been read.
pub(in crate::provider) struct Reading {
    /// Used for the ids of tool calls to which the host gives none.
    id: String,
    delivery: Delivery,
    started: bool,
    /// Whether usage was given.
    counted: bool,
    /// The choice that the next pieces belong to.
    at: u32,
    choices: Vec<Choice>,
}

/// How far one choice has been read.
#[derive(Default)]
struct Choice {
    calls: Calls,
    thoughts: Thoughts,
    cited: bool,
    /// Whether this choice exists: choices with lower indices need not.
    met: bool,
    finished: bool,
}

impl Reading {
    pub(in crate::provider) fn new(start: &ReplyStart<'_>) -> Self {
        let (id, delivery) = (start.id.to_string(), start.asked.delivery);
        Self { id, delivery, started: false, counted: false, at: 0, choices: Vec::new() }
    }

    /// Reads a chunk, which may be only a sign of life.
    fn chunk(&mut self, name: &str, chunk: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        let members = Members::read(chunk);
        if !members.is_error() && (!members.is_part() || members.is_ping()) {
            return if members.is_ping() || is_ping(name) {
                Ok(Flow::Alive)
            } else if self.all_finished() {
                // The answer is complete without it.
                Ok(Flow::More)
            } else {
                Err(stray(chunk))
            };
        }
        self.read(chunk, &members, pieces).map(|()| Flow::More)
    }

    /// Reads a chunk, or a whole answer.
    fn read(&mut self, answer: Raw<'_>, members: &Members<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if members.is_error() {
            return Err(in_answer(answer));
        }
        if let Some(usage) = members.usage() {
            self.counted = true;
            pieces(Piece::Usage(usage));
        }
        let choices = members.choices.unwrap_or(Raw::NULL);
        let named = members.id.and_then(Raw::str).filter(|id| !id.is_empty());
        // Azure's first event has neither id nor choices, only notes on the prompt.
        if !self.started && (named.is_some() || choices.items().next().is_some()) {
            self.started = true;
            let model = members.model.and_then(Raw::str).unwrap_or(Str::EMPTY);
            pieces(Piece::Start { id: named.unwrap_or(Str::EMPTY), model });
        }
        for choice in choices.items() {
            self.choice(choice, members.sources, pieces)?;
        }
        Ok(())
    }

    fn choice(
        &mut self,
        choice: Raw<'_>,
        sources: Option<Raw<'_>>,
        pieces: &mut Pieces<'_>,
    ) -> Result<(), UpstreamFault> {
        let (mut index, mut delta, mut reason, mut logprobs, mut met) = (0, None, None, None, None);
        for (name, value) in choice.members() {
            match &*name {
                "index" => index = value.integer().and_then(|index| usize::try_from(index).ok()).unwrap_or(0),
                "delta" if !value.is_null() => delta = Some(value),
                // Perplexity's chunks have both; this one has everything that was said so far.
                "message" if !value.is_null() => delta = delta.or(Some(value)),
                // Some hosts send it in every event, empty until the last.
                "finish_reason" => reason = value.string().filter(|reason| !reason.is_empty()),
                "logprobs" => logprobs = Some(value),
                // vLLM's and SGLang's names for the stop sequence; a token's number is not a sequence.
                "stop_reason" | "matched_stop" => met = value.str().or(met),
                _ => {}
            }
        }
        let index = index.min(MAX_CHOICES - 1);
        while self.choices.len() <= index {
            self.choices.push(Choice::default());
        }
        let Some(state) = self.choices.get_mut(index) else { return Ok(()) };
        state.met = true;
        if state.finished {
            return Ok(());
        }
        let number = u32::try_from(index).unwrap_or_default();
        if self.at != number {
            self.at = number;
            pieces(Piece::Choice(number));
        }
        if let Some(delta) = delta {
            state.delta(&Delta::read(delta), &self.id, self.delivery, pieces);
        }
        for kind in ["content", "refusal"] {
            let items = logprobs.and_then(|logprobs| logprobs.get(kind));
            if let Some(items) = items.filter(|items| items.items().next().is_some()) {
                pieces(Piece::Logprobs(items));
            }
        }
        let Some(reason) = reason else { return Ok(()) };
        if let Some(all) = sources.filter(|_| !state.cited) {
            said::sources(all, pieces);
        }
        if let Some(met) = met.filter(|met| reason == "stop" && !matches!(met.written(), "stop" | "")) {
            pieces(Piece::StopSequence(met));
        }
        state.finish(&reason, &self.id, pieces)
    }

    /// Whether there were any choices, and all have given their finish reasons.
    fn all_finished(&self) -> bool {
        let mut met = self.choices.iter().filter(|choice| choice.met).peekable();
        met.peek().is_some() && met.all(|choice| choice.finished)
    }
}

impl Reader for Reading {
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        match event {
            Event::Done if self.choices.is_empty() => Err(malformed("The provider's answer has no choices.")),
            // The event alone says that the connection is done, not that the answer is.
            Event::Done => self.end(pieces).map(|()| Flow::Ended),
            Event::Json { name: "error", data } | Event::Exception { data, .. } => Err(in_answer(data)),
            Event::Json { name, data } => self.chunk(name, data, pieces),
        }
    }

    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let (mut said, members) = (false, Members::read(answer));
        self.read(answer, &members, &mut |piece| {
            said |= !matches!(piece, Piece::Start { .. } | Piece::Usage(_) | Piece::Choice(_));
            pieces(piece);
        })?;
        if !said {
            return Err(malformed("The provider's answer has no choices."));
        }
        if members.choices.is_some_and(is_cut) {
            return Err(cut_whole());
        }
        // Otherwise the JSON is complete, and so is the answer: a choice without a finish reason simply ended.
        for (index, choice) in self.choices.iter_mut().enumerate().filter(|(_, choice)| choice.met && !choice.finished)
        {
            let number = u32::try_from(index).unwrap_or_default();
            if self.at != number {
                self.at = number;
                pieces(Piece::Choice(number));
            }
            choice.finish("stop", &self.id, pieces)?;
        }
        Ok(())
    }

    fn awaits_end(&self) -> bool {
        self.counted && self.all_finished()
    }

    fn kept(&self) -> usize {
        self.choices.iter().map(|choice| choice.calls.kept()).sum()
    }

    fn end(&mut self, _: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if self.all_finished() { Ok(()) } else { Err(cut()) }
    }
}

impl Choice {
    fn delta(&mut self, delta: &Delta<'_>, id: &str, delivery: Delivery, pieces: &mut Pieces<'_>) {
        delta.thoughts(&mut self.thoughts, pieces);
        if delta.say(&mut self.thoughts, pieces) {
            self.thoughts.interrupt();
        }
        self.cited |= delta.cite(pieces);
        delta.show(pieces);
        let legacy = delta.function_call.map(|call| (call, call));
        let calls = delta.tool_calls.unwrap_or(Raw::NULL).items();
        let calls = calls.map(|call| (call, call.get("function").unwrap_or(Raw::NULL)));
        for (call, function) in calls.chain(legacy) {
            self.thoughts.interrupt();
            self.calls.fragment(call, function, id, delivery, pieces);
        }
    }

    fn finish(&mut self, reason: &str, id: &str, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        self.calls.close(id, pieces)?;
        let finish = match reason {
            "length" | "max_tokens" => Finish::Length,
            // Mistral's name.
            "model_length" => Finish::ContextWindow,
            "content_filter" => Finish::ContentFilter,
            reason if is_failure(reason) => return Err(failed()),
            // A call that was required ends with `stop`, also at OpenAI.
            _ if self.calls.any() => Finish::ToolCalls,
            _ => Finish::Stop,
        };
        self.finished = true;
        pieces(Piece::Finish(finish));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
