//! `POST /v1/images/generations` and `/v1/images/edits`. Orders are checked in [`order`] and painted in [`paint`].
//!
//! <https://platform.openai.com/docs/api-reference/images>,
//! <https://platform.openai.com/docs/api-reference/images-streaming>

mod order;
mod paint;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;

use self::order::{Family, Order};
use crate::{
    chat,
    dialect::{Call, Event, Moment, quote},
    form::{self, Part},
    reply::Decision,
    said::{self, Said},
};

/// The model that answers where none is named.
const USUAL: &str = "dall-e-2";

/// Answers `/v1/images/generations`.
pub(crate) fn generations(call: &Call<'_>) -> Decision {
    let read = |call: &Call<'_>| chat::read_or(call, Some(USUAL));
    said::say(call, read, |body, model| {
        let order = Order::read(body, model)?;
        Ok((say(call, &order, &[], "image_generation"), Some(order.used(0, order.count))))
    })
}

/// Answers `/v1/images/edits`.
pub(crate) fn edits(call: &Call<'_>) -> Decision {
    let read = |call: &Call<'_>| form::read(call, Some(USUAL));
    said::say(call, read, |form, model| {
        let fields = order::fields(form);
        let order = Order::read(&fields, model)?;
        let given = order::pictures(form, &order)?;
        let used = order.used(given.len(), order.count);
        Ok((say(call, &order, &given, "image_edit"), Some(used)))
    })
}

fn say(call: &Call<'_>, order: &Order<'_>, given: &[&Part], event: &str) -> Said {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if order.streamed {
        return Said::Events(events(order, given, event, created));
    }
    let picture = |number| {
        let revised = if order.family == Family::DallE3 {
            format!(r#","revised_prompt":{}"#, quote(order.prompt))
        } else {
            String::new()
        };
        // A picture that is linked to is nowhere: what a caller would fetch does not pass through a gateway.
        let data = if order.linked {
            format!(r#""url":"https://images.invalid/img-{}-{number}.png""#, call.id)
        } else {
            format!(r#""b64_json":"{}""#, BASE64_STANDARD.encode(paint::picture(order, given, number)))
        };
        format!("{{{data}{revised}}}")
    };
    let pictures: Vec<String> = (0..order.count).map(picture).collect();
    let data = format!(r#""data":[{}]"#, pictures.join(","));
    let body = if order.family == Family::Gpt {
        let (echo, usage) = (order.echo(), order.usage(given.len(), order.count));
        format!(r#"{{"created":{created},{echo},{data},"usage":{usage}}}"#)
    } else {
        format!(r#"{{"created":{created},{data}}}"#)
    };
    Said::Whole { kind: "application/json", body: Bytes::from(body), pieces: pictures.len() }
}

/// Each picture as it comes: unfinished ones first, as many as are asked for.
fn events(order: &Order<'_>, given: &[&Part], event: &str, created: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for number in 0..order.count {
        let data = BASE64_STANDARD.encode(paint::picture(order, given, number));
        let mut push = |kind: &str, rest: &str| {
            let name = format!("{event}.{kind}");
            let echo = order.echo();
            let bytes = format!(
                "event: {name}\ndata: {{\"type\":\"{name}\",\"b64_json\":\"{data}\",\"created_at\":{created},{echo},{rest}}}\n\n"
            );
            events.push(Event { moment: Moment::Token, bytes: Bytes::from(bytes) });
        };
        for index in 0..order.partial {
            push("partial_image", &format!(r#""partial_image_index":{index}"#));
        }
        push("completed", &format!(r#""usage":{}"#, order.usage(given.len(), 1)));
    }
    events
}
