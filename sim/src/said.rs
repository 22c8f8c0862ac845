//! Answers to requests that are no chats: vectors, counts, transcripts, sound, pictures. They are checked, bent by faults and
//! paced as chats are.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::{
    Fault,
    answer::{Delivery, Usage},
    bend::{self, Course},
    bill::Making,
    chat::{self, Faulty},
    dialect::{Call, Event, Failure, headers, set},
    model::Model,
    reply::Decision,
};

/// An answer, before pace and faults.
pub(crate) enum Said {
    /// In one piece, which takes as long as `pieces` pieces would.
    Whole { kind: &'static str, body: Bytes, pieces: usize },
    /// As events.
    Events(Vec<Event>),
    /// Bit by bit, but not as events: an error has no place in it.
    Chunks { kind: &'static str, chunks: Vec<Event> },
}

/// Answers with the JSON that `write` makes of JSON, and what it costs.
pub(crate) fn plain(
    call: &Call<'_>,
    write: impl FnOnce(&Value, &Model) -> Result<(Bytes, Usage), Failure>,
) -> Decision {
    say(call, chat::read, |body, model| {
        let (body, usage) = write(body, model)?;
        Ok((Said::Whole { kind: call.dialect.whole_type(), body, pieces: 0 }, Some(usage)))
    })
}

/// Answers with the JSON that `write` makes of JSON, for nothing.
pub(crate) fn free(call: &Call<'_>, write: impl FnOnce(&Value, &Model) -> Result<Bytes, Failure>) -> Decision {
    say(call, chat::read, |body, model| {
        let body = write(body, model)?;
        Ok((Said::Whole { kind: call.dialect.whole_type(), body, pieces: 0 }, None))
    })
}

/// Answers with what `write` makes of what `read` finds in the request, and bills what it costs, if anything.
pub(crate) fn say<T>(
    call: &Call<'_>,
    read: impl FnOnce(&Call<'_>) -> Result<(T, Model), Failure>,
    write: impl FnOnce(&T, &Model) -> Result<(Said, Option<Usage>), Failure>,
) -> Decision {
    let (body, model) = match read(call) {
        Ok(read) => read,
        Err(why) => return call.refuse(&why),
    };
    let fault = match chat::faulty(call, &model) {
        Faulty::Decided(decision) => {
            // It was read, and nothing came of it.
            if decision.is_read()
                && let Ok((_, Some(usage))) = write(&body, &model)
            {
                call.bill(&model.name, Usage { output: 0, ..usage }, Making::Saying);
            }
            return decision;
        }
        Faulty::Bent(fault) => fault,
    };
    if let Some(reply) = chat::replayed(call, &model) {
        return Decision::Verbatim(reply);
    }
    match write(&body, &model) {
        Err(why) => call.refuse(&why),
        Ok((said, usage)) => perform(call, said, usage, &model, fault),
    }
}

fn perform(call: &Call<'_>, said: Said, usage: Option<Usage>, model: &Model, fault: Option<Fault>) -> Decision {
    let used = usage.unwrap_or_default();
    let (dialect, id) = (call.dialect, call.id.as_str());
    let pace = model.pace(call.options().pace);
    let overload = Failure::Status(dialect.overload());
    let served = |delivery, kind: &'static str| {
        let mut headers = headers(dialect, id, delivery);
        headers.remove("content-type");
        set(&mut headers, "content-type", kind);
        headers
    };
    let malformed = |event: &[u8]| dialect.malformed(event);
    let mut after = Duration::ZERO;
    let mut whole = None;
    let course = Course { pace, usage: used, some: model.some() };
    let reply = match said {
        Said::Whole { kind, body, pieces } => {
            let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
            whole = Some(pieces);
            if pieces > 0 {
                after = pace.whole(pieces);
            }
            if let Some(Fault::SlowFirstToken(wait)) = fault {
                after += wait;
            }
            let error = || Bytes::from(dialect.failure(&overload, id).1);
            bend::whole(served(Delivery::Whole, kind), body, used, fault, error)
        }
        Said::Events(events) => {
            let error = |_: &[Event]| dialect.failure_event(&overload, id);
            let headers = headers(dialect, id, Delivery::Streamed);
            bend::stream(headers, events, course, fault, error, malformed)
        }
        Said::Chunks { kind, chunks } => {
            bend::stream(served(Delivery::Whole, kind), chunks, course, fault, |_: &[Event]| Bytes::new(), malformed)
        }
    };
    if let Some(Fault::SlowWhole(wait)) = fault {
        after += wait;
    }
    if let Some(usage) = usage {
        let delivery = if whole.is_some() { Delivery::Whole } else { Delivery::Streamed };
        let making = chat::making(delivery, fault, after, pace, whole.unwrap_or_default());
        call.bill(&model.name, usage, making);
    }
    Decision::Answer { after, reply, fault }
}
