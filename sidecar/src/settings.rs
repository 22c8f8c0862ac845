//! The settings of a sidecar: one JSON file that is read at the start. Start at [`Settings`]. All mistakes in it are reported at
//! once, each with its place and what to do.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// All of the sidecar's settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Unix socket on which Envoy calls. The file of a sidecar that has died is replaced.
    pub socket: PathBuf,
    /// Where health and metrics are served over HTTP.
    #[serde(default = "default_admin")]
    pub admin: SocketAddr,
    /// The ONNX Runtime library. Without it, `ORT_DYLIB_PATH` is used, then the system's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onnxruntime: Option<PathBuf>,
    /// Models to serve, at least one.
    pub models: Vec<ModelSettings>,
    /// How requests wait and how batches are made.
    #[serde(default)]
    pub queue: QueueSettings,
    /// Limits that keep memory bounded.
    #[serde(default)]
    pub limits: Limits,
    /// Address that spans are sent to, as OTLP over gRPC, such as `http://127.0.0.1:4317`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<String>,
}

/// One model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Name that callers write.
    pub name: String,
    /// Folder laid out as sentence-transformers saves it.
    pub path: PathBuf,
    /// What runs it.
    #[serde(default)]
    pub engine: EngineChoice,
}

/// What runs a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// ONNX Runtime if the folder holds an `.onnx` file, because it is several times faster on a CPU; else candle. On a GPU,
    /// candle if the folder holds weights for it.
    #[default]
    Auto,
    /// ONNX Runtime.
    Onnx,
    /// Candle.
    Candle,
}

/// How requests wait and how batches are made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSettings {
    /// Inputs that may wait per model. If there are more, callers get 429. A single request that is larger is taken if nothing waits.
    pub max_waiting: usize,
    /// Tokens of one batch, padding included. Default: what suits the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_padded_tokens: Option<usize>,
    /// Cores for inference. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Batches that run at the same time per model. `threads` are divided between them. Default: one per thread, at most four,
    /// since each holds its own copy of an ONNX model. If it is more than one, one more copy has all threads, for a batch that
    /// runs alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { max_waiting: 4096, max_padded_tokens: None, threads: None, workers: None }
    }
}

impl QueueSettings {
    /// How many threads work on requests.
    pub fn cores(&self) -> usize {
        self.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)).max(1)
    }

    /// How many batches run at once, and how many threads each may use.
    pub fn division(&self) -> (usize, usize) {
        let threads = self.cores();
        let workers = self.workers.unwrap_or_else(|| threads.min(4)).max(1);
        (workers, (threads / workers).max(1))
    }
}

/// Limits that keep memory bounded whatever callers do. `ext_proc` has no back-pressure for request bodies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest request body.
    pub max_body_bytes: usize,
    /// Longest answer.
    pub max_answer_bytes: usize,
    /// Request bodies and answers of all streams together.
    pub max_bytes_in_flight: usize,
    /// Inputs of one request. `OpenAI` allows 2048.
    pub max_inputs: usize,
    /// How long running requests may take to end after a stop was asked for.
    pub shutdown_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 8 << 20,
            max_answer_bytes: 64 << 20,
            max_bytes_in_flight: 512 << 20,
            max_inputs: 2048,
            shutdown_seconds: 30,
        }
    }
}

/// Why settings were refused.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error("{path}: {error}; check the path given to --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is not JSON, or not of the right shape.
    #[error("{path}:{}:{}: {error}", .error.line(), .error.column())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        error: serde_json::Error,
    },
    /// It can be read, but makes no sense.
    #[error("{}", .0.join("\n"))]
    Senseless(Vec<String>),
}

impl Settings {
    /// Reads and checks a settings file.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let bytes = std::fs::read(path).map_err(|error| SettingsError::Unreadable { path: path.into(), error })?;
        let settings: Self =
            serde_json::from_slice(&bytes).map_err(|error| SettingsError::Malformed { path: path.into(), error })?;
        settings.check()?;
        Ok(settings)
    }

    /// Whether a running sidecar can go from these settings to `others` without a restart: only models and their queues differ.
    pub fn serves_as(&self, others: &Self) -> bool {
        *others == Self { models: others.models.clone(), queue: others.queue.clone(), ..self.clone() }
    }

    /// Reports everything that makes no sense, at once.
    pub fn check(&self) -> Result<(), SettingsError> {
        let mut problems = Vec::new();
        if self.models.is_empty() {
            problems.push("models: empty; name at least one model with its folder".to_owned());
        }
        for (index, model) in self.models.iter().enumerate() {
            if model.name.is_empty() {
                problems.push(format!("models[{index}].name: empty; give the name callers shall write"));
            }
            if self.models.iter().take(index).any(|earlier| earlier.name == model.name) {
                problems.push(format!("models[{index}].name: \"{}\" is there twice; rename one", model.name));
            }
        }
        let positive = [
            ("queue.max_waiting", self.queue.max_waiting),
            ("queue.max_padded_tokens", self.queue.max_padded_tokens.unwrap_or(1)),
            ("queue.threads", self.queue.threads.unwrap_or(1)),
            ("queue.workers", self.queue.workers.unwrap_or(1)),
            ("limits.max_body_bytes", self.limits.max_body_bytes),
            ("limits.max_answer_bytes", self.limits.max_answer_bytes),
            ("limits.max_inputs", self.limits.max_inputs),
        ];
        for (place, value) in positive {
            if value == 0 {
                problems.push(format!("{place}: 0 would refuse everything; leave it out for the default"));
            }
        }
        let one = self.limits.max_body_bytes.saturating_add(self.limits.max_answer_bytes);
        if self.limits.max_bytes_in_flight < one {
            problems.push(format!(
                "limits.max_bytes_in_flight: {} is less than one largest request and its answer; give at least {one}",
                self.limits.max_bytes_in_flight
            ));
        }
        if problems.is_empty() { Ok(()) } else { Err(SettingsError::Senseless(problems)) }
    }
}

fn default_admin() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 9902))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expect: &str) {
        let settings: Settings = serde_json::from_str(json).unwrap();
        assert_eq!(settings.check().err().map(|error| error.to_string()).unwrap_or_default(), expect);
    }

    #[test]
    fn the_least_settings_are_enough() {
        check(r#"{"socket":"/run/weir/sidecar.sock","models":[{"name":"m","path":"/models/m"}]}"#, "");
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        check(
            r#"{"socket":"s","models":[{"name":"m","path":"a"},{"name":"m","path":"b"}],"queue":{"threads":0}}"#,
            "models[1].name: \"m\" is there twice; rename one\n\
             queue.threads: 0 would refuse everything; leave it out for the default",
        );
    }

    #[test]
    fn a_misspelled_field_is_refused() {
        let error = serde_json::from_str::<Settings>(r#"{"socket":"s","modles":[]}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `modles`"), "{error}");
    }

    #[test]
    fn threads_are_divided_between_workers() {
        let queue = |threads, workers| QueueSettings { threads: Some(threads), workers, ..QueueSettings::default() };
        assert_eq!(queue(2, None).division(), (2, 1));
        assert_eq!(queue(16, None).division(), (4, 4));
        assert_eq!(queue(2, Some(1)).division(), (1, 2));
        assert_eq!(queue(1, Some(3)).division(), (3, 1));
    }
}
