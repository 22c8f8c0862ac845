//! Nothing that a caller asks for is lost in silence: for each word of each dialect and each provider, what it asks is in
//! the request that goes up, or noted, or refused by the caller's own name for it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::too_many_lines, clippy::needless_pass_by_value, reason = "lists of what can be asked")]

use serde_json::{Value, json};
use weir_core::codec::json::scan;
use weir_core::config::{Preset, Upstream};
use weir_core::endpoint::{Delivery, Endpoint, UsageChunk};
use weir_core::fault::Reject;
use weir_core::provider::{self, Ask, Body, Call};

/// One thing that can be asked for.
struct Feature {
    endpoint: Endpoint,
    /// What is said besides the base of its dialect, or in its place.
    said: Value,
    /// Any of these in the request tells that it is asked there too.
    marks: &'static [&'static str],
    /// The names by which it is refused or noted, or the beginnings of them; with `|` between.
    field: &'static str,
}

/// Where there are words for what is asked: models that know much, and some that know little.
const MODELS: [(&str, &str); 13] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("azure", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-7"),
    ("gemini", "gemini-2.5-flash"),
    ("gemini", "gemini-3-pro-preview"),
    ("vertex", "gemini-2.5-flash"),
    ("vertex", "claude-sonnet-4-5"),
    ("bedrock", "amazon.nova-pro-v1:0"),
    ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("cohere", "command-a-03-2025"),
    ("mistral", "mistral-large-latest"),
];

/// Those models, and each host that Weir knows.
fn targets() -> Vec<(String, Upstream, &'static str)> {
    let known = MODELS.map(|(dialect, model)| {
        let upstream = Upstream { provider: dialect.into(), dialect: dialect.into(), ..Upstream::default() };
        (format!("{dialect} {model}"), upstream, model)
    });
    let hosts = Preset::all().into_iter().map(|(name, Preset { dialect, quirks, .. })| {
        (name.clone(), Upstream { provider: name, dialect, quirks, ..Upstream::default() }, "model")
    });
    known.into_iter().chain(hosts).collect()
}

fn base(endpoint: Endpoint) -> Value {
    match endpoint {
        Endpoint::Chat => json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]}),
        Endpoint::Completions => json!({"model": "m", "prompt": "hello"}),
        Endpoint::Responses => json!({"model": "m", "input": "hello"}),
        Endpoint::Messages => {
            json!({"model": "m", "max_tokens": 4000, "messages": [{"role": "user", "content": "hello"}]})
        }
        _ => json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}),
    }
}

impl Feature {
    fn body(&self) -> Vec<u8> {
        let mut body = base(self.endpoint);
        body.as_object_mut().unwrap().extend(self.said.as_object().unwrap().clone());
        serde_json::to_vec(&body).unwrap()
    }

    /// Whether the name of a field is this one's, or lies in it. A host that lacks all tools says no more of them than that.
    fn is_named(&self, field: &str, upstream: &Upstream) -> bool {
        let lacks_tools = upstream.quirks.unsupported.iter().any(|lacked| lacked == "tools");
        let tools = field == "tools" && self.said.get("tools").is_some() && lacks_tools;
        tools || self.field.split('|').any(|name| field.starts_with(name))
    }

    fn is_in(&self, ask: &Ask) -> bool {
        let Body::Replaced(body) = &ask.body else { return true };
        let text = std::str::from_utf8(body).unwrap();
        serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        self.marks.iter().any(|mark| text.contains(mark))
    }
}

fn ask(feature: &Feature, upstream: &Upstream, model: &str, drop_unsupported: bool) -> Result<Ask, Reject> {
    let body = feature.body();
    let scan = scan(&body).unwrap();
    let call = Call {
        endpoint: feature.endpoint,
        delivery: Delivery::Whole,
        usage: UsageChunk::Unwanted,
        model: "m",
        betas: "",
        body: &body,
        scan: &scan,
    };
    let upstream = Upstream { drop_unsupported, ..upstream.clone() };
    provider::ask(&call, &upstream, model)
}

#[test]
fn what_is_asked_goes_up_or_is_noted_or_refused_by_name() {
    let mut lost = Vec::new();
    for feature in features() {
        for (to, upstream, model) in targets() {
            let told = match ask(&feature, &upstream, model, false) {
                Ok(ask) if feature.is_in(&ask) => continue,
                Ok(ask) => {
                    let mut noted = ask.notes.dropped.iter().chain(&ask.notes.emulated);
                    if noted.any(|field| feature.is_named(field, &upstream)) {
                        continue;
                    }
                    let Body::Replaced(body) = ask.body else { panic!() };
                    format!("{:?} {}", ask.notes, String::from_utf8(body).unwrap())
                }
                Err(reject) if reject.problem().param.is_some_and(|field| feature.is_named(&field, &upstream)) => {
                    continue;
                }
                Err(reject) => format!("{reject:?}"),
            };
            lost.push(format!("{} {} to {to}: {told}", feature.endpoint.name(), feature.said));
        }
    }
    assert!(lost.is_empty(), "{} are lost:\n{}", lost.len(), lost.join("\n"));
}

#[test]
fn what_may_be_left_out_is_left_out_and_noted() {
    let mut kept = Vec::new();
    for feature in features() {
        for (to, upstream, model) in targets() {
            let Err(Reject::Unsupported { field, .. }) = ask(&feature, &upstream, model, false) else { continue };
            // What is said in other fields stays where a host lacks all tools.
            if field == "tools" && feature.field != "tools" {
                continue;
            }
            let told = match ask(&feature, &upstream, model, true) {
                Ok(ask) if feature.is_in(&ask) => "it is there all the same".to_owned(),
                Ok(ask) if ask.notes.dropped.iter().any(|field| feature.is_named(field, &upstream)) => continue,
                Ok(ask) => format!("{:?}", ask.notes),
                Err(reject) => format!("{reject:?}"),
            };
            kept.push(format!("{} {} to {to}: {told}", feature.endpoint.name(), feature.said));
        }
    }
    assert!(kept.is_empty(), "{} are not left out:\n{}", kept.len(), kept.join("\n"));
}

fn features() -> Vec<Feature> {
    [chat(), completions(), responses(), messages(), generate_content()].into_iter().flatten().collect()
}

fn of(
    endpoint: Endpoint,
    features: impl IntoIterator<Item = (&'static str, Value, &'static [&'static str])>,
) -> Vec<Feature> {
    features.into_iter().map(|(field, said, marks)| Feature { endpoint, said, marks, field }).collect()
}

/// A message of a person, with this beside its text.
fn said(part: Value) -> Value {
    json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}, part]}]})
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "describedZ", "parameters": {"type": "object",
        "properties": {"propertyZ": {"type": "string"}}, "additionalProperties": false, "required": ["propertyZ"]}}})
}

fn chat() -> Vec<Feature> {
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

fn completions() -> Vec<Feature> {
    of(
        Endpoint::Completions,
        [
            ("max_tokens", json!({"max_tokens": 2345}), &["2345"][..]),
            ("temperature", json!({"temperature": 0.625}), &["0.625"]),
            ("top_p", json!({"top_p": 0.875}), &["0.875"]),
            ("presence_penalty", json!({"presence_penalty": 0.375}), &["0.375"]),
            ("frequency_penalty", json!({"frequency_penalty": 0.375}), &["0.375"]),
            ("seed", json!({"seed": 4321}), &["4321"]),
            ("logit_bias", json!({"logit_bias": {"54321": -7}}), &["54321"]),
            ("n", json!({"n": 3}), &["\"n\":3", "\"candidateCount\":3"]),
            ("best_of", json!({"best_of": 3}), &["best_of"]),
            ("echo", json!({"echo": true}), &["echo"]),
            ("suffix", json!({"suffix": "suffixZ"}), &["suffixZ"]),
            ("logprobs", json!({"logprobs": 3}), &["logprobs"]),
            ("stop", json!({"stop": "stopZ"}), &["stopZ"]),
            ("user", json!({"user": "userZ"}), &["userZ"]),
            ("unknown_field", json!({"unknown_field": "valueZ"}), &["valueZ"]),
        ],
    )
}

fn responses() -> Vec<Feature> {
    let schema = json!({"type": "object", "properties": {"propertyZ": {"type": "string"}}, "required": ["propertyZ"],
        "additionalProperties": false});
    let tools = json!([{"type": "function", "name": "toolZ", "strict": true, "parameters": schema}]);
    let input =
        |part: Value| json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}, part]}]});
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
                "input[0].content[1].detail",
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

fn messages() -> Vec<Feature> {
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

fn generate_content() -> Vec<Feature> {
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
                "contents[0].parts[1].videoMetadata",
                part(
                    json!({"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/imageZ.png"}, "videoMetadata": {"fps": 7}}),
                ),
                &["fps"],
            ),
            (
                "contents[0].parts[1]",
                part(json!({"executableCode": {"language": "PYTHON", "code": "codeZ"}})),
                &["codeZ"],
            ),
        ],
    )
}
