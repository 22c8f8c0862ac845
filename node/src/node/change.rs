//! What a changed configuration changes in the programs that run.
//!
//! Control publishes what is Envoy's. What is left is to start the simulator, and to start, tell, restart or end the sidecar.

use weir_control::watch;
use weir_sidecar::Settings;

use super::Running;
use crate::changes::Changes;
use crate::child::Program;
use crate::problem::{Outcome, Problem};
use crate::programs;
use crate::{configuration, log, ports, say};

impl Running {
    /// Says what became of a changed configuration, and applies what is not Envoy's.
    pub(super) async fn changed(&mut self, event: watch::Event) {
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
                    say::line(&format!(
                        "{file}: part of it (`admin`) is read only at the start; restart weir to apply it"
                    ));
                }
                let warned = std::mem::replace(&mut self.plan.loaded, *loaded).warnings;
                if warned != self.plan.loaded.warnings {
                    configuration::warn(&self.plan.loaded);
                }
                self.change_sim();
                self.change_sidecar().await;
            }
            watch::Event::Unnoticed { file, hint } => {
                let file = file.display();
                say::line(&format!("{file}: Envoy still uses what it read from this file before; {hint}"));
            }
            watch::Event::Removed(_) => say::line("what the change no longer needs is removed"),
            watch::Event::Refused(found) => say::line(&format!("{}; nothing was changed", Problem::Config(found))),
            watch::Event::NotRendered(error) => say::line(&format!("{file}: {error}; nothing was changed")),
            watch::Event::NotPublished(error) => say::line(&format!("{file}: {error}; nothing was changed")),
        }
    }

    /// Starts the simulator if a provider has its address now. Once started it runs to the end, because it may be answering
    /// requests.
    fn change_sim(&mut self) {
        let address = programs::sim::address(&self.plan.loaded, &self.options);
        let Some(address) = address.filter(|_| self.plan.sim.is_none()) else {
            return;
        };
        // Another program may listen there, and the provider may be that program.
        if let Err(problem) = ports::check(&[self.plan.claim_of_sim(address)]) {
            say::line(&format!("{problem}; no simulated provider is started"));
            return;
        }
        self.plan.sim = Some(address);
        log::rotate(&self.plan.folders.log(Program::Sim));
        self.supervisor.keep(self.plan.sim(address));
        say::line(&format!("a provider is at {address} now; the simulated provider starts there"));
    }

    /// Brings the sidecar to what the configuration says now. It is told which models have changed, and to load again those
    /// that it could not load. It is restarted only for settings of its own, which it reads once.
    async fn change_sidecar(&mut self) {
        let running = self.plan.sidecar;
        let wanted = programs::sidecar::admin(&self.plan.loaded, &self.options);
        self.plan.sidecar = wanted.map(|wanted| running.unwrap_or(wanted));
        let Some(admin) = self.plan.sidecar else {
            if running.is_some() {
                self.changes = Changes::default();
                self.supervisor.end(Program::Sidecar).await;
                say::line("no local models are left; the sidecar has ended");
            }
            return;
        };
        let now = self.plan.sidecar_settings(admin);
        let before = running.and_then(|_| Settings::read(&self.plan.folders.sidecar_settings()).ok());
        let told = before.filter(|before| before.serves_as(&now));
        // A sidecar that cannot start must not replace one that runs.
        let whole = if running.is_some() && told.is_none() { self.models_are_here() } else { Ok(()) };
        // The file is written in any case: a sidecar that dies starts again with what it was told last.
        if let Err(problem) = whole.and_then(|()| self.write_sidecar_settings(admin)) {
            self.plan.sidecar = running;
            say::line(&format!("{problem}; the local models stay as they were until the file is saved again"));
            return;
        }
        if let Some(before) = told {
            self.changes.tell(&self.plan.folders.socket(), &before, &now).await;
            return;
        }
        // What the old one was being told is in the settings of the new one.
        self.changes = Changes::default();
        self.supervisor.end(Program::Sidecar).await;
        self.supervisor.keep(self.plan.sidecar());
        say::line(match running {
            Some(_) => "a setting of the sidecar itself has changed; the sidecar is restarted",
            None => "there are local models now; the sidecar starts",
        });
    }

    fn models_are_here(&self) -> Outcome {
        match self.plan.missing_models().first() {
            None => Ok(()),
            Some(path) => Err(Problem::Failed(format!("there is no folder {}", path.display()))),
        }
    }
}
