//! What can be asked for in the words of Gemini's `generateContent`.

use serde_json::{Value, json};
use weir_hub::endpoint::Endpoint;

use super::of;
use crate::Feature;

pub(crate) fn generate_content() -> Vec<Feature> {
    let config = |name: &str, value: Value| json!({"generationConfig": {name: value}});
    let part = |part: Value| json!({"contents": [{"role": "user", "parts": [{"text": "hello"}, part]}]});
    let schema = json!({"type": "OBJECT", "properties": {"propertyZ": {"type": "STRING"}}, "required": ["propertyZ"]});
    let tools =
        json!([{"functionDeclarations": [{"name": "toolZ", "description": "describedZ", "parameters": schema}]}]);
    let chosen = |mode: &str| json!({"tools": tools, "toolConfig": {"functionCallingConfig": {"mode": mode}}});
    of(
        Endpoint::GenerateContent,
        [
            ("generationConfig.maxOutputTokens", config("maxOutputTokens", json!(2345)), &["2345"][..]),
            ("systemInstruction", json!({"systemInstruction": {"parts": [{"text": "systemZ"}]}}), &["systemZ"]),
            ("generationConfig.temperature", config("temperature", json!(0.625)), &["0.625"]),
            ("generationConfig.topP", config("topP", json!(0.875)), &["0.875"]),
            ("generationConfig.topK", config("topK", json!(37)), &["37"]),
            ("generationConfig.seed", config("seed", json!(4321)), &["4321"]),
            ("generationConfig.presencePenalty", config("presencePenalty", json!(0.375)), &["0.375"]),
            ("generationConfig.frequencyPenalty", config("frequencyPenalty", json!(0.375)), &["0.375"]),
            (
                "generationConfig.candidateCount",
                config("candidateCount", json!(3)),
                &["\"n\":3", "\"candidateCount\":3"],
            ),
            ("generationConfig.responseLogprobs", config("responseLogprobs", json!(true)), &["ogprobs\":true"]),
            ("generationConfig.stopSequences", config("stopSequences", json!(["stopZ"])), &["stopZ"]),
            ("generationConfig.responseModalities", config("responseModalities", json!(["TEXT", "IMAGE"])), &["IMAGE"]),
            ("generationConfig.speechConfig", config("speechConfig", json!({"languageCode": "de-DE"})), &["de-DE"]),
            ("generationConfig.mediaResolution", config("mediaResolution", json!("MEDIA_RESOLUTION_HIGH")), &["_HIGH"]),
            ("generationConfig.unknownField", config("unknownField", json!("valueZ")), &["valueZ"]),
            (
                "generationConfig.thinkingConfig",
                config("thinkingConfig", json!({"thinkingBudget": 3000})),
                &["3000", "ffort", "budget"],
            ),
            ("generationConfig.response", config("responseMimeType", json!("application/json")), &["json"]),
            (
                "generationConfig.response",
                json!({"generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}}),
                &["propertyZ"],
            ),
            (
                "safetySettings",
                json!({"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]}),
                &["BLOCK_ONLY"],
            ),
            ("cachedContent", json!({"cachedContent": "cachedContents/Z"}), &["cachedContents/Z"]),
            ("labels", json!({"labels": {"noteZ": "wordZ"}}), &["wordZ"]),
            ("unknownField", json!({"unknownField": "valueZ"}), &["valueZ"]),
            ("tools", json!({"tools": tools}), &["propertyZ"]),
            ("tools[0]", json!({"tools": [{"googleSearch": {}}]}), &["googleSearch"]),
            ("tools[0]", json!({"tools": [{"codeExecution": {}}]}), &["codeExecution"]),
            ("toolConfig", chosen("ANY"), &[":\"required\"", "\"any\"", "ANY", "REQUIRED"]),
            ("toolConfig", chosen("NONE"), &["\"none\"", "NONE"]),
            (
                "toolConfig.retrievalConfig",
                json!({"tools": tools, "toolConfig": {"retrievalConfig": {"languageCode": "de-DE"}}}),
                &["de-DE"],
            ),
            (
                "contents[0].parts[1]",
                part(json!({"inlineData": {"mimeType": "image/png", "data": "aW1hZ2Va"}})),
                &["aW1hZ2Va"],
            ),
            (
                "contents[0].parts[1]",
                part(json!({"inlineData": {"mimeType": "audio/wav", "data": "c291bmRa"}})),
                &["c291bmRa"],
            ),
            (
                "contents[0].parts[1]",
                part(json!({"inlineData": {"mimeType": "application/pdf", "data": "ZmlsZVpa"}})),
                &["ZmlsZVpa"],
            ),
            (
                "contents[0].parts[1]",
                part(json!({"inlineData": {"mimeType": "video/mp4", "data": "dmlkZW9a"}})),
                &["dmlkZW9a"],
            ),
            (
                "contents[0].parts[1]",
                part(json!({"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/imageZ.png"}})),
                &["imageZ"],
            ),
            (
                "contents[0].parts[1].mediaResolution",
                part(
                    json!({"inlineData": {"mimeType": "image/png", "data": "aW1hZ2Va"}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}),
                ),
                &["_LOW", "\"low\""],
            ),
            (
                "contents[0].parts[1].mediaResolution",
                part(json!({"text": "b", "thought": true, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}})),
                &["_LOW", "\"low\""],
            ),
            (
                "contents[0].parts[1].videoMetadata",
                part(
                    json!({"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/imageZ.png"}, "videoMetadata": {"fps": 7}}),
                ),
                &["fps"],
            ),
            (
                "contents[0].parts[1].inlineData.unknown",
                part(json!({"inlineData": {"mimeType": "image/png", "data": "aW1hZ2Va", "unknown": "valueZ"}})),
                &["valueZ"],
            ),
            (
                "contents[0].parts[1].inlineData.displayName",
                part(json!({"inline_data": {"mime_type": "image/png", "data": "aW1hZ2Va", "display_name": "valueZ"}})),
                &["valueZ"],
            ),
            (
                "contents[0].parts[1].fileData.displayName",
                part(
                    json!({"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/a.png", "displayName": "valueZ"}}),
                ),
                &["valueZ"],
            ),
            (
                "contents[1].parts[0].functionCall.unknown",
                json!({"tools": tools, "contents": [{"role": "user", "parts": [{"text": "a"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "toolZ", "args": {}, "unknown": "valueZ"}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "toolZ", "response": {"output": "b"}}}]}]}),
                &["valueZ"],
            ),
            (
                "contents[2].parts[0].functionResponse.parts[0].unknown|contents[2].parts[1]",
                json!({"tools": tools, "contents": [{"role": "user", "parts": [{"text": "a"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "toolZ", "args": {}}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "toolZ", "response": {"output": "b"},
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": "aW1hZ2Va"}, "unknown": "valueZ"}]}}]}]}),
                &["valueZ"],
            ),
            (
                "systemInstruction.unknown",
                json!({"systemInstruction": {"parts": [{"text": "a"}], "unknown": "valueZ"}}),
                &["valueZ"],
            ),
            (
                "contents[0].parts[1]",
                part(json!({"executableCode": {"language": "PYTHON", "code": "codeZ"}})),
                &["codeZ"],
            ),
        ],
    )
}
