//! What one `weir up` will run, settled before anything is started: everything that can be missing is missed here.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use weir_control::render::{self, Kind, Node};
use weir_control::{AdminAddress, Environment, Loaded};
use weir_core::attempt::MAX_WHOLE;
use weir_core::config::source::Engine;
use weir_hub::endpoint::Endpoint;
use weir_places::Places;
use weir_places::envoy::{self, Envoy};
use weir_sidecar::settings::{EngineChoice, Limits, ModelSettings, QueueSettings};

use crate::child::{Inherit, Output, Spec};
use crate::configuration::{self, environment};
use crate::filter;
use crate::folders::Folders;
use crate::options::Options;
use crate::ports::Claim;
use crate::problem::{Outcome, Problem};

/// Everything that is settled.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) file: PathBuf,
    pub(crate) places: Places,
    pub(crate) environment: Environment,
    pub(crate) folders: Folders,
    pub(crate) loaded: Loaded,
    pub(crate) paths: Node,
    pub(crate) envoy: Envoy,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: AdminAddress,
    /// Where the simulator is to listen, if one is to run.
    pub(crate) sim: Option<SocketAddr>,
    /// Where the sidecar is to serve health, if one is to run.
    pub(crate) sidecar: Option<SocketAddr>,
}

impl Plan {
    /// Settles everything, for an Envoy that may have so many files open.
    pub(crate) fn new(options: &Options, files: u64) -> Outcome<Self> {
        let file = configuration::find(options.file.as_deref())?;
        let mut places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
        if let Some(cache) = &options.cache {
            places.cache = std::path::absolute(cache).unwrap_or_else(|_| cache.clone());
        }
        let environment = environment(&places);
        let loaded = weir_control::load(&file, &environment)?;
        let folders = match options.run.as_deref() {
            Some(run) => Folders::find(None, Some(run))?,
            None => Folders::of(&places, &file)?,
        };
        let envoy = envoy::find(&places).map_err(|error| Problem::Failed(error.to_string()))?;
        let filter = filter::find(options.filter.as_ref(), Some(envoy.version))?;
        let paths = folders.paths(filter, &environment, render::connections(files));
        let listen = loaded.gateway.listen();
        let listen = listen.parse().map_err(|_| Problem::Failed(format!("{listen} is no IP address with a port")))?;
        let admin = render::admin(&loaded.gateway, &paths);
        let sim = sim(&loaded, options);
        let sidecar = sidecar_admin(&loaded, options);
        Ok(Self { file, places, environment, folders, loaded, paths, envoy, listen, admin, sim, sidecar })
    }

    /// The ports that must be free.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        let file = self.file.display();
        let mut claims = vec![Claim { address: self.listen, set_by: format!("`listen` in {file}") }];
        if let AdminAddress::Tcp(address) = self.admin {
            claims.push(Claim { address, set_by: format!("`admin` in {file}") });
        }
        claims.extend(self.sim.map(|address| self.claim_of_sim(address)));
        claims.extend(self.sidecar.map(|address| Claim { address, set_by: "--sidecar-admin".to_owned() }));
        claims
    }

    /// The simulator's port.
    pub(crate) fn claim_of_sim(&self, address: SocketAddr) -> Claim {
        let file = self.file.display();
        let set_by =
            format!("the simulated provider's address (--sim and the endpoints in {file}; --no-sim starts none)");
        Claim { address, set_by }
    }

    /// The simulator as a child.
    pub(crate) fn sim(&self, listen: SocketAddr) -> Spec {
        self.own("sim", ["sim".into(), "--keyless".into(), "--listen".into(), listen.to_string().into()])
    }

    /// The sidecar as a child.
    pub(crate) fn sidecar(&self) -> Spec {
        self.own("sidecar", ["sidecar".into(), "--config".into(), self.folders.sidecar_settings().into()])
    }

    /// Envoy as a child.
    pub(crate) fn envoy(&self, options: &Options) -> Spec {
        let bootstrap = self.folders.envoy().join(Kind::Bootstrap.file());
        let mut arguments: Vec<OsString> = vec!["-c".into(), bootstrap.into()];
        // Nothing is shared with other Envoys of this machine; a new one is started, not handed over to.
        arguments.push("--disable-hot-restart".into());
        let seconds = options.drain.as_secs().max(1).to_string();
        let mut flag = |name: &str, value: &str| arguments.extend([name.into(), value.into()]);
        flag("--drain-time-s", &seconds);
        flag("--drain-strategy", "immediate");
        // Who looks into the access log after a request finds it there; by itself Envoy takes up to ten seconds.
        flag("--file-flush-interval-msec", "500");
        flag("--log-level", &options.log_level);
        if let Some(levels) = levels(&options.log_level, options.component_log_level.as_deref()) {
            flag("--component-log-level", &levels);
        }
        if let Some(workers) = options.concurrency {
            flag("--concurrency", &workers.to_string());
        }
        Spec {
            name: "envoy",
            program: self.envoy.path.clone(),
            arguments,
            inherit: Inherit::All,
            output: Output::Ours,
            log: self.folders.log("envoy"),
        }
    }

    fn own<const N: usize>(&self, name: &'static str, arguments: [OsString; N]) -> Spec {
        let own = std::env::current_exe().ok().filter(|path| path.is_file());
        Spec {
            name,
            program: own.unwrap_or_else(|| PathBuf::from("/proc/self/exe")),
            arguments: arguments.into(),
            inherit: Inherit::Needed,
            output: Output::Log,
            log: self.folders.log(name),
        }
    }

    /// The sidecar's settings, as it reads them.
    pub(crate) fn sidecar_settings(&self, admin: SocketAddr) -> weir_sidecar::Settings {
        let places = SidecarPlaces {
            socket: self.folders.socket(),
            admin,
            onnxruntime: Some(self.places.onnxruntime()).filter(|path| path.is_file()),
            models: self.places.models(),
        };
        sidecar_settings(&self.loaded, places)
    }

    /// The folders of local models that are not there.
    pub(crate) fn missing_models(&self) -> Vec<PathBuf> {
        let local = self.loaded.gateway.local();
        let folder = local.folder.as_ref().map_or_else(|| self.places.models(), PathBuf::from);
        local.models.keys().map(|name| folder.join(name)).filter(|path| !path.is_dir()).collect()
    }
}

/// The component of Envoy that logs the headers of requests as they come, callers' keys among them. Of all others, in 1.40, none does,
/// at no level.
const TELLS_KEYS: &str = "http";

/// The levels of single components of Envoy. The one that would log keys stays below that unless it is named.
fn levels(all: &str, named: Option<&str>) -> Option<String> {
    let loud = matches!(all, "trace" | "debug");
    if !loud || tells_keys(named) {
        return named.map(str::to_owned);
    }
    let quiet = format!("{TELLS_KEYS}:info");
    Some(named.map_or(quiet.clone(), |named| format!("{named},{quiet}")))
}

/// Whether keys will stand in Envoy's log, because somebody asked for it by name.
pub(crate) fn tells_keys(named: Option<&str>) -> bool {
    let named = named.into_iter().flat_map(|levels| levels.split(','));
    named
        .filter_map(|level| level.split_once(':'))
        .any(|(name, level)| name.trim() == TELLS_KEYS && matches!(level.trim(), "trace" | "debug"))
}

/// Where the sidecar has things.
pub(crate) struct SidecarPlaces {
    pub(crate) socket: PathBuf,
    pub(crate) admin: SocketAddr,
    pub(crate) onnxruntime: Option<PathBuf>,
    /// The folder of the models, where the configuration names none.
    pub(crate) models: PathBuf,
}

/// The settings of a sidecar that serves the local models of `loaded`.
pub(crate) fn sidecar_settings(loaded: &Loaded, places: SidecarPlaces) -> weir_sidecar::Settings {
    let SidecarPlaces { socket, admin, onnxruntime, models } = places;
    let (_, models, queue) = local(loaded, models);
    let otlp = loaded.gateway.telemetry().otlp.as_ref();
    weir_sidecar::Settings {
        socket,
        admin,
        onnxruntime,
        models,
        queue,
        limits: limits(loaded.gateway.routing().body.of(Endpoint::Embeddings)),
        otlp: otlp.map(|url| format!("{}://{}{}", url.scheme.name(), url.authority(), url.prefix)),
    }
}

/// The folder of the local models, where `usual` is meant unless it is named; the models; and how their requests wait.
pub(crate) fn local(loaded: &Loaded, usual: PathBuf) -> (PathBuf, Vec<ModelSettings>, QueueSettings) {
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
    let models = models.collect();
    let queue = QueueSettings {
        max_waiting: usize::try_from(local.max_waiting).unwrap_or(usize::MAX),
        threads: local.threads.and_then(|threads| usize::try_from(threads).ok()),
        ..QueueSettings::default()
    };
    (folder, models, queue)
}

/// Where the simulator is to listen, if one is to run.
pub(crate) fn sim(loaded: &Loaded, options: &Options) -> Option<SocketAddr> {
    options.sim.filter(|sim| points_at(loaded, *sim))
}

/// Where the sidecar is to serve health, if one is to run.
pub(crate) fn sidecar_admin(loaded: &Loaded, options: &Options) -> Option<SocketAddr> {
    (!loaded.gateway.local().models.is_empty()).then(|| {
        options.sidecar_admin.unwrap_or_else(|| weir_ports::free_or(SocketAddr::from(([127, 0, 0, 1], 10003))))
    })
}

/// The sidecar's limits where Envoy lets bodies of this size through.
fn limits(body_bytes: u64) -> Limits {
    let usual = Limits::default();
    let max_body_bytes = usize::try_from(body_bytes).unwrap_or(usize::MAX);
    // Envoy takes no longer answer for one that has failed; the sidecar can say what to do about it, and says so at once.
    let max_answer_bytes = MAX_WHOLE;
    let least = max_body_bytes.saturating_add(max_answer_bytes);
    let max_bytes_in_flight = usual.max_bytes_in_flight.max(least);
    Limits { max_body_bytes, max_answer_bytes, max_bytes_in_flight, ..usual }
}

/// Whether some provider's endpoint is the simulator's address.
fn points_at(loaded: &Loaded, sim: SocketAddr) -> bool {
    let named = |host: &str| host == sim.ip().to_string() || (host == "localhost" && sim.ip().is_loopback());
    loaded
        .gateway
        .providers()
        .filter_map(|entry| entry.url.as_ref())
        .any(|url| url.port == sim.port() && named(&url.host))
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

    #[test]
    fn the_component_that_logs_keys_is_quiet_unless_it_is_named() {
        let check = |all: &str, named: Option<&str>, expect: Option<&str>, tells: bool| {
            assert_eq!((levels(all, named).as_deref(), tells_keys(named)), (expect, tells), "{all} {named:?}");
        };
        check("warning", None, None, false);
        check("info", Some("wasm:debug"), Some("wasm:debug"), false);
        check("trace", None, Some("http:info"), false);
        check("debug", Some("wasm:trace"), Some("wasm:trace,http:info"), false);
        check("debug", Some("http:debug"), Some("http:debug"), true);
        check("warning", Some("router:debug,http:trace"), Some("router:debug,http:trace"), true);
    }
}
