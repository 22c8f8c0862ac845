//! `POST /v1/completions`, as before there were chats.
//!
//! <https://platform.openai.com/docs/api-reference/completions>

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use super::{
    ask,
    check::{given, integer, mistyped},
};
use crate::{
    answer::{Answer, Ask, Cache, Choice, End, Heard, Usage, UsageEvent, tokens},
    dialect::{Call, Dialect, Event, Failure, Moment, quote},
    field::text,
    model::Model,
};

/// The dialect of `/v1/completions`, at OpenAI or at another who has it: keys, headers and failures are theirs.
pub(crate) struct Completions(pub(crate) &'static dyn Dialect);

/// How many tokens an answer may have where nobody says.
const USUAL_LIMIT: u32 = 16;

impl Dialect for Completions {
    fn folder(&self) -> &'static str {
        self.0.folder()
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        self.0.admit(call)
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        let delivery = call.delivery(body);
        ask::bounds(body, model)?;
        integer(body, "best_of", "best_of", 1, 20)?;
        integer(body, "logprobs", "logprobs", 0, 5)?;
        let limit = integer(body, "max_tokens", "max_tokens", 0, 1 << 20)?;
        let told = model.tokens.or(call.options().tokens).is_some() || model.size.is_some();
        let prompts = prompts(body)?;
        let choices = integer(body, "n", "n", 1, 128)?.unwrap_or(1);
        Ok(Ask {
            model: model.name.clone(),
            delivery,
            usage: ask::usage_event(body, delivery)?,
            heard: Heard::User(String::new()),
            images: 0,
            input_tokens: prompts.iter().map(|prompt| prompt.tokens).sum::<u32>() + tokens(text(body, "suffix")),
            cache: Cache::default(),
            tools: Vec::new(),
            shape: None,
            limit: limit.or((!told).then_some(USUAL_LIMIT)),
            stop: ask::stops(body),
            choices,
            thinking: false,
        })
    }

    /// As many choices as are asked for, for each prompt.
    fn answer(&self, call: &Call<'_>, body: &Value, ask: &Ask, model: &Model) -> Answer {
        let echoes = body.get("echo").and_then(Value::as_bool).unwrap_or(false);
        let mut all: Option<Answer> = None;
        for prompt in prompts(body).unwrap_or_default() {
            let ask = Ask { heard: Heard::User(prompt.text.clone()), ..ask.clone() };
            let mut answer = Answer::to(&ask, model, call.options().tokens, call.id.clone());
            for choice in answer.choices.iter_mut().filter(|_| echoes) {
                choice.text.insert(0, prompt.text.clone());
            }
            match &mut all {
                None => all = Some(answer),
                Some(all) => {
                    all.choices.extend(answer.choices);
                    all.usage.output = all.usage.output.saturating_add(answer.usage.output);
                    all.usage.reasoning = all.usage.reasoning.saturating_add(answer.usage.reasoning);
                    all.usage.hidden = all.usage.hidden.saturating_add(answer.usage.hidden);
                }
            }
        }
        all.unwrap_or_else(|| Answer::to(ask, model, call.options().tokens, call.id.clone()))
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        let choices: Vec<String> = (0..)
            .zip(&answer.choices)
            .map(|(index, choice)| written(index, &choice.text.concat(), Some(finish(choice))))
            .collect();
        Bytes::from(format!("{{{}{}}}", head(answer, &choices.join(",")), answer.told(usage)))
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        let usage_to_come = if answer.usage_event == UsageEvent::Wanted { ",\"usage\":null" } else { "" };
        let chunk = |moment, choice: &str| {
            let data = format!("data: {{{}{usage_to_come}}}\n\n", head(answer, choice));
            Event { moment, bytes: Bytes::from(data) }
        };
        let mut events = Vec::new();
        for (index, choice) in (0..).zip(&answer.choices) {
            events.extend(choice.text.iter().map(|piece| chunk(Moment::Token, &written(index, piece, None))));
            events.push(chunk(Moment::Finish, &written(index, "", Some(finish(choice)))));
        }
        if answer.usage_event == UsageEvent::Wanted {
            let data = format!("data: {{{}{}}}\n\n", head(answer, ""), usage(answer.usage));
            events.push(Event { moment: Moment::Finish, bytes: Bytes::from(data) });
        }
        events.push(Event { moment: Moment::Terminal, bytes: Bytes::from_static(b"data: [DONE]\n\n") });
        events
    }

    fn failure(&self, failure: &Failure, request: &str) -> (u16, String) {
        self.0.failure(failure, request)
    }

    fn failure_event(&self, failure: &Failure, request: &str) -> Bytes {
        self.0.failure_event(failure, request)
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        self.0.headers(headers, request);
    }

    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, status: u16) {
        self.0.failure_headers(headers, failure, status);
    }
}

/// What is to be completed.
struct Prompt {
    text: String,
    tokens: u32,
}

/// One or several texts, or lists of token ids in place of them.
fn prompts(body: &Value) -> Result<Vec<Prompt>, Failure> {
    let of_text = |text: &str| Prompt { text: text.to_owned(), tokens: tokens(text) };
    let of_ids = |ids: &[Value]| Prompt {
        text: ids.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
        tokens: u32::try_from(ids.len()).unwrap_or(u32::MAX),
    };
    let prompt = match given(body, "prompt") {
        // A new document begins.
        None => return Ok(vec![of_text("<|endoftext|>")]),
        Some(Value::String(text)) => return Ok(vec![of_text(text)]),
        Some(other) => other,
    };
    let wrong = || mistyped("prompt", "a string, an array of strings, or arrays of tokens", prompt);
    let many = prompt.as_array().ok_or_else(wrong)?;
    if many.is_empty() {
        let message = "Invalid 'prompt': empty array. Expected an array with minimum length 1.";
        return Err(Failure::invalid(message, Some("prompt"), Some("empty_array")));
    }
    if many.iter().all(Value::is_u64) {
        return Ok(vec![of_ids(many)]);
    }
    many.iter()
        .map(|one| match one {
            Value::String(text) => Ok(of_text(text)),
            Value::Array(ids) if ids.iter().all(Value::is_u64) => Ok(of_ids(ids)),
            _ => Err(wrong()),
        })
        .collect()
}

fn head(answer: &Answer, choices: &str) -> String {
    let (id, created, model) = (&answer.id, answer.created, quote(&answer.model));
    format!(r#""id":"cmpl-{id}","object":"text_completion","created":{created},"model":{model},"choices":[{choices}]"#)
}

fn written(index: usize, text: &str, finish: Option<&str>) -> String {
    let finish = finish.map_or("null".to_owned(), quote);
    format!(r#"{{"text":{},"index":{index},"logprobs":null,"finish_reason":{finish}}}"#, quote(text))
}

fn finish(choice: &Choice) -> &'static str {
    match choice.end {
        End::Length => "length",
        End::Filtered => "content_filter",
        _ => "stop",
    }
}

fn usage(usage: Usage) -> String {
    let Usage { input, output, .. } = usage;
    let total = input.saturating_add(output);
    format!(r#","usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}"#)
}
