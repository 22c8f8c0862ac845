//! What can be asked for in the words of OpenAI's chat completions.

use serde_json::{Value, json};
use weir_hub::endpoint::Endpoint;

use super::{function, of, said};
use crate::Feature;

pub(crate) fn chat() -> Vec<Feature> {
    let tools = json!([function("toolZ"), function("toolY")]);
    let chosen = |choice: Value| json!({"tools": tools, "tool_choice": choice});
    let schema = json!({"type": "object", "properties": {"propertyZ": {"type": "string"}}, "required": ["propertyZ"],
        "additionalProperties": false});
    let called = |result: Value| {
        json!({"tools": tools, "messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call00001", "type": "function", "function": {"name": "toolZ", "arguments": "{\"propertyZ\":\"argumentZ\"}"}},
                {"id": "call00002", "type": "function", "function": {"name": "toolY", "arguments": "{\"propertyZ\":\"argumentY\"}"}}
            ]},
            {"role": "tool", "tool_call_id": "call00001", "content": result},
            {"role": "tool", "tool_call_id": "call00002", "content": "resultY"}
        ]})
    };
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let with_call = |call: Value, function: Value| {
        let mut said = called(json!("a"));
        let calls = &mut said["messages"][1]["tool_calls"];
        calls[0].as_object_mut().unwrap().extend(call.as_object().unwrap().clone());
        calls[0]["function"].as_object_mut().unwrap().extend(function.as_object().unwrap().clone());
        said
    };
    let thought = |detail: Value| {
        let assistant = json!({"role": "assistant", "content": "b", "reasoning_details": [detail]});
        json!({"messages": [{"role": "user", "content": "a"}, assistant, {"role": "user", "content": "c"}]})
    };
    of(
        Endpoint::Chat,
        [
            ("max_tokens", json!({"max_tokens": 2345}), &["2345"][..]),
            ("max_completion_tokens", json!({"max_completion_tokens": 2345}), &["2345"]),
            ("temperature", json!({"temperature": 0.625}), &["0.625"]),
            ("temperature", json!({"temperature": 1.875}), &["1.875"]),
            ("top_p", json!({"top_p": 0.875}), &["0.875"]),
            ("top_k", json!({"top_k": 37}), &["37"]),
            ("presence_penalty", json!({"presence_penalty": 0.375}), &["0.375"]),
            ("frequency_penalty", json!({"frequency_penalty": 0.375}), &["0.375"]),
            ("seed", json!({"seed": 4321}), &["4321"]),
            ("logit_bias", json!({"logit_bias": {"54321": -7}}), &["54321"]),
            ("n", json!({"n": 3}), &["\"n\":3", "\"candidateCount\":3"]),
            ("logprobs", json!({"logprobs": true}), &["ogprobs\":true"]),
            (
                "top_logprobs|logprobs|include.message.output_text.logprobs",
                json!({"logprobs": true, "top_logprobs": 7}),
                &["ogprobs\":7"],
            ),
            ("stop", json!({"stop": "stopZ"}), &["stopZ"]),
            ("stop", json!({"stop": ["stopA", "stopB", "stopC", "stopD", "stopE", "stopZ"]}), &["stopZ"]),
            ("user", json!({"user": "userZ"}), &["userZ"]),
            ("safety_identifier|user", json!({"safety_identifier": "userZ"}), &["userZ"]),
            ("safety_identifier", json!({"safety_identifier": "nameZ", "user": "userZ"}), &["nameZ"]),
            ("user", json!({"safety_identifier": "nameZ", "user": "userZ"}), &["userZ"]),
            ("metadata", json!({"metadata": {"noteZ": "wordZ"}}), &["wordZ"]),
            ("store", json!({"store": true}), &["store"]),
            ("service_tier", json!({"service_tier": "flex"}), &["flex"]),
            ("service_tier", json!({"service_tier": "priority"}), &["priority"]),
            ("verbosity", json!({"verbosity": "low"}), &["\"verbosity\":\"low\""]),
            (
                "modalities|audio",
                json!({"modalities": ["text", "audio"], "audio": {"voice": "voiceZ", "format": "wav"}}),
                &["voiceZ"],
            ),
            ("prediction", json!({"prediction": {"type": "content", "content": "guessZ"}}), &["guessZ"]),
            ("prompt_cache_key", json!({"prompt_cache_key": "keyZ"}), &["keyZ"]),
            ("web_search_options", json!({"web_search_options": {"search_context_size": "high"}}), &["search_context"]),
            ("functions", json!({"functions": [{"name": "toolZ", "parameters": {"type": "object"}}]}), &["toolZ"]),
            ("unknown_field", json!({"unknown_field": "valueZ"}), &["valueZ"]),
            ("reasoning_effort", json!({"reasoning_effort": "low"}), &["\"low\"", "budget", "Budget", "LOW"]),
            ("reasoning_effort", json!({"reasoning_effort": "high"}), &["\"high\"", "budget", "Budget", "HIGH"]),
            ("parallel_tool_calls", json!({"tools": tools, "parallel_tool_calls": false}), &["parallel"]),
            ("tools", json!({"tools": tools}), &["propertyZ"]),
            ("tools", json!({"tools": tools}), &["describedZ"]),
            (
                "tools[0].unknown",
                json!({"tools": [{"type": "function", "function": {"name": "f"}, "unknown": "valueZ"}]}),
                &["valueZ"],
            ),
            (
                "tools[0].function.unknown",
                json!({"tools": [{"type": "function", "function": {"name": "f", "unknown": "valueZ"}}]}),
                &["valueZ"],
            ),
            (
                "messages[0].content[1].prompt_cache_breakpoint",
                said(json!({"type": "text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicitZ"}})),
                &["explicitZ"],
            ),
            (
                "messages[0].content[1].unknown",
                said(json!({"type": "text", "text": "b", "unknown": "valueZ"})),
                &["valueZ"],
            ),
            (
                "messages[0].content[1].image_url.unknown|messages[0].content[1].image_url.url",
                said(
                    json!({"type": "image_url", "image_url": {"url": "https://example.org/a.png", "unknown": "valueZ"}}),
                ),
                &["valueZ"],
            ),
            (
                "messages[0].content[1].file.unknown",
                said(
                    json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,ZmlsZVpa", "unknown": "valueZ"}}),
                ),
                &["valueZ"],
            ),
            (
                "messages[0].content[1].input_audio.unknown",
                said(
                    json!({"type": "input_audio", "input_audio": {"data": "c291bmRa", "format": "wav", "unknown": "valueZ"}}),
                ),
                &["valueZ"],
            ),
            ("messages[1].tool_calls[0].unknown", with_call(json!({"unknown": "valueZ"}), json!({})), &["valueZ"]),
            (
                "messages[1].tool_calls[0].function.unknown",
                with_call(json!({}), json!({"unknown": "valueZ"})),
                &["valueZ"],
            ),
            (
                "messages[1].reasoning_details[0].unknown",
                thought(json!({"type": "reasoning.text", "text": "a", "unknown": "valueZ"})),
                &["valueZ"],
            ),
            (
                "messages[1].reasoning_details[0].reasoning.odd",
                thought(json!({"type": "reasoning.odd", "data": "valueZ"})),
                &["valueZ"],
            ),
            (
                "tool_choice.unknown",
                chosen(json!({"type": "function", "function": {"name": "toolZ"}, "unknown": "valueZ"})),
                &["valueZ"],
            ),
            (
                "tool_choice.function.unknown",
                chosen(json!({"type": "function", "function": {"name": "toolZ", "unknown": "valueZ"}})),
                &["valueZ"],
            ),
            (
                "tool_choice.allowed_tools.unknown",
                chosen(json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "unknown": "valueZ",
                    "tools": [{"type": "function", "function": {"name": "toolZ"}}]}})),
                &["valueZ"],
            ),
            (
                "response_format.unknown|response_format.type",
                json!({"response_format": {"type": "json_object", "unknown": "valueZ"}}),
                &["valueZ"],
            ),
            (
                "response_format.json_schema.unknown",
                json!({"response_format": {"type": "json_schema",
                    "json_schema": {"name": "shapeZ", "schema": schema, "unknown": "valueZ"}}}),
                &["valueZ"],
            ),
            ("stream_options.unknown", json!({"stream": true, "stream_options": {"unknown": "valueZ"}}), &["valueZ"]),
            (
                "stream_options.include_obfuscation",
                json!({"stream": true, "stream_options": {"include_obfuscation": true}}),
                &["include_obfuscation"],
            ),
            ("tools[0]", json!({"tools": [{"type": "custom", "custom": {"name": "toolZ"}}]}), &["toolZ"]),
            ("tool_choice", chosen(json!("required")), &[":\"required\"", "\"any\"", "ANY", "REQUIRED", "\"any\":{}"]),
            ("tool_choice", chosen(json!("none")), &["\"none\"", "NONE"]),
            (
                "tool_choice",
                chosen(json!({"type": "function", "function": {"name": "toolZ"}})),
                &["\"tool_choice\":{", "toolConfig", "toolChoice", "REQUIRED"],
            ),
            (
                "tool_choice",
                chosen(json!({"type": "allowed_tools", "allowed_tools": {"mode": "required",
                    "tools": [{"type": "function", "function": {"name": "toolZ"}}]}})),
                &["allowed", "\"any\"", "ANY", "REQUIRED"],
            ),
            ("messages", called(json!("resultZ")), &["resultZ"]),
            ("messages", called(json!("resultZ")), &["argumentY"]),
            (
                "messages[2].content",
                called(json!([{"type": "text", "text": "a"}, image("data:image/png;base64,aW1hZ2Va")])),
                &["aW1hZ2Va"],
            ),
            (
                "messages[2].content",
                called(json!([{"type": "text", "text": "a"}, image("https://example.org/imageZ.png")])),
                &["imageZ"],
            ),
            ("messages[0].content", said(image("data:image/png;base64,aW1hZ2Va")), &["aW1hZ2Va"]),
            ("messages[0].content", said(image("https://example.org/imageZ.png")), &["imageZ"]),
            (
                "messages[0].content[1].image_url.detail",
                said(
                    json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1hZ2Va", "detail": "low"}}),
                ),
                &["\"low\"", "_LOW"],
            ),
            (
                "messages[0].content[1].image_url.detail",
                said(
                    json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1hZ2Va", "detail": "original"}}),
                ),
                &["_ULTRA_HIGH", "\"original\""],
            ),
            (
                "messages[0].content[1].image_url.detail",
                said(
                    json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1hZ2Va", "detail": "high"}}),
                ),
                &["\"high\"", "_HIGH"],
            ),
            (
                "messages[0].content",
                said(json!({"type": "input_audio", "input_audio": {"data": "c291bmRa", "format": "wav"}})),
                &["c291bmRa"],
            ),
            (
                "messages[0].content",
                said(
                    json!({"type": "file", "file": {"filename": "nameZ.pdf", "file_data": "data:application/pdf;base64,ZmlsZVpa"}}),
                ),
                &["ZmlsZVpa"],
            ),
            ("messages[0].content", said(json!({"type": "file", "file": {"file_id": "file-Z"}})), &["file-Z"]),
            (
                "messages",
                said(json!({"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}})),
                &["ephemeral", "cachePoint"],
            ),
            (
                "messages",
                said(json!({"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}})),
                &["\"1h\""],
            ),
            (
                "messages[0].name",
                json!({"messages": [{"role": "user", "content": "hello", "name": "nameZ"}]}),
                &["nameZ"],
            ),
            ("messages[0]", json!({"messages": [{"role": "user", "content": "hello", "unknownZ": 1}]}), &["unknownZ"]),
            (
                "messages",
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "systemZ"}, {"role": "user", "content": "b"}]}),
                &["systemZ"],
            ),
            (
                "messages",
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "secondZ"}]}),
                &["secondZ"],
            ),
            (
                "messages",
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "refusal": "refusalZ"}, {"role": "user", "content": "b"}]}),
                &["refusalZ"],
            ),
            ("response_format", json!({"response_format": {"type": "json_object"}}), &["json"]),
            (
                "response_format",
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "shapeZ", "strict": true, "schema": schema}}}),
                &["propertyZ"],
            ),
            (
                "tools[0].function.strict",
                json!({"tools": [{"type": "function", "function": {"name": "toolZ", "strict": true, "parameters": schema}}]}),
                &["strict", "VALIDATED"],
            ),
        ],
    )
}
