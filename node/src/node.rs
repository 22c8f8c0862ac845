//! One node: everything a configuration needs, under one supervisor.
//!
//! `plan` settles what will run. Then each program is started and waited for, and the `banner` says how to use it. From there on
//! `Running::run` acts on signals, deaths and changed files.

mod change;
mod ready_file;

use tokio::sync::mpsc;
use tokio::time::Instant;
use weir_control::AdminAddress;
use weir_control::admin::Admin;
use weir_control::publisher::Publisher;
use weir_control::render;
use weir_control::watch::{self, Watch};

use crate::banner::{self, Key};
use crate::changes::Changes;
use crate::child::Program;
use crate::options::Options;
use crate::plan::Plan;
use crate::problem::{Outcome, Problem, at};
use crate::readiness::{self, Probe};
use crate::signals::Signals;
use crate::supervisor::{Event, Supervisor};
use crate::{
    configuration, drain, file, filter, keys, ledger, limits, listener, log, models, ports, private, programs, runtime,
    say,
};
use ready_file::ReadyFile;

/// Runs a node until it is asked to stop, or until something that it needs cannot be started.
pub fn run(options: Options) -> Outcome {
    private::from_now_on();
    let mut plan = Plan::new(&options, limits::raise_files())?;
    let unended = plan.folders.unended();
    let lock = plan.folders.take()?;
    if let Some(since) = unended {
        ledger::note_killed_run(&plan, since);
    }
    ports::check(&plan.claims())?;
    private::folder_if_ours(&plan.places.state).map_err(at(&plan.places.state))?;
    let key = first_key(&mut plan)?;
    configuration::warn(&plan.loaded);
    // One thread: children die with the thread that started them, and this one lives as long as the process.
    let outcome = runtime::single()?.block_on(async {
        let mut signals = Signals::new()?;
        let ready_file = options.ready_file.clone().map(ReadyFile::new);
        let mut node =
            Running { plan, options, key, ready_file, supervisor: Supervisor::new(), changes: Changes::default() };
        let started = tokio::select! {
            started = node.start() => started,
            () = signals.next() => {
                say::line("stopping before everything was up");
                node.supervisor.end_all().await;
                return Ok(());
            }
        };
        let changes = match started {
            Ok(changes) => changes,
            Err(problem) => {
                node.supervisor.end_all().await;
                return Err(problem);
            }
        };
        node.run(&mut signals, changes).await;
        node.stop(&mut signals).await;
        Ok(())
    });
    // An empty one says that this run has ended by itself. Without that, the next run says what may be missing in the ledger.
    let _ = lock.set_len(0);
    drop(lock);
    outcome
}

/// The key that the banner shows. The first start makes one.
fn first_key(plan: &mut Plan) -> Outcome<Key> {
    let keys = plan.loaded.keys_file.clone();
    if plan.loaded.gateway.routing().keys.is_empty() {
        let made = keys::first::make(&plan.places, &keys);
        plan.loaded = weir_control::load(&plan.file, &plan.environment)?;
        match made {
            Ok(()) => {
                let place = keys::first::place(&plan.places, &keys);
                say::line(&format!("made a first key; it is kept in {}", place.display()));
            }
            // Another node of this user may have been faster.
            Err(problem) if plan.loaded.gateway.routing().keys.is_empty() => return Err(problem),
            Err(_) => {}
        }
    }
    let kept = keys::first::kept(&plan.places, &keys);
    let known = kept.filter(|key| plan.loaded.gateway.routing().key(key).is_some());
    Ok(known.map_or(Key::Unknown, Key::Known))
}

/// Everything that runs.
struct Running {
    plan: Plan,
    options: Options,
    key: Key,
    ready_file: Option<ReadyFile>,
    supervisor: Supervisor,
    /// What the sidecar is being told.
    changes: Changes,
}

impl Running {
    /// Starts every program, waits until all are ready, and says so. Then the configuration is watched.
    async fn start(&mut self) -> Outcome<mpsc::Receiver<watch::Event>> {
        let failed = |error: &dyn std::fmt::Display| Problem::Failed(error.to_string());
        let resources = render::render(&self.plan.loaded.gateway, &self.plan.node).map_err(|error| failed(&error))?;
        let mut publisher = Publisher::new(self.plan.folders.envoy(), Some(self.plan.admin.clone()));
        publisher.publish(resources, std::time::Instant::now()).await.map_err(|error| failed(&error))?;
        for program in Program::ALL {
            log::rotate(&self.plan.folders.log(program));
        }
        if let Some(file) = &self.ready_file {
            // A killed run may have left it behind.
            file.remove();
        }
        let deadline = Instant::now() + self.options.wait;
        if let Some(address) = self.plan.sim {
            self.supervisor.keep(self.plan.sim(address));
        }
        if let Some(admin) = self.plan.sidecar {
            self.write_sidecar_settings(admin)?;
            self.supervisor.keep(self.plan.sidecar());
        }
        self.supervisor.keep(self.plan.control());
        readiness::wait_for_control(&self.plan.client(), &self.plan.folders).await;
        let (envoy, filter) = (&self.plan.envoy, filter::Kind::of(&self.plan.node.filter));
        say::line(&format!("starting Envoy {} ({}) with the {filter} filter", envoy.version, envoy.origin));
        self.supervisor.keep(self.plan.envoy(&self.options));
        if let Some(address) = self.plan.sim {
            self.wait_for(deadline, Probe::Sim(address)).await?;
            say::line(&format!("the simulated provider answers at {address}"));
        }
        let admin = Admin::at(self.plan.admin.clone());
        self.wait_for(deadline, Probe::Envoy { admin, listen: self.plan.listen }).await?;
        say::line("Envoy is ready");
        if let Some(admin) = self.plan.sidecar {
            let socket = self.plan.folders.socket();
            let admin = Admin::at(AdminAddress::Tcp(admin));
            self.wait_for(deadline, Probe::Sidecar { admin, socket: socket.clone() }).await?;
            for model in models::list(&socket).await.unwrap_or_default() {
                say::line(&format!("local model {}", models::line(&model)));
            }
        }
        let watch = Watch {
            file: self.plan.file.clone(),
            environment: self.plan.environment.clone(),
            node: self.plan.node.clone(),
            routes: None,
            control: Some(self.plan.client()),
        };
        let changes = watch.start(&self.plan.loaded, publisher).map_err(|error| {
            let hint = "if too many files are open, raise fs.inotify.max_user_instances";
            Problem::Failed(format!("the configuration cannot be watched for changes: {error}; {hint}"))
        })?;
        if programs::envoy::logs_keys(self.options.component_log_level.as_deref()) {
            say::line(
                "warning: Envoy logs the headers of requests (--component-log-level http), and with them callers' keys",
            );
        }
        if let Err(problem) = say::result(&banner::text(&self.plan, &self.key)) {
            say::line(&format!("{problem}; everything is up nevertheless"));
        }
        if let Some(file) = &self.ready_file {
            file.write(&self.plan, &self.supervisor)?;
        }
        Ok(changes)
    }

    async fn wait_for(&mut self, deadline: Instant, probe: Probe) -> Outcome {
        readiness::wait(&mut self.supervisor, &self.plan.folders, deadline, &probe).await
    }

    /// Runs until it is asked to stop. A change that fails leaves everything running as it was.
    async fn run(&mut self, signals: &mut Signals, mut changes: mpsc::Receiver<watch::Event>) {
        let admin = Admin::at(self.plan.admin.clone());
        let mut restarted = false;
        loop {
            tokio::select! {
                () = signals.next() => return,
                event = self.supervisor.next() => {
                    say::line(&event.to_string());
                    ledger::note(&self.plan, &event);
                    restarted |= matches!(event, Event::Back { program: Program::Envoy, .. });
                }
                Some(event) = changes.recv() => self.changed(event).await,
                settled = listener::settled(&admin), if restarted => {
                    restarted = settled.is_err();
                    if restarted {
                        self.restart_envoy().await;
                    }
                }
            }
        }
    }

    /// Restarts an Envoy that runs without its listener: Envoy does not try again by itself.
    async fn restart_envoy(&mut self) {
        let (listen, log) = (self.plan.loaded.gateway.listen(), self.plan.folders.log(Program::Envoy));
        say::line(&format!("envoy does not listen on {listen}; restarting it\n{}", log::tail(&log)));
        self.supervisor.end(Program::Envoy).await;
        self.supervisor.keep(self.plan.envoy(&self.options));
    }

    /// Lets requests end, then ends the programs. Envoy is the first, so that no new request arrives. Control is the next: it takes
    /// Envoy's last report, and reads the access log to its end.
    async fn stop(&mut self, signals: &mut Signals) {
        say::line("stopping");
        self.changes = Changes::default();
        let last = self.plan.loaded.gateway.clone().draining();
        let told = render::render(&last, &self.plan.node)
            .map_err(|error| error.to_string())
            .and_then(|last| Publisher::drain(&self.plan.folders.envoy(), &last).map_err(|error| error.to_string()));
        if let Err(problem) = told {
            say::line(&format!("/readyz still says that it is ready: {problem}"));
        }
        let admin = Admin::at(self.plan.admin.clone());
        tokio::select! {
            () = drain::drain(&admin, self.options.drain) => {}
            () = signals.next() => say::line("asked again; not waiting any longer"),
        }
        self.supervisor.end(Program::Envoy).await;
        self.supervisor.end(Program::Control).await;
        self.supervisor.end_all().await;
        if let Some(file) = &self.ready_file {
            file.remove();
        }
        say::line("stopped");
    }

    fn write_sidecar_settings(&self, admin: std::net::SocketAddr) -> Outcome {
        file::replace(
            &self.plan.folders.sidecar_settings(),
            programs::sidecar::text(&self.plan.sidecar_settings(admin)).as_bytes(),
        )
    }
}
