//! `weir render`: a configuration as files for an Envoy that somebody else runs, and kept so with `--watch`.
//!
//! All that the files name lies in their folder, but what the configuration names itself.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use weir_control::load::own_routes;
use weir_control::publisher::Publisher;
use weir_control::render::{Door, MOST_CONNECTIONS, Module, Node, render};
use weir_control::rollout::Report;
use weir_control::watch::{Event, Watch};
use weir_control::{AdminAddress, Environment, Loaded, References};
use weir_core::config::AccessLog;
use weir_places::Places;

use crate::configuration::{self, environment};
use crate::node::replace;
use crate::plan::{SidecarPlaces, sidecar_settings};
use crate::problem::{Outcome, Problem, at};
use crate::{filter, say};

/// Where the sidecar serves health and metrics.
const SIDECAR_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10003);
/// The sidecar's settings, and what starts it.
const SETTINGS: &str = "sidecar.json";
const UNIT: &str = "weir-sidecar.service";
/// Where most systems have their CA bundle, for a machine that is not this one.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What is written, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration.
    pub file: PathBuf,
    /// The folder that is written to.
    pub out: PathBuf,
    /// Where that folder will lie on the machine where Envoy runs, if not here.
    pub prefix: Option<PathBuf>,
    /// The route configuration of an Envoy that has Weir's filter in its own chain.
    pub routes: Option<PathBuf>,
    /// Whether to stay, and write what changes.
    pub follow: Follow,
}

/// Whether to stay, and write what changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Once.
    No,
    /// Until asked to stop. The admin interface is asked whether each file is taken; without one, each gets a second.
    Yes(Option<AdminAddress>),
}

/// Writes the files, and prints their names.
pub fn run(options: &Options) -> Outcome {
    let (file, out) = (options.file.as_path(), options.out.as_path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Problem::Failed(format!("cannot start: {error}")))?.block_on(async {
        let admin = match &options.follow {
            Follow::No => None,
            Follow::Yes(admin) => admin.clone(),
        };
        let (include, loaded) = Include::read(file, out, options)?;
        let mut publisher = Publisher::new(&include.out, admin).beside_envoy();
        let resources = render(&loaded.gateway, &include.paths).map_err(|error| Problem::Failed(error.to_string()))?;
        include.copy_filter()?;
        let names: Vec<String> = resources.files().into_iter().map(|(_, name, _)| name).collect();
        let written = publisher.publish(resources, Instant::now()).await;
        written.map_err(|error| Problem::Failed(error.to_string()))?;
        let sidecar = include.write_sidecar(&loaded)?;
        for name in names.iter().map(String::as_str).chain(sidecar) {
            say::result(&include.out.join(name).display().to_string())?;
        }
        configuration::warn(&loaded);
        include.hint_at_log(&loaded);
        match options.follow {
            Follow::No => Ok(()),
            Follow::Yes(_) => include.watch(options, &loaded, publisher).await,
        }
    })
}

/// The folder that is written, and what is written there.
struct Include {
    out: PathBuf,
    environment: Environment,
    paths: Node,
    /// The filter on this machine, if it is here.
    filter: Option<Module>,
    /// Whether the files go to another machine.
    leaves: bool,
}

impl Include {
    fn read(file: &Path, out: &Path, options: &Options) -> Outcome<(Self, Loaded)> {
        let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
        let environment =
            Environment { references: References::Elsewhere { base: options.prefix.clone() }, ..environment(&places) };
        let loaded = weir_control::load(file, &environment)?;
        fs::create_dir_all(out).map_err(at(out))?;
        let out = fs::canonicalize(out).map_err(at(out))?;
        let folder = options.prefix.clone().unwrap_or_else(|| out.clone());
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
        let door = match &options.routes {
            Some(routes) => Door::Chain(own_routes(routes).map_err(|found| Problem::Config(vec![found]))?),
            None => Door::Internal,
        };
        let paths = Node {
            filter: Module::at(folder.join(kind.file())),
            sidecar_socket: folder.join("sidecar.sock"),
            // The operator's Envoy has its own, and its own limit of connections.
            admin_socket: folder.join("admin.sock"),
            connections: MOST_CONNECTIONS,
            access_log: folder.join("access.log"),
            ca_bundle: Some(ca_bundle(&environment, options)),
            door,
            folder,
        };
        Ok((Self { out, environment, paths, filter, leaves: options.prefix.is_some() }, loaded))
    }

    /// Puts the filter beside the files that name it.
    fn copy_filter(&self) -> Outcome {
        let place = self.paths.filter.path();
        let Some(filter) = &self.filter else {
            say::line(&format!("no filter was found: put one at {}, or name one with WEIR_FILTER", place.display()));
            return Ok(());
        };
        let to = self.out.join(place.file_name().unwrap_or_default());
        let bytes = fs::read(filter.path()).map_err(at(filter.path()))?;
        if fs::read(&to).is_ok_and(|held| held == bytes) {
            return Ok(());
        }
        // An Envoy that runs may have the old one open: what is there is replaced, never written into.
        let fresh = to.with_extension("new");
        fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, &to)).map_err(at(&to))
    }

    /// Writes what the sidecar is started with, if there are local models; the names of the files.
    fn write_sidecar(&self, loaded: &Loaded) -> Outcome<Vec<&'static str>> {
        if loaded.gateway.local().models.is_empty() {
            return Ok(Vec::new());
        }
        self.replace(SETTINGS, &format!("{}\n", self.settings(loaded)))?;
        let settings = self.paths.folder.join(SETTINGS);
        self.replace(UNIT, &unit(&settings))?;
        Ok(vec![SETTINGS, UNIT])
    }

    fn settings(&self, loaded: &Loaded) -> String {
        let models = self.paths.folder.join("models");
        let places = Places::here().ok().filter(|_| !self.leaves);
        let settings = sidecar_settings(
            loaded,
            SidecarPlaces {
                socket: self.paths.sidecar_socket.clone(),
                admin: SIDECAR_ADMIN,
                onnxruntime: places.as_ref().map(Places::onnxruntime).filter(|path| path.is_file()),
                models: places.as_ref().map_or(models, Places::models),
            },
        );
        serde_json::to_string_pretty(&settings).unwrap_or_default()
    }

    /// Writes one file; `false` if it is the same.
    fn replace(&self, name: &str, text: &str) -> Outcome<bool> {
        let path = self.out.join(name);
        if fs::read(&path).is_ok_and(|held| held == text.as_bytes()) {
            return Ok(false);
        }
        replace(&path, text).map(|()| true)
    }

    /// Tells of an access log whose folder is missing: Envoy takes no listener whose log it cannot open.
    fn hint_at_log(&self, loaded: &Loaded) {
        let Some(AccessLog::File(log)) = &loaded.gateway.telemetry().access_log else { return };
        if !self.leaves && Path::new(log).parent().is_some_and(|folder| !folder.is_dir()) {
            say::line(&format!(
                "make the folder of the access log, {log}: without it Envoy does not take the listener"
            ));
        }
    }

    /// Writes what changes, until asked to stop.
    async fn watch(mut self, options: &Options, loaded: &Loaded, publisher: Publisher) -> Outcome {
        let watch = Watch {
            file: options.file.clone(),
            environment: self.environment.clone(),
            node: self.paths.clone(),
            routes: options.routes.clone(),
        };
        let failed = |error: &dyn std::fmt::Display| Problem::Failed(error.to_string());
        let mut changes = watch.start(loaded, publisher).map_err(|error| failed(&error))?;
        let shown = options.file.display().to_string();
        say::line(&format!("{shown}: followed; what changes is written to {}", self.out.display()));
        let stop = crate::signals::asked_to_stop();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                Some(event) = changes.recv() => self.changed(&shown, event),
            }
        }
    }

    fn changed(&mut self, file: &str, event: Event) {
        match event {
            Event::Live { loaded, report } => {
                say::line(&format!("{file}: {}", said(&report)));
                if report.restart {
                    say::line(&format!(
                        "{file}: bootstrap.json or manager.json has changed, which Envoy reads at its start only"
                    ));
                }
                configuration::warn(&loaded);
                match self.replace_sidecar(&loaded) {
                    Ok(true) => say::line(&format!("{SETTINGS} has changed: restart weir-sidecar")),
                    Ok(false) => {}
                    Err(problem) => say::line(&problem.to_string()),
                }
            }
            Event::Unnoticed { .. } => {}
            Event::Removed(_) => say::line("what the change left over is gone"),
            Event::Refused(found) => say::line(&format!("{}; nothing was changed", Problem::Config(found))),
            Event::NotRendered(error) => say::line(&format!("{file}: {error}; nothing was changed")),
            Event::NotPublished(error) => say::line(&format!("{file}: {error}; nothing was changed")),
        }
    }

    fn replace_sidecar(&self, loaded: &Loaded) -> Outcome<bool> {
        let before = fs::read(self.out.join(SETTINGS)).ok();
        self.write_sidecar(loaded)?;
        Ok(fs::read(self.out.join(SETTINGS)).ok() != before)
    }
}

/// The bundle of the machine where Envoy runs, as far as it can be known here.
fn ca_bundle(environment: &Environment, options: &Options) -> PathBuf {
    let found = match options.prefix {
        Some(_) => environment.vars.get("SSL_CERT_FILE").filter(|named| !named.is_empty()).map(PathBuf::from),
        None => environment.ca_bundle().map(Path::to_owned),
    };
    found.unwrap_or_else(|| CA_BUNDLE.into())
}

/// What became of a change.
fn said(report: &Report) -> String {
    if report.written.is_empty() {
        return "read again; nothing in it has changed for Envoy".to_owned();
    }
    let names: Vec<_> = report.written.iter().map(|kind| kind.file().trim_end_matches(".json")).collect();
    let taken = if report.confirmed { "the change is live" } else { "the change is written" };
    format!("{taken} ({})", names.join(", "))
}

/// A systemd unit that keeps the sidecar running.
fn unit(settings: &Path) -> String {
    format!(
        "[Unit]\n\
         Description=Local models for Weir\n\
         After=network.target\n\
         \n\
         [Service]\n\
         # As the user that Envoy runs as: it has to reach the socket.\n\
         #User=envoy\n\
         ExecStart=/usr/bin/env weir sidecar --config {}\n\
         # Requests that are under way end first.\n\
         TimeoutStopSec=40\n\
         Restart=always\n\
         RestartSec=1\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        settings.display()
    )
}
