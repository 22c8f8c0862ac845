//! Answers with the bytes of a fixture: `<fixtures>/<provider>/<case>/3-answer.{sse,json,bin}`.
//!
//! `meta.json` beside it may give the `status`, and `3-answer.headers` headers (`name: value`) and, in a first line, the
//! status too (`429` or `HTTP/1.1 429`).

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use hyper::{
    HeaderMap,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde_json::Value;

use crate::{
    Options,
    reply::{Length, Reply, json},
    script::Step,
};

/// The kinds of answer, by the end of their file's name, and what each is served as.
const KINDS: [(&str, &str); 3] = [
    ("sse", "text/event-stream; charset=utf-8"),
    ("json", "application/json"),
    ("bin", "application/vnd.amazon.eventstream"),
];

/// The folder of one fixture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case(PathBuf);

/// Why a fixture cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The simulator was started without fixtures.
    #[error("there are no fixtures to replay: start with a folder of them")]
    NoFixtures,
    /// No provider has such a case.
    #[error("no fixture is called `{case}` under {}", folder.display())]
    NoCase {
        /// The case asked for.
        case: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The files of the case cannot be used.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// Finds `provider/case`, or `case` at the `preferred` provider or else at the first that has it.
pub(crate) fn find(options: &Options, case: &str, preferred: Option<&str>) -> Result<Case, ReplayError> {
    let folder = options.fixtures.as_deref().ok_or(ReplayError::NoFixtures)?;
    let missing = || ReplayError::NoCase { case: case.to_owned(), folder: folder.to_owned() };
    // A model's name must not lead out of the folder.
    if case.is_empty() || !Path::new(case).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(missing());
    }
    let mut places: Vec<PathBuf> = preferred.iter().map(|provider| folder.join(provider)).collect();
    places.push(folder.to_owned());
    let mut others: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    others.sort();
    places.extend(others);
    let found = places.into_iter().map(|place| place.join(case)).find(|place| answer(place).is_some());
    found.map(Case).ok_or_else(missing)
}

fn answer(folder: &Path) -> Option<(PathBuf, &'static str)> {
    KINDS.iter().map(|(end, kind)| (folder.join(format!("3-answer.{end}")), *kind)).find(|(path, _)| path.is_file())
}

impl Case {
    /// Reads the answer. `chunk`: cut into pieces of this many bytes.
    ///
    /// Read anew each time, so that a fixture can be edited while the simulator runs.
    pub(crate) fn reply(&self, chunk: Option<NonZeroUsize>) -> Result<Reply, ReplayError> {
        let unreadable = |path: PathBuf| move |source| ReplayError::Unreadable { path, source };
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no 3-answer.sse, .json or .bin");
        let (path, kind) = answer(&self.0).ok_or_else(missing).map_err(unreadable(self.0.clone()))?;
        let body = Bytes::from(fs::read(&path).map_err(unreadable(path))?);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let extra = self.0.join("3-answer.headers");
        let mut status = self.status().unwrap_or(200);
        match fs::read_to_string(&extra) {
            Ok(text) => {
                status = read_headers(&text, &mut headers).map_err(unreadable(extra))?.unwrap_or(status);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(extra)(error)),
        }
        let length = if kind == "application/json" && chunk.is_none() { Length::Known } else { Length::Chunked };
        Ok(Reply { status, headers, script: pieces(&body, chunk), length })
    }

    /// What `meta.json` says.
    fn status(&self) -> Option<u16> {
        let meta: Value = serde_json::from_slice(&fs::read(self.0.join("meta.json")).ok()?).ok()?;
        meta.get("status")?.as_u64()?.try_into().ok()
    }
}

fn pieces(body: &Bytes, chunk: Option<NonZeroUsize>) -> Vec<Step> {
    let Some(chunk) = chunk else { return vec![Step::Send(body.clone())] };
    body.chunks(chunk.get()).flat_map(|piece| [Step::Send(body.slice_ref(piece)), Step::Flush]).collect()
}

/// Reads a status, if there is one, and headers; the file's own replace those of the same name.
fn read_headers(text: &str, headers: &mut HeaderMap) -> io::Result<Option<u16>> {
    let mut status = None;
    let mut given = HeaderMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let invalid =
            || io::Error::new(io::ErrorKind::InvalidData, format!("`{line}` is neither a status nor a header"));
        let number = line.trim_start_matches("HTTP/1.1 ").split(' ').next().and_then(|word| word.parse().ok());
        if let Some(number) = number {
            status = Some(number);
            continue;
        }
        let (name, value) = line.split_once(':').ok_or_else(invalid)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| invalid())?;
        given.append(name, HeaderValue::from_str(value.trim()).map_err(|_| invalid())?);
    }
    for name in given.keys() {
        headers.remove(name);
    }
    headers.extend(given);
    Ok(status)
}

/// A fixture that cannot be replayed is the test's mistake: it is told in the answer.
pub(crate) fn unavailable(error: &ReplayError) -> Reply {
    json(
        HeaderMap::new(),
        404,
        Bytes::from(format!("{{\"error\":{{\"message\":{}}}}}", Value::from(error.to_string()))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_file_gives_a_status_and_replaces_headers() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let text = "HTTP/1.1 429 Too Many Requests\ncontent-type: text/plain\nretry-after: 7\nset-cookie: a=1\nset-cookie: b=2\n";
        assert_eq!(read_headers(text, &mut headers).unwrap(), Some(429));
        assert_eq!(headers.get(CONTENT_TYPE).unwrap(), "text/plain");
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
        assert!(read_headers("nonsense", &mut headers).is_err());
    }

    #[test]
    fn a_name_does_not_lead_out_of_the_folder() {
        let options = Options { fixtures: Some(std::env::temp_dir()), ..Options::default() };
        for case in ["../etc", "/etc", "a/../../b", ""] {
            assert!(matches!(find(&options, case, None), Err(ReplayError::NoCase { .. })), "{case}");
        }
    }
}
