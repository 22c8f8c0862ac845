//! A configuration as files for an Envoy that somebody else runs.
//!
//! All paths in the files lead into their own folder, except those that the configuration names.

mod follow;
mod sidecar;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use weir_control::load::own_routes;
use weir_control::publisher::Publisher;
use weir_control::render::{Control, Door, MOST_CONNECTIONS, Module, Node, render};
use weir_control::{AdminAddress, Environment, Loaded, References};
use weir_core::config::AccessLog;
use weir_places::Places;

use crate::configuration::{self, environment};
use crate::problem::{Outcome, Problem, at};
use crate::{filter, runtime, say};

/// Where most systems have their CA bundle. It is used for a machine that is not this one.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What is written, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration.
    pub file: PathBuf,
    /// The folder that is written to.
    pub out: PathBuf,
    /// Where that folder will be on the machine where Envoy runs, if that is another machine.
    pub prefix: Option<PathBuf>,
    /// The route configuration of an Envoy that has Weir's filter in its own chain.
    pub routes: Option<PathBuf>,
    /// Control, if that Envoy shares its limits with others.
    pub control: Option<Control>,
    /// Whether changes are written too.
    pub follow: Follow,
}

/// Whether changes of the configuration are written too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// No: the files are written once.
    No,
    /// Yes, until asked to stop. Envoy's admin interface is asked whether each file is taken; without one, each gets a second.
    Yes(Option<AdminAddress>),
}

/// Writes the files, and prints their names.
pub fn run(options: &Options) -> Outcome {
    runtime::single()?.block_on(async {
        let admin = match &options.follow {
            Follow::No => None,
            Follow::Yes(admin) => admin.clone(),
        };
        let (include, loaded) = Include::read(options)?;
        let mut publisher = Publisher::new(&include.out, admin).beside_envoy();
        let resources = render(&loaded.gateway, &include.node).map_err(|error| Problem::Failed(error.to_string()))?;
        include.copy_filter()?;
        let names: Vec<String> = resources.files().into_iter().map(|(_, name, _)| name).collect();
        let written = publisher.publish(resources, Instant::now()).await;
        written.map_err(|error| Problem::Failed(error.to_string()))?;
        let sidecar = include.write_sidecar(&loaded)?.names();
        for name in names.iter().map(String::as_str).chain(sidecar.iter().copied()) {
            say::result(&include.out.join(name).display().to_string())?;
        }
        configuration::warn(&loaded);
        include.hint_at_log(&loaded);
        include.hint_at_control(&loaded);
        match options.follow {
            Follow::No => Ok(()),
            Follow::Yes(_) => include.follow(options, &loaded, publisher).await,
        }
    })
}

/// The folder that is written, and what is written there.
struct Include {
    out: PathBuf,
    environment: Environment,
    node: Node,
    /// The filter on this machine, if there is one.
    filter: Option<Module>,
    /// Whether the files are for another machine.
    leaves: bool,
}

impl Include {
    fn read(options: &Options) -> Outcome<(Self, Loaded)> {
        let Options { file, out, prefix, routes, control, .. } = options;
        let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
        let environment =
            Environment { references: References::Elsewhere { base: prefix.clone() }, ..environment(&places) };
        let loaded = weir_control::load(file, &environment)?;
        fs::create_dir_all(out).map_err(at(out))?;
        let out = fs::canonicalize(out).map_err(at(out))?;
        let folder = prefix.clone().unwrap_or_else(|| out.clone());
        if !folder.is_absolute() {
            let folder = folder.display();
            return Err(Problem::Usage(format!(
                "--prefix {folder}: name an absolute path, as Envoy will see the folder"
            )));
        }
        let filter = match filter::find(None, None) {
            Err(_) if !filter::is_named() => None,
            found => Some(found?),
        };
        let kind = filter.as_ref().map_or(filter::Kind::Wasm, filter::Kind::of);
        let door = match routes {
            Some(routes) => Door::Chain(own_routes(routes).map_err(|found| Problem::Config(vec![found]))?),
            None => Door::Internal,
        };
        let node = Node {
            filter: Module::at(folder.join(kind.file())),
            sidecar_socket: folder.join("sidecar.sock"),
            // The operator's Envoy has an admin interface and a limit of connections of its own.
            admin_socket: folder.join("admin.sock"),
            connections: MOST_CONNECTIONS,
            control: control.clone(),
            access_log: folder.join("access.log"),
            ca_bundle: Some(ca_bundle(&environment, prefix.is_some())),
            door,
            folder,
        };
        Ok((Self { out, environment, node, filter, leaves: prefix.is_some() }, loaded))
    }

    /// Copies the filter into the folder of the files that name it.
    fn copy_filter(&self) -> Outcome {
        let place = self.node.filter.path();
        let Some(filter) = &self.filter else {
            say::line(&format!("no filter was found: put one at {}, or name one with WEIR_FILTER", place.display()));
            return Ok(());
        };
        let to = self.out.join(place.file_name().unwrap_or_default());
        let bytes = fs::read(filter.path()).map_err(at(filter.path()))?;
        if fs::read(&to).is_ok_and(|held| held == bytes) {
            return Ok(());
        }
        // A running Envoy may have the old file open, so it is replaced and never written into.
        let fresh = to.with_extension("new");
        fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, &to)).map_err(at(&to))
    }

    /// Warns if there are limits that nobody but this Envoy remembers.
    fn hint_at_control(&self, loaded: &Loaded) {
        if self.node.control.is_none() && !loaded.gateway.routing().quotas.all().is_empty() {
            say::line(
                "limits hold within this Envoy alone, and a restart forgets them; --control names a `weir control`",
            );
        }
    }

    /// Warns if the folder of the access log is missing: Envoy refuses a listener whose log it cannot open.
    fn hint_at_log(&self, loaded: &Loaded) {
        let Some(AccessLog::File(log)) = &loaded.gateway.telemetry().access_log else { return };
        if !self.leaves && Path::new(log).parent().is_some_and(|folder| !folder.is_dir()) {
            say::line(&format!(
                "make the folder of the access log, {log}: without it Envoy does not take the listener"
            ));
        }
    }
}

/// The CA bundle of the machine where Envoy runs, as far as it is known here.
fn ca_bundle(environment: &Environment, leaves: bool) -> PathBuf {
    let found = if leaves {
        environment.vars.get("SSL_CERT_FILE").filter(|named| !named.is_empty()).map(PathBuf::from)
    } else {
        environment.ca_bundle().map(Path::to_owned)
    };
    found.unwrap_or_else(|| CA_BUNDLE.into())
}
