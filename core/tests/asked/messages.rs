//! What can be asked for in the words of Anthropic's Messages.

use serde_json::{Value, json};
use weir_hub::endpoint::Endpoint;

use super::{of, said};
use crate::Feature;

pub(crate) fn messages() -> Vec<Feature> {
    let schema = json!({"type": "object", "properties": {"propertyZ": {"type": "string"}}, "required": ["propertyZ"],
        "additionalProperties": false});
    let tool = json!({"name": "toolZ", "description": "describedZ", "input_schema": schema});
    let with = |name: &str, value: Value| {
        let mut tool = tool.clone();
        tool[name] = value;
        json!({"tools": [tool]})
    };
    let chosen = |choice: Value| json!({"tools": [tool], "tool_choice": choice});
    let document = |source: Value| json!({"type": "document", "source": source});
    let result = |result: Value| {
        json!({"tools": [tool], "messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call00001", "name": "toolZ", "input": {"propertyZ": "argumentZ"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call00001", "content": result, "is_error": true}]}
        ]})
    };
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aW1hZ2Va"}});
    let with_member = |block: &Value, name: &str| {
        let mut block = block.clone();
        block[name] = json!("valueZ");
        block
    };
    of(
        Endpoint::Messages,
        [
            ("max_tokens", json!({"max_tokens": 2345}), &["2345"][..]),
            ("system", json!({"system": "systemZ"}), &["systemZ"]),
            (
                "messages",
                json!({"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}),
                &["ephemeral", "cachePoint"],
            ),
            ("cache_control", json!({"cache_control": {"type": "ephemeral"}}), &["ephemeral"]),
            ("temperature", json!({"temperature": 0.625}), &["0.625"]),
            ("top_p", json!({"top_p": 0.875}), &["0.875"]),
            ("top_k", json!({"top_k": 37}), &["37"]),
            ("stop_sequences", json!({"stop_sequences": ["stopZ"]}), &["stopZ"]),
            ("metadata.user_id", json!({"metadata": {"user_id": "userZ"}}), &["userZ"]),
            ("metadata", json!({"metadata": {"noteZ": "wordZ"}}), &["wordZ"]),
            ("service_tier", json!({"service_tier": "priority"}), &["priority"]),
            ("speed", json!({"speed": "fast"}), &["fast"]),
            (
                "mcp_servers",
                json!({"mcp_servers": [{"type": "url", "url": "https://example.org", "name": "serverZ"}]}),
                &["serverZ"],
            ),
            ("container", json!({"container": "containerZ"}), &["containerZ"]),
            (
                "context_management",
                json!({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
                &["clear_tool"],
            ),
            ("unknown_field", json!({"unknown_field": "valueZ"}), &["valueZ"]),
            (
                "thinking",
                json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}),
                &["2048", "\"low\"", "budget", "effort", "LOW", "\"high\""],
            ),
            ("output_config.effort", json!({"output_config": {"effort": "low"}}), &["\"low\"", "udget", "LOW"]),
            (
                "output_config.format",
                json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}),
                &["propertyZ"],
            ),
            ("tools", json!({"tools": [tool]}), &["propertyZ"]),
            ("tools", json!({"tools": [tool]}), &["describedZ"]),
            ("tools", with("cache_control", json!({"type": "ephemeral"})), &["ephemeral", "cachePoint"]),
            ("tools", with("cache_control", json!({"type": "ephemeral", "ttl": "1h"})), &["\"1h\""]),
            (
                "messages",
                json!({"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}),
                &["\"1h\""],
            ),
            ("tools.0", with("strict", json!(true)), &["strict", "VALIDATED"]),
            ("tools.0", with("defer_loading", json!(true)), &["defer_loading"]),
            ("tools.0", with("input_examples", json!([{"propertyZ": "exampleZ"}])), &["exampleZ"]),
            ("tools.0", with("unknown", json!("valueZ")), &["valueZ"]),
            (
                "tools.0",
                json!({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}),
                &["code_execution"],
            ),
            ("tool_choice", chosen(json!({"type": "any"})), &[":\"required\"", "\"any\"", "ANY", "REQUIRED"]),
            ("tool_choice", chosen(json!({"type": "none"})), &["\"none\"", "NONE"]),
            (
                "tool_choice",
                chosen(json!({"type": "tool", "name": "toolZ"})),
                &["\"tool_choice\":", "toolConfig", "toolChoice", "REQUIRED"],
            ),
            ("tool_choice", chosen(json!({"type": "auto", "disable_parallel_tool_use": true})), &["parallel"]),
            (
                "messages.0.content.1.unknown",
                said(json!({"type": "text", "text": "b", "unknown": "valueZ"})),
                &["valueZ"],
            ),
            ("system.0.unknown", json!({"system": [{"type": "text", "text": "a", "unknown": "valueZ"}]}), &["valueZ"]),
            ("messages.0.content.1.transformations", said(with_member(&image, "transformations")), &["valueZ"]),
            (
                "messages.0.content.1.source.unknown",
                said(
                    json!({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png", "unknown": "valueZ"}}),
                ),
                &["valueZ"],
            ),
            (
                "messages.0.content.1.source.unknown",
                said(document(
                    json!({"type": "text", "media_type": "text/plain", "data": "words", "unknown": "valueZ"}),
                )),
                &["valueZ"],
            ),
            (
                "messages.0.content.1.source.content.0.cache_control",
                said(document(
                    json!({"type": "content", "content": [{"type": "text", "text": "a", "cache_control": {"type": "valueZ"}}]}),
                )),
                &["valueZ"],
            ),
            (
                "messages.2.content.0.content.0.unknown",
                result(json!([{"type": "text", "text": "a", "unknown": "valueZ"}])),
                &["valueZ"],
            ),
            (
                "messages.1.content.0.unknown",
                {
                    let mut said = result(json!("a"));
                    said["messages"][1]["content"][0]["unknown"] = json!("valueZ");
                    said
                },
                &["valueZ"],
            ),
            (
                "messages.2.content.0.unknown",
                {
                    let mut said = result(json!("a"));
                    said["messages"][2]["content"][0]["unknown"] = json!("valueZ");
                    said
                },
                &["valueZ"],
            ),
            (
                "messages.1.content.0.unknown",
                json!({"messages": [{"role": "user", "content": "a"},
                    {"role": "assistant", "content": [{"type": "thinking", "thinking": "b", "signature": "c", "unknown": "valueZ"},
                        {"type": "text", "text": "d"}]},
                    {"role": "user", "content": "e"}]}),
                &["valueZ"],
            ),
            ("tool_choice.unknown", chosen(json!({"type": "auto", "unknown": "valueZ"})), &["valueZ"]),
            (
                "output_config.format.unknown",
                json!({"output_config": {"format": {"type": "json_schema", "schema": schema, "unknown": "valueZ"}}}),
                &["valueZ"],
            ),
            ("messages", result(json!("resultZ")), &["resultZ"]),
            ("messages.2.content.0", result(json!([image.clone()])), &["aW1hZ2Va"]),
            ("messages.2.content.0.is_error", result(json!("a")), &["is_error", "\"error\"", "Error", "error:"]),
            ("messages.0.content.1", said(image), &["aW1hZ2Va"]),
            (
                "messages.0.content.1",
                said(json!({"type": "image", "source": {"type": "url", "url": "https://example.org/imageZ.png"}})),
                &["imageZ"],
            ),
            (
                "messages.0.content.1",
                said(json!({"type": "image", "source": {"type": "file", "file_id": "file_Z"}})),
                &["file_Z"],
            ),
            (
                "messages.0.content.1",
                said(document(json!({"type": "base64", "media_type": "application/pdf", "data": "ZmlsZVpa"}))),
                &["ZmlsZVpa"],
            ),
            (
                "messages.0.content.1",
                said(document(json!({"type": "text", "media_type": "text/plain", "data": "wordsZ"}))),
                &["wordsZ", "d29yZHNa"],
            ),
            (
                "messages.0.content.1",
                said(document(json!({"type": "url", "url": "https://example.org/fileZ.pdf"}))),
                &["fileZ"],
            ),
            (
                "messages.0.content.1",
                said(
                    json!({"type": "document", "context": "contextZ", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}),
                ),
                &["contextZ"],
            ),
            (
                "messages.0.content.1",
                said(
                    json!({"type": "document", "citations": {"enabled": true}, "source": {"type": "text", "media_type": "text/plain", "data": "words"}}),
                ),
                &["citations"],
            ),
            ("messages.0.content.1", said(json!({"type": "container_upload", "file_id": "file_Z"})), &["file_Z"]),
        ],
    )
}
