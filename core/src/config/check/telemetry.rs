//! Checks the telemetry: where the access log and traces go.

use alloc::borrow::ToOwned;
use alloc::format;

use super::Check;
use crate::config::entry::{AccessLog, Telemetry};
use crate::config::source::Source;
use crate::upstream::url::Url;

/// The field of the access log.
const ACCESS_LOG: &str = "telemetry.access_log";

impl Check {
    pub(in crate::config) fn telemetry(&mut self, source: &Source) -> Telemetry {
        let written = &source.telemetry;
        let access_log = written.access_log.as_deref().map(|log| match log {
            "stdout" => AccessLog::Stdout,
            file => AccessLog::File(file.to_owned()),
        });
        match written.access_log.as_deref() {
            Some("") => self.error(ACCESS_LOG, "this is no file", Some("name a file, or stdout".to_owned())),
            Some("stderr") => {
                let hint = "name a file, or stdout";
                self.error(ACCESS_LOG, "the access log does not go to standard error", Some(hint.to_owned()));
            }
            Some(log) if is_a_stream(log) => {
                if let Some(field) = counts(source) {
                    let problem = format!(
                        "with {field}, the access log is a file: the ledger reads from it what was used, and {log} cannot be followed"
                    );
                    self.error(ACCESS_LOG, problem, Some("remove it, or name a file".to_owned()));
                }
            }
            _ => {}
        }
        let otlp = written.otlp.as_deref().and_then(|text| match Url::parse(text) {
            Ok(url) => Some(url),
            Err(problem) => {
                self.error("telemetry.otlp", problem, Some("such as http://127.0.0.1:4317".to_owned()));
                None
            }
        });
        Telemetry { access_log, otlp }
    }
}

/// Whether what is written there cannot be read again.
fn is_a_stream(log: &str) -> bool {
    log == "stdout" || ["/dev/", "/proc/"].iter().any(|folder| log.starts_with(folder))
}

/// A field that says that use or money is to be counted, if there is one.
fn counts(source: &Source) -> Option<&'static str> {
    let priced = || source.models.values().flat_map(|model| &model.targets).any(|target| target.price.is_some());
    if !source.quotas.is_empty() {
        Some("quotas")
    } else if source.prices_file.is_some() {
        Some("a prices_file")
    } else {
        priced().then_some("a price")
    }
}
