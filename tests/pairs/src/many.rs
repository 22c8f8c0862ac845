//! Requests and answers of very many parts, each of which names another: what is looked up must not be looked through, and
//! what is put in its place must not move all others. And what comes in very many fragments: none may have all before it gone through.
//!
//! Each is counted with [`FEW`] parts and with [`MANY`]: `cargo xtask pairs` refuses what takes more for one of many than for
//! one of few. Readers and writers do not know each other, so not every pair is counted: each provider for one dialect, and
//! each dialect for one provider.

use serde_json::{Value, json};
use weir_core::exchange;
use weir_core::provider::Provider;
use weir_core::upstream::Upstream;
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::dialect;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::Reject;

use crate::{Outcome, counted};

/// How many parts there are, and what that is called.
pub(crate) const SIZES: [(&str, usize); 2] = [("few", 250), ("many", 2000)];

/// One kind of request or answer: its name, and what it is with so many parts.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    what: What,
}

enum What {
    Asked(fn(usize) -> Value),
    Told(Delivery, fn(usize) -> String),
    /// A stream in binary frames.
    Framed(fn(usize) -> Vec<u8>),
}

/// What is counted of a pair.
pub(crate) fn kinds(endpoint: Endpoint, provider: &dyn Provider) -> Vec<Kind> {
    let asked = |name, body| Kind { name, what: What::Asked(body) };
    let told = |name, delivery, answer| Kind { name, what: What::Told(delivery, answer) };
    let (whole, streamed) = (Delivery::Whole, Delivery::Streamed);
    let name = provider.name();
    // Each provider is asked by, and answers, this dialect; each dialect asks one provider.
    let of_provider = endpoint == if name == "anthropic" { Endpoint::Chat } else { Endpoint::Messages };
    let mut kinds = Vec::new();
    if of_provider || name == "gemini" {
        match endpoint {
            Endpoint::Chat => {
                kinds.push(asked("results in another order", chat::results));
                kinds.push(asked("turns", chat::turns));
                kinds.push(asked("tools of which some are allowed", chat::tools));
                kinds.push(asked("proofs", chat::proofs));
                kinds.push(asked("details left out", chat::left_out));
            }
            Endpoint::Responses => {
                kinds.push(asked("results in another order", responses::results));
                kinds.push(asked("tools of which some are allowed", responses::tools));
            }
            Endpoint::Messages => {
                kinds.push(asked("results in another order", messages::results));
                kinds.push(asked("results after much was said", messages::late_results));
                kinds.push(asked("thoughts", messages::thoughts));
            }
            _ => {}
        }
    }
    match (name, endpoint) {
        // Of the others none writes system messages where they do not stand.
        ("mistral", Endpoint::Chat) => kinds.push(asked("turns", chat::turns)),
        ("bedrock", Endpoint::GenerateContent) => {
            kinds.push(asked("results in another order", contents::results));
            kinds.push(asked("tools of which some are allowed", contents::tools));
        }
        _ => {}
    }
    match name {
        // It numbers calls, and no caller speaks its dialect: all have to be written to.
        "cohere" => {
            kinds.push(told("calls, whole", whole, answers::cohere));
            kinds.push(told("calls, streamed", streamed, answers::cohere_streamed));
            kinds.push(told("calls one by one, streamed", streamed, answers::cohere_one_by_one));
            kinds.push(told("arguments in fragments, streamed", streamed, answers::cohere_arguments));
            kinds.push(told("arguments of two calls in turn, streamed", streamed, answers::cohere_mixed));
            kinds.push(told("text in fragments, streamed", streamed, answers::cohere_text));
            kinds.push(told("a thought in fragments, streamed", streamed, answers::cohere_thought));
        }
        "openai" if of_provider => {
            kinds.push(told("calls, whole", whole, answers::openai));
            kinds.push(told("calls, streamed", streamed, answers::openai_streamed));
            kinds.push(told("calls by their ids, streamed", streamed, answers::openai_by_id));
            kinds.push(told("thoughts, whole", whole, answers::openai_thoughts));
            kinds.push(told("arguments in fragments, streamed", streamed, answers::openai_arguments));
            kinds.push(told("arguments before their tool's name, streamed", streamed, answers::openai_nameless));
        }
        "anthropic" if of_provider => {
            kinds.push(told("calls, whole", whole, answers::anthropic));
            kinds.push(told("calls, streamed", streamed, answers::anthropic_streamed));
            kinds.push(told("arguments in fragments, streamed", streamed, answers::anthropic_arguments));
        }
        "bedrock" if of_provider => {
            kinds.push(told("calls, whole", whole, answers::bedrock));
            let what = What::Framed(answers::bedrock_arguments);
            kinds.push(Kind { name: "arguments in fragments, streamed", what });
        }
        "gemini" if of_provider => {
            kinds.push(told("calls, whole", whole, answers::gemini));
            kinds.push(told("calls, streamed", streamed, answers::gemini_streamed));
            kinds.push(told("sources, whole", whole, answers::gemini_sources));
        }
        _ => {}
    }
    kinds
}

/// Writes what goes up for it, or down.
pub(crate) fn count(kind: &Kind, endpoint: Endpoint, provider: &'static dyn Provider, parts: usize) -> Outcome {
    let upstream = Upstream { dialect: provider.name().into(), drop_unsupported: true, ..Upstream::default() };
    match kind.what {
        What::Asked(body) => {
            let body = body(parts).to_string();
            counted(&mut || {
                let body = body.as_bytes();
                let scan = scan(body).map_err(|bad| Reject::from(bad).problem().message)?;
                let (delivery, usage) = (Delivery::Whole, UsageChunk::Unwanted);
                let call =
                    Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body, scan: &scan };
                exchange::ask(&call, &upstream, "m").map(drop).map_err(|reject| reject.problem().message)
            })
        }
        What::Told(delivery, answer) => {
            let echo = echo(endpoint, parts)?;
            let start = ReplyStart {
                asked: Asked { delivery, ..crate::start(endpoint, "m").asked },
                echo: &echo,
                ..crate::start(endpoint, "m")
            };
            told(provider, &upstream, &start, answer(parts).as_bytes())
        }
        What::Framed(answer) => told(provider, &upstream, &crate::start(endpoint, "m"), &answer(parts)),
    }
}

fn told(provider: &'static dyn Provider, upstream: &Upstream, start: &ReplyStart<'_>, answer: &[u8]) -> Outcome {
    let mut work = || {
        let mut reply = exchange::reply(provider, upstream, start);
        let mut out = Vec::new();
        for chunk in answer.chunks(16 << 10) {
            reply.read(chunk, &mut out).map_err(|fault| fault.message)?;
        }
        reply.end(&mut out).map(drop).map_err(|fault| fault.message)
    };
    // What an allocation costs depends on what was freed before: each finds what itself has left behind.
    work()?;
    counted(&mut work)
}

/// What the answer repeats of a request with as many tools of a kind that only this caller knows.
fn echo(endpoint: Endpoint, parts: usize) -> Outcome<String> {
    let tool = |name| json!({"type": "custom", "name": format!("f{name}")});
    let body = json!({"input": "a", "tools": each(parts, tool)}).to_string();
    let scan = scan(body.as_bytes()).map_err(|bad| Reject::from(bad).problem().message)?;
    let (delivery, usage) = (Delivery::Whole, UsageChunk::Unwanted);
    let call =
        Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
    Ok(dialect::of(endpoint).map(|dialect| dialect.echo(&call)).unwrap_or_default())
}

fn each(parts: usize, part: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..parts).map(part).collect()
}

mod chat {
    use super::{Value, each, json};

    fn call(id: usize) -> Value {
        json!({"id": format!("c{id}"), "type": "function", "function": {"name": "f", "arguments": "{}"}})
    }

    /// Calls of one answer, and their results from the last to the first.
    pub(super) fn results(parts: usize) -> Value {
        let result = |id| json!({"role": "tool", "tool_call_id": format!("c{}", parts - 1 - id), "content": "b"});
        let calls = json!({"role": "assistant", "tool_calls": each(parts, call)});
        let asked = vec![json!({"role": "user", "content": "a"}), calls];
        let all = [asked, each(parts, result)].concat();
        json!({"messages": all})
    }

    /// Everybody says something in turn, the application as well.
    pub(super) fn turns(parts: usize) -> Value {
        let roles = ["user", "assistant", "system"];
        let said = |at| json!({"role": roles[at % 3], "content": "a"});
        let last = json!({"role": "user", "content": "a"});
        let all = [each(parts, said), vec![last]].concat();
        json!({"messages": all})
    }

    pub(super) fn tools(parts: usize) -> Value {
        let tool = |name| json!({"type": "function", "function": {"name": format!("f{name}")}});
        let tools = each(parts, tool);
        let allowed = json!({"mode": "auto", "tools": &tools[1..]});
        let choice = json!({"type": "allowed_tools", "allowed_tools": allowed});
        json!({"messages": [{"role": "user", "content": "a"}], "tools": tools, "tool_choice": choice})
    }

    /// Each call of one answer has a proof.
    pub(super) fn proofs(parts: usize) -> Value {
        let proof = |at| {
            let signature = format!("gemini~{}.cHJvb2Y=", parts - 1 - at);
            json!({"type": "reasoning.text", "signature": signature, "index": at})
        };
        let said =
            json!({"role": "assistant", "reasoning_details": each(parts, proof), "tool_calls": each(parts, call)});
        let result = |id| json!({"role": "tool", "tool_call_id": format!("c{id}"), "content": "b"});
        let asked = vec![json!({"role": "user", "content": "a"}), said];
        let all = [asked, each(parts, result)].concat();
        json!({"messages": all})
    }

    /// A detail that nobody knows, again and again.
    pub(super) fn left_out(parts: usize) -> Value {
        let image = |at| {
            let image = json!({"url": "https://e.org", "detail": format!("odd{at}"), format!("odd{at}"): 1});
            json!({"type": "image_url", "image_url": image})
        };
        let said = json!({"role": "user", "content": "a"});
        json!({"messages": [said, {"role": "user", "content": each(parts, image)}]})
    }
}

mod responses {
    use super::{Value, each, json};

    pub(super) fn results(parts: usize) -> Value {
        let call = |id| json!({"type": "function_call", "call_id": format!("c{id}"), "name": "f", "arguments": "{}"});
        let result = |id| {
            let id = format!("c{}", parts - 1 - id);
            json!({"type": "function_call_output", "call_id": id, "output": "b"})
        };
        let all = [each(parts, call), each(parts, result)].concat();
        json!({"input": all, "store": false})
    }

    pub(super) fn tools(parts: usize) -> Value {
        let tools = each(parts, |name| json!({"type": "custom", "name": format!("f{name}")}));
        let choice = json!({"type": "allowed_tools", "mode": "auto", "tools": &tools[1..]});
        json!({"input": "a", "tools": tools, "tool_choice": choice, "store": false})
    }
}

mod messages {
    use super::{Value, each, json};

    fn call(id: usize) -> Value {
        json!({"type": "tool_use", "id": format!("c{id}"), "name": "f", "input": {}})
    }

    fn result(id: usize) -> Value {
        json!({"type": "tool_result", "tool_use_id": format!("c{id}"), "content": "b"})
    }

    fn asked(messages: &[Value]) -> Value {
        json!({"max_tokens": 9000, "messages": messages})
    }

    fn said(role: &str, content: &Value) -> Value {
        json!({"role": role, "content": content})
    }

    pub(super) fn results(parts: usize) -> Value {
        let results = each(parts, |id| result(parts - 1 - id));
        asked(&[said("user", &json!("a")), said("assistant", &each(parts, call).into()), said("user", &results.into())])
    }

    /// Results, each in a message of its own, after people have said much in between.
    pub(super) fn late_results(parts: usize) -> Value {
        let called = said("assistant", &each(parts, call).into());
        let between = each(parts, |_| said("user", &json!("b")));
        let results = each(parts, |id| said("user", &json!([result(id)])));
        asked(&[vec![said("user", &json!("a")), called], between, results].concat())
    }

    /// Answers that have thought, and called.
    pub(super) fn thoughts(parts: usize) -> Value {
        let turns = (0..parts).flat_map(|id| {
            let thought = json!({"type": "thinking", "thinking": "a", "signature": "abc"});
            [said("assistant", &json!([thought, call(id)])), said("user", &json!([result(id)]))]
        });
        asked(&[vec![said("user", &json!("a"))], turns.collect()].concat())
    }
}

mod contents {
    use super::{Value, each, json};

    pub(super) fn results(parts: usize) -> Value {
        let called = |name| json!({"functionCall": {"name": format!("f{name}")}});
        let answered = |name| json!({"functionResponse": {"name": format!("f{}", parts - 1 - name), "response": {}}});
        json!({"contents": [
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "model", "parts": each(parts, called)},
            {"role": "user", "parts": each(parts, answered)},
        ]})
    }

    pub(super) fn tools(parts: usize) -> Value {
        let functions = each(parts, |name| json!({"name": format!("f{name}"), "parameters": {"type": "OBJECT"}}));
        let allowed: Vec<_> = functions.iter().skip(1).map(|function| function["name"].clone()).collect();
        json!({
            "contents": [{"role": "user", "parts": [{"text": "a"}]}],
            "tools": [{"functionDeclarations": functions}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": allowed}},
        })
    }
}

mod answers {
    use weir_hub::codec::eventstream;

    use super::{Value, each, json};

    /// What a fragment says: long enough that to go through all of them shows.
    const FRAGMENT: &str = "Once upon a time there was a weir by the river, and it was wide.";

    /// The arguments of one call, in so many fragments and two more.
    fn arguments(parts: usize) -> impl Iterator<Item = &'static str> {
        ["{\"a\":\""].into_iter().chain(std::iter::repeat_n(FRAGMENT, parts)).chain(["\"}"])
    }

    fn events(events: impl IntoIterator<Item = Value>) -> String {
        let events: Vec<String> = events.into_iter().map(|event| format!("data: {event}\n\n")).collect();
        events.concat()
    }

    fn choice(delta: &Value, finish: Option<&str>) -> Value {
        json!({"id": "a", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    }

    fn done(events: String) -> String {
        events + "data: [DONE]\n\n"
    }

    fn function(id: usize, arguments: &str) -> Value {
        json!({"index": id, "id": format!("c{id}"), "type": "function",
               "function": {"name": format!("f{id}"), "arguments": arguments}})
    }

    fn openai_message(message: &Value) -> String {
        json!({"id": "a", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
            .to_string()
    }

    pub(super) fn openai(parts: usize) -> String {
        openai_message(&json!({"tool_calls": each(parts, |id| function(id, "{}"))}))
    }

    /// All calls begin, and get their arguments from the last to the first.
    pub(super) fn openai_streamed(parts: usize) -> String {
        let begun = (0..parts).map(|id| choice(&json!({"tool_calls": [function(id, "")]}), None));
        let arguments = (0..parts)
            .rev()
            .map(|id| choice(&json!({"tool_calls": [{"index": id, "function": {"arguments": "{}"}}]}), None));
        done(events(begun.chain(arguments).chain([choice(&json!({}), Some("tool_calls"))])))
    }

    /// The same, told apart by their ids alone.
    pub(super) fn openai_by_id(parts: usize) -> String {
        let begun = (0..parts).map(|id| {
            let call = json!({"id": format!("c{id}"), "function": {"name": "f", "arguments": ""}});
            choice(&json!({"tool_calls": [call]}), None)
        });
        let arguments = (0..parts).rev().map(|id| {
            choice(&json!({"tool_calls": [{"id": format!("c{id}"), "function": {"arguments": "{}"}}]}), None)
        });
        done(events(begun.chain(arguments).chain([choice(&json!({}), Some("tool_calls"))])))
    }

    pub(super) fn openai_arguments(parts: usize) -> String {
        let begun = choice(&json!({"tool_calls": [function(0, "")]}), None);
        let more = arguments(parts)
            .map(|json| choice(&json!({"tool_calls": [{"index": 0, "function": {"arguments": json}}]}), None));
        done(events([begun].into_iter().chain(more).chain([choice(&json!({}), Some("tool_calls"))])))
    }

    /// A call cannot begin before it has its tool's name.
    pub(super) fn openai_nameless(parts: usize) -> String {
        let more = arguments(parts)
            .map(|json| choice(&json!({"tool_calls": [{"index": 0, "function": {"arguments": json}}]}), None));
        let named = choice(&json!({"tool_calls": [function(0, "")]}), None);
        done(events(more.chain([named, choice(&json!({}), Some("tool_calls"))])))
    }

    pub(super) fn openai_thoughts(parts: usize) -> String {
        let thought = |at| json!({"type": "reasoning.text", "text": "a", "signature": "b", "index": at});
        openai_message(&json!({"content": "a", "reasoning_details": each(parts, thought)}))
    }

    fn cohere_call(id: usize, arguments: &str) -> Value {
        json!({"id": format!("c{id}"), "type": "function", "function": {"name": format!("f{id}"), "arguments": arguments}})
    }

    pub(super) fn cohere(parts: usize) -> String {
        let message = json!({"role": "assistant", "tool_calls": each(parts, |id| cohere_call(id, "{}"))});
        json!({"id": "a", "finish_reason": "TOOL_CALL", "message": message}).to_string()
    }

    /// All calls begin, and get their arguments in this order.
    fn cohere_calls(parts: usize, order: impl Iterator<Item = usize>) -> String {
        let event = |kind: &str, index: usize, call: &Value| json!({"type": kind, "index": index, "delta": {"message": {"tool_calls": call}}});
        let begun = (0..parts).map(|id| event("tool-call-start", id, &cohere_call(id, "")));
        let arguments = order.flat_map(|id| {
            let more = json!({"function": {"arguments": "{}"}});
            [event("tool-call-delta", id, &more), event("tool-call-end", id, &json!({}))]
        });
        let first = json!({"type": "message-start", "id": "a"});
        let last = json!({"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}});
        events([first].into_iter().chain(begun).chain(arguments).chain([last]))
    }

    fn cohere_deltas(reason: &str, deltas: impl Iterator<Item = Value>) -> String {
        let first = json!({"type": "message-start", "id": "a"});
        let last = json!({"type": "message-end", "delta": {"finish_reason": reason}});
        events([first].into_iter().chain(deltas).chain([last]))
    }

    pub(super) fn cohere_arguments(parts: usize) -> String {
        let event =
            |kind: &str, call: Value| json!({"type": kind, "index": 0, "delta": {"message": {"tool_calls": call}}});
        let begun = event("tool-call-start", cohere_call(0, ""));
        let more = arguments(parts).map(|json| event("tool-call-delta", json!({"function": {"arguments": json}})));
        cohere_deltas("TOOL_CALL", [begun].into_iter().chain(more))
    }

    /// Some dialects let nothing out of the second call before the first is complete.
    pub(super) fn cohere_mixed(parts: usize) -> String {
        let event = |kind: &str, index: usize, call: Value| json!({"type": kind, "index": index, "delta": {"message": {"tool_calls": call}}});
        let begun = (0..2).map(|index| event("tool-call-start", index, cohere_call(index, "")));
        let more = arguments(parts / 2).flat_map(|json| {
            (0..2).map(move |index| event("tool-call-delta", index, json!({"function": {"arguments": json}})))
        });
        cohere_deltas("TOOL_CALL", begun.chain(more))
    }

    pub(super) fn cohere_text(parts: usize) -> String {
        let said = json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": FRAGMENT}}}});
        cohere_deltas("COMPLETE", std::iter::repeat_n(said, parts))
    }

    pub(super) fn cohere_thought(parts: usize) -> String {
        let thought = json!({"content": {"thinking": FRAGMENT}});
        let thought = json!({"type": "content-delta", "index": 0, "delta": {"message": thought}});
        cohere_deltas("COMPLETE", std::iter::repeat_n(thought, parts))
    }

    pub(super) fn cohere_streamed(parts: usize) -> String {
        cohere_calls(parts, (0..parts).rev())
    }

    /// In the order in which they began, which lets them out one by one.
    pub(super) fn cohere_one_by_one(parts: usize) -> String {
        cohere_calls(parts, 0..parts)
    }

    pub(super) fn anthropic(parts: usize) -> String {
        let call =
            |id| json!({"type": "tool_use", "id": format!("c{id}"), "name": format!("f{id}"), "input": {"a": 1}});
        json!({"id": "a", "type": "message", "model": "m", "stop_reason": "tool_use", "content": each(parts, call)})
            .to_string()
    }

    pub(super) fn anthropic_streamed(parts: usize) -> String {
        let calls = (0..parts).flat_map(|id| {
            let block = json!({"type": "tool_use", "id": format!("c{id}"), "name": "f", "input": {}});
            let delta = json!({"type": "input_json_delta", "partial_json": "{}"});
            [
                json!({"type": "content_block_start", "index": id, "content_block": block}),
                json!({"type": "content_block_delta", "index": id, "delta": delta}),
                json!({"type": "content_block_stop", "index": id}),
            ]
        });
        let first =
            json!({"type": "message_start", "message": {"id": "a", "model": "m", "usage": {"input_tokens": 1}}});
        let end = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}});
        events([first].into_iter().chain(calls).chain([end, json!({"type": "message_stop"})]))
    }

    pub(super) fn anthropic_arguments(parts: usize) -> String {
        let block = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
        let more = arguments(parts).map(|json| {
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": json}})
        });
        let first = [
            json!({"type": "message_start", "message": {"id": "a", "model": "m", "usage": {"input_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
        ];
        let last = [
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}}),
            json!({"type": "message_stop"}),
        ];
        events(first.into_iter().chain(more).chain(last))
    }

    pub(super) fn bedrock_arguments(parts: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut event = |name: &str, payload: Value| {
            let headers = [(":message-type", "event"), (":event-type", name)];
            eventstream::message(&mut out, &headers, payload.to_string().as_bytes());
        };
        event("messageStart", json!({"role": "assistant"}));
        let call = json!({"toolUse": {"toolUseId": "c", "name": "f"}});
        event("contentBlockStart", json!({"contentBlockIndex": 0, "start": call}));
        for json in arguments(parts) {
            let delta = json!({"toolUse": {"input": json}});
            event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta}));
        }
        event("contentBlockStop", json!({"contentBlockIndex": 0}));
        event("messageStop", json!({"stopReason": "tool_use"}));
        event("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 1}}));
        out
    }

    pub(super) fn bedrock(parts: usize) -> String {
        let call = |id| json!({"toolUse": {"toolUseId": format!("c{id}"), "name": "f", "input": {"a": 1}}});
        json!({"output": {"message": {"role": "assistant", "content": each(parts, call)}}, "stopReason": "tool_use"})
            .to_string()
    }

    fn candidate(parts: &Value) -> Value {
        json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]})
    }

    fn gemini_call(id: usize) -> Value {
        json!({"functionCall": {"name": format!("f{id}"), "args": {"a": 1}}, "thoughtSignature": "YWJj"})
    }

    pub(super) fn gemini(parts: usize) -> String {
        candidate(&each(parts, gemini_call).into()).to_string()
    }

    pub(super) fn gemini_streamed(parts: usize) -> String {
        let mut calls = each(parts, |id| candidate(&json!([gemini_call(id)])));
        for call in calls.iter_mut().rev().skip(1) {
            call["candidates"][0]["finishReason"] = Value::Null;
        }
        events(calls)
    }

    /// Each passage of the text has a source of its own.
    pub(super) fn gemini_sources(parts: usize) -> String {
        let chunk = |at| json!({"web": {"uri": format!("https://e.org/{at}"), "title": "t"}});
        let support =
            |at| json!({"segment": {"startIndex": 0, "endIndex": 1}, "groundingChunkIndices": [parts - 1 - at]});
        let mut answer = candidate(&json!([{"text": "a"}]));
        answer["candidates"][0]["groundingMetadata"] =
            json!({"groundingChunks": each(parts, chunk), "groundingSupports": each(parts, support)});
        answer.to_string()
    }
}
