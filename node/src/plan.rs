//! What a node will run, settled before anything is started: whatever is missing is found here.

use std::net::SocketAddr;
use std::path::PathBuf;

use weir_control::render::ControlAddress;
use weir_control::render::{self, Node};
use weir_control::state::client::Client;
use weir_control::{AdminAddress, Environment, Loaded};
use weir_places::Places;
use weir_places::envoy::{self, Envoy};

use crate::child::Spec;
use crate::configuration;
use crate::filter;
use crate::folders::Folders;
use crate::options::Options;
use crate::ports::Claim;
use crate::problem::{Outcome, Problem};
use crate::programs;

/// Everything that is settled. A changed configuration replaces `loaded`, `sim` and `sidecar` while the node runs.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The configuration's file.
    pub(crate) file: PathBuf,
    pub(crate) places: Places,
    pub(crate) environment: Environment,
    pub(crate) folders: Folders,
    /// The configuration in force.
    pub(crate) loaded: Loaded,
    /// Envoy's name.
    pub(crate) name: String,
    /// The node as Envoy's resources see it: its folders, sockets and filter.
    pub(crate) node: Node,
    pub(crate) envoy: Envoy,
    /// Where Envoy listens for clients.
    pub(crate) listen: SocketAddr,
    /// Where Envoy's admin interface is.
    pub(crate) admin: AdminAddress,
    /// Where the simulator listens, if one runs.
    pub(crate) sim: Option<SocketAddr>,
    /// Where the sidecar serves health and metrics, if one runs.
    pub(crate) sidecar: Option<SocketAddr>,
}

impl Plan {
    /// Settles everything, for an Envoy that can have this many files open.
    pub(crate) fn new(options: &Options, files: u64) -> Outcome<Self> {
        let file = configuration::find(options.file.as_deref())?;
        let mut places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
        if let Some(cache) = &options.cache {
            places.cache = std::path::absolute(cache).unwrap_or_else(|_| cache.clone());
        }
        let environment = configuration::environment(&places);
        let loaded = weir_control::load(&file, &environment)?;
        let folders = match options.run.as_deref() {
            Some(run) => Folders::find(None, Some(run))?,
            None => Folders::of(&places, &file)?,
        };
        let envoy = envoy::find(&places).map_err(|error| Problem::Failed(error.to_string()))?;
        let filter = filter::find(options.filter.as_ref(), Some(envoy.version))?;
        let name = options.node.clone().unwrap_or_else(|| folders.name(&places));
        let node = folders.node(name.clone(), filter, &environment, render::connections(files));
        let listen = loaded.gateway.listen();
        let listen = listen.parse().map_err(|_| Problem::Failed(format!("{listen} is no IP address with a port")))?;
        let admin = render::admin(&loaded.gateway, &node);
        let sim = programs::sim::address(&loaded, options);
        let sidecar = programs::sidecar::admin(&loaded, options);
        Ok(Self { file, places, environment, folders, loaded, name, node, envoy, listen, admin, sim, sidecar })
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

    /// Envoy as a child.
    pub(crate) fn envoy(&self, options: &Options) -> Spec {
        programs::envoy::spec(&self.envoy.path, &self.folders, options)
    }

    /// Control as a child.
    pub(crate) fn control(&self) -> Spec {
        programs::control::spec(&self.file, &self.folders, &self.places.state, &self.name)
    }

    /// A client of control.
    pub(crate) fn client(&self) -> Client {
        Client { address: ControlAddress::Socket(self.folders.control()), token: None, ca: None }
    }

    /// The simulator as a child.
    pub(crate) fn sim(&self, listen: SocketAddr) -> Spec {
        programs::sim::spec(&self.folders, listen)
    }

    /// The sidecar as a child.
    pub(crate) fn sidecar(&self) -> Spec {
        programs::sidecar::spec(&self.folders)
    }

    /// The settings of the sidecar.
    pub(crate) fn sidecar_settings(&self, admin: SocketAddr) -> weir_sidecar::Settings {
        let places = programs::sidecar::Places {
            socket: self.folders.socket(),
            admin,
            onnxruntime: Some(self.places.onnxruntime()).filter(|path| path.is_file()),
            models: self.places.models(),
        };
        programs::sidecar::settings(&self.loaded, places)
    }

    /// The folders of local models that are missing.
    pub(crate) fn missing_models(&self) -> Vec<PathBuf> {
        let local = self.loaded.gateway.local();
        let folder = local.folder.as_ref().map_or_else(|| self.places.models(), PathBuf::from);
        local.models.keys().map(|name| folder.join(name)).filter(|path| !path.is_dir()).collect()
    }
}
