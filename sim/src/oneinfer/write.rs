//! Writes answers: whole ones in an envelope, and the events of a stream, of which the last tells why it ended and what it
//! took.

use bytes::Bytes;

use crate::{
    answer::{Answer, End, Usage},
    dialect::{Event, Moment, quote, uuid},
};

/// An answer in its envelope.
pub(super) fn whole(answer: &Answer) -> Bytes {
    Bytes::from(format!(
        r#"{{"api_details":{{"api_status":"success","api_message":"API has returned response successfully."}},"data":{{{},"text":{},"finish_reason":"{}"{},"latency_ms":980}},"error":{{}}}}"#,
        head(answer),
        quote(&said(answer).concat()),
        finish(answer),
        answer.told(usage)
    ))
}

/// The events of a stream.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let event = |moment, delta: &str, more: &str| {
        let bytes = Bytes::from(format!("data: {{{},\"delta\":{}{more}}}\n\n", head(answer), quote(delta)));
        Event { moment, bytes }
    };
    let end = format!(r#","finish_reason":"{}"{}"#, finish(answer), answer.told(usage));
    let said = said(answer).iter().map(|piece| event(Moment::Token, piece, ""));
    said.chain([event(Moment::Finish, "", &end)]).collect()
}

fn head(answer: &Answer) -> String {
    let (created, model) = (answer.created, quote(&answer.model));
    format!(r#""id":"{}","created":{created},"provider":{},"model":{model}"#, uuid(&answer.id), answer.echo)
}

fn said(answer: &Answer) -> &[String] {
    answer.choices.first().map_or(&[], |choice| &choice.text)
}

fn finish(answer: &Answer) -> &'static str {
    match answer.choices.first().map(|choice| &choice.end) {
        Some(End::Length) => "length",
        Some(End::Filtered) => "content_filter",
        _ => "stop",
    }
}

fn usage(usage: Usage) -> String {
    let Usage { input, output, .. } = usage;
    let total = input.saturating_add(output);
    format!(r#","usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}"#)
}
