//! How Envoy is started.

use std::ffi::OsString;
use std::path::Path;

use weir_control::render::Kind;

use crate::child::{Inherit, Output, Program, Spec};
use crate::folders::Folders;
use crate::options::Options;

/// The component of Envoy that logs the headers of requests, and with them callers' keys, from level `debug` on. No other
/// component of Envoy 1.40 does, at any level.
pub(crate) const LOGS_KEYS: &str = "http";

/// Envoy as a child: the executable at this path, with the bootstrap in these folders.
pub(crate) fn spec(executable: &Path, folders: &Folders, options: &Options) -> Spec {
    let bootstrap = folders.envoy().join(Kind::Bootstrap.file());
    let mut arguments: Vec<OsString> = vec!["-c".into(), bootstrap.into()];
    // This Envoy shares nothing with others on the machine. A new one is started; none is handed over to.
    arguments.push("--disable-hot-restart".into());
    let seconds = options.drain.as_secs().max(1).to_string();
    let mut flag = |name: &str, value: &str| arguments.extend([name.into(), value.into()]);
    flag("--drain-time-s", &seconds);
    flag("--drain-strategy", "immediate");
    // A request is in the access log, and so in the ledger, soon after its end, and a killed Envoy takes few lines with it. Envoy's
    // default is ten seconds.
    flag("--file-flush-interval-msec", "50");
    flag("--log-level", &options.log_level);
    if let Some(levels) = levels(&options.log_level, options.component_log_level.as_deref()) {
        flag("--component-log-level", &levels);
    }
    if let Some(workers) = options.concurrency {
        flag("--concurrency", &workers.to_string());
    }
    Spec {
        program: Program::Envoy,
        executable: executable.to_owned(),
        arguments,
        inherit: Inherit::All,
        output: Output::Ours,
        log: folders.log(Program::Envoy),
    }
}

/// The levels of single components. The component that would log keys stays at `info` unless it is named.
fn levels(all: &str, named: Option<&str>) -> Option<String> {
    let verbose = matches!(all, "trace" | "debug");
    if !verbose || logs_keys(named) {
        return named.map(str::to_owned);
    }
    let quiet = format!("{LOGS_KEYS}:info");
    Some(named.map_or(quiet.clone(), |named| format!("{named},{quiet}")))
}

/// Whether Envoy's log will hold keys, because the operator named that component.
pub(crate) fn logs_keys(named: Option<&str>) -> bool {
    let levels = named.into_iter().flat_map(|levels| levels.split(','));
    levels
        .filter_map(|level| level.split_once(':'))
        .any(|(name, level)| name.trim() == LOGS_KEYS && matches!(level.trim(), "trace" | "debug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_that_logs_keys_is_quiet_unless_it_is_named() {
        let check = |all: &str, named: Option<&str>, expect: Option<&str>, logs: bool| {
            assert_eq!((levels(all, named).as_deref(), logs_keys(named)), (expect, logs), "{all} {named:?}");
        };
        check("warning", None, None, false);
        check("info", Some("wasm:debug"), Some("wasm:debug"), false);
        check("trace", None, Some("http:info"), false);
        check("debug", Some("wasm:trace"), Some("wasm:trace,http:info"), false);
        check("debug", Some("http:debug"), Some("http:debug"), true);
        check("warning", Some("router:debug,http:trace"), Some("router:debug,http:trace"), true);
    }
}
