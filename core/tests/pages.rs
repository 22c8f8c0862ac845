//! `docs/providers/`: the corpus as pages, one for each provider, written with `BLESS=1`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use fixture::{Fixture, all};
use page::kind::{Kind, examples, short};
use page::shown;
use serde_json::Value;
use weir_core::exchange;
use weir_core::provider::{self, Notes};
use weir_hub::dialect;
use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::fault::{UpstreamFault, Whose};

#[test]
fn the_pages_of_the_providers_are_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/providers");
    let cases = all();
    let mut providers: BTreeMap<&str, Vec<&Fixture>> = BTreeMap::new();
    for case in &cases {
        providers.entry(case.provider.name()).or_default().push(case);
    }
    let mut pages = BTreeMap::from([(folder.join("README.md"), index(&providers))]);
    pages.extend(providers.iter().map(|(name, cases)| (folder.join(format!("{name}.md")), page(name, cases))));
    let kept = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let left_over: Vec<PathBuf> = kept.filter(|path| !pages.contains_key(path)).collect();
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for path in left_over {
            fs::remove_file(path).unwrap();
        }
        for (path, page) in pages {
            fs::write(path, page).unwrap();
        }
        return;
    }
    let hint = "stale; BLESS=1 cargo test -p weir-core --test pages";
    assert!(left_over.is_empty(), "{left_over:?}: {hint}");
    for (path, page) in pages {
        assert!(fs::read_to_string(&path).is_ok_and(|kept| kept == page), "{}: {hint}", path.display());
    }
}

#[test]
fn every_provider_has_examples() {
    let cases = all();
    for provider in provider::ALL {
        let cases: Vec<_> = cases.iter().filter(|case| case.provider.name() == provider.name()).collect();
        assert!(!examples(&cases).is_empty(), "{}", provider.name());
    }
}

fn title((kind, delivery): (Kind, Delivery)) -> String {
    let streamed = delivery == Delivery::Streamed && !matches!(kind, Kind::ErrorEvent | Kind::Cut);
    format!("{}{}", kind.title(), if streamed { ", streamed" } else { "" })
}

/// The anchor that GitHub gives a heading.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// `docs/providers/README.md`.
fn index(providers: &BTreeMap<&str, Vec<&Fixture>>) -> String {
    let examples: BTreeMap<&str, _> = providers.iter().map(|(name, cases)| (*name, examples(cases))).collect();
    let kinds: BTreeSet<(Kind, Delivery)> = examples.values().flat_map(BTreeMap::keys).copied().collect();
    let heads: Vec<String> = providers.keys().map(|name| format!("[{name}]({name}.md)")).collect();
    let mut page = format!(
        "# What goes over the wire\n\n\
         A page for each API that Weir speaks to providers: what callers send, what the provider receives, what it answers, and\n\
         what the callers get. All of it comes from the cases under [tests/fixtures](../../tests/fixtures), which the tests, the\n\
         simulator and fuzzing use too, and a test writes the pages from them. [providers.md](../providers.md) says what works\n\
         where.\n\n| | {} |\n|---|{}\n",
        heads.join(" | "),
        "---|".repeat(heads.len())
    );
    for kind in kinds {
        let title = title(kind);
        let cells = examples.iter().map(|(name, of)| match of.get(&kind) {
            Some(_) => format!(" [example]({name}.md#{}) |", anchor(&title)),
            None => " |".to_owned(),
        });
        let _ = writeln!(page, "| {title} |{}", cells.collect::<String>());
    }
    page
}

/// A provider's page.
fn page(name: &str, cases: &[&Fixture]) -> String {
    let mut page = format!(
        "# {name}\n\n\
         What callers send, what `{name}` receives and answers, and what the callers get: {} cases under\n\
         [tests/fixtures/{name}](../../tests/fixtures/{name}), of which this page is written. `…` marks what it leaves out.\n\n\
         | callers ask | whole | streamed | failures | the bytes |\n|---|---|---|---|---|\n",
        cases.len()
    );
    for endpoint in Endpoint::ALL {
        let of: Vec<_> = cases.iter().filter(|case| case.endpoint == endpoint).collect();
        if of.is_empty() {
            continue;
        }
        let good = |delivery| of.iter().filter(|case| case.fault.is_none() && case.delivery == delivery).count();
        let bytes = match of.iter().filter(|case| case.passes()).count() {
            0 => "are translated",
            count if count == of.len() => "pass as they come",
            _ => "pass or are translated, as model and settings have it",
        };
        let failures = of.iter().filter(|case| case.fault.is_some()).count();
        let counts = [good(Delivery::Whole), good(Delivery::Streamed), failures];
        let [whole, streamed, failures] =
            counts.map(|count| if count == 0 { String::new() } else { count.to_string() });
        let _ = writeln!(page, "| `POST {}` | {whole} | {streamed} | {failures} | {bytes} |", endpoint.path());
    }
    let examples = examples(cases);
    let _ = writeln!(page, "\n## Examples\n");
    for title in examples.keys().copied().map(title) {
        let _ = writeln!(page, "- [{title}](#{})", anchor(&title));
    }
    page.push_str("- [All cases](#all-cases)\n");
    for (kind, case) in examples {
        let _ = write!(page, "\n### {}\n\n{}", title(kind), example(case));
    }
    page.push_str(
        "\n## All cases\n\n\
         Their names say what they show: `from-…` another dialect of callers, `odd-…` what is rare but allowed, `cut-…` and\n\
         `broken-…` answers that are not whole.\n",
    );
    for endpoint in Endpoint::ALL {
        let of: Vec<_> = cases.iter().filter(|case| case.endpoint == endpoint).collect();
        if !of.is_empty() {
            let _ = write!(page, "\n`POST {}`:\n\n| case | asked | answer |\n|---|---|---|\n", endpoint.path());
        }
        for case in of {
            let _ = writeln!(page, "| {} | {} | {} |", link(case), how(case), outcome(case));
        }
    }
    page
}

fn link(case: &Fixture) -> String {
    format!("[{}](../../tests/fixtures/{})", short(case), case.name)
}

/// How the answer is asked for, and what the operator has set.
fn how(case: &Fixture) -> String {
    let delivery = if case.delivery == Delivery::Streamed { "streamed" } else { "whole" };
    let meta: Value = serde_json::from_slice(&fs::read(case.folder.join("meta.json")).unwrap()).unwrap();
    let settings: Vec<String> =
        meta["upstream"].as_object().into_iter().flatten().map(|(name, value)| format!("`{name}: {value}`")).collect();
    if settings.is_empty() { delivery.to_owned() } else { format!("{delivery}, with {}", settings.join(", ")) }
}

fn outcome(case: &Fixture) -> String {
    let fault = case.fault.as_ref().map(|fault| format!(", `{fault}`")).unwrap_or_default();
    format!("{}{fault}", case.status)
}

/// The four parts of a case.
fn example(case: &Fixture) -> String {
    let mut out = format!("From {}. ", link(case));
    if case.status == 200 {
        out += &request(case);
    }
    let (extension, answer) = match fs::read(case.folder.join("3-answer.events.jsonl")) {
        Ok(events) => ("jsonl", events),
        Err(_) => (case.extension, case.answer.clone()),
    };
    let framed = if extension == "jsonl" { ", in binary frames, of which these are the contents" } else { "" };
    let _ = write!(out, "{} answers {}{framed}:\n\n{}", of(case), case.status, shown::fenced(extension, &answer));
    let _ = write!(out, "\n{}", result(case));
    out
}

fn of(case: &Fixture) -> &'static str {
    case.provider.name()
}

/// What is asked, and what goes up.
fn request(case: &Fixture) -> String {
    let ask = case.ask();
    let path = match (case.endpoint, case.delivery) {
        (Endpoint::GenerateContent, Delivery::Whole) => format!("/v1beta/models/{}:generateContent", case.asked_model),
        (Endpoint::GenerateContent, Delivery::Streamed) => {
            format!("/v1beta/models/{}:streamGenerateContent?alt=sse", case.asked_model)
        }
        (endpoint, _) => endpoint.path().replace("{model}", &case.asked_model),
    };
    let mut out = format!("The caller sends `POST {path}`:\n\n{}", shown::fenced("json", &case.caller));
    let headers: Vec<_> = ask.headers.iter().map(|(name, value)| format!(", with `{name}: {value}`")).collect();
    let headers = headers.concat();
    let _ = write!(out, "\n{} receives `POST {{endpoint}}{}`{headers}", of(case), ask.path);
    let body = case.asked();
    if body == case.caller {
        out.push_str(", the same body.\n\n");
    } else {
        let _ = write!(out, ":\n\n{}\n", shown::fenced("json", &body));
    }
    out
}

/// What becomes of the answer.
fn result(case: &Fixture) -> String {
    if case.status != 200 {
        return refused(case, &case.provider.fault(case.status, &case.answer));
    }
    let mut received = case.received([&case.answer[..]]);
    let Notes { dropped, emulated } = case.ask().notes;
    let mut headers = String::new();
    for (name, fields) in [("x-weir-dropped", dropped), ("x-weir-emulated", emulated)] {
        if !fields.is_empty() {
            let _ = write!(headers, ", with `{name}: {}`", fields.join(", "));
        }
    }
    if let Err(fault) = &received.end {
        received.bytes.extend(dialect::error_event(case.endpoint, &fault.broken_off(), received.next_number));
        let body = shown::fenced("sse", &received.bytes);
        return format!("The caller gets what came before, and an event that says so{headers}:\n\n{body}");
    }
    if received.bytes == case.answer {
        return format!("The caller gets the same, byte for byte{headers}.\n");
    }
    let extension = if case.extension == "bin" { "sse" } else { case.extension };
    format!("The caller gets{headers}:\n\n{}", shown::fenced(extension, &received.bytes))
}

/// What becomes of a failure.
fn refused(case: &Fixture, fault: &UpstreamFault) -> String {
    let name = fault.kind.name();
    match fault.kind.whose() {
        Whose::Caller => {
            let problem = exchange::fault_for_caller(fault, case.provider, &case.upstream, &case.model, case.endpoint);
            let body = dialect::error(case.endpoint.family(), &problem);
            format!("The caller gets {}:\n\n{}", problem.status, shown::fenced("json", &body))
        }
        Whose::Provider => format!("That is `{name}`: the caller gets nothing of it, and the next target is tried.\n"),
        Whose::Ours => {
            format!("That is `{name}`: the caller gets nothing of it, the next target is tried, and this one rests.\n")
        }
    }
}
