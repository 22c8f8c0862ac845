//! `GET /v1/usage`: what a caller has used, and the limits that it meets. The edge says who asks.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::http::request::Parts;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use weir_core::quota::{self, Limit, Meter, Who};
use weir_core::usage::{ASKER, Asker, Known, query};
use weir_hub::dialect;
use weir_hub::fault::{Problem, Reject};

use super::super::now;
use super::super::pools::{Listed, Pools};
use super::{Answer, problem, reply};
use crate::ledger::{Dimension, Question, question};

/// The time that is meant if none is named, as of `weir usage`.
const SINCE: &str = "7d";

/// The most lines of an answer.
const LINES: usize = 10_000;

/// How many questions are answered at once: leases go first.
static ROOM: Semaphore = Semaphore::const_new(2);

/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// What callers may count by. Which provider answers them, and where, is the operator's business.
const BY: [Dimension; 7] = [
    Dimension::Model,
    Dimension::Day,
    Dimension::Hour,
    Dimension::User,
    Dimension::Application,
    Dimension::Endpoint,
    Dimension::Outcome,
];

/// Answers a request.
pub(super) async fn answer(pools: &Arc<Pools>, request: &Parts) -> Answer {
    let asker = request.headers.get(ASKER).and_then(|value| Asker::from_text(value.to_str().ok()?));
    let Some(asker) = asker else {
        let text = "a gateway says in a header who asks: ask the gateway. `weir usage` shows the whole ledger";
        return problem(StatusCode::BAD_REQUEST, text);
    };
    let now_ms = i64::try_from(now().as_millis()).unwrap_or(i64::MAX);
    let question = read(request.uri.query().unwrap_or_default(), now_ms, &asker).map_err(|reject| reject.problem());
    let answered = match question {
        Ok(question) => ask(pools, question, &asker).await,
        Err(problem) => Err(problem),
    };
    let (status, body) = match answered {
        Ok(value) => (200, value.to_string().into_bytes()),
        Err(problem) => (problem.status, dialect::error(asker.family, &problem)),
    };
    reply(StatusCode::from_u16(status).unwrap_or_default(), "application/json", body.into())
}

/// Reads the query: `since=7d&until=now&by=model,day`.
fn read(text: &str, now_ms: i64, asker: &Asker) -> Result<Question, Reject> {
    let wrong = |field: &str, problem: String| Reject::Invalid { field: field.to_owned(), problem };
    let (mut since, mut until, mut by) = (None, None, None);
    for (name, value) in query(text) {
        let place = match name.as_str() {
            "since" => &mut since,
            "until" => &mut until,
            "by" => &mut by,
            _ => return Err(wrong(&name, "the parameters are since, until and by".to_owned())),
        };
        if place.replace(value).is_some() {
            return Err(wrong(&name, "it is there twice".to_owned()));
        }
    }
    let instant = |field, text: &str| question::instant(text, now_ms).map_err(|problem| wrong(field, problem));
    let since_ms = instant("since", since.as_deref().unwrap_or(SINCE))?;
    let until_ms = instant("until", until.as_deref().unwrap_or("now"))?;
    if since_ms > until_ms {
        return Err(wrong("since", "it is later than until".to_owned()));
    }
    let by = by.as_deref().unwrap_or(Dimension::Model.name());
    let by = by.split(',').filter(|name| !name.is_empty()).map(|name| {
        let known = name.parse().ok().filter(|by| BY.contains(by));
        known.ok_or_else(|| wrong("by", format!("you can count by {}", BY.map(Dimension::name).join(", "))))
    });
    let by = by.collect::<Result<Vec<_>, _>>()?;
    let mut only = vec![(Dimension::Key, vec![asker.name.clone()])];
    if asker.known == Known::Identity {
        only.push((Dimension::Team, vec![asker.team.clone()]));
    }
    Ok(Question { by, since_ms, until_ms, only })
}

async fn ask(pools: &Arc<Pools>, question: Question, asker: &Asker) -> Result<Value, Problem> {
    let place = timeout(PATIENCE, ROOM.acquire()).await;
    let place = place.ok().and_then(Result::ok).ok_or_else(|| away("others ask just now; try again later"))?;
    let book = Arc::clone(&pools.book);
    let found = spawn_blocking(move || book.usage(question)).await;
    drop(place);
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            pools.tell(&error);
            return Err(away("the ledger cannot be read; try again later"));
        }
        Err(_) => return Err(away("the ledger cannot be read; see control's log")),
    };
    if found.lines.len() > LINES {
        let problem = format!("the answer has more than {LINES} lines; ask for less time, or by less");
        return Err(Reject::Invalid { field: "by".to_owned(), problem }.problem());
    }
    let mut object = found.json_for_caller();
    // Without the store of leases, what was used is still known.
    let limits = pools.list(now()).await.map_or(Value::Null, |listed| limits(pools, listed, asker));
    object.insert("limits".to_owned(), limits);
    Ok(Value::Object(object))
}

/// The asker's accounts in the windows that are now.
fn limits(pools: &Pools, listed: Vec<Listed>, asker: &Asker) -> Value {
    let (limits, now) = (pools.limits(), now());
    let shown = listed.into_iter().filter_map(|Listed { account, standing, reset_ms }| {
        let limit = limits.get(&account.limit).filter(|limit| is_met_by(limit, asker, &account.subject))?;
        let kind = match &limit.kind {
            quota::Kind::Budget { windows, .. } if windows.at(now).start != account.window_ms => return None,
            quota::Kind::Budget { .. } => "budget",
            quota::Kind::Rate { .. } => "rate",
            quota::Kind::Concurrency { .. } => "concurrency",
        };
        let amount = |amount: i128| match limit.meter {
            Meter::Cost => json!(limit.meter.show(amount)),
            _ => i64::try_from(amount).map_or_else(|_| json!(amount.to_string()), |amount| json!(amount)),
        };
        let of = |part: u128| amount(i128::try_from(part).unwrap_or(i128::MAX));
        Some(json!({
            "limit": limit.name, "kind": kind, "unit": limit.meter.unit(), "amount": of(standing.amount),
            "spent": of(standing.spent), "reserved": of(standing.reserved), "left": of(standing.left()),
            "reset_seconds": (reset_ms > 0).then(|| reset_ms.div_ceil(1000)),
        }))
    });
    shown.collect()
}

/// Whether a limit goes by the asker's key or team, and this is its account. What only part of its requests meet is told with those.
fn is_met_by(limit: &Limit, asker: &Asker, subject: &str) -> bool {
    let who = Who { key: &asker.name, team: &asker.team, ..Who::default() };
    !limit.subjects.is_empty() && limit.subject(&who).is_some_and(|own| own == subject)
}

fn away(message: &str) -> Problem {
    Problem::new(503, "server_error", "usage_unavailable", message)
}

#[cfg(test)]
mod tests;
