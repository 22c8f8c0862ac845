//! The configuration file as it is written: one struct a section, unknown fields refused, nothing checked yet.
//!
//! `config/schema.json` is generated from these types; their docs are the field descriptions in it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::upstream::Quirks;

/// A Weir configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Address and port that clients connect to. Default `127.0.0.1:10000`.
    #[serde(default)]
    pub listen: Option<String>,
    /// Address and port of Envoy's admin interface, as for a Prometheus that collects its statistics. It asks nobody for a key,
    /// so keep it on loopback. Default: a Unix socket that only this user can open; `weir admin` asks it.
    #[serde(default)]
    pub admin: Option<String>,
    /// Limits for every model; a model may narrow them.
    #[serde(default)]
    pub limits: Limits,
    /// The upstreams, by name.
    #[serde(default)]
    pub providers: BTreeMap<String, Provider>,
    /// The models that callers can name, and what answers for each.
    #[serde(default)]
    pub models: BTreeMap<String, Model>,
    /// Who may call. Those in `keys_file` join these.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// File with the hashes of keys. Default: `keys.yaml` in Weir's state folder, where `weir keys new` puts them; it puts
    /// them into another one with `--file`. Configurations may share it: a model that is not here grants nothing here.
    #[serde(default)]
    pub keys_file: Option<String>,
    /// Models that the sidecar serves on this machine.
    #[serde(default)]
    pub local: Local,
    /// Web pages that may call from a browser. Default: none.
    #[serde(default)]
    pub cors: Cors,
    /// Access log and traces.
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// Which web pages may call from a browser.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Their origins, as browsers write them: `https://app.example.com`, with the port where it is not the scheme's own; or `*` for all
    /// pages. They send a key all the same, and whoever opens such a page can read it: give it one of few models.
    #[serde(default)]
    pub origins: Vec<String>,
}

/// Limits in time and size.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How long a streamed answer may take to its first token, per try. Default `30s`.
    #[serde(default)]
    pub first_token: Option<String>,
    /// How long a streamed answer may be without a token. Default: as `first_token`, and then it holds to the
    /// millisecond; not below it. Of a provider that sends nothing at all, a longer one holds only from when all targets could
    /// have been tried.
    #[serde(default)]
    pub gap: Option<String>,
    /// How long a streamed answer may be without a token while its provider says that it lives (comments, pings). Default `300s`,
    /// or `gap` if that is longer.
    #[serde(default)]
    pub keep_alive: Option<String>,
    /// How long a whole answer may take, per try. Default `300s`.
    #[serde(default)]
    pub whole: Option<String>,
    /// How long all tries of a request may take together: until a streamed answer begins, or a whole one is there. Default: twice the
    /// longer of `first_token` and `whole`, and 10 s for connections.
    #[serde(default)]
    pub total: Option<String>,
    /// Largest request body by endpoint (`chat`, `embeddings`, `transcriptions` and so on). Default `16MiB` for chats and
    /// `4MiB` for embeddings. A number without a unit is one of bytes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "sizes"))]
    pub body: BTreeMap<String, String>,
    /// The most that request bodies may hold in one worker (a thread of Envoy) at a time, those included that have come only
    /// in part; one beyond that is answered 429 with `retry-after`, but one alone may always come. Bodies of up to 1 MiB have a
    /// quarter of it more, so that large ones do not keep them out. The bodies of one key, if it has more than one, may hold as much
    /// as they leave free for other keys: half of it where no other key has any. Default `256MiB`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "size"))]
    pub held: Option<String>,
    /// How many requests of one key may be under way in one worker at a time, streams that go on included; one more is
    /// answered 429 with `retry-after`. Default 2048.
    #[serde(default)]
    pub in_flight_per_key: Option<u32>,
    /// How many requests may be under way in one worker at a time; one more is answered 503 with `retry-after`. Default 8192.
    #[serde(default)]
    pub in_flight: Option<u32>,
    /// The most messages, parts of messages, tool calls, tools and texts that one request may have, all together; one with more is
    /// answered 413. Default 50000.
    #[serde(default)]
    pub parts: Option<u32>,
}

/// One upstream.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What it speaks: `openai`, `anthropic`, `gemini` and so on, or `local` for the sidecar. A preset says it too.
    #[serde(default)]
    pub dialect: Option<String>,
    /// A host from Weir's list (`weir presets` prints it): it gives the dialect, the endpoint, the credential and the quirks,
    /// where they are not written here.
    #[serde(default)]
    pub preset: Option<String>,
    /// Its http or https URL with the API's path prefix: `https://api.openai.com/v1`. Not for `local`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Where its API key is: `env:NAME` or `file:PATH`; never the key itself.
    #[serde(default)]
    pub credential: Option<String>,
    /// PEM bundle that its certificate is verified against. Default: the system's.
    #[serde(default)]
    pub ca: Option<String>,
    /// Leave this provider and its targets out while its credential is not set. Default `false`.
    #[serde(default)]
    pub optional: bool,
    /// It stands in for real providers: it is no target of a model that has another target which can be asked. Default: `true`
    /// for one without a credential at the simulator's usual address, `http://127.0.0.1:10002`, else `false`.
    #[serde(default)]
    pub simulated: Option<bool>,
    /// Leave out what it cannot express and name it in the header `x-weir-dropped`, instead of refusing the request.
    /// Default `false`.
    #[serde(default)]
    pub drop_unsupported: bool,
    /// For `azure`: the API version of a deployment's path, such as `2024-10-21`. Default: the v1 API, which has none.
    #[serde(default)]
    pub api_version: Option<String>,
    /// For `bedrock` without a credential: how requests are signed.
    #[serde(default)]
    pub aws: Option<Aws>,
    /// Headers that every request to it carries besides Weir's own. No place for a credential.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How it deviates from its dialect; takes the place of what its preset says.
    #[serde(default)]
    pub quirks: Option<Quirks>,
    /// How many requests may be under way to it at once; one more is answered 503 `overloaded`, also where another target is free. Default 4096.
    #[serde(default)]
    pub max_in_flight: Option<u32>,
    /// How long a connection to it may take to be made, TLS included. Default `2s`, or less where one of its models allows less for a
    /// first token or a whole answer.
    #[serde(default)]
    pub connect_timeout: Option<String>,
    /// How long a connection to it is kept that nobody uses: shorter than its host keeps it, since a connection that the host has just
    /// closed costs a try. Default `50s` by https, and `4s` by http, where most servers close it after five.
    #[serde(default)]
    pub keep_idle: Option<String>,
    /// The longest that one of its models can rest because it asked for it (`Retry-After`). Default `60s`.
    #[serde(default)]
    pub longest_rest: Option<String>,
}

/// How Envoy signs requests to AWS (`SigV4`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// The region. Default: as the endpoint's host says.
    #[serde(default)]
    pub region: Option<String>,
    /// An AWS credentials file, watched for changes. Default: AWS's own chain, from `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY` to the instance's role.
    #[serde(default)]
    pub credentials_file: Option<String>,
    /// The profile in that file. Default `default`.
    #[serde(default)]
    pub profile: Option<String>,
}

/// A model that callers can name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What may answer, best first.
    pub targets: Vec<Target>,
    /// Limits in time that differ from the general ones (`first_token`, `gap`, `keep_alive`, `whole`, `total`).
    #[serde(default)]
    pub limits: Limits,
    /// `owned_by` in the model list. Default `weir`.
    #[serde(default)]
    pub owned_by: Option<String>,
}

/// One upstream's model.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A name under `providers`.
    pub provider: String,
    /// The model's name there. Default: the name that callers use.
    #[serde(default)]
    pub model: Option<String>,
}

/// A caller's key, as a hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Who it belongs to; stands in the access log.
    pub name: String,
    /// SHA-256 of the key in hex (64 digits), as `weir keys new` prints it.
    pub sha256: String,
    /// The models it may use. Default: all. A key with such a list may not send what could have another model answer at a
    /// provider that has several: `models`, `fallbacks`, `preset`, `plugins` and tools that name a model, and the like.
    #[serde(default)]
    pub models: Option<Vec<String>>,
    /// When it becomes worthless, as `2027-03-01T00:00:00Z`. Default: never.
    #[serde(default)]
    pub expires: Option<String>,
}

/// The models of the sidecar.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// The folder that holds a folder for each model. Default: `models` in Weir's cache folder.
    #[serde(default)]
    pub folder: Option<String>,
    /// The models to serve, by the name of their folder.
    #[serde(default)]
    pub models: BTreeMap<String, LocalModel>,
    /// How many inputs may wait for inference before callers are told 429, for each model; one request has up to 2048. Default 4096.
    #[serde(default)]
    pub max_waiting: Option<u32>,
    /// Threads that inference uses. Default: as many as there are cores.
    #[serde(default)]
    pub threads: Option<u32>,
}

/// One model of the sidecar.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LocalModel {
    /// `onnx` or `candle`. Default: ONNX Runtime if the folder holds an ONNX file, else candle; on a GPU candle, if the folder holds safetensors.
    #[serde(default)]
    pub engine: Option<Engine>,
}

/// What runs a local model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// ONNX Runtime.
    Onnx,
    /// candle, from safetensors.
    Candle,
}

/// Where records go.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// File for the access log, one JSON object a line; `stdout` for standard output. Default: `access.log` in Weir's log folder.
    #[serde(default)]
    pub access_log: Option<String>,
    /// OTLP gRPC endpoint for traces, such as `http://127.0.0.1:4317`. Default: none.
    #[serde(default)]
    pub otlp: Option<String>,
}

/// A size as people write it: `16MiB`, or a number of bytes.
#[cfg(feature = "schema")]
fn size(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "integer", "null"] })
}

/// Sizes, by name.
#[cfg(feature = "schema")]
fn sizes(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "additionalProperties": { "type": ["string", "integer"] } })
}
