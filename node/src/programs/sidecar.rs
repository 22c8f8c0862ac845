//! The sidecar: when it runs, how it is started, and the settings that it reads.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use weir_control::Loaded;
use weir_core::attempt::MAX_WHOLE;
use weir_core::config::source::Engine;
use weir_hub::endpoint::Endpoint;
use weir_sidecar::Settings;
use weir_sidecar::settings::{EngineChoice, Limits, ModelSettings, QueueSettings};

use crate::child::{Program, Spec};
use crate::folders::Folders;
use crate::options::Options;
use crate::programs::own;

/// Where it serves health and metrics, unless the operator says otherwise.
pub(crate) const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10003);

/// The sidecar as a child. It reads its settings from a file in these folders.
pub(crate) fn spec(folders: &Folders) -> Spec {
    own(Program::Sidecar, folders, ["sidecar".into(), "--config".into(), folders.sidecar_settings().into()])
}

/// The address for health and metrics, if the configuration has local models: without any, there is no sidecar.
pub(crate) fn admin(loaded: &Loaded, options: &Options) -> Option<SocketAddr> {
    let wanted = || options.sidecar_admin.unwrap_or_else(|| weir_ports::free_or(ADMIN));
    (!loaded.gateway.local().models.is_empty()).then(wanted)
}

/// Where the sidecar has things.
pub(crate) struct Places {
    /// The socket on which Envoy reaches it.
    pub(crate) socket: PathBuf,
    /// Where it serves health and metrics.
    pub(crate) admin: SocketAddr,
    /// ONNX Runtime, if it is there.
    pub(crate) onnxruntime: Option<PathBuf>,
    /// The folder of the models, unless the configuration names one.
    pub(crate) models: PathBuf,
}

/// The settings of a sidecar that serves the local models of `loaded`.
pub(crate) fn settings(loaded: &Loaded, places: Places) -> Settings {
    let (models, queue) = local(loaded, places.models);
    let otlp = loaded.gateway.telemetry().otlp.as_ref();
    Settings {
        socket: places.socket,
        admin: places.admin,
        onnxruntime: places.onnxruntime,
        models,
        queue,
        limits: limits(loaded.gateway.routing().body.of(Endpoint::Embeddings)),
        otlp: otlp.map(|url| format!("{}://{}{}", url.scheme.name(), url.authority(), url.prefix)),
    }
}

/// The local models, which lie in the folder `usual` unless another one is named, and how their requests wait.
fn local(loaded: &Loaded, usual: PathBuf) -> (Vec<ModelSettings>, QueueSettings) {
    let local = loaded.gateway.local();
    let folder = local.folder.as_ref().map_or(usual, PathBuf::from);
    let models = local.models.iter().map(|(name, model)| ModelSettings {
        name: name.clone(),
        path: folder.join(name),
        engine: match model.engine {
            None => EngineChoice::Auto,
            Some(Engine::Onnx) => EngineChoice::Onnx,
            Some(Engine::Candle) => EngineChoice::Candle,
        },
    });
    let queue = QueueSettings {
        max_waiting: usize::try_from(local.max_waiting).unwrap_or(usize::MAX),
        threads: local.threads.and_then(|threads| usize::try_from(threads).ok()),
        ..QueueSettings::default()
    };
    (models.collect(), queue)
}

/// The settings as the text of their file.
pub(crate) fn text(settings: &Settings) -> String {
    serde_json::to_string_pretty(settings).unwrap_or_default()
}

/// The limits of a sidecar behind an Envoy that lets bodies of this size through.
fn limits(body_bytes: u64) -> Limits {
    let usual = Limits::default();
    let max_body_bytes = usize::try_from(body_bytes).unwrap_or(usize::MAX);
    // The filter takes no longer answer than this: it would report a failed upstream, late. The sidecar refuses at once, and
    // its message says what to do.
    let max_answer_bytes = MAX_WHOLE;
    let least = max_body_bytes.saturating_add(max_answer_bytes);
    let max_bytes_in_flight = usual.max_bytes_in_flight.max(least);
    Limits { max_body_bytes, max_answer_bytes, max_bytes_in_flight, ..usual }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sidecar_gives_no_longer_answer_than_envoy_takes_and_holds_any_single_request() {
        let usual = limits(4 << 20);
        assert_eq!((usual.max_body_bytes, usual.max_answer_bytes), (4 << 20, MAX_WHOLE));
        assert_eq!(usual.max_bytes_in_flight, Limits::default().max_bytes_in_flight);
        let large = limits(1 << 30);
        assert_eq!(large.max_bytes_in_flight, (1 << 30) + MAX_WHOLE);
    }
}
