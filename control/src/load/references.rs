//! The files that a configuration refers to.

use std::path::{Path, PathBuf};

use weir_core::config::source::Source;
use weir_core::config::{Gateway, Preset};
use weir_core::upstream::Credential;

use crate::{Diagnostic, Environment};

use super::sheet::Sheet;

/// The model that a clone of Weir fetches.
const TEST_MODEL: &str = "all-minilm-l6-v2";

/// Makes the paths in `source` absolute: Envoy and the sidecar run in another folder.
pub(super) fn resolve(source: &mut Source, environment: &Environment, folder: &Path) {
    let absolute = |written: &str| environment.absolute(written, folder).display().to_string();
    let presets = Preset::all();
    for provider in source.providers.values_mut() {
        let preset = provider.preset.as_ref().and_then(|name| presets.get(name));
        if let (None, Some(preset)) = (&provider.credential, preset) {
            provider.credential.clone_from(&preset.credential);
        }
        if let Some(file) = provider.aws.as_mut().and_then(|aws| aws.credentials_file.as_mut()) {
            *file = absolute(file);
        }
        if let Some(Ok(Credential::File(file))) = provider.credential.as_deref().map(Credential::parse) {
            provider.credential = Some(format!("file:{}", absolute(&file)));
        }
        provider.ca = provider.ca.as_deref().map(absolute);
    }
    source.local.folder = source.local.folder.as_deref().map(absolute);
    if let Some(log) = source.telemetry.access_log.as_deref().filter(|log| !matches!(*log, "" | "stdout" | "stderr")) {
        source.telemetry.access_log = Some(absolute(log));
    }
}

/// The credentials and CA bundles that `gateway` reads from files.
pub(super) fn files(gateway: &Gateway) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for provider in gateway.providers() {
        if let Some(Credential::File(file)) = &provider.credential {
            files.push(file.into());
        }
        files.extend(provider.ca.iter().map(PathBuf::from));
        files
            .extend(provider.signing.iter().filter_map(|signing| signing.credentials_file.as_ref()).map(PathBuf::from));
    }
    files
}

/// Warns about local models whose folder is missing. Requests for them fail; everything else runs.
pub(super) fn missing_models(sheet: &Sheet, source: &Source, environment: &Environment) -> Vec<Diagnostic> {
    let folder = source.local.folder.as_ref().map_or_else(|| environment.models(), PathBuf::from);
    let missing = source.local.models.keys().filter(|name| !folder.join(name).is_dir());
    let tell = |name: &String| {
        let problem = format!("there is no folder {}", folder.join(name).display());
        let hint = if name == TEST_MODEL {
            format!("put the model there; in a clone of Weir `cargo xtask fetch` does so for {TEST_MODEL}")
        } else {
            "put the model there, or correct the name, and start anew; until then it is answered with an error"
                .to_owned()
        };
        sheet.warning(format!("local.models.{name}"), problem, hint)
    };
    missing.map(tell).collect()
}
