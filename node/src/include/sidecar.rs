//! What starts the sidecar beside an Envoy that somebody else runs: its settings, and a systemd unit.

use std::path::Path;

use weir_control::Loaded;
use weir_places::Places;

use super::Include;
use crate::file;
use crate::problem::Outcome;
use crate::programs::sidecar;

/// The file of the settings.
pub(super) const SETTINGS: &str = "sidecar.json";
/// The file of the unit.
const UNIT: &str = "weir-sidecar.service";

/// What was written for the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing: there are no local models.
    Nothing,
    /// The files, which were there already with the same settings.
    Same,
    /// The files, with other settings than before.
    Changed,
}

impl Written {
    /// The names of the files.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => &[],
            Self::Same | Self::Changed => &[SETTINGS, UNIT],
        }
    }
}

impl Include {
    /// Writes the files, if there are local models.
    pub(super) fn write_sidecar(&self, loaded: &Loaded) -> Outcome<Written> {
        if loaded.gateway.local().models.is_empty() {
            return Ok(Written::Nothing);
        }
        let changed = file::update(&self.out.join(SETTINGS), format!("{}\n", self.settings(loaded)).as_bytes())?;
        let unit = unit(&self.node.folder.join(SETTINGS));
        file::update(&self.out.join(UNIT), unit.as_bytes())?;
        Ok(if changed { Written::Changed } else { Written::Same })
    }

    fn settings(&self, loaded: &Loaded) -> String {
        let models = self.node.folder.join("models");
        let here = Places::here().ok().filter(|_| !self.leaves);
        let places = sidecar::Places {
            socket: self.node.sidecar_socket.clone(),
            admin: sidecar::ADMIN,
            onnxruntime: here.as_ref().map(Places::onnxruntime).filter(|path| path.is_file()),
            models: here.as_ref().map_or(models, Places::models),
        };
        sidecar::text(&sidecar::settings(loaded, places))
    }
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
