//! Writes what changes when the configuration changes.

use weir_control::Loaded;
use weir_control::publisher::Publisher;
use weir_control::rollout::Report;
use weir_control::watch::{Event, Watch};

use super::sidecar::{SETTINGS, Written};
use super::{Include, Options};
use crate::problem::{Outcome, Problem};
use crate::signals::asked_to_stop;
use crate::{configuration, say};

impl Include {
    /// Writes every change until asked to stop.
    pub(super) async fn follow(self, options: &Options, loaded: &Loaded, publisher: Publisher) -> Outcome {
        let watch = Watch {
            file: options.file.clone(),
            environment: self.environment.clone(),
            node: self.node.clone(),
            routes: options.routes.clone(),
            control: None,
        };
        let mut changes = watch.start(loaded, publisher).map_err(|error| Problem::Failed(error.to_string()))?;
        let shown = options.file.display().to_string();
        say::line(&format!("{shown}: watching it; changes are written to {}", self.out.display()));
        let stop = asked_to_stop();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                Some(event) = changes.recv() => self.changed(&shown, event),
            }
        }
    }

    fn changed(&self, file: &str, event: Event) {
        match event {
            Event::Live { loaded, report } => {
                say::line(&format!("{file}: {}", said(&report)));
                if report.restart {
                    say::line(&format!(
                        "{file}: bootstrap.json or manager.json has changed, which Envoy reads at its start only"
                    ));
                }
                configuration::warn(&loaded);
                match self.write_sidecar(&loaded) {
                    Ok(Written::Changed) => say::line(&format!("{SETTINGS} has changed: restart weir-sidecar")),
                    Ok(Written::Nothing | Written::Same) => {}
                    Err(problem) => say::line(&problem.to_string()),
                }
            }
            Event::Unnoticed { .. } => {}
            Event::Removed(_) => say::line("what the change no longer needs is removed"),
            Event::Refused(found) => say::line(&format!("{}; nothing was changed", Problem::Config(found))),
            Event::NotRendered(error) => say::line(&format!("{file}: {error}; nothing was changed")),
            Event::NotPublished(error) => say::line(&format!("{file}: {error}; nothing was changed")),
        }
    }
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
