//! The machine around the configuration, as a value: variables, folders, and the places of the system's CA bundle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the configuration depends on besides itself.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Environment variables, as Envoy will see them.
    pub vars: BTreeMap<String, String>,
    /// The home folder.
    pub home: Option<PathBuf>,
    /// Weir's cache folder: Envoy, models.
    pub cache: PathBuf,
    /// Weir's state folder: keys, logs.
    pub state: PathBuf,
    /// Where the system may keep its CA bundle, most likely first.
    pub ca_bundles: Vec<PathBuf>,
    /// Whether the files and variables that the configuration refers to are on this machine.
    pub references: References,
}

/// Where the credentials, CA bundles and logs are that the configuration refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// On this machine. If a credential is not set, what needs it is left out; a file that cannot be read is an error.
    #[default]
    Here,
    /// On the machine where Envoy will run. Nothing is read, and every credential counts as set.
    Elsewhere {
        /// The folder there from which relative paths start. By default it is the configuration's folder.
        base: Option<PathBuf>,
    },
}

/// Where the well-known systems keep their CA bundle.
const CA_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self::new(std::env::vars_os().filter_map(|(name, value)| {
            // A value that is no text cannot be in a header, so such a credential counts as not set.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// An environment of these variables, with its folders where the XDG convention puts them.
    pub fn new(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        let vars: BTreeMap<String, String> = vars.into_iter().collect();
        let set = |name: &str| vars.get(name).filter(|value| !value.is_empty());
        let home = set("HOME").map(PathBuf::from);
        let folder = |name: &str, below: &str| {
            // By the convention a relative path is invalid here, and is ignored.
            let named = set(name).map(PathBuf::from).filter(|path| path.is_absolute());
            named.or_else(|| home.as_ref().map(|home| home.join(below))).unwrap_or_else(std::env::temp_dir).join("weir")
        };
        let mut ca_bundles: Vec<PathBuf> = set("SSL_CERT_FILE").map(PathBuf::from).into_iter().collect();
        ca_bundles.extend(CA_BUNDLES.iter().map(PathBuf::from));
        Self {
            cache: folder("XDG_CACHE_HOME", ".cache"),
            state: folder("XDG_STATE_HOME", ".local/state"),
            ca_bundles,
            references: References::Here,
            home,
            vars,
        }
    }

    /// The system's CA bundle.
    pub fn ca_bundle(&self) -> Option<&Path> {
        self.ca_bundles.iter().map(PathBuf::as_path).find(|path| path.is_file())
    }

    /// Weir's own folder of local models.
    pub fn models(&self) -> PathBuf {
        self.cache.join("models")
    }

    /// `written` as an absolute path. `~/` is the home folder, and a relative path starts from `folder`.
    pub fn absolute(&self, written: &str, folder: &Path) -> PathBuf {
        match (written.strip_prefix("~/"), &self.home) {
            (Some(below), Some(home)) => home.join(below),
            _ => folder.join(written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Environment {
        Environment::new(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn folders_follow_the_convention() {
        let plain = with(&[("HOME", "/home/ada")]);
        assert_eq!(plain.state, Path::new("/home/ada/.local/state/weir"));
        assert_eq!(plain.cache, Path::new("/home/ada/.cache/weir"));
        let moved = with(&[("HOME", "/home/ada"), ("XDG_STATE_HOME", "/var/state"), ("XDG_CACHE_HOME", "relative")]);
        assert_eq!(moved.state, Path::new("/var/state/weir"));
        assert_eq!(moved.cache, Path::new("/home/ada/.cache/weir"));
    }

    #[test]
    fn paths_are_relative_to_the_file_they_stand_in() {
        let environment = with(&[("HOME", "/home/ada")]);
        let check = |written: &str, expect: &str| {
            assert_eq!(environment.absolute(written, Path::new("/etc/weir")), Path::new(expect));
        };
        check("ca.pem", "/etc/weir/ca.pem");
        check("~/ca.pem", "/home/ada/ca.pem");
        check("/ca.pem", "/ca.pem");
    }
}
