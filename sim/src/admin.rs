//! `/_sim/…`: what a test calls directly, for those in another process.
//!
//! | request | does |
//! |---|---|
//! | `GET /_sim/requests` | the kept requests |
//! | `DELETE /_sim/requests` | forgets them |
//! | `GET /_sim/served` | how many requests and refused connections there were |
//! | `GET`, `DELETE /_sim/faults` | the faults in force; takes them back |
//! | `PUT /_sim/faults` | `{"gpt-4o": "429-retry-7", "*": {"fault": "503", "times": 2}, "o3": null}` |
//! | `PUT`, `DELETE /_sim/replay` | `{"case": "anthropic/tool-call"}` answers every request; ends that |

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::{Map, Value, json};

use crate::{Fault, Outcome, Seen, service, service::Reply, state::State};

/// Answers a request to `/_sim/{path}`.
pub(crate) fn answer(state: &State, method: &Method, path: &str, body: &[u8]) -> Reply {
    let done = || Ok(json!({"ok": true}));
    let result = match (method.as_str(), path) {
        ("GET", "requests") => Ok(state.log.all().iter().map(seen).collect()),
        ("DELETE", "requests") => {
            state.log.clear();
            done()
        }
        ("GET", "served") => Ok(json!({"served": state.log.served(), "refused": state.log.refused()})),
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
        _ => Err(format!("there is no {method} /_sim/{path}")),
    };
    let (status, body) = match result {
        Ok(body) => (200, body),
        Err(why) => (400, json!({"error": why})),
    };
    service::json(HeaderMap::new(), status, Bytes::from(body.to_string()))
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
