//! What a request to a model gets: checks in the order a provider makes them, then the answer, bent by its fault.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use crate::{
    Fault, Pace,
    answer::{Answer, Delivery, End, Usage},
    bend::{self, Course},
    bill::Making,
    dialect::{Call, Event, Failure, Refusal, headers, known, set},
    model::Model,
    replay::{self, unavailable},
    reply::{Decision, Length, Reply, json},
};

/// Answers a chat request.
pub(crate) fn chat(call: &Call<'_>) -> Decision {
    if let Some(quick) = &call.state.quick {
        return match call.dialect.admit(call) {
            Err(why) => call.refuse(&why),
            Ok(()) => match faulty(call, &Model::default()) {
                Faulty::Decided(decision) => decision,
                // Prerendered answers are never bent.
                Faulty::Bent(_) => match quick.reply(call.line, call.delivery(&Value::Null), call.body) {
                    Some((reply, usage)) => {
                        let model = call.options().models.first().map(String::as_str).unwrap_or_default();
                        call.bill(model, usage, Making::Saying);
                        Decision::now(reply)
                    }
                    None => call.refuse(&Failure::Status(500)),
                },
            },
        };
    }
    let (body, model) = match read(call) {
        Ok(read) => read,
        Err(why) => return call.refuse(&why),
    };
    let fault = match faulty(call, &model) {
        Faulty::Decided(decision) => {
            // It was read, and nothing came of it.
            if decision.is_read()
                && let Ok(ask) = call.dialect.ask(call, &body, &model)
            {
                call.bill(&model.name, ask.read(&model), Making::Saying);
            }
            return decision;
        }
        Faulty::Bent(fault) => fault,
    };
    if let Some(reply) = replayed(call, &model) {
        return Decision::Verbatim(reply);
    }
    match call.dialect.ask(call, &body, &model) {
        Err(why) => call.refuse(&why),
        Ok(ask) => {
            let answer = call.dialect.answer(call, &body, &ask, &model);
            say(call, answer, ask.delivery, &model, fault)
        }
    }
}

/// The fixture the model's name calls for.
pub(crate) fn replayed(call: &Call<'_>, model: &Model) -> Option<Reply> {
    let options = call.options();
    let chunk = model.chunk.or(options.chunk);
    let case = replay::find(options, model.replay.as_ref()?, Some(call.dialect.folder()));
    Some(case.and_then(|case| case.reply(chunk)).unwrap_or_else(|error| unavailable(&error)))
}

/// Says an answer, in one piece or as a stream.
fn say(call: &Call<'_>, mut answer: Answer, delivery: Delivery, model: &Model, fault: Option<Fault>) -> Decision {
    let (dialect, id) = (call.dialect, call.id.as_str());
    match fault {
        Some(Fault::FinishContentFilter) => filter(&mut answer, model.some()),
        Some(Fault::ContentFilter) => silence(&mut answer),
        _ => {}
    }
    let pace = model.pace(call.options().pace);
    let headers = headers(dialect, id, delivery);
    let overload = Failure::Status(dialect.overload());
    let (mut after, reply) = match delivery {
        Delivery::Whole => {
            let error = || dialect.failed(&answer, &overload);
            (pace.whole(answer.pieces()), bend::whole(headers, dialect.whole(&answer), answer.usage, fault, error))
        }
        Delivery::Streamed => {
            let events = dialect.events(&answer);
            let course = Course { pace, usage: answer.usage, some: model.some() };
            let error = |told: &[Event]| dialect.broken(&answer, &overload, told);
            let malformed = |event: &[u8]| dialect.malformed(event);
            (Duration::ZERO, bend::stream(headers, events, course, fault, error, malformed))
        }
    };
    match (fault, delivery) {
        (Some(Fault::SlowWhole(wait)), _) | (Some(Fault::SlowFirstToken(wait)), Delivery::Whole) => after += wait,
        _ => {}
    }
    let making = making(delivery, fault, after, pace, answer.pieces());
    call.bill(&model.name, answer.usage, making);
    Decision::Answer { after, reply, fault }
}

/// When an answer is made that takes `after` to come: a whole one before it comes, unless it fails.
pub(crate) fn making(delivery: Delivery, fault: Option<Fault>, after: Duration, pace: Pace, pieces: u32) -> Making {
    match (delivery, fault) {
        (Delivery::Streamed, _) | (_, Some(Fault::ErrorEvent | Fault::ErrorEventLate)) => Making::Saying,
        (Delivery::Whole, _) => {
            // A fault adds to the time before the first piece.
            let first = after.saturating_sub(pace.whole(pieces)).saturating_add(pace.first);
            Making::Before { from: Instant::now(), pace: Pace { first, gap: pace.gap }, pieces }
        }
    }
}

/// Leaves nothing of an answer but what it cost to read the question.
fn silence(answer: &mut Answer) {
    answer.choices.clear();
    answer.usage = Usage { output: 0, reasoning: 0, hidden: 0, ..answer.usage };
}

/// Cuts an answer short as a provider's filter does.
fn filter(answer: &mut Answer, some: usize) {
    let mut spoken = 0;
    for choice in &mut answer.choices {
        choice.thinking.clear();
        choice.calls.clear();
        choice.text.truncate(some);
        choice.end = End::Filtered;
        spoken += u32::try_from(choice.text.len()).unwrap_or(u32::MAX);
    }
    answer.usage = Usage { output: spoken, reasoning: 0, hidden: 0, ..answer.usage };
}

/// What a fault makes of a request.
pub(crate) enum Faulty {
    /// It decides by itself.
    Decided(Decision),
    /// It bends the answer; `None` if there is no fault.
    Bent(Option<Fault>),
}

pub(crate) fn faulty(call: &Call<'_>, model: &Model) -> Faulty {
    let Call { dialect, id, .. } = call;
    let fault = call.state.faults.take(&model.name, model.fault, model.times);
    call.ticket.fault(fault);
    let refusal = match fault {
        Some(Fault::Refuse) => return Faulty::Decided(Decision::Refuse),
        Some(Fault::Reset) => return Faulty::Decided(Decision::Reset),
        Some(Fault::Hang) => return Faulty::Decided(Decision::Hang),
        Some(Fault::Status(502)) => return Faulty::Decided(Decision::now(page(502, "502 Bad Gateway"))),
        Some(Fault::MalformedWhole) => return Faulty::Decided(Decision::now(page(200, "Welcome"))),
        Some(Fault::Empty200) => {
            let mut reply = json(headers(*dialect, id, Delivery::Whole), 200, Bytes::new());
            reply.script.clear();
            return Faulty::Decided(Decision::now(reply));
        }
        Some(Fault::Status(429)) => Failure::RateLimited(None),
        Some(Fault::Status(status)) => Failure::Status(status),
        Some(Fault::RetryAfter(seconds)) => Failure::RateLimited(Some(seconds)),
        Some(Fault::InsufficientQuota) => Failure::InsufficientQuota,
        Some(Fault::ContextLength) => Failure::ContextLength,
        Some(Fault::ContentFilter) if dialect.refusal() == Refusal::Failure => Failure::ContentFilter,
        Some(Fault::InvalidRequest) => Failure::invalid("The request is invalid: a fault asked for this.", None, None),
        other => return Faulty::Bent(other),
    };
    Faulty::Decided(call.refuse(&refusal))
}

/// A page of HTML, such as a proxy puts before a provider that is down.
fn page(status: u16, title: &str) -> Reply {
    let mut headers = HeaderMap::new();
    set(&mut headers, "content-type", "text/html; charset=UTF-8");
    set(&mut headers, "server", "cloudflare");
    let body = format!("<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n");
    Reply { status, headers, script: vec![crate::script::Step::Send(Bytes::from(body))], length: Length::Known }
}

/// Checks headers, JSON and model: the body, and the model asked for.
pub(crate) fn read(call: &Call<'_>) -> Result<(Value, Model), Failure> {
    read_or(call, None)
}

/// Does as [`read`], and takes the `usual` model where none is asked for.
pub(crate) fn read_or(call: &Call<'_>, usual: Option<&str>) -> Result<(Value, Model), Failure> {
    call.dialect.admit(call)?;
    let kind = call.header("content-type").unwrap_or_default();
    if !call.dialect.reads(kind) {
        let message =
            format!("Unsupported content type: '{kind}'. This method only accepts 'application/json' requests.");
        return Err(Failure::invalid(message, None, Some("unsupported_content_type")));
    }
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|error| Failure::invalid(format!("The body is not valid JSON: {error}."), None, None))?;
    let name = call.model.as_deref().or_else(|| body.get("model").and_then(Value::as_str));
    let model = named(call, name.or(usual))?;
    Ok((body, model))
}

/// The model that is asked for, where it is known.
pub(crate) fn named(call: &Call<'_>, name: Option<&str>) -> Result<Model, Failure> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(Failure::invalid(call.dialect.no_model(), None, None));
    };
    let model = Model::read(name);
    known(call.options(), name, &model)?;
    Ok(model)
}
