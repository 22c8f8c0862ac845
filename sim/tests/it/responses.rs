//! `/v1/responses`.

use serde_json::{Value, json};
use weir_sim::Sim;

use crate::client::{Ended, Got, post, sim, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

async fn respond(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, "/v1/responses", &with(json!({"model": model, "input": "Hi"}), more)).await
}

fn weather() -> Value {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([
        {"type": "function", "name": "weather", "parameters": parameters, "strict": true},
        {"type": "function", "name": "time", "parameters": {"type": "object", "properties": {}}},
    ])
}

/// The names of the events, each once in a row.
fn names(got: &Got) -> Vec<String> {
    let mut names: Vec<String> = got.events().into_iter().map(|(name, _)| name).collect();
    names.dedup();
    names.iter().map(|name| name.trim_start_matches("response.").to_owned()).collect()
}

/// What the deltas of one kind say together.
fn deltas(got: &Got, kind: &str) -> String {
    let of_kind = |data: &&Value| data["type"] == format!("response.{kind}.delta");
    got.data().iter().filter(of_kind).map(|data| data["delta"].as_str().unwrap().to_owned()).collect()
}

/// The object the last event has.
fn last(got: &Got) -> Value {
    got.data().last().unwrap()["response"].clone()
}

#[tokio::test]
async fn a_whole_response_has_a_message_and_repeats_the_request() {
    let sim = sim().await;
    let more = json!({"instructions": "Be brief.", "metadata": {"team": "a"}, "temperature": 0.5, "store": false});
    let got = respond(&sim, "gpt-4o", more).await;
    let body = got.json();
    assert_eq!((got.status, got.header("openai-processing-ms")), (200, "12"));
    assert!(got.header("x-request-id").starts_with("req_"));
    assert_eq!(
        (&body["object"], &body["status"], &body["model"]),
        (&json!("response"), &json!("completed"), &json!("gpt-4o"))
    );
    let message = &body["output"][0];
    assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")));
    let part = json!({"type": "output_text", "text": HEARD, "annotations": [], "logprobs": []});
    assert_eq!(message["content"], json!([part]));
    assert_eq!(
        (&body["instructions"], &body["temperature"], &body["store"]),
        (&json!("Be brief."), &json!(0.5), &json!(false))
    );
    assert_eq!((&body["metadata"]["team"], &body["text"]["format"]["type"]), (&json!("a"), &json!("text")));
    let usage = &body["usage"];
    let sum = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 0);
}

#[tokio::test]
async fn a_stream_counts_its_events_and_ends_with_the_whole() {
    let sim = sim().await;
    let got = respond(&sim, "gpt-4o", json!({"stream": true})).await;
    assert_eq!(got.header("content-type"), "text/event-stream; charset=utf-8");
    let expect = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names(&got), expect);
    for (number, (name, data)) in got.events().iter().enumerate() {
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((data["sequence_number"].as_u64(), &data["type"]), (u64::try_from(number).ok(), &json!(name)));
    }
    assert_eq!(deltas(&got, "output_text"), HEARD);
    let whole = respond(&sim, "gpt-4o", json!({})).await.json();
    let streamed = last(&got);
    assert_eq!(streamed["output"][0]["content"], whole["output"][0]["content"]);
    assert_eq!((&streamed["usage"], &streamed["status"]), (&whole["usage"], &json!("completed")));
    assert_eq!(
        (&got.data()[0]["response"]["status"], &got.data()[0]["response"]["usage"]),
        (&json!("in_progress"), &Value::Null)
    );
}

#[tokio::test]
async fn a_function_is_called_and_its_output_answered() {
    let sim = sim().await;
    let got = respond(&sim, "gpt-4o+parallel-2", json!({"stream": true, "tools": weather()})).await;
    let events =
        ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"];
    let mut expect = vec!["created", "in_progress"];
    expect.extend(events);
    expect.extend(events);
    expect.push("completed");
    assert_eq!(names(&got), expect);
    assert_eq!(deltas(&got, "function_call_arguments"), "{\"city\":\"example\"}{}");
    let body = last(&got);
    let call = &body["output"][0];
    assert_eq!(
        (&call["name"], &call["arguments"], &call["status"]),
        (&json!("weather"), &json!("{\"city\":\"example\"}"), &json!("completed"))
    );
    assert_ne!(call["id"], call["call_id"]);
    let one =
        respond(&sim, "gpt-4o+parallel-2", json!({"tools": weather(), "parallel_tool_calls": false})).await.json();
    assert_eq!(one["output"].as_array().unwrap().len(), 1);
    let named = json!({"tools": weather(), "tool_choice": {"type": "function", "name": "time"}});
    assert_eq!(respond(&sim, "gpt-4o", named).await.json()["output"][0]["name"], "time");

    let output = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"});
    let input = json!([{"role": "user", "content": "Hi"}, call, output]);
    let body = respond(&sim, "gpt-4o", json!({"tools": weather(), "input": input})).await.json();
    assert_eq!(body["output"][0]["content"][0]["text"], "The tool said \"sunny\", and that is what I heard.");
    let got = respond(&sim, "gpt-4o", json!({"input": [output]})).await;
    assert!(got.status == 400 && got.text().contains("No tool call found"), "{got:?}");
    let got = respond(&sim, "gpt-4o", json!({"input": [call]})).await;
    assert!(got.status == 400 && got.text().contains("No tool output found"), "{got:?}");
}

#[tokio::test]
async fn a_response_follows_one_that_was_stored() {
    let sim = sim().await;
    let first = respond(&sim, "gpt-4o", json!({"tools": weather()})).await.json();
    let id = &first["id"];
    let got = respond(&sim, "gpt-4o", json!({"previous_response_id": id})).await;
    assert!(got.status == 400 && got.text().contains("No tool output found"), "{got:?}");
    let output = json!({"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "sunny"});
    let second = respond(&sim, "gpt-4o", json!({"previous_response_id": id, "input": [output]})).await.json();
    assert_eq!(second["previous_response_id"], *id);
    assert!(second["usage"]["input_tokens"].as_u64() > first["usage"]["total_tokens"].as_u64());

    let unstored = respond(&sim, "gpt-4o", json!({"store": false})).await.json();
    for id in [&unstored["id"], &json!("resp_unheard_of")] {
        let got = respond(&sim, "gpt-4o", json!({"previous_response_id": id})).await;
        let error = &got.json()["error"];
        assert_eq!((got.status, &error["code"]), (400, &json!("previous_response_not_found")));
        assert_eq!(error["param"], "previous_response_id");
    }
}

#[tokio::test]
async fn reasoning_is_summed_up_and_sealed_for_the_next_turn() {
    let sim = sim().await;
    let more = json!({"stream": true, "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]});
    let got = respond(&sim, "gpt-5+reasoning-64", more).await;
    let expect = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
    ];
    assert_eq!(names(&got)[..expect.len()], expect);
    let body = last(&got);
    let thought = &body["output"][0];
    assert_eq!(
        (&thought["type"], &thought["summary"][0]["text"]),
        (&json!("reasoning"), &json!(deltas(&got, "reasoning_summary_text")))
    );
    assert!(body["usage"]["output_tokens_details"]["reasoning_tokens"].as_u64() > Some(64));
    assert_eq!(
        (&body["reasoning"], body["output"].as_array().unwrap().len()),
        (&json!({"effort": "low", "summary": "auto"}), 2)
    );

    let again = |thought: &Value| json!({"input": [{"role": "user", "content": "Hi"}, thought, {"role": "user", "content": "And?"}]});
    assert_eq!(respond(&sim, "gpt-5", again(thought)).await.status, 200);
    let mut touched = thought.clone();
    touched["encrypted_content"] = json!(thought["encrypted_content"].as_str().unwrap().to_lowercase());
    let got = respond(&sim, "gpt-5", again(&touched)).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (400, &json!("invalid_encrypted_content")));

    let quiet = respond(&sim, "gpt-5", json!({})).await.json();
    assert_eq!((&quiet["output"][0]["summary"], quiet["output"][0].get("encrypted_content")), (&json!([]), None));
}

#[tokio::test]
async fn limits_shapes_and_refusals_are_obeyed() {
    let sim = sim().await;
    let body = respond(&sim, "gpt-4o+tokens-500", json!({"max_output_tokens": 16})).await.json();
    assert_eq!(
        (&body["status"], &body["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    assert_eq!((&body["usage"]["output_tokens"], &body["output"][0]["status"]), (&json!(16), &json!("incomplete")));
    let got = respond(&sim, "gpt-4o+tokens-500", json!({"max_output_tokens": 16, "stream": true})).await;
    assert_eq!(names(&got).last().unwrap(), "incomplete");

    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
    let text = json!({"format": {"type": "json_schema", "name": "x", "strict": true, "schema": schema}});
    let body = respond(&sim, "gpt-4o", json!({"text": text})).await.json();
    assert_eq!(
        (&body["output"][0]["content"][0]["text"], &body["text"]["format"]["name"]),
        (&json!("{\"ok\":true}"), &json!("x"))
    );

    let got = respond(&sim, "gpt-4o+refusal", json!({"stream": true, "tools": weather()})).await;
    assert!(names(&got).contains(&"refusal.done".to_owned()));
    let part = &last(&got)["output"][0]["content"][0];
    assert_eq!((&part["type"], &part["refusal"]), (&json!("refusal"), &json!(deltas(&got, "refusal"))));
    let filtered = respond(&sim, "fault-finish-content-filter", json!({})).await.json();
    assert_eq!(filtered["incomplete_details"]["reason"], "content_filter");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let sim = sim().await;
    let check = async |model: &str, more: Value, param: Value, code: Value| {
        let got = respond(&sim, model, more.clone()).await;
        let error = &got.json()["error"];
        assert_eq!((got.status, &error["param"], &error["code"]), (400, &param, &code), "{more} {error}");
        assert_eq!(error["type"], "invalid_request_error");
    };
    let missing = json!("missing_required_parameter");
    check("m", json!({"input": null}), json!("input"), missing.clone()).await;
    check("m", json!({"input": 5}), json!("input"), json!("invalid_type")).await;
    check("m", json!({"messages": []}), Value::Null, json!("unsupported_parameter")).await;
    check("m", json!({"colour": 1}), json!("colour"), json!("unknown_parameter")).await;
    check("m", json!({"max_output_tokens": 3}), json!("max_output_tokens"), json!("integer_below_min_value")).await;
    check("m", json!({"temperature": 3}), json!("temperature"), json!("decimal_above_max_value")).await;
    check("gpt-5", json!({"temperature": 0.5}), json!("temperature"), json!("unsupported_parameter")).await;
    check("gpt-4o", json!({"reasoning": {"effort": "low"}}), json!("reasoning.effort"), json!("unsupported_parameter"))
        .await;
    check("gpt-5", json!({"reasoning": {"effort": "much"}}), json!("reasoning.effort"), json!("invalid_value")).await;
    check("m", json!({"include": ["secrets"]}), json!("include[0]"), json!("invalid_value")).await;
    check(
        "m",
        json!({"tools": [{"type": "function", "function": {"name": "x"}}]}),
        json!("tools[0].name"),
        missing.clone(),
    )
    .await;
    check("m", json!({"text": {"format": {"type": "json_schema", "schema": {}}}}), json!("text.format.name"), missing)
        .await;
    check("m", json!({"metadata": {"a": 1}}), json!("metadata.a"), json!("invalid_type")).await;
    check(
        "m",
        json!({"stream": true, "stream_options": {"include_usage": true}}),
        json!("stream_options.include_usage"),
        json!("unknown_parameter"),
    )
    .await;
    let part = json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]);
    check("m", json!({"input": part}), json!("input[0].content[0]"), json!("invalid_value")).await;
    check("fault-context-length", json!({}), json!("input"), json!("context_length_exceeded")).await;
}

#[tokio::test]
async fn a_failing_stream_says_so_in_its_own_events() {
    let sim = sim().await;
    let early = respond(&sim, "fault-error-event", json!({"stream": true})).await;
    assert_eq!(names(&early), ["created", "in_progress", "output_item.added", "content_part.added", "error", "failed"]);
    let numbers: Vec<u64> = early.data().iter().map(|data| data["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    let late = respond(&sim, "fault-error-event-late", json!({"stream": true})).await;
    assert_eq!(names(&late)[4..], ["output_text.delta", "failed"]);
    let body = last(&late);
    assert_eq!((&body["status"], &body["error"]["code"], late.status), (&json!("failed"), &json!("server_error"), 200));
    let whole = respond(&sim, "fault-error-event", json!({})).await;
    assert_eq!((whole.status, &whole.json()["status"]), (200, &json!("failed")));
    let cut = respond(&sim, "fault-no-done", json!({"stream": true})).await;
    assert_eq!((names(&cut).last().unwrap().as_str(), cut.end), ("output_item.done", Ended::Cleanly));
    let broken = respond(&sim, "fault-break", json!({"stream": true})).await;
    assert_eq!(broken.end, Ended::Broken);
    let limited = respond(&sim, "fault-429-retry-7", json!({"stream": true})).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, "7"));
}

#[tokio::test]
async fn tokens_are_counted_without_an_answer() {
    let sim = sim().await;
    let ask = json!({"model": "gpt-4o", "input": "Hi there", "instructions": "Be brief."});
    let counted = post(&sim, "/v1/responses/input_tokens", &ask).await.json();
    let whole = post(&sim, "/v1/responses", &ask).await.json();
    assert_eq!(counted, json!({"object": "response.input_tokens", "input_tokens": whole["usage"]["input_tokens"]}));
}
