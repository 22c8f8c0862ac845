//! What can be asked for in the words of OpenAI's Responses.

use serde_json::{Value, json};
use weir_hub::endpoint::Endpoint;

use super::of;
use crate::Feature;

pub(crate) fn responses() -> Vec<Feature> {
    let schema = json!({"type": "object", "properties": {"propertyZ": {"type": "string"}}, "required": ["propertyZ"],
        "additionalProperties": false});
    let tools = json!([{"type": "function", "name": "toolZ", "strict": true, "parameters": schema}]);
    let input =
        |part: Value| json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}, part]}]});
    let called = |call: Value, output: Value| {
        let mut items = [
            json!({"role": "user", "content": "a"}),
            json!({"type": "function_call", "call_id": "call00001", "name": "toolZ", "arguments": "{}"}),
            json!({"type": "function_call_output", "call_id": "call00001", "output": "b"}),
        ];
        items[1].as_object_mut().unwrap().extend(call.as_object().unwrap().clone());
        items[2].as_object_mut().unwrap().extend(output.as_object().unwrap().clone());
        json!({"tools": tools, "input": items})
    };
    let thought = |item: Value| {
        json!({"input": [{"role": "user", "content": "a"}, item, {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"}]})
    };
    of(
        Endpoint::Responses,
        [
            ("max_output_tokens", json!({"max_output_tokens": 2345}), &["2345"][..]),
            ("instructions", json!({"instructions": "systemZ"}), &["systemZ"]),
            ("temperature", json!({"temperature": 0.625}), &["0.625"]),
            ("top_p", json!({"top_p": 0.875}), &["0.875"]),
            (
                "top_logprobs|logprobs|include.message.output_text.logprobs",
                json!({"top_logprobs": 7}),
                &["ogprobs\":7"],
            ),
            ("include", json!({"include": ["web_search_call.action.sources"]}), &["action.sources"]),
            ("store", json!({"store": true}), &["store"]),
            ("previous_response_id", json!({"previous_response_id": "resp_Z"}), &["resp_Z"]),
            ("conversation", json!({"conversation": "conv_Z"}), &["conv_Z"]),
            ("background", json!({"background": true}), &["background"]),
            ("prompt", json!({"prompt": {"id": "pmpt_Z"}}), &["pmpt_Z"]),
            ("truncation", json!({"truncation": "auto"}), &["truncation"]),
            ("service_tier", json!({"service_tier": "flex"}), &["flex"]),
            ("user", json!({"user": "userZ"}), &["userZ"]),
            ("safety_identifier|user", json!({"safety_identifier": "userZ"}), &["userZ"]),
            ("user", json!({"safety_identifier": "nameZ", "user": "userZ"}), &["userZ"]),
            ("prompt_cache_key", json!({"prompt_cache_key": "keyZ"}), &["keyZ"]),
            ("unknown_field", json!({"unknown_field": "valueZ"}), &["valueZ"]),
            ("text.verbosity", json!({"text": {"verbosity": "low"}}), &["\"verbosity\":\"low\""]),
            (
                "text",
                json!({"text": {"format": {"type": "json_schema", "name": "shapeZ", "strict": true, "schema": schema}}}),
                &["propertyZ"],
            ),
            ("text", json!({"text": {"format": {"type": "json_object"}}}), &["json"]),
            ("reasoning.effort", json!({"reasoning": {"effort": "high"}}), &["\"high\"", "udget", "HIGH"]),
            ("reasoning.unknown", json!({"reasoning": {"unknown": "valueZ"}}), &["valueZ"]),
            ("parallel_tool_calls", json!({"tools": tools, "parallel_tool_calls": false}), &["parallel"]),
            ("tools", json!({"tools": tools}), &["propertyZ"]),
            (
                "tools[0].unknown",
                json!({"tools": [{"type": "function", "name": "f", "unknown": "valueZ"}]}),
                &["valueZ"],
            ),
            (
                "tools[0].allowed_callers",
                json!({"tools": [{"type": "function", "name": "f", "allowed_callers": ["programmatic"]}]}),
                &["programmatic"],
            ),
            (
                "tools[0].output_schema",
                json!({"tools": [{"type": "function", "name": "f", "output_schema": {"title": "schemaZ"}}]}),
                &["schemaZ"],
            ),
            (
                "input[0].content[1].prompt_cache_breakpoint",
                input(json!({"type": "input_text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicitZ"}})),
                &["explicitZ"],
            ),
            (
                "input[0].content[1].unknown",
                input(json!({"type": "input_text", "text": "b", "unknown": "valueZ"})),
                &["valueZ"],
            ),
            (
                "input[0].content[1].unknown|input[0].content[1].image_url",
                input(json!({"type": "input_image", "image_url": "https://example.org/a.png", "unknown": "valueZ"})),
                &["valueZ"],
            ),
            (
                "input[0].content[1].detail|input[0].content[1].file",
                input(json!({"type": "input_file", "file_url": "https://example.org/a.pdf", "detail": "high"})),
                &["\"high\""],
            ),
            (
                "input[0].content[1].input_audio.unknown",
                input(
                    json!({"type": "input_audio", "input_audio": {"data": "c291bmRa", "format": "wav", "unknown": "valueZ"}}),
                ),
                &["valueZ"],
            ),
            ("input[1].unknown", called(json!({"unknown": "valueZ"}), json!({})), &["valueZ"]),
            (
                "input[1].caller",
                called(json!({"caller": {"type": "program", "caller_id": "programZ"}}), json!({})),
                &["programZ"],
            ),
            ("input[2].unknown", called(json!({}), json!({"unknown": "valueZ"})), &["valueZ"]),
            (
                "input[2].caller",
                called(json!({}), json!({"caller": {"type": "program", "caller_id": "programZ"}})),
                &["programZ"],
            ),
            (
                "input[1].unknown",
                thought(json!({"type": "reasoning", "summary": [], "encrypted_content": "a", "unknown": "valueZ"})),
                &["valueZ"],
            ),
            (
                "input[1].summary[0].unknown",
                thought(
                    json!({"type": "reasoning", "encrypted_content": "a", "summary": [{"type": "summary_text", "text": "a", "unknown": "valueZ"}]}),
                ),
                &["valueZ"],
            ),
            (
                "tool_choice.unknown",
                json!({"tools": tools, "tool_choice": {"type": "function", "name": "toolZ", "unknown": "valueZ"}}),
                &["valueZ"],
            ),
            ("text.format.unknown", json!({"text": {"format": {"type": "text", "unknown": "valueZ"}}}), &["valueZ"]),
            (
                "tools[0].format.unknown",
                json!({"tools": [{"type": "custom", "name": "toolZ",
                    "format": {"type": "grammar", "syntax": "lark", "definition": "a", "unknown": "valueZ"}}]}),
                &["valueZ"],
            ),
            (
                "tools[0].format",
                json!({"tools": [{"type": "custom", "name": "toolZ", "format": {"type": "shapeZ"}}]}),
                &["shapeZ"],
            ),
            (
                "tools[0].unknown",
                json!({"tools": [{"type": "namespace", "name": "spaceZ", "tools": tools, "unknown": "valueZ"}]}),
                &["valueZ"],
            ),
            ("stream_options.unknown", json!({"stream": true, "stream_options": {"unknown": "valueZ"}}), &["valueZ"]),
            (
                "tools[0]",
                json!({"tools": [{"type": "web_search", "search_context_size": "high"}]}),
                &["search_context"],
            ),
            ("tools[0]", json!({"tools": [{"type": "file_search", "vector_store_ids": ["vs_Z"]}]}), &["vs_Z"]),
            (
                "tools[0]",
                json!({"tools": [{"type": "mcp", "server_label": "serverZ", "server_url": "https://example.org"}]}),
                &["serverZ"],
            ),
            (
                "tool_choice",
                json!({"tools": tools, "tool_choice": "required"}),
                &[":\"required\"", "\"any\"", "ANY", "REQUIRED"],
            ),
            (
                "input",
                input(json!({"type": "input_image", "image_url": "data:image/png;base64,aW1hZ2Va"})),
                &["aW1hZ2Va"],
            ),
            (
                "input[0].content[1].detail|input[0].content[1].image_url",
                input(json!({"type": "input_image", "detail": "high", "image_url": "data:image/png;base64,aW1hZ2Va"})),
                &["\"high\"", "_HIGH"],
            ),
            ("input", input(json!({"type": "input_image", "file_id": "file-Z"})), &["file-Z"]),
            (
                "input",
                input(
                    json!({"type": "input_file", "filename": "nameZ.pdf", "file_data": "data:application/pdf;base64,ZmlsZVpa"}),
                ),
                &["ZmlsZVpa"],
            ),
            ("input", input(json!({"type": "input_file", "file_url": "https://example.org/fileZ.pdf"})), &["fileZ"]),
            (
                "input",
                json!({"input": [{"role": "developer", "content": "systemZ"}, {"role": "user", "content": "a"}]}),
                &["systemZ"],
            ),
            (
                "input",
                json!({"input": [{"role": "user", "content": "a"}, {"type": "item_reference", "id": "item_Z"}]}),
                &["item_Z"],
            ),
        ],
    )
}
