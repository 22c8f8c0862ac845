//! The configuration file as it is written: one struct a section, unknown fields refused, nothing checked yet.
//!
//! `config/schema.json` is generated from these types; their docs are the field descriptions in it.

mod price;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::price::List;
use crate::quota::Edges;
use crate::upstream::Quirks;

pub(super) use price::Written as WrittenRates;
pub use price::{Price, PriceCase, PriceSection, Prices};

/// A Weir configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Address and port that clients connect to. Default `127.0.0.1:10000`.
    #[serde(default)]
    pub listen: Option<String>,
    /// Address and port of Envoy's admin interface, for example for a Prometheus that collects its statistics. It needs no key,
    /// so keep it on loopback. Default: a Unix socket that only this user can open, and that `weir admin` uses.
    #[serde(default)]
    pub admin: Option<String>,
    /// Limits for every model. A model may have stricter ones.
    #[serde(default)]
    pub limits: Limits,
    /// The upstreams, by name.
    #[serde(default)]
    pub providers: BTreeMap<String, Provider>,
    /// The models that callers can name, and their targets.
    #[serde(default)]
    pub models: BTreeMap<String, Model>,
    /// Groups of callers, by name. Keys, and callers without a key, belong to them.
    #[serde(default)]
    pub teams: BTreeMap<String, Team>,
    /// Who may call. The keys in `keys_file` are added to these.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// File with the hashes of keys. Default: `keys.yaml` in Weir's state folder, where `weir keys new` puts them. (With `--file`
    /// it uses another file.) Configurations may share a file: a key's model that this configuration does not have gives no
    /// access here.
    #[serde(default)]
    pub keys_file: Option<String>,
    /// What callers may use: rates, budgets and concurrency, by name.
    #[serde(default)]
    pub quotas: BTreeMap<String, Quota>,
    /// How many output tokens a request reserves, and may at most have under a hard limit of tokens or cost, if neither the caller
    /// nor the model asks for less. Default 8192.
    #[serde(default)]
    pub reserve_output: Option<u64>,
    /// A prices file, as `weir prices import` writes it. Its prices replace those that Weir brings along, model by model.
    #[serde(default)]
    pub prices_file: Option<String>,
    /// Callers that are known without a key, by what Envoy has verified.
    #[serde(default)]
    pub callers: Callers,
    /// The request header in which callers name their application, such as `x-application`. The access log shows its first 64
    /// characters, if all of it is printable ASCII. It never goes to a provider. Default: none.
    #[serde(default)]
    pub application_header: Option<String>,
    /// Models that the sidecar serves on this machine.
    #[serde(default)]
    pub local: Local,
    /// Web pages that may call from a browser. Default: none.
    #[serde(default)]
    pub cors: Cors,
    /// Access log and traces.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// How long the ledger keeps what it has read from the access log.
    #[serde(default)]
    pub ledger: Ledger,
    /// When the windows of budgets begin, for each time zone and period that `quotas` names, as far as the zone is known. Not
    /// in the file: whoever reads it knows the calendar.
    #[serde(skip)]
    pub calendar: BTreeMap<(String, Period), Edges>,
    /// The prices that are known, of all models. Not in the file.
    #[serde(skip)]
    pub prices: List,
}

/// The period of a budget's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// From midnight.
    Day,
    /// From Monday's midnight.
    Week,
    /// From midnight of the first.
    Month,
}

/// One limit of what callers may use. It has exactly one of `rate`, `budget` and `concurrency`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The name of a key whose requests it counts, or `each`: then each key has its own count. With several such fields, all
    /// must fit. Without any, it counts all requests.
    #[serde(default)]
    pub key: Option<String>,
    /// The name of a team, or `each`.
    #[serde(default)]
    pub team: Option<String>,
    /// A user, as the caller names it, or `each`.
    #[serde(default)]
    pub user: Option<String>,
    /// An application, as the caller names it, or `each`.
    #[serde(default)]
    pub application: Option<String>,
    /// A model that callers ask for, or `each`.
    #[serde(default)]
    pub model: Option<String>,
    /// A provider, or `each`. It is counted for each try; a provider whose limit is spent is passed over.
    #[serde(default)]
    pub provider: Option<String>,
    /// A target, as `provider/model`, or `each`. It is counted for each try, like a provider.
    #[serde(default)]
    pub target: Option<String>,
    /// An amount that refills continuously: `600 requests per minute`, `100000 tokens per minute`, `5 USD per hour`. Also
    /// `input tokens` and `output tokens`; per `second`, `minute` or `hour`.
    #[serde(default)]
    pub rate: Option<String>,
    /// The most that a rate lets pass at once: a number in the unit of the rate. Default: the amount of the rate.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "size"))]
    pub burst: Option<String>,
    /// An amount for a window of the calendar: `500 USD per month`, `2000000 tokens per day`, `10 USD in total`. Per `day`,
    /// `week` (from Monday), or `month`.
    #[serde(default)]
    pub budget: Option<String>,
    /// How many requests may be under way at once, including open streams.
    #[serde(default)]
    pub concurrency: Option<u64>,
    /// The time zone of a budget's windows, such as `Europe/Berlin`. Default `UTC`.
    #[serde(default)]
    pub zone: Option<String>,
    /// It refuses nothing: a request beyond it gets the header `x-weir-over-limit` and is marked in the record. Default `false`.
    #[serde(default)]
    pub soft: bool,
    /// What happens while `weir control`, which shares the limit among several Envoys, cannot be reached: `open` (requests go on,
    /// within what the limit allows to one Envoy) or `closed` (they are refused once the Envoy's share is spent). Default `open`.
    #[serde(default)]
    pub alone: Option<String>,
    /// For how many values `each` counts apart at the same time; values beyond that may share a count. Default 10000.
    #[serde(default)]
    pub values: Option<u32>,
    /// Its former name, so that it goes on with what was spent under it.
    #[serde(default)]
    pub was: Option<String>,
}

/// Which web pages may call from a browser.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Their origins, as browsers write them: `https://app.example.com`, with the port if it is not the scheme's default; or `*`
    /// for all pages. The pages still send a key, and everybody who opens such a page can read it: use a key for few models.
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
    /// How long a streamed answer may be without a token. Default: the same as `first_token`, and then it is exact to the
    /// millisecond. It must not be shorter. If it is longer and the provider sends nothing at all, it counts only from the time
    /// when all targets could have been tried.
    #[serde(default)]
    pub gap: Option<String>,
    /// How long a streamed answer may be without a token while its provider shows that it is alive (comments, pings). Default
    /// `300s`, or `gap` if that is longer.
    #[serde(default)]
    pub keep_alive: Option<String>,
    /// How long a whole answer may take, per try. Default `300s`.
    #[serde(default)]
    pub whole: Option<String>,
    /// How long all tries of a request may take together: until a streamed answer begins, or a whole answer is complete. Default:
    /// twice the longer of `first_token` and `whole`, plus 10 s for connections.
    #[serde(default)]
    pub total: Option<String>,
    /// Largest request body by endpoint (`chat`, `embeddings`, `transcriptions` and so on). Default `16MiB` for chats and `4MiB`
    /// for embeddings. A number without a unit is a number of bytes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "sizes"))]
    pub body: BTreeMap<String, String>,
    /// How many bytes of request bodies one worker (a thread of Envoy) may hold at a time, including bodies that have arrived
    /// only in part. A request beyond that is answered 429 with `retry-after`; a single body is always accepted. Bodies of up to
    /// 1 MiB may use a quarter more, so that large bodies do not keep them out. If a key holds more than one body, they may hold
    /// as much as they leave free for other keys: half, if no other key holds any. Default `256MiB`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "size"))]
    pub held: Option<String>,
    /// How many requests of one key may be under way in one worker at a time, including open streams. One more is answered 429
    /// with `retry-after`. Default 2048.
    #[serde(default)]
    pub in_flight_per_key: Option<u32>,
    /// How many requests may be under way in one worker at a time. One more is answered 503 with `retry-after`. Default 8192.
    #[serde(default)]
    pub in_flight: Option<u32>,
    /// The most messages, parts of messages, tool calls, tools and texts that one request may have, all together. A request with
    /// more is answered 413. Default 50000.
    #[serde(default)]
    pub parts: Option<u32>,
}

/// One upstream.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The API that it speaks: `openai`, `anthropic`, `gemini` and so on, or `local` for the sidecar. A preset sets it too.
    #[serde(default)]
    pub dialect: Option<String>,
    /// A host from Weir's list (`weir presets` prints it). It sets the dialect, the endpoint, the credential and the quirks,
    /// unless they are written here.
    #[serde(default)]
    pub preset: Option<String>,
    /// Its http or https URL, including the API's path prefix: `https://api.openai.com/v1`. Not for `local`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Where its API key is: `env:NAME` or `file:PATH`. Never the key itself.
    #[serde(default)]
    pub credential: Option<String>,
    /// PEM bundle for verifying its certificate. Default: the system's.
    #[serde(default)]
    pub ca: Option<String>,
    /// Leave out this provider and its targets while its credential is not set. Default `false`.
    #[serde(default)]
    pub optional: bool,
    /// It stands in for a real provider: if another target of a model can be asked, this one is not a target of that model.
    /// Default: `true` for a provider without a credential at the simulator's usual address, `http://127.0.0.1:10002`, else
    /// `false`.
    #[serde(default)]
    pub simulated: Option<bool>,
    /// Leave out what it cannot express, and name it in the header `x-weir-dropped`, instead of refusing the request. Default
    /// `false`.
    #[serde(default)]
    pub drop_unsupported: bool,
    /// For `azure`: the API version of a deployment's path, such as `2024-10-21`. Default: the v1 API, which has none.
    #[serde(default)]
    pub api_version: Option<String>,
    /// For `bedrock` without a credential: how requests are signed.
    #[serde(default)]
    pub aws: Option<Aws>,
    /// Headers that every request to it has besides Weir's own. Not for a credential.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How it deviates from its dialect. This replaces the quirks of its preset.
    #[serde(default)]
    pub quirks: Option<Quirks>,
    /// The provider in the prices whose prices hold here, such as `openai` for a proxy in front of it. Default: the preset, if it has
    /// no other endpoint, else the provider whose host the endpoint names.
    #[serde(default)]
    pub priced_as: Option<String>,
    /// How many requests to it may be under way at once. One more is answered 503 `overloaded`, even if another target is free.
    /// Default 4096.
    #[serde(default)]
    pub max_in_flight: Option<u32>,
    /// How long it may take to connect to it, including TLS. Default `2s`, or less if one of its models allows less for a first
    /// token or a whole answer.
    #[serde(default)]
    pub connect_timeout: Option<String>,
    /// How long to keep a connection to it that nobody uses. It should be shorter than its host keeps it, because a connection
    /// that the host has just closed costs a try. Default `50s` for https, and `4s` for http, where most servers close it after
    /// five.
    #[serde(default)]
    pub keep_idle: Option<String>,
    /// The longest time that one of its models can rest because it asked for it (`Retry-After`). Default `60s`.
    #[serde(default)]
    pub longest_rest: Option<String>,
}

/// How Envoy signs requests to AWS (`SigV4`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// The region. Default: the one in the endpoint's host.
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
    /// Like the general `reserve_output`, for this model.
    #[serde(default)]
    pub reserve_output: Option<u64>,
    /// The most output tokens that its targets can answer with, so that no more is reserved. Default: unknown.
    #[serde(default)]
    pub max_output: Option<u64>,
    /// Time limits that differ from the general ones (`first_token`, `gap`, `keep_alive`, `whole`, `total`).
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
    /// The model's name at the provider. Default: the name that callers use.
    #[serde(default)]
    pub model: Option<String>,
    /// What it costs. Default: what the prices say of this provider and model, if anything.
    #[serde(default)]
    pub price: Option<Price>,
}

/// A group of callers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Who they are, for people.
    #[serde(default)]
    pub description: Option<String>,
    /// The models that its callers may use. Default: all.
    #[serde(default)]
    pub models: Option<Vec<String>>,
    /// The endpoints that its callers may use: `chat`, `embeddings`, `usage` and so on. Default: all.
    #[serde(default)]
    pub endpoints: Option<Vec<String>>,
    /// The networks that its callers may be in, such as `10.0.0.0/8`. Default: all.
    #[serde(default)]
    pub networks: Option<Vec<String>>,
}

/// A caller's key, as a hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Whose key it is. The access log shows this name.
    pub name: String,
    /// SHA-256 of the key in hex (64 digits), as `weir keys new` prints it.
    pub sha256: String,
    /// The team that it belongs to, a name under `teams`. What the team may not use, the key may not. Default: none.
    #[serde(default)]
    pub team: Option<String>,
    /// Whether it is not valid for now. Default `false`.
    #[serde(default)]
    pub disabled: bool,
    /// The models it may use. Default: all. A key with such a list may not send fields that could make another model answer, at a
    /// provider with several: `models`, `fallbacks`, `preset`, `plugins`, tools that name a model, and similar ones.
    #[serde(default)]
    pub models: Option<Vec<String>>,
    /// The endpoints it may use: `chat`, `embeddings`, `usage` and so on. Default: all.
    #[serde(default)]
    pub endpoints: Option<Vec<String>>,
    /// The networks that its callers may be in, in CIDR notation: `10.0.0.0/8`, `2001:db8::/32`, or one address. Default: all.
    #[serde(default)]
    pub networks: Option<Vec<String>>,
    /// When it becomes invalid, such as `2027-03-01T00:00:00Z`. Default: never.
    #[serde(default)]
    pub expires: Option<String>,
}

/// Callers that are known without a key. A known key goes before what is said here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Callers {
    /// By a token that Envoy's filter `jwt_authn` has verified.
    #[serde(default)]
    pub jwt: Option<Jwt>,
    /// By the SPIFFE name in the client's certificate, which Envoy has verified: the team of each name. A name that ends with a
    /// slash stands for all names that begin with it, such as `spiffe://example.org/ns/search/`. The longest one counts.
    #[serde(default)]
    pub spiffe: BTreeMap<String, String>,
}

/// What a verified token says about its bearer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The claim that names the team: a text, or a list of texts, of which the first that names a team counts. A dot leads into a
    /// claim: `realm_access.roles`.
    pub team: String,
    /// The teams that the claim's values stand for. Default: each value is the name of a team.
    #[serde(default)]
    pub teams: Option<BTreeMap<String, String>>,
    /// The claim that names the user. The access log shows it, and it takes the place of the user that a request names. Default:
    /// none.
    #[serde(default)]
    pub user: Option<String>,
    /// Where your `jwt_authn` puts the token's claims: its `payload_in_metadata`. Default `claims`.
    #[serde(default)]
    pub payload: Option<String>,
}

/// The models of the sidecar.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// The folder with one folder per model. Default: `models` in Weir's cache folder.
    #[serde(default)]
    pub folder: Option<String>,
    /// The models to serve, by the name of their folder.
    #[serde(default)]
    pub models: BTreeMap<String, LocalModel>,
    /// How many inputs may wait for inference, per model, before callers get 429. One request has up to 2048. Default 4096.
    #[serde(default)]
    pub max_waiting: Option<u32>,
    /// Threads for inference. Default: one per core.
    #[serde(default)]
    pub threads: Option<u32>,
}

/// One model of the sidecar.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LocalModel {
    /// `onnx` or `candle`. Default: ONNX Runtime if the folder has an ONNX file, else candle; on a GPU, candle if the folder has
    /// safetensors.
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
    /// File for the access log, one JSON object per line; `stdout` for standard output, which the ledger cannot read, so not with `quotas`,
    /// a `prices_file` or a `price`. Default: `access.log` in Weir's log folder.
    #[serde(default)]
    pub access_log: Option<String>,
    /// OTLP gRPC endpoint for traces, such as `http://127.0.0.1:4317`. Default: none.
    #[serde(default)]
    pub otlp: Option<String>,
}

/// How long the ledger keeps things, in days, such as `90d`; `forever` keeps them for good.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Single requests. Default `90d`.
    #[serde(default)]
    pub rows: Option<String>,
    /// Sums by hour. Default `400d`.
    #[serde(default)]
    pub hours: Option<String>,
    /// Sums by day, and gaps. Default `forever`.
    #[serde(default)]
    pub days: Option<String>,
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
