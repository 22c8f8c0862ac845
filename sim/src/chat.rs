//! What a request to a model gets: checks in the order a provider makes them, then the answer, bent by its fault.

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, header::CONTENT_TYPE, http::request::Parts};
use serde_json::Value;

use crate::{
    Fault, Pace,
    answer::{Answer, Ask, Delivery, End},
    anthropic::{self, Anthropic},
    bend,
    dialect::{Dialect, Failure, set},
    model::Model,
    openai::{self, OpenAi},
    replay,
    seen::Ticket,
    service::{Decision, Length, Reply, failure, headers, json, unavailable},
    state::State,
};

/// The dialect of a path; where both have it (`/v1/models`), that of the key's header.
pub(crate) fn dialect(head: &Parts) -> &'static dyn Dialect {
    let sent = |name| head.headers.contains_key(name);
    let path = head.uri.path();
    if path.starts_with("/v1/messages")
        || (path.starts_with("/v1/models") && (sent("x-api-key") || sent("anthropic-version")))
    {
        &Anthropic
    } else {
        &OpenAi
    }
}

/// Answers a chat request.
pub(crate) fn chat(state: &State, head: &Parts, body: &Bytes, ticket: &Ticket) -> Decision {
    let dialect = dialect(head);
    let id = state.id();
    let refuse = |why: Failure| Decision::now(failure(dialect, &why, &id));
    if let Some(quick) = &state.quick {
        return match dialect.admit(&head.headers, &state.options) {
            Err(why) => refuse(why),
            Ok(()) => match faulty(state, dialect, &id, "", None, ticket) {
                Faulty::Decided(decision) => decision,
                // What would bend the answer itself is not for prerendered ones.
                Faulty::Bent(_) => Decision::now(quick.reply(dialect, body)),
            },
        };
    }
    let (body, name) = match read(state, head, dialect, body) {
        Ok(read) => read,
        Err(why) => return refuse(why),
    };
    let model = Model::read(&name);
    let fault = match faulty(state, dialect, &id, &name, model.fault, ticket) {
        Faulty::Decided(decision) => return decision,
        Faulty::Bent(fault) => fault,
    };
    if let Some(case) = &model.replay {
        let chunk = model.chunk.or(state.options.chunk);
        let reply = replay::find(&state.options, case, Some(dialect.folder())).and_then(|case| case.reply(chunk));
        return Decision::Verbatim(reply.unwrap_or_else(|error| unavailable(&error)));
    }
    match dialect.ask(&head.headers, &body, &model, state) {
        Err(why) => refuse(why),
        Ok(ask) => say(state, dialect, &ask, &model, fault, &id),
    }
}

/// Says an answer, in one piece or as a stream.
fn say(state: &State, dialect: &dyn Dialect, ask: &Ask, model: &Model, fault: Option<Fault>, id: &str) -> Decision {
    let mut answer = Answer::to(ask, model, state.options.tokens, id.to_owned());
    if fault == Some(Fault::FinishContentFilter) {
        filter(&mut answer);
    }
    let pace = model.pace(state.options.pace);
    let headers = headers(dialect, id, ask.delivery);
    let error = || dialect.failure_event(&Failure::Status(overload(dialect)), id);
    let (mut after, reply) = match ask.delivery {
        Delivery::Whole => {
            let error = || Bytes::from(dialect.failure(&Failure::Status(overload(dialect)), id).1);
            (answer.takes(pace), bend::whole(headers, dialect.whole(&answer), fault, error))
        }
        Delivery::Streamed => (Duration::ZERO, bend::stream(headers, dialect.events(&answer), pace, fault, error)),
    };
    match (fault, ask.delivery) {
        (Some(Fault::SlowWhole(wait)), _) | (Some(Fault::SlowFirstToken(wait)), Delivery::Whole) => after += wait,
        _ => {}
    }
    Decision::Answer { after, reply, fault }
}

/// The status an in-band error stands for.
fn overload(dialect: &dyn Dialect) -> u16 {
    if dialect.folder() == Anthropic.folder() { 529 } else { 500 }
}

/// Cuts an answer short as a provider's filter does.
fn filter(answer: &mut Answer) {
    let mut spoken = 0;
    for choice in &mut answer.choices {
        choice.thinking.clear();
        choice.calls.clear();
        choice.text.truncate(3);
        choice.end = End::Filtered;
        spoken += u32::try_from(choice.text.len()).unwrap_or(u32::MAX);
    }
    answer.usage.output = spoken;
    answer.usage.reasoning = 0;
}

/// What a fault makes of a request.
enum Faulty {
    /// It decides by itself.
    Decided(Decision),
    /// It bends the answer, or there is none.
    Bent(Option<Fault>),
}

fn faulty(
    state: &State,
    dialect: &dyn Dialect,
    id: &str,
    model: &str,
    named: Option<Fault>,
    ticket: &Ticket,
) -> Faulty {
    let fault = state.faults.take(model, named);
    ticket.fault(fault);
    let refusal = match fault {
        Some(Fault::Refuse) => return Faulty::Decided(Decision::Refuse),
        Some(Fault::Reset) => return Faulty::Decided(Decision::Reset),
        Some(Fault::Hang) => return Faulty::Decided(Decision::Hang),
        Some(Fault::Status(502)) => return Faulty::Decided(Decision::now(page(502, "502 Bad Gateway"))),
        Some(Fault::MalformedWhole) => return Faulty::Decided(Decision::now(page(200, "Welcome"))),
        Some(Fault::Empty200) => {
            let mut reply = json(headers(dialect, id, Delivery::Whole), 200, Bytes::new());
            reply.script.clear();
            return Faulty::Decided(Decision::now(reply));
        }
        Some(Fault::Status(429)) => Failure::RateLimited(None),
        Some(Fault::Status(status)) => Failure::Status(status),
        Some(Fault::RetryAfter(seconds)) => Failure::RateLimited(Some(seconds)),
        Some(Fault::InsufficientQuota) => Failure::InsufficientQuota,
        Some(Fault::ContextLength) => Failure::ContextLength,
        Some(Fault::ContentFilter) => Failure::ContentFilter,
        Some(Fault::InvalidRequest) => Failure::invalid("The request is invalid: a fault asked for this.", None, None),
        other => return Faulty::Bent(other),
    };
    Faulty::Decided(Decision::now(failure(dialect, &refusal, id)))
}

/// A page of HTML, such as a proxy puts before a provider that is down.
fn page(status: u16, title: &str) -> Reply {
    let mut headers = HeaderMap::new();
    set(&mut headers, "content-type", "text/html; charset=UTF-8");
    set(&mut headers, "server", "cloudflare");
    let body = format!("<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n");
    Reply { status, headers, script: vec![crate::script::Step::Send(Bytes::from(body))], length: Length::Known }
}

/// Checks headers, JSON and model: the body, and the model's name.
fn read(state: &State, head: &Parts, dialect: &dyn Dialect, body: &Bytes) -> Result<(Value, String), Failure> {
    dialect.admit(&head.headers, &state.options)?;
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        let message =
            format!("Unsupported content type: '{kind}'. This method only accepts 'application/json' requests.");
        return Err(Failure::invalid(message, None, Some("unsupported_content_type")));
    }
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Failure::invalid(format!("The body is not valid JSON: {error}."), None, None))?;
    let Some(name) = body.get("model").and_then(Value::as_str).filter(|name| !name.is_empty()) else {
        let missing = if dialect.folder() == Anthropic.folder() {
            "model: Field required"
        } else {
            "you must provide a model parameter"
        };
        return Err(Failure::invalid(missing, None, None));
    };
    let name = name.to_owned();
    openai::known(&state.options, &name, &Model::read(&name))?;
    Ok((body, name))
}

/// Answers an embeddings request.
pub(crate) fn embeddings(state: &State, head: &Parts, body: &Bytes, ticket: &Ticket) -> Decision {
    let id = state.id();
    let refuse = |why: Failure| Decision::now(failure(&OpenAi, &why, &id));
    let (body, name) = match read(state, head, &OpenAi, body) {
        Ok(read) => read,
        Err(why) => return refuse(why),
    };
    let fault = match faulty(state, &OpenAi, &id, &name, Model::read(&name).fault, ticket) {
        Faulty::Decided(decision) => return decision,
        Faulty::Bent(fault) => fault,
    };
    match openai::embed(&body) {
        Err(why) => refuse(why),
        Ok(body) => {
            let error = || Bytes::from(OpenAi.failure(&Failure::Status(500), &id).1);
            let reply = bend::whole(headers(&OpenAi, &id, Delivery::Whole), body, fault, error);
            let after = match fault {
                Some(Fault::SlowWhole(wait) | Fault::SlowFirstToken(wait)) => wait,
                _ => Pace::default().whole(0),
            };
            Decision::Answer { after, reply, fault }
        }
    }
}

/// Answers `POST /v1/messages/count_tokens`.
pub(crate) fn count_tokens(state: &State, head: &Parts, body: &Bytes) -> Reply {
    let id = state.id();
    match read(state, head, &Anthropic, body) {
        Err(why) => failure(&Anthropic, &why, &id),
        Ok((body, _)) => {
            let count = anthropic::count_tokens(&body);
            json(headers(&Anthropic, &id, Delivery::Whole), 200, Bytes::from(format!("{{\"input_tokens\":{count}}}")))
        }
    }
}

/// Answers `GET /v1/models` and `GET /v1/models/{id}`.
pub(crate) fn models(state: &State, head: &Parts) -> Reply {
    let dialect = dialect(head);
    let id = state.id();
    let one = head.uri.path().strip_prefix("/v1/models/");
    let options = &state.options;
    let found = dialect.admit(&head.headers, options).and_then(|()| match (dialect.folder(), one) {
        ("anthropic", None) => Ok(anthropic::list(options)),
        ("anthropic", Some(name)) => anthropic::one(options, name),
        (_, None) => Ok(openai::list(options)),
        (_, Some(name)) => openai::one(options, name),
    });
    match found {
        Ok(body) => json(headers(dialect, &id, Delivery::Whole), 200, body),
        Err(why) => failure(dialect, &why, &id),
    }
}
