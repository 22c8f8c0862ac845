use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;
use serde_json::{Value, json};
use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::{Chat, Content, Role, Thinking, ToolChoice};
use weir_hub::codec::json::{Collected, Str, scan};
use weir_hub::dialect::Dialect;
use weir_hub::dialect::gemini::{GenerateContent, Proof, SHOWS_THOUGHTS, SYSTEM};
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::Reject;
use weir_hub::piece::{Answer, Finish, Piece};
use weir_hub::usage::Usage;

use crate::exchange::{translate, trial};
use crate::provider::{self, Body, To};
use crate::upstream::Upstream;

const START: ReplyStart<'_> = ReplyStart {
    asked: Asked { endpoint: Endpoint::GenerateContent, ..trial::START.asked },
    echo: SHOWS_THOUGHTS,
    ..trial::START
};

/// What `dialect` is sent; the request is written anew even if it could be relayed.
fn asked(body: &str, dialect: &str, model: &str) -> Result<(Value, provider::Notes), Reject> {
    let first = scan(body.as_bytes())?;
    let (endpoint, delivery) = (Endpoint::GenerateContent, Delivery::Whole);
    let (usage, body) = (UsageChunk::Unwanted, body.as_bytes());
    let call = Call { asked: Asked { endpoint, delivery, usage }, model: "asked", betas: "", body, scan: &first };
    let upstream = Upstream::default();
    let provider = provider::by_name(dialect).unwrap();
    let mut to = To::new(provider, &upstream, model, &call);
    let reworded = GenerateContent.reword(&call);
    let body = reworded.as_deref().unwrap_or(body);
    let again = scan(body)?;
    let chat = GenerateContent.read(&Call { body, scan: &again, ..call })?;
    to.known(&chat);
    let ask = provider.chat_api().unwrap().write(&chat, &mut to);
    let Body::Replaced(up) = to.refuse_unsupported(ask)?.body else { panic!("it is written") };
    Ok((serde_json::from_slice(&up).unwrap(), to.notes))
}

/// Checks the chat that is read from a request that needs no rewording.
fn check(body: &Value, expect: impl FnOnce(Chat<'_>)) {
    let body = body.to_string();
    let scan = scan(body.as_bytes()).unwrap();
    let (endpoint, delivery, usage) = (Endpoint::GenerateContent, Delivery::Whole, UsageChunk::Unwanted);
    let call =
        Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
    expect(GenerateContent.read(&call).unwrap());
}

fn refused(body: &str) -> (String, String) {
    let problem = asked(body, "gemini", "gemini-2.5-flash").unwrap_err().problem();
    (problem.code, problem.param.unwrap_or_default())
}

/// Gemini's budgets may be below Claude's minimum, and may be as large as the whole answer. Claude refuses such a
/// request.
#[test]
fn a_budget_for_thoughts_is_one_that_the_model_takes() {
    let check = |config: Value, expect: u64, notes: &[&str]| {
        let body = json!({"contents": [{"parts": [{"text": "a"}]}], "generationConfig": config});
        let (up, noted) = asked(&body.to_string(), "anthropic", "claude-sonnet-4-5").unwrap();
        assert_eq!(up["thinking"], json!({"type": "enabled", "budget_tokens": expect}), "{config}");
        assert_eq!(noted.emulated, notes, "{config}");
    };
    let thinking = "generationConfig.thinkingConfig";
    check(json!({"thinkingConfig": {"thinkingBudget": 5000}, "maxOutputTokens": 6000}), 5000, &[]);
    check(json!({"thinkingConfig": {"thinkingBudget": 512}}), 1024, &[thinking]);
    check(json!({"thinkingConfig": {"thinkingBudget": 8192}, "maxOutputTokens": 8192}), 4096, &[thinking]);
}

/// A caller who wants to see any thoughts there are was refused if the answer was to be short.
#[test]
fn thoughts_as_the_model_sees_fit_need_no_room() {
    let body = json!({"contents": [{"parts": [{"text": "a"}]}], "generationConfig":
        {"thinkingConfig": {"thinkingBudget": -1, "includeThoughts": true}, "maxOutputTokens": 500}});
    let (up, noted) = asked(&body.to_string(), "anthropic", "claude-sonnet-4-5").unwrap();
    assert_eq!((up.get("thinking"), &up["max_tokens"]), (None, &json!(500)));
    assert_eq!(noted.dropped, ["generationConfig.thinkingConfig"]);
}

#[test]
fn a_request_is_the_same_there_and_back() {
    let request = json!({
        "systemInstruction": {"parts": [{"text": "Be terse."}, {"text": "Never say \"no\".\n"}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "Compare."},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "BBBB"}},
                {"inlineData": {"mimeType": "audio/wav", "data": "CCCC"}}]},
            {"role": "model", "parts": [
                {"text": "Looking.", "thoughtSignature": "CiQB0e2Kb7=="},
                {"functionCall": {"id": "a1", "name": "look", "args": {"z": [1, {"a": null}], "b": "é\n"}}, "thoughtSignature": "CiQC"},
                {"functionCall": {"id": "a2", "name": "look", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "a1", "name": "look", "response": {"output": "nothing"}}},
                {"functionResponse": {"id": "a2", "name": "look", "response": {"error": "blind"}}},
                {"text": "Well?"}]}],
        "tools": [{"functionDeclarations": [
            {"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object", "properties": {"z": {}, "a": {}}}},
            {"name": "act", "description": ""}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["act"]}},
        "generationConfig": {"temperature": 1.5, "topP": 0.9, "topK": 40, "seed": 7, "presencePenalty": 0.5,
            "frequencyPenalty": -0.5, "maxOutputTokens": 9000, "candidateCount": 2, "stopSequences": ["END"],
            "responseLogprobs": true, "logprobs": 3, "thinkingConfig": {"thinkingLevel": "low", "includeThoughts": true}}
    });
    let (up, notes) = asked(&request.to_string(), "gemini", "gemini-3-pro-preview").unwrap();
    assert_eq!(notes, provider::Notes::default());
    assert_eq!(up, request);
}

#[test]
fn both_spellings_and_the_older_schemas_are_read() {
    let snake = r#"{"system_instruction":{"parts":{"text":"Be terse."}},
        "contents":{"parts":[{"inline_data":{"mime_type":"image/png","data":"AAAA"}}]},
        "tools":[{"function_declarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}}]}],
        "tool_config":{"function_calling_config":{"mode":"any"}},"safety_settings":[],
        "generation_config":{"max_output_tokens":"9.0","top_k":40.0,"candidate_count":1,"presence_penalty":0.0}}"#;
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "Be terse."}]},
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d",
            "parametersJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {"maxOutputTokens": 9, "topK": 40}
    });
    assert_eq!(asked(snake, "gemini", "gemini-2.5-flash").unwrap().0, camel);
}

#[test]
fn calls_without_ids_are_named_by_their_place() {
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {}}});
    let response = |name: &str| json!({"functionResponse": {"name": name, "response": {"result": {"a": 1}}}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Go."}]},
        {"role": "model", "parts": [call("f"), call("g"), call("f")]},
        {"role": "function", "parts": [response("f"), response("f"), response("g")]},
        {"role": "model", "parts": [call("f")]},
        {"role": "user", "parts": [response("f"), {"text": "And?"}]}]});
    check(&body, |chat| {
        let mut ids = Vec::new();
        for turn in &chat.turns {
            for part in &turn.parts {
                match &part.content {
                    Content::Call { id, .. } => ids.push(("call", id.to_string())),
                    Content::Result { id, parts, .. } => {
                        assert_eq!((turn.role, turn.parts.len()), (Role::Tool, 1));
                        assert_eq!(parts[0].content, Content::Text(r#"{"result":{"a":1}}"#.into()));
                        ids.push(("result", id.to_string()));
                    }
                    _ => {}
                }
            }
        }
        let expect = [
            ("call", "call_1_0"),
            ("call", "call_1_1"),
            ("call", "call_1_2"),
            ("result", "call_1_0"),
            ("result", "call_1_2"),
            ("result", "call_1_1"),
            ("call", "call_3_0"),
            ("result", "call_3_0"),
        ];
        assert_eq!(ids, expect.map(|(kind, id)| (kind, id.to_string())));
        assert_eq!(chat.turns.last().map(|turn| turn.role), Some(Role::User));
    });
    let orphan = json!({"contents": [{"role": "user", "parts": [response("f")]}]}).to_string();
    assert_eq!(refused(&orphan).1, "contents[0].parts[0].functionResponse.name");
}

#[test]
fn the_chunks_of_a_stream_come_back_as_one_turn() {
    let proof = Proof::Words { signature: "EqoB".into(), words: "".into() }.write();
    let chunk = |part: Value| json!({"role": "model", "parts": [part]});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        chunk(json!({"text": "They", "thought": true})),
        chunk(json!({"text": " greet.", "thought": true})),
        chunk(json!({"text": "", "thought": true, "thoughtSignature": proof})),
        chunk(json!({"text": "Hel"})), chunk(json!({"text": "lo"})), chunk(json!({"text": ""})),
        {"role": "user", "parts": [{"text": "And?"}]}]});
    check(&body, |chat| {
        let contents: Vec<_> = chat.turns[1].parts.iter().map(|part| part.content.clone()).collect();
        let expect = [
            Content::Reasoning { text: "They greet.".into(), signature: Some("EqoB".into()) },
            Content::Text("Hel".into()),
            Content::Text("lo".into()),
        ];
        assert_eq!(contents, expect);
        assert_eq!((chat.turns.len(), chat.turns[2].at), (3, 7));
    });
    let (up, _) = asked(&body.to_string(), "anthropic", "claude-sonnet-4-5").unwrap();
    let thinking = json!({"type": "thinking", "thinking": "They greet.", "signature": "EqoB"});
    assert_eq!(up["messages"][1]["content"][0], thinking);
}

#[test]
fn refusals_name_the_field_as_this_api_does() {
    let check = |body: &str, field: &str| assert_eq!(refused(body).1, field, "{body}");
    let with = |member: &str, field: &str| {
        check(&format!(r#"{{"contents":[{{"parts":[{{"text":"a"}}]}}],{member}}}"#), field);
    };
    let says = |role: &str, part: &str, field: &str| {
        let body = format!(
            r#"{{"contents":[{{"role":"user","parts":[{{"text":"a"}}]}},{{"role":"{role}","parts":[{part}]}}]}}"#
        );
        check(&body, field);
    };
    check("{}", "contents");
    check(r#"{"contents":[]}"#, "contents");
    check(r#"{"contents":[{"role":"user"}]}"#, "contents[0].parts");
    says("robot", "{}", "contents[1].role");
    says("user", r#"{"text":7}"#, "contents[1].parts[0].text");
    says("user", r#"{"text":"a","inlineData":{}}"#, "contents[1].parts[0]");
    says("user", r#"{"inline_data":{"data":"A"}}"#, "contents[1].parts[0].inlineData.mimeType");
    says("model", r#"{"functionCall":{"args":{}}}"#, "contents[1].parts[0].functionCall.name");
    says("model", r#"{"functionCall":{"name":"f","args":"{}"}}"#, "contents[1].parts[0].functionCall.args");
    with(r#""generationConfig":{"maxOutputTokens":0}"#, "generationConfig.maxOutputTokens");
    with(r#""generationConfig":{"topK":1.5}"#, "generationConfig.topK");
    with(r#""generationConfig":{"stopSequences":[7]}"#, "generationConfig.stopSequences[0]");
    with(
        r#""generationConfig":{"thinkingConfig":{"thinkingLevel":"x"}}"#,
        "generationConfig.thinkingConfig.thinkingLevel",
    );
    with(r#""tools":[{"functionDeclarations":[{}]}]"#, "tools[0].functionDeclarations[0].name");
    with(r#""toolConfig":{"functionCallingConfig":{"mode":"x"}}"#, "toolConfig.functionCallingConfig.mode");
    with(
        r#""toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}"#,
        "toolConfig.functionCallingConfig.allowedFunctionNames[0]",
    );
    with(r#""systemInstruction":{"parts":[{"text":7}]}"#, "systemInstruction.parts[0].text");
}

#[test]
fn what_nobody_else_has_words_for_is_refused_by_name() {
    let with = |member: &str, field: &str| {
        let body = format!(r#"{{"contents":[{{"parts":[{{"text":"a"}}]}}],{member}}}"#);
        assert_eq!(refused(&body), ("unsupported_parameter".to_string(), field.to_string()), "{body}");
    };
    let says = |role: &str, part: &str, field: &str| {
        let body = format!(r#"{{"contents":[{{"role":"{role}","parts":[{part}]}},{{"parts":[{{"text":"a"}}]}}]}}"#);
        assert_eq!(refused(&body), ("unsupported_parameter".to_string(), field.to_string()), "{body}");
    };
    with(r#""tools":[{"googleSearch":{}}]"#, "tools[0].googleSearch");
    with(r#""tools":[{"code_execution":{}}]"#, "tools[0].codeExecution");
    with(r#""cachedContent":"cachedContents/1""#, "cachedContent");
    with(r#""safetySettings":[{"category":"c","threshold":"BLOCK_LOW_AND_ABOVE"}]"#, "safetySettings");
    with(r#""generationConfig":{"responseModalities":["IMAGE"]}"#, "generationConfig.responseModalities");
    with(r#""generationConfig":{"speechConfig":{"voiceConfig":{}}}"#, "generationConfig.speechConfig");
    with(r#""generationConfig":{"responseMimeType":"text/x.enum"}"#, "generationConfig.responseMimeType");
    with(r#""systemInstruction":{"parts":[{"inlineData":{}}]}"#, "systemInstruction.parts[0].inlineData");
    says("model", r#"{"executableCode":{"language":"PYTHON","code":"1"}}"#, "contents[0].parts[0].executableCode");
    says("user", r#"{"inlineData":{"mimeType":"video/mp4","data":"A"}}"#, "contents[0].parts[0].inlineData");
    says("user", r#"{"fileData":{"fileUri":"gs://a/b.pdf"}}"#, "contents[0].parts[0].fileData");
}

#[test]
fn what_only_advises_is_left_out_and_noted() {
    let body = r#"{"contents":[{"parts":[{"text":"a"}]}],"labels":{"team":"a"},"store":false,"serviceTier":"standard",
        "safetySettings":[{"category":"c","threshold":"BLOCK_NONE"},{"category":"d","threshold":"OFF"}],
        "generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW","responseModalities":["TEXT"],"candidateCount":1,
            "enableEnhancedCivicAnswers":false}}"#;
    let (_, notes) = asked(body, "anthropic", "claude-sonnet-4-5").unwrap();
    assert_eq!(notes.dropped, ["labels", "safetySettings", "generationConfig.mediaResolution"]);
}

#[test]
fn a_choice_among_some_offers_only_those() {
    let body = json!({"contents": [{"parts": [{"text": "a"}]}],
        "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}, {"name": "h"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["h", "f"]}}});
    check(&body, |chat| {
        assert_eq!(chat.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["f", "h"]);
        assert_eq!(chat.tool_choice, Some(ToolChoice::Required));
        assert_eq!(chat.emulated, ["toolConfig.functionCallingConfig.allowedFunctionNames"]);
    });
}

#[test]
fn thinking_is_told_in_tokens_or_levels() {
    let check = |config: Value, expect: (Option<Thinking>, Option<weir_hub::chat::Effort>)| {
        let body = json!({"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"thinkingConfig": config}});
        self::check(&body, |chat| assert_eq!((chat.thinking, chat.effort), expect));
    };
    check(json!({"thinkingBudget": 0}), (Some(Thinking::Off), None));
    check(json!({"thinkingBudget": -1}), (Some(Thinking::Adaptive), None));
    check(json!({"thinkingBudget": 1024, "includeThoughts": true}), (Some(Thinking::Budget(1024)), None));
    check(json!({"thinkingLevel": "HIGH"}), (None, Some(weir_hub::chat::Effort::High)));
    check(json!({"includeThoughts": true}), (Some(Thinking::Adaptive), None));
    check(json!({"includeThoughts": false}), (None, None));
}

#[test]
fn fields_have_this_apis_names() {
    let check = |field: &str, expect: &str| assert_eq!(GenerateContent.field(field), expect);
    check("stop", "generationConfig.stopSequences");
    check("temperature", "generationConfig.temperature");
    check("response_format.type", "generationConfig.responseMimeType");
    check("response_format.json_schema.strict", "generationConfig.responseJsonSchema");
    check("tool_choice", "toolConfig.functionCallingConfig");
    check("messages[2].content[0].image_url", "contents[2].parts[0]");
    check("messages[2].tool_calls[0].function.arguments", "contents[2].parts");
    check(&To::of_message(SYSTEM, "content[1]"), "systemInstruction.parts[1]");
    check("tools[3].function.strict", "tools[0].functionDeclarations[3].strict");
    check("tools[3].function.parameters", "tools[0].functionDeclarations[3].parametersJsonSchema");
}

/// The events of a stream.
fn events(stream: &str) -> Vec<Value> {
    let event = |event: &str| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
    stream.split_terminator("\n\n").map(event).collect()
}

/// The parts of a stream's first candidate, joined as a caller joins them.
fn collected(stream: &str) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    for event in events(stream) {
        for part in event["candidates"][0]["content"]["parts"].as_array().unwrap() {
            match parts.last_mut() {
                Some(last)
                    if last["text"].is_string()
                        && part["text"].is_string()
                        && last["thought"] == part["thought"]
                        && last["thoughtSignature"].is_null() =>
                {
                    last["text"] = (last["text"].as_str().unwrap().to_string() + part["text"].as_str().unwrap()).into();
                    if !part["thoughtSignature"].is_null() {
                        last["thoughtSignature"] = part["thoughtSignature"].clone();
                    }
                }
                _ => parts.push(part.clone()),
            }
        }
    }
    parts
}

/// What a caller receives of an answer of Gemini's or Claude's.
fn answered(dialect: &str, delivery: Delivery, echo: &str, answer: &str) -> String {
    let start = ReplyStart { asked: Asked { delivery, ..START.asked }, echo, ..START };
    let provider = provider::by_name(dialect).unwrap();
    let reader = provider.chat_api().unwrap().reader(&start);
    let mut reply = translate::reply(&GenerateContent, provider.chat_api().unwrap().framing(), reader, &start);
    let mut out = Vec::new();
    reply.read(answer.as_bytes(), &mut out).unwrap();
    reply.end(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn part() -> impl Strategy<Value = Value> {
    let words = "[a-z é😀\"\\\\\n]{0,12}[a-z]";
    prop_oneof![
        words.prop_map(|text| json!({"text": text})),
        words.prop_map(|text| json!({"text": text, "thought": true})),
        ("[a-z]{1,8}", "[a-z\"é{}\\\\]{0,8}").prop_map(|(name, value)| {
            json!({"functionCall": {"id": format!("id_{name}"), "name": name, "args": {"value": value, "deep": [{}]}}})
        }),
        ("[a-z]{1,8}", "[A-Za-z0-9+/]{8}").prop_map(|(name, proof)| {
            json!({"functionCall": {"id": "id", "name": name, "args": {}}, "thoughtSignature": proof})
        }),
        "[A-Za-z0-9+/]{8}".prop_map(|data| json!({"inlineData": {"mimeType": "image/png", "data": data}})),
    ]
}

/// A block of Claude's thinking.
fn block() -> impl Strategy<Value = Value> {
    prop_oneof![
        ("[a-z é\"\\\\\n]{0,12}", "[A-Za-z0-9+/]{4,12}")
            .prop_map(|(text, proof)| json!({"type": "thinking", "thinking": text, "signature": proof})),
        "[A-Za-z0-9]{4,12}".prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
    ]
}

proptest! {
    #[test]
    fn an_answer_is_the_same_there_and_back(
        mut parts in proptest::collection::vec(part(), 1..6),
        stop in prop_oneof![Just("STOP"), Just("MAX_TOKENS"), Just("SAFETY")],
    ) {
        // Two texts in a row mean the same as one.
        parts.dedup_by(|a, b| a["text"].is_string() && b["text"].is_string() && a["thought"] == b["thought"]);
        let answer = json!({
            "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0, "finishReason": stop}],
            "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 14,
                "cachedContentTokenCount": 3, "thoughtsTokenCount": 2},
            "modelVersion": "gemini", "responseId": "r1"});
        let whole = answered("gemini", Delivery::Whole, SHOWS_THOUGHTS, &answer.to_string());
        prop_assert_eq!(&serde_json::from_str::<Value>(&whole).unwrap(), &answer);
        let streamed = answered("gemini", Delivery::Streamed, SHOWS_THOUGHTS, &format!("data: {answer}\n\n"));
        let mut told = collected(&streamed);
        // Every stream ends with a part, which may be empty.
        if told.last().unwrap()["text"] == "" {
            told.pop();
        }
        prop_assert_eq!(&told, &parts);
        let events = events(&streamed);
        let last = events.last().unwrap();
        prop_assert_eq!(&last["usageMetadata"], &answer["usageMetadata"]);
        prop_assert_eq!(&last["candidates"][0]["finishReason"], stop);
        prop_assert!(events.iter().all(|event| event["responseId"] == "r1" && event["modelVersion"] == "gemini"));
    }

    /// Claude's thoughts get back to it, whether the caller saw them or not.
    #[test]
    fn foreign_thoughts_come_back(
        mut content in proptest::collection::vec(block(), 1..4),
        shown in any::<bool>(),
        streamed in any::<bool>(),
    ) {
        content.push(json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}));
        let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
            "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 5}}).to_string();
        let echo = if shown { SHOWS_THOUGHTS } else { "" };
        let whole = answered("anthropic", Delivery::Whole, echo, &message);
        let whole: Value = serde_json::from_str(&whole).unwrap();
        let mut said = whole["candidates"][0]["content"]["parts"].as_array().unwrap().clone();
        if streamed {
            // Each part separately, as chunks are.
            said = said.into_iter().map(|part| json!({"role": "model", "parts": [part]})).collect();
        } else {
            said = alloc::vec![json!({"role": "model", "parts": said})];
        }
        if !shown {
            let words = |part: &Value| part["thought"] == true && part["text"] != "";
            prop_assert!(!whole["candidates"][0]["content"]["parts"].as_array().unwrap().iter().any(words));
        }
        let mut contents = alloc::vec![json!({"role": "user", "parts": [{"text": "Go."}]})];
        contents.extend(said);
        contents.push(json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "b"}}}]}));
        let (up, _) = asked(&json!({"contents": contents}).to_string(), "anthropic", "claude-sonnet-4-5").unwrap();
        prop_assert_eq!(&up["messages"][1]["content"], &Value::from(content));
        prop_assert_eq!(&up["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
    }

    #[test]
    fn calls_whose_fragments_are_mixed_become_whole(
        names in proptest::collection::vec("[a-z]{1,6}", 1..5),
        order in proptest::collection::vec(0usize..5, 0..40),
        cut in 1usize..6,
    ) {
        let arguments: Vec<_> = names.iter().map(|name| json!({"a": [name, "}\"\\"]}).to_string()).collect();
        let fragments: Vec<Vec<String>> = arguments.iter().map(|text| {
            text.chars().collect::<Vec<_>>().chunks(cut).map(|chunk| chunk.iter().collect()).collect()
        }).collect();
        let mut stream = GenerateContent.stream(&ReplyStart { echo: "", ..START });
        let mut out = Vec::new();
        stream.piece(Piece::Start { id: "a".into(), model: "m".into() }, &mut out);
        for (index, name) in (0u32..).zip(&names) {
            let name = Str::Plain(name);
            stream.piece(Piece::Call { index, id: name, name }, &mut out);
        }
        let mut next = alloc::vec![0; names.len()];
        let rest = (0..names.len()).flat_map(|call| core::iter::repeat_n(call, 64));
        for call in order.into_iter().chain(rest) {
            let call = call % names.len();
            if let Some(fragment) = fragments[call].get(next[call]) {
                next[call] += 1;
                let json = Collected::from(Str::Plain(fragment));
                stream.piece(Piece::Arguments { index: u32::try_from(call).unwrap(), json: json.get() }, &mut out);
            }
        }
        stream.piece(Piece::Finish(Finish::ToolCalls), &mut out);
        stream.end(&Usage::default(), &mut out);
        let told = collected(&String::from_utf8(out).unwrap());
        prop_assert_eq!(told.len(), names.len() + 1);
        for ((part, name), arguments) in told.iter().zip(&names).zip(&arguments) {
            prop_assert_eq!(&part["functionCall"]["name"], name);
            prop_assert_eq!(&part["functionCall"]["args"], &serde_json::from_str::<Value>(arguments).unwrap());
        }
    }
}

#[test]
fn a_call_that_is_no_json_is_not_shown() {
    let check = |finish: Finish, expect: &str| {
        let mut answer = Answer::default();
        answer.add(Piece::Call { index: 0, id: "a".into(), name: "f".into() });
        answer.add(Piece::Arguments { index: 0, json: "{\"a\":".into() });
        answer.add(Piece::Finish(finish));
        let mut out = Vec::new();
        GenerateContent.whole(&answer, &Usage::default(), &START, &mut out);
        let whole: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(whole["candidates"][0]["finishReason"], expect);
        assert_eq!(whole["candidates"][0]["content"]["parts"], json!([{"text": ""}]));
    };
    check(Finish::ToolCalls, "MALFORMED_FUNCTION_CALL");
    check(Finish::Length, "MAX_TOKENS");
}
