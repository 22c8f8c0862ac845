//! Nothing that a caller asks for is lost in silence: for each word of each dialect and each provider, what it asks is in
//! the request that goes up, or noted, or refused by the caller's own name for it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod asked;

use asked::chat::chat;
use asked::completions::completions;
use asked::generate_content::generate_content;
use asked::messages::messages;
use asked::responses::responses;
use serde_json::{Value, json};
use weir_core::config::Preset;
use weir_core::exchange;
use weir_core::provider::{self, Ask, Body, Reach};
use weir_core::upstream::Upstream;
use weir_hub::call::Call;
use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::Reject;
use weir_hub::piece::Calls;

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
const MODELS: [(&str, &str); 14] = [
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
    ("oneinfer", "openai/gpt-4o"),
];

#[test]
fn every_provider_has_a_model_here() {
    for provider in provider::ALL.into_iter().filter(|provider| provider.reach() == Reach::Url) {
        assert!(MODELS.iter().any(|(dialect, _)| *dialect == provider.name()), "{}", provider.name());
    }
}

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

/// What of a request counts where its tokens are counted.
const WEIGHS: [&str; 5] = ["messages", "system", "tools", "tool_choice", "output_config.format"];

fn base(endpoint: Endpoint) -> Value {
    match endpoint {
        Endpoint::Chat | Endpoint::CountTokens => {
            json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
        }
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

    /// Whether the name of a field is this one's, lies in it or holds it. Who lacks all tools says no more of them than that.
    fn is_named(&self, field: &str, upstream: &Upstream) -> bool {
        let quirks = upstream.quirks.unsupported.iter().any(|lacked| lacked == "tools");
        let lacks_tools = quirks || upstream.dialect == "oneinfer";
        let tools = field == "tools" && self.said.get("tools").is_some() && lacks_tools;
        let holds = |name: &str| name.strip_prefix(field).is_some_and(|rest| rest.starts_with('.'));
        tools || self.field.split('|').any(|name| field.starts_with(name) || holds(name))
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
        asked: Asked { endpoint: feature.endpoint, delivery: Delivery::Whole, usage: UsageChunk::Unwanted },
        model: "m",
        betas: "",
        body: &body,
        scan: &scan,
    };
    let upstream = Upstream { drop_unsupported, ..upstream.clone() };
    exchange::ask(&call, &upstream, model)
}

#[test]
fn one_tool_at_a_time_can_be_had_of_whoever_has_tools() {
    let call = |more: &str| {
        let tools = r#"[{"type":"function","function":{"name":"f"}}]"#;
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"Hi"}}],"tools":{tools}{more}}}"#)
    };
    let ask = |upstream: &Upstream, model: &str, body: &str| {
        let (endpoint, delivery, usage) = (Endpoint::Chat, Delivery::Streamed, UsageChunk::Unwanted);
        let (body, scan) = (body.as_bytes(), scan(body.as_bytes()).unwrap());
        exchange::ask(
            &Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body, scan: &scan },
            upstream,
            model,
        )
    };
    let mut first = 0;
    for (name, upstream, model) in targets() {
        if ask(&upstream, model, &call("")).is_err() {
            continue;
        }
        let ask = ask(&upstream, model, &call(r#","parallel_tool_calls":false"#)).unwrap();
        let emulated = ask.notes.emulated.iter().any(|field| field == "parallel_tool_calls");
        assert_eq!(emulated, ask.calls == Calls::First, "{name}");
        first += usize::from(emulated);
    }
    assert!(first > 5, "{first} cannot be told");
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
                // Not every provider counts.
                Err(Reject::WrongEndpoint { .. }) if feature.endpoint == Endpoint::CountTokens => continue,
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
            let Err(Reject::Unsupported { fields, .. }) = ask(&feature, &upstream, model, false) else { continue };
            // What is said in other fields stays where a host lacks all tools.
            if fields == ["tools"] && feature.field != "tools" {
                continue;
            }
            let told = match ask(&feature, &upstream, model, true) {
                Ok(ask) if feature.is_in(&ask) => "it is there all the same".to_owned(),
                Ok(ask) if ask.notes.dropped.iter().any(|field| feature.is_named(field, &upstream)) => continue,
                Ok(ask) => format!("{:?}", ask.notes),
                Err(Reject::WrongEndpoint { .. }) if feature.endpoint == Endpoint::CountTokens => continue,
                Err(reject) => format!("{reject:?}"),
            };
            kept.push(format!("{} {} to {to}: {told}", feature.endpoint.name(), feature.said));
        }
    }
    assert!(kept.is_empty(), "{} are not left out:\n{}", kept.len(), kept.join("\n"));
}

fn features() -> Vec<Feature> {
    let counted = messages().into_iter().filter(|feature| WEIGHS.iter().any(|name| feature.field.starts_with(name)));
    let counted = counted.map(|feature| Feature { endpoint: Endpoint::CountTokens, ..feature });
    let chats = [chat(), completions(), responses(), messages(), generate_content()].into_iter().flatten();
    chats.chain(counted).collect()
}
