//! Requests that only the first target of a model can serve. They cannot fail over to another target, and nothing else says so
//! before it happens.

use weir_core::config::{Gateway, Routing, Target};
use weir_core::exchange::{Judge, Reworded};
use weir_hub::call::Call;
use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

/// Fields that chat requests often have and not every provider takes: a name, and the members of the request.
const OFTEN: [(&str, &str); 9] = [
    ("seed", r#""seed":1"#),
    ("n", r#""n":2"#),
    ("temperature with top_p", r#""temperature":0.5,"top_p":0.5"#),
    ("stop", r#""stop":["."]"#),
    ("logprobs", r#""logprobs":true"#),
    ("frequency_penalty", r#""frequency_penalty":0.5"#),
    ("logit_bias", r#""logit_bias":{"1":1}"#),
    (
        "tools",
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]"#,
    ),
    (
        "a JSON schema",
        r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{},"additionalProperties":false}}}"#,
    ),
];

/// A line for each target that cannot take what the first target of its model takes.
pub fn alone(gateway: &Gateway) -> Vec<String> {
    let routing = gateway.routing();
    let mut lines = Vec::new();
    for (name, model) in &routing.models {
        let Some((first, later)) = model.targets.split_first() else { continue };
        let taken: Vec<_> = OFTEN.iter().filter(|(_, members)| takes(routing, first, members)).collect();
        // A target that takes no chat at all is for something else.
        for target in later.iter().filter(|target| takes(routing, target, r#""stream":false"#)) {
            let lacks = taken.iter().filter(|(_, members)| !takes(routing, target, members));
            let lacks: Vec<&str> = lacks.map(|(name, _)| *name).collect();
            if !lacks.is_empty() {
                lines.push(format!(
                    "models.{name}: {}/{} cannot take {}: a request with that has one target fewer to fail over to \
                     (`drop_unsupported: true` at the provider leaves it out instead)",
                    target.provider,
                    target.model,
                    lacks.join(", "),
                ));
            }
        }
    }
    lines
}

/// Whether a target can serve a chat request with these members.
fn takes(routing: &Routing, target: &Target, members: &str) -> bool {
    let body = format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}],{members}}}"#);
    let (Some(upstream), Ok(scan)) = (routing.upstreams.get(&target.provider), scan(body.as_bytes())) else {
        return false;
    };
    let (endpoint, delivery, usage) = (Endpoint::Chat, Delivery::Whole, UsageChunk::Unwanted);
    let call =
        Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
    let reworded = Reworded::default();
    Judge::of(&call, &reworded).accepts(upstream, &target.model).is_ok()
}
