//! `weir up`: everything a configuration needs, under one supervisor.
//!
//! [`plan`] settles what will run and misses what is missing; then each child is started and waited for; then
//! [`banner`] says how to use it. From there on [`Up::run`] turns signals, deaths and changed files into deeds.

use std::fs;
use std::path::Path;

use tokio::sync::mpsc;
use tokio::time::Instant;
use weir_control::publisher::Publisher;
use weir_control::render;
use weir_control::watch::{self, Watch};

use crate::banner::{self, Key};
use crate::changes::Changes;
use crate::options::Options;
use crate::plan::{self, Plan};
use crate::problem::{Outcome, Problem, at};
use crate::signals::Signals;
use crate::supervisor::{Event, Supervisor};
use crate::{child, configuration, drain, filter, folders, keys, limits, listener, ports, ready, say};

/// Runs until asked to stop, or until something that is needed cannot be started.
pub fn run(options: Options) -> Outcome {
    limits::close_to_others();
    let mut plan = Plan::new(&options, limits::raise_files())?;
    let lock = plan.folders.take()?;
    ports::check(&plan.claims())?;
    folders::private_if_ours(&plan.places.state).map_err(at(&plan.places.state))?;
    let key = key(&mut plan)?;
    configuration::warn(&plan.loaded);
    // One thread: children die with the thread that started them, and this one lives as long as the process.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::Failed(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let mut up = Up { plan, options, key, supervisor: Supervisor::new(), changes: Changes::default() };
        let outcome = tokio::select! {
            started = up.start() => started,
            () = signals.next() => {
                say::line("stopping before everything was up");
                up.supervisor.end_all().await;
                return Ok(());
            }
        };
        let watch = match outcome {
            Ok(watch) => watch,
            Err(problem) => {
                up.supervisor.end_all().await;
                return Err(problem);
            }
        };
        up.run(&mut signals, watch).await;
        up.stop(&mut signals).await;
        drop(lock);
        Ok(())
    })
}

/// The key that the banner shows. The first start makes one.
fn key(plan: &mut Plan) -> Outcome<Key> {
    let keys = plan.loaded.keys_file.clone();
    if plan.loaded.gateway.routing().keys.is_empty() {
        let made = keys::first(&plan.places, &keys);
        plan.loaded = weir_control::load(&plan.file, &plan.environment)?;
        match made {
            Ok(_) => {
                let place = keys::place(&plan.places, &keys);
                say::line(&format!("made a first key; it is kept in {}", place.display()));
            }
            // Another `weir up` of this user may have been faster.
            Err(problem) if plan.loaded.gateway.routing().keys.is_empty() => return Err(problem),
            Err(_) => {}
        }
    }
    let kept = keys::kept(&plan.places, &keys).filter(|key| plan.loaded.gateway.routing().key(key).is_some());
    Ok(kept.map_or(Key::Unknown, Key::Known))
}

/// Everything that runs.
struct Up {
    plan: Plan,
    options: Options,
    key: Key,
    supervisor: Supervisor,
    changes: Changes,
}

impl Up {
    /// Starts every child, waits until all are ready, and says so. From then on the configuration is watched.
    async fn start(&mut self) -> Outcome<mpsc::Receiver<watch::Event>> {
        let failed = |error: &dyn std::fmt::Display| Problem::Failed(error.to_string());
        let resources = render::render(&self.plan.loaded.gateway, &self.plan.paths).map_err(|error| failed(&error))?;
        let mut publisher = Publisher::new(self.plan.folders.envoy(), Some(self.plan.admin.clone()));
        publisher.publish(resources, std::time::Instant::now()).await.map_err(|error| failed(&error))?;
        for name in ["sim", "sidecar", "envoy"] {
            child::rotate(&self.plan.folders.log(name));
        }
        if let Some(path) = &self.options.ready_file {
            // One that a killed run left behind says nothing about this one.
            let _ = fs::remove_file(path);
        }
        let deadline = Instant::now() + self.options.wait;
        let envoy = &self.plan.envoy;
        if let Some(address) = self.plan.sim {
            self.supervisor.keep(self.plan.sim(address));
        }
        if let Some(admin) = self.plan.sidecar {
            self.write_sidecar_settings(admin)?;
            self.supervisor.keep(self.plan.sidecar());
        }
        let filter = filter::Kind::of(&self.plan.paths.filter);
        say::line(&format!("starting Envoy {} ({}) with the {filter} filter", envoy.version, envoy.origin));
        self.supervisor.keep(self.plan.envoy(&self.options));
        if let Some(address) = self.plan.sim {
            self.wait_for("sim", deadline, ready::Probe::Connect(address)).await?;
            say::line(&format!("the simulated provider answers at {address}"));
        }
        let probe = ready::Probe::Envoy { admin: self.plan.admin.clone(), listen: self.plan.listen };
        self.wait_for("envoy", deadline, probe).await?;
        say::line("Envoy is ready");
        if let Some(admin) = self.plan.sidecar {
            let probe = ready::Probe::Sidecar { admin, socket: self.plan.folders.socket() };
            self.wait_for("sidecar", deadline, probe).await?;
            for model in crate::models::list(&self.plan.folders.socket()).await.unwrap_or_default() {
                say::line(&format!("local model {}", crate::models::line(&model)));
            }
        }
        let watch = Watch {
            file: self.plan.file.clone(),
            environment: self.plan.environment.clone(),
            node: self.plan.paths.clone(),
            routes: None,
        };
        let changes = watch.start(&self.plan.loaded, publisher).map_err(|error| {
            let hint = "if too many files are open, raise fs.inotify.max_user_instances";
            Problem::Failed(format!("changes of the configuration cannot be followed: {error}; {hint}"))
        })?;
        if plan::tells_keys(self.options.component_log_level.as_deref()) {
            say::line(
                "warning: Envoy logs the headers of requests (--component-log-level http): callers' keys stand in its log",
            );
        }
        if let Err(problem) = say::result(&banner::text(&self.plan, &self.key)) {
            say::line(&format!("{problem}; everything is up all the same"));
        }
        if let Some(path) = &self.options.ready_file {
            self.write_ready(path)?;
        }
        Ok(changes)
    }

    async fn wait_for(&mut self, name: &'static str, deadline: Instant, probe: ready::Probe) -> Outcome {
        let log = self.plan.folders.log(name);
        ready::wait(&mut self.supervisor, name, &log, deadline, &probe).await
    }

    /// Until asked to stop: whatever goes wrong with a change, what runs goes on.
    async fn run(&mut self, signals: &mut Signals, mut changes: mpsc::Receiver<watch::Event>) {
        let mut again = false;
        loop {
            tokio::select! {
                () = signals.next() => return,
                event = self.supervisor.next() => {
                    tell(&event);
                    again |= matches!(event, Event::Back { name: "envoy", .. });
                }
                Some(event) = changes.recv() => self.changed(event).await,
                listens = listener::settled(&self.plan.admin), if again => {
                    again = listens.is_err();
                    if again {
                        self.refused_listener().await;
                    }
                }
            }
        }
    }

    /// Starts an Envoy anew that runs without its listener: it does not try again by itself.
    async fn refused_listener(&mut self) {
        let (listen, log) = (self.plan.loaded.gateway.listen(), self.plan.folders.log("envoy"));
        say::line(&format!("envoy does not listen on {listen}; starting it again\n{}", child::tail(&log)));
        self.supervisor.end("envoy").await;
        self.supervisor.keep(self.plan.envoy(&self.options));
    }

    /// Says what became of a changed configuration, and takes up what is not Envoy's.
    async fn changed(&mut self, event: watch::Event) {
        let file = self.plan.file.display().to_string();
        match event {
            watch::Event::Live { loaded, report } => {
                if report.written.is_empty() {
                    let changed = if loaded.gateway == self.plan.loaded.gateway { "it" } else { "it for Envoy" };
                    say::line(&format!("{file}: read again; nothing in {changed} has changed"));
                } else {
                    let taken = if report.confirmed { "live" } else { "written; Envoy has not confirmed it yet" };
                    say::line(&format!("{file}: the change is {taken}"));
                }
                if report.restart {
                    say::line(&format!("{file}: part of it (`admin`) is read only at the start; restart weir for it"));
                }
                let warned = std::mem::replace(&mut self.plan.loaded, *loaded).warnings;
                if warned != self.plan.loaded.warnings {
                    configuration::warn(&self.plan.loaded);
                }
                self.sim_changed();
                self.sidecar_changed().await;
            }
            watch::Event::Unnoticed { file, hint } => {
                let file = file.display();
                say::line(&format!("{file}: Envoy goes on with what it read from this file before; {hint}"));
            }
            watch::Event::Removed(_) => say::line("what the change left over is gone"),
            watch::Event::Refused(found) => say::line(&format!("{}; nothing was changed", Problem::Config(found))),
            watch::Event::NotRendered(error) => say::line(&format!("{file}: {error}; nothing was changed")),
            watch::Event::NotPublished(error) => say::line(&format!("{file}: {error}; nothing was changed")),
        }
    }

    /// Starts the simulator if a provider is at its address now. It stays to the end: answers of its may be under way.
    fn sim_changed(&mut self) {
        let Some(address) = plan::sim(&self.plan.loaded, &self.options).filter(|_| self.plan.sim.is_none()) else {
            return;
        };
        // Somebody else may answer there by now, and may be who is meant.
        if let Err(problem) = ports::check(&[self.plan.claim_of_sim(address)]) {
            say::line(&format!("{problem}; no simulated provider is started"));
            return;
        }
        self.plan.sim = Some(address);
        child::rotate(&self.plan.folders.log("sim"));
        self.supervisor.keep(self.plan.sim(address));
        say::line(&format!("a provider is at {address} now; the simulated provider starts there"));
    }

    /// Brings the sidecar to what the configuration says now. It is told which models have changed; it starts anew only for
    /// settings of its own, which it reads once.
    async fn sidecar_changed(&mut self) {
        let running = self.plan.sidecar;
        let wanted = plan::sidecar_admin(&self.plan.loaded, &self.options);
        self.plan.sidecar = wanted.map(|wanted| running.unwrap_or(wanted));
        let Some(admin) = self.plan.sidecar else {
            if running.is_some() {
                self.supervisor.end("sidecar").await;
                say::line("no local models are left; the sidecar has ended");
            }
            return;
        };
        let now = self.plan.sidecar_settings(admin);
        let before = running.and_then(|_| weir_sidecar::Settings::read(&self.plan.folders.sidecar_settings()).ok());
        if before.as_ref() == Some(&now) {
            return;
        }
        let told = before.filter(|before| before.serves_as(&now));
        // What could not start must not take the place of what runs.
        let missing = running.filter(|_| told.is_none()).and_then(|_| self.plan.missing_models().into_iter().next());
        let whole =
            missing.map_or(Ok(()), |path| Err(Problem::Failed(format!("there is no folder {}", path.display()))));
        // A sidecar that dies starts again with what it was told last.
        if let Err(problem) = whole.and_then(|()| self.write_sidecar_settings(admin)) {
            self.plan.sidecar = running;
            say::line(&format!("{problem}; the local models stay as they were until the file is saved again"));
            return;
        }
        if let Some(before) = told {
            self.changes.tell(&self.plan.folders.socket(), &before, &now);
            return;
        }
        self.supervisor.end("sidecar").await;
        self.supervisor.keep(self.plan.sidecar());
        say::line(match running {
            Some(_) => "a setting of the sidecar itself has changed; the sidecar starts anew",
            None => "there are local models now; the sidecar starts",
        });
    }

    /// Lets requests end, then ends the children: the door first.
    async fn stop(&mut self, signals: &mut Signals) {
        say::line("stopping");
        let last = self.plan.loaded.gateway.clone().draining();
        let told = render::render(&last, &self.plan.paths)
            .map_err(|error| error.to_string())
            .and_then(|last| Publisher::drain(&self.plan.folders.envoy(), &last).map_err(|error| error.to_string()));
        if let Err(problem) = told {
            say::line(&format!("/readyz goes on saying that it is ready: {problem}"));
        }
        tokio::select! {
            () = drain::drain(&self.plan.admin, self.options.drain) => {}
            () = signals.next() => say::line("asked again; not waiting any longer"),
        }
        self.supervisor.end("envoy").await;
        self.supervisor.end_all().await;
        if let Some(path) = &self.options.ready_file {
            // Gone already is as good.
            let _ = fs::remove_file(path);
        }
        say::line("stopped");
    }

    fn sidecar_settings(&self, admin: std::net::SocketAddr) -> String {
        serde_json::to_string_pretty(&self.plan.sidecar_settings(admin)).unwrap_or_default()
    }

    fn write_sidecar_settings(&self, admin: std::net::SocketAddr) -> Outcome {
        replace(&self.plan.folders.sidecar_settings(), &self.sidecar_settings(admin))
    }

    /// The machine-readable banner.
    fn write_ready(&self, path: &Path) -> Outcome {
        let children: serde_json::Map<_, _> =
            self.supervisor.ids().map(|(name, id)| (name.to_owned(), id.into())).collect();
        let ready = serde_json::json!({
            "address": self.plan.listen.to_string(),
            "admin": self.plan.admin.to_string(),
            "pid": std::process::id(),
            "children": children,
            "run": self.plan.folders.run,
            "logs": self.plan.folders.logs,
            "sidecar_admin": self.plan.sidecar.map(|address| address.to_string()),
        });
        replace(path, &format!("{ready}\n"))
    }
}

/// Writes beside and renames: whoever reads sees the old file or the new one, also where the disk is full.
pub(crate) fn replace(path: &Path, text: &str) -> Outcome {
    let fresh = path.with_extension("tmp");
    fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, path)).map_err(at(path))
}

fn tell(event: &Event) {
    match event {
        Event::Died { name, how, pause } => {
            let seconds = pause.as_secs_f32();
            say::line(&format!("{name} {how}; starting it again in {seconds:.1} s"));
        }
        Event::Back { name, id } => say::line(&format!("{name} was started again (process {id})")),
    }
}
