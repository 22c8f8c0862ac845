//! Fields through which a provider could use another model than the one that the caller's key was checked for. They are
//! refused for a key that may use only some models.
//!
//! The known fields are [OpenRouter's](https://openrouter.ai/docs/api-reference/overview) `models`, `route`, `preset`,
//! `plugins` and server tools; `fallbacks` of [Anthropic's](https://docs.claude.com/en/api/messages) and
//! [LiteLLM's](https://docs.litellm.ai/docs/proxy/client_side_fallbacks) APIs; `providerOptions.gateway.models` of
//! [Vercel's](https://vercel.com/docs/ai-gateway/models-and-providers/model-fallbacks); and tools that name a model,
//! such as Anthropic's advisor and OpenAI's image generation. New fields usually have `model` in their name. So this
//! name is searched for in all fields that no known API has, and inside tools and plugins.

use alloc::format;

use weir_hub::codec::json::{Raw, Scan};
use weir_hub::fault::Reject;

use super::names;

/// These choose models, whatever their values; at the top level of a request.
const CHOOSERS: [&str; 4] = ["fallbacks", "models", "preset", "route"];

/// These known fields may name models inside; at the top level of a request.
const HOLDERS: [&str; 8] = [
    "additionalModelRequestFields",
    "compound_custom",
    "extra_body",
    "plugins",
    "provider",
    "providerOptions",
    "provider_options",
    "tools",
];

/// Names with `model` in them that do not name a model.
const HARMLESS: [&str; 2] = ["additionalModelRequestFields", "additionalModelResponseFieldPaths"];

/// Members that describe a caller's own tool, whose parameters may have any name.
const SCHEMAS: [&str; 6] =
    ["function", "functionDeclarations", "function_declarations", "input_schema", "output_schema", "toolSpec"];

/// Tools and plugins that use other models even if they name none.
const PANELS: [&str; 3] = ["fusion", "openrouter:advisor", "openrouter:fusion"];

/// Refuses a body that could name another model. A form is checked by its fields.
pub(super) fn check(body: &[u8], scan: &Scan) -> Result<(), Reject> {
    for (name, value) in scan.members(body).filter(|(_, value)| !value.is_null()) {
        let base = name.split_once('[').map_or(&*name, |(base, _)| base);
        if CHOOSERS.contains(&base) || base != "model" && names_model(base) {
            return Err(Reject::OtherModel { field: name.into_owned() });
        }
        if HOLDERS.contains(&&*name) || !names::is_known(&name) {
            value_names_none(&name, value)?;
        }
        if name == "input" {
            // Tools that are loaded during the conversation: OpenAI's `tool_search_output`, OpenRouter's
            // `additional_tools`.
            for (at, item) in value.items().enumerate() {
                item.get("tools").map_or(Ok(()), |tools| value_names_none(&format!("input[{at}].tools"), tools))?;
            }
        }
    }
    Ok(())
}

/// Refuses `value`, whose path is `path`, if it names a model.
fn value_names_none(path: &str, value: Raw<'_>) -> Result<(), Reject> {
    for (at, item) in value.items().enumerate() {
        value_names_none(&format!("{path}[{at}]"), item)?;
    }
    let (mut is_own, mut is_typed) = (true, false);
    for (name, kind) in value.members() {
        let kind = kind.string().unwrap_or_default();
        match &*name {
            "type" | "id" if PANELS.contains(&&*kind) => return Err(other_model(path, &name)),
            "type" => (is_own, is_typed) = (is_own && kind == "function", true),
            _ => {}
        }
    }
    for (name, value) in value.members().filter(|(_, value)| !value.is_null()) {
        if CHOOSERS.contains(&&*name) || names_model(&name) {
            return Err(other_model(path, &name));
        }
        let is_schema = SCHEMAS.contains(&&*name) || name == "parameters" && (is_own || !is_typed);
        if !is_schema {
            value_names_none(&format!("{path}.{name}"), value)?;
        }
    }
    Ok(())
}

fn other_model(path: &str, name: &str) -> Reject {
    Reject::OtherModel { field: [path, ".", name].concat() }
}

/// Whether a member with this name probably names a model: `model`, `pin_model`, `modelId`.
fn names_model(name: &str) -> bool {
    !HARMLESS.contains(&name) && name.as_bytes().windows(5).any(|part| part.eq_ignore_ascii_case(b"model"))
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use weir_hub::codec::json::scan;

    use super::*;

    fn refused(body: &str) -> Option<String> {
        let scan = scan(body.as_bytes()).unwrap();
        match check(body.as_bytes(), &scan) {
            Err(Reject::OtherModel { field }) => Some(field),
            outcome => {
                outcome.unwrap();
                None
            }
        }
    }

    #[test]
    fn whatever_chooses_another_model_is_refused() {
        for (field, body) in [
            ("models", r#"{"model":"m","models":["n"]}"#),
            ("models", r#"{"model":"m","\u006dodels":["n"]}"#),
            ("models[]", r#"{"model":"m","models[]":"n"}"#),
            ("fallbacks", r#"{"fallbacks":[{"model":"n"}]}"#),
            ("fallbacks", r#"{"fallbacks":"default"}"#),
            ("preset", r#"{"preset":"mine"}"#),
            ("route", r#"{"route":"fallback"}"#),
            ("fallback_models", r#"{"fallback_models":["n"]}"#),
            ("modelId", r#"{"modelId":"n"}"#),
            ("plugins[1].allowed_models", r#"{"plugins":[{"id":"web"},{"id":"auto-router","allowed_models":["n"]}]}"#),
            ("plugins[0].id", r#"{"plugins":[{"id":"fusion"}]}"#),
            ("providerOptions.gateway.models", r#"{"providerOptions":{"gateway":{"models":["n"]}}}"#),
            ("compound_custom.models", r#"{"compound_custom":{"models":{"answering_model":"n"}}}"#),
            ("extra_body.fallbacks", r#"{"extra_body":{"fallbacks":["n"]}}"#),
            ("gateway.router.models", r#"{"gateway":{"router":{"models":["n"]}}}"#),
            ("tools[0].model", r#"{"tools":[{"type":"advisor_20260301","name":"advisor","model":"n"}]}"#),
            ("tools[0].model", r#"{"tools":[{"type":"image_generation","model":"n"}]}"#),
            (
                "tools[0].parameters.model",
                r#"{"tools":[{"type":"openrouter:image_generation","parameters":{"model":"n"}}]}"#,
            ),
            (
                "tools[0].parameters.model",
                r#"{"tools":[{"type":"openrouter:x","type":"function","parameters":{"model":"n"}}]}"#,
            ),
            ("tools[0].type", r#"{"tools":[{"type":"openrouter:advisor"}]}"#),
            (
                "tools[0].tools[0].model",
                r#"{"tools":[{"type":"namespace","tools":[{"type":"image_generation","model":"n"}]}]}"#,
            ),
            (
                "input[1].tools[0].model",
                r#"{"input":[{},{"type":"additional_tools","tools":[{"type":"a","model":"n"}]}]}"#,
            ),
            ("tools[0].retrieval.ranker.modelName", r#"{"tools":[{"retrieval":{"ranker":{"modelName":"n"}}}]}"#),
        ] {
            assert_eq!(refused(body).as_deref(), Some(field), "{body}");
        }
    }

    #[test]
    fn what_only_has_such_a_name_passes() {
        for body in [
            r#"{"model":"m","models":null,"fallbacks":null,"messages":[{"role":"assistant","model":"n","content":"a"}]}"#,
            r#"{"metadata":{"model":"n"},"response_format":{"json_schema":{"schema":{"properties":{"model":{}}}}}}"#,
            r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"model":{}}}}}]}"#,
            r#"{"tools":[{"type":"function","name":"f","parameters":{"properties":{"models":{}}}}]}"#,
            r#"{"tools":[{"name":"f","input_schema":{"properties":{"model":{}}}},{"type":"web_search_20250305"}]}"#,
            r#"{"tools":[{"functionDeclarations":[{"name":"f","parameters":{"properties":{"model":{}}}}]}]}"#,
            r#"{"tools":[{"type":"image_generation","size":"1024x1024"}],"prompt":{"id":"p"},"provider":{"order":["a"]}}"#,
            r#"{"plugins":[{"id":"web","max_results":3}],"additionalModelRequestFields":{"top_k":3}}"#,
            r#"{"generationConfig":{"responseSchema":{"properties":{"model":{}}}},"modalities":["text"]}"#,
        ] {
            assert_eq!(refused(body), None, "{body}");
        }
    }
}
