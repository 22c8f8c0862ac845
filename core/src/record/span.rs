//! The attributes of Envoy's spans. If spans are written, the roles put these into filter state.
//!
//! Names follow OpenTelemetry's GenAI conventions: <https://opentelemetry.io/docs/specs/semconv/gen-ai/>

/// One attribute, and the filter state that has its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The attribute's name in the span.
    pub name: &'static str,
    /// The filter state that holds it.
    pub key: &'static str,
}

/// The operation that the caller asks for.
pub const OPERATION: Attribute = Attribute { name: "gen_ai.operation.name", key: "wasm.weir.operation" };
/// The dialect of the provider of the latest try.
pub const PROVIDER: Attribute = Attribute { name: "gen_ai.provider.name", key: "wasm.weir.provider" };
/// The model that the caller named.
pub const REQUEST_MODEL: Attribute = Attribute { name: "gen_ai.request.model", key: "wasm.weir.request.model" };
/// The model that answered.
pub const RESPONSE_MODEL: Attribute = Attribute { name: "gen_ai.response.model", key: "wasm.weir.response.model" };
/// Input tokens.
pub const INPUT: Attribute = Attribute { name: "gen_ai.usage.input_tokens", key: "wasm.weir.usage.input" };
/// Output tokens.
pub const OUTPUT: Attribute = Attribute { name: "gen_ai.usage.output_tokens", key: "wasm.weir.usage.output" };
/// The owner of the caller's key.
pub const TENANT: Attribute = Attribute { name: "weir.tenant", key: "wasm.weir.tenant" };
/// Why the latest try failed.
pub const ERROR: Attribute = Attribute { name: "error.type", key: "wasm.weir.error" };

/// All attributes.
pub const ATTRIBUTES: [Attribute; 8] =
    [OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, INPUT, OUTPUT, TENANT, ERROR];
