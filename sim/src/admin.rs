//! `/_sim/…`: what a test calls directly, for those in another process. [`CALLS`] lists it, and `GET /_sim/` says so too.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use serde_json::{Map, Value, json};

use crate::{
    Billed, Fault, Outcome, Seen, Spent, faults, model,
    reply::{self, Reply},
    state::State,
};

/// What can be called, and what it does.
const CALLS: [(&str, &str); 12] = [
    ("GET /_sim/", "this"),
    ("GET /_sim/requests", "the kept requests; with the token alone: WEIR_SIM_TOKEN of this simulator, as a bearer's"),
    ("DELETE /_sim/requests", "forgets them, and counts anew"),
    ("GET /_sim/served", "how many requests and refused connections there were"),
    ("GET /_sim/billed", "what was billed: the latest requests one by one, and the sums by model"),
    ("GET /_sim/billed/sums", "the sums alone"),
    ("DELETE /_sim/billed", "forgets what was billed"),
    ("GET /_sim/faults", "the faults in force"),
    (
        "PUT /_sim/faults",
        r#"{"gpt-4o": "429-retry-7", "*": {"fault": "503", "times": 2}, "o3": null} sets two and takes back one"#,
    ),
    ("DELETE /_sim/faults", "takes back all of them"),
    ("PUT /_sim/replay", r#"{"case": "anthropic/tool-call"} answers every request with a fixture"#),
    ("DELETE /_sim/replay", "ends that"),
];

/// Answers a request to `/_sim/{path}`.
pub(crate) fn answer(state: &State, head: &Parts, path: &str, body: &[u8]) -> Reply {
    let method = &head.method;
    let done = || Ok(json!({"ok": true}));
    let result = match (method.as_str(), path) {
        ("GET", "") => Ok(can()),
        ("GET", "requests") => match shown(state, head) {
            Ok(()) => Ok(state.log.all().iter().map(seen).collect()),
            Err(why) => return respond(401, &json!({"error": why})),
        },
        ("DELETE", "requests") => {
            state.log.clear();
            done()
        }
        ("GET", "served") => Ok(json!({"served": state.log.served(), "refused": state.log.refused()})),
        ("GET", "billed") => Ok(billed(state)),
        ("GET", "billed/sums") => Ok(sums(state)),
        ("DELETE", "billed") => {
            state.bill.clear();
            done()
        }
        ("GET", "faults") => {
            Ok(state.faults.all().into_iter().map(|(model, fault)| (model, fault.into())).collect::<Map<_, _>>().into())
        }
        ("DELETE", "faults") => {
            state.faults.unset_all();
            done()
        }
        ("PUT", "faults") => set_faults(state, body).and_then(|()| done()),
        ("PUT", "replay") => replay(state, body).and_then(|()| done()),
        ("DELETE", "replay") => {
            state.stop_replay();
            done()
        }
        _ => Err(format!("there is no {method} /_sim/{path}; GET /_sim/ says what there is")),
    };
    let (status, body) = match result {
        Ok(body) => (200, body),
        Err(why) => (400, json!({"error": why})),
    };
    respond(status, &body)
}

fn respond(status: u16, body: &Value) -> Reply {
    reply::json(HeaderMap::new(), status, Bytes::from(body.to_string()))
}

/// Whether whoever asks may see what others have asked.
fn shown(state: &State, head: &Parts) -> Result<(), &'static str> {
    let Some(token) = &state.options.token else {
        return Err(
            "requests are not kept here; set WEIR_SIM_TOKEN to a word of yours where the simulator, or `weir up`, starts",
        );
    };
    let sent = head.headers.get(AUTHORIZATION).and_then(|sent| sent.to_str().ok()?.strip_prefix("Bearer "));
    if sent == Some(token) { Ok(()) } else { Err("send the simulator's WEIR_SIM_TOKEN, as authorization: Bearer …") }
}

/// Everything that a simulator can be told.
fn can() -> Value {
    let table = |rows: &[(&str, &str)]| -> Map<String, Value> {
        rows.iter().map(|(name, what)| ((*name).to_owned(), (*what).into())).collect()
    };
    let faults: Vec<_> = faults().iter().map(|listed| (listed.name, listed.what)).collect();
    json!({ "calls": table(&CALLS), "faults": table(&faults), "models": table(&model::WRITTEN) })
}

/// Sets all that is named, or nothing where one of them is wrong.
fn set_faults(state: &State, body: &[u8]) -> Result<(), String> {
    let faults: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| format!("expected an object of model to fault: {error}"))?;
    let mut read = Vec::new();
    for (model, value) in &faults {
        let (fault, times) = match value {
            Value::Null => (None, None),
            Value::String(fault) => (Some(fault.as_str()), None),
            other => {
                let times = other.get("times").and_then(Value::as_u64).and_then(|times| u32::try_from(times).ok());
                (Some(other.get("fault").and_then(Value::as_str).unwrap_or_default()), times)
            }
        };
        let fault = fault.map(str::parse::<Fault>).transpose().map_err(|error| error.to_string())?;
        read.push((model, fault, times));
    }
    for (model, fault, times) in read {
        match fault {
            Some(fault) => state.faults.set(model, fault, times),
            None => state.faults.unset(model),
        }
    }
    Ok(())
}

fn replay(state: &State, body: &[u8]) -> Result<(), String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("expected {{\"case\": …}}: {error}"))?;
    let case = body.get("case").and_then(Value::as_str).unwrap_or_default();
    state.replay(case).map_err(|error| error.to_string())
}

fn seen(seen: &Seen) -> Value {
    json!({
        "method": seen.method,
        "path": seen.path,
        "query": seen.query,
        "version": format!("{:?}", seen.version),
        "headers": seen.headers,
        "body": String::from_utf8_lossy(&seen.body),
        "at_ms": seen.at.as_secs_f64() * 1e3,
        "status": seen.status,
        "fault": seen.fault.map(|fault| fault.to_string()),
        "outcome": match seen.outcome {
            Outcome::Open => "open",
            Outcome::Finished => "finished",
            Outcome::Aborted => "aborted",
        },
        "ended_ms": seen.ended.map(|ended| ended.as_secs_f64() * 1e3),
    })
}

/// What was billed, request by request, and the sums.
fn billed(state: &State) -> Value {
    let (listed, left_out) = state.bill.listed();
    let one = |billed: &Billed| {
        let names: Map<String, Value> =
            billed.names.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        json!({
            "id": billed.id,
            "dialect": billed.dialect,
            "path": billed.path,
            "model": billed.model,
            "names": names,
            "input": billed.input,
            "cached": billed.cached,
            "written": billed.written,
            "output": billed.output,
            "reasoning": billed.reasoning,
            "told": billed.told,
            "outcome": match billed.outcome {
                Outcome::Open => "open",
                Outcome::Finished => "finished",
                Outcome::Aborted => "cut",
            },
        })
    };
    let mut all = sums(state);
    if let Some(fields) = all.as_object_mut() {
        fields.insert("requests".to_owned(), listed.iter().map(one).collect());
        fields.insert("left_out".to_owned(), left_out.into());
    }
    all
}

/// What was billed for each model, and for all of them.
fn sums(state: &State) -> Value {
    let by_model = state.bill.by_model();
    let total = by_model.values().fold(Spent::default(), |sum, spent| sum.plus(*spent));
    let models: Map<String, Value> = by_model.into_iter().map(|(model, spent)| (model, written(&spent))).collect();
    json!({"models": models, "total": written(&total)})
}

fn written(spent: &Spent) -> Value {
    json!({
        "requests": spent.requests,
        "told": spent.told,
        "finished": spent.finished,
        "cut": spent.cut,
        "input": spent.input,
        "cached": spent.cached,
        "written": spent.written,
        "output": spent.output,
        "reasoning": spent.reasoning,
    })
}
