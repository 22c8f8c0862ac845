//! The corpus under `tests/fixtures`, as seeds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_hub::endpoint::Endpoint;

/// What is known of one case.
pub struct Case {
    pub provider: String,
    pub endpoint: Endpoint,
    pub model: String,
    pub streamed: bool,
    pub caller: Vec<u8>,
    /// Empty, if there is none.
    pub answer: Vec<u8>,
    /// The messages of an answer in binary frames: a name and JSON on each line.
    pub events: Option<String>,
}

/// Every case, in order.
pub fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let cases: Vec<_> = folders(&root).iter().flat_map(|provider| folders(provider)).map(|case| read(&case)).collect();
    assert!(!cases.is_empty(), "the corpus is there");
    cases
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn read(case: &Path) -> Case {
    let json = |name: &str| {
        let text = fs::read(case.join(name)).unwrap_or_default();
        serde_json::from_slice::<Value>(&text).unwrap_or_default()
    };
    let meta = json("meta.json");
    let files = folders(case);
    let file = |start: &str| files.iter().find(|file| file.file_name().unwrap().to_string_lossy().starts_with(start));
    let answer = ["3-answer.sse", "3-answer.json", "3-answer.bin"].into_iter().find_map(file).or(file("3-answer"));
    let caller = file("1-caller").map(|file| fs::read(file).unwrap()).unwrap_or_default();
    let streamed = meta["streamed"].as_bool().or(json("1-caller.json")["stream"].as_bool()) == Some(true);
    let events = fs::read_to_string(case.join("3-answer.events.jsonl")).ok();
    Case {
        provider: case.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned(),
        endpoint: meta["endpoint"].as_str().map_or(Endpoint::Chat, |name| Endpoint::from_name(name).unwrap()),
        model: meta["model"].as_str().unwrap_or_default().to_owned(),
        streamed,
        caller,
        answer: answer.map(|file| fs::read(file).unwrap()).unwrap_or_default(),
        events: events.map(|events| events.lines().filter_map(named).collect()),
    }
}

/// A line of `3-answer.events.jsonl`, as [`answer`](super::answer) reads it.
fn named(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let name = line["event"].as_str().or(line["exception"].as_str())?;
    Some(format!("{name} {}\n", line["data"]))
}

/// What a codec finds in the corpus. The first byte says where it is cut.
pub fn of_codec(name: &str, cases: &[Case]) -> Vec<Vec<u8>> {
    let streamed = |case: &&Case, start: &[u8]| case.streamed && case.answer.starts_with(start);
    let answers =
        |start: &'static [u8]| cases.iter().filter(move |case| streamed(case, start)).map(|case| &case.answer);
    let cut = |bytes: &[u8]| [&[7], bytes].concat();
    match name {
        "json" => cases.iter().map(|case| case.caller.clone()).collect(),
        "sse" => answers(b"data:").chain(answers(b"event:")).map(|stream| cut(stream)).collect(),
        "gzip" => answers(b"data:").map(|stream| cut(&gzip(stream))).collect(),
        "brotli" => answers(b"data:").map(|stream| cut(&brotli(stream))).collect(),
        "eventstream" => answers(b"\0").map(|stream| cut(stream)).collect(),
        _ => {
            let part = |name: &str, value: &str| {
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            };
            let file = "--b\r\nContent-Disposition: form-data; name=file; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\nID3\r\n";
            let form = [&part("model", "whisper-1"), file, &part("stream", "true"), "--b--\r\n"].concat();
            vec![cut(form.as_bytes())]
        }
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    // A header without a name, and a tail that only ends it.
    let mut packed = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    packed.extend(miniz_oxide::deflate::compress_to_vec(plain, 6));
    packed.extend(
        [crc32fast::hash(plain), u32::try_from(plain.len()).unwrap()].iter().flat_map(|part| part.to_le_bytes()),
    );
    packed
}

fn brotli(plain: &[u8]) -> Vec<u8> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
    writer.write_all(plain).unwrap();
    writer.into_inner()
}
