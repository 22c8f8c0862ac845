//! Renders the answers of [`Quick`], each once.

use bytes::Bytes;

use crate::{
    Options,
    answer::{Answer, Ask, Delivery, UsageEvent},
    bend::tells,
    dialect::{Dialect, headers},
    model::Model,
    quick::{Quick, Rendered, Written},
    route,
};

/// An answer for each line of the table of routes.
pub(crate) fn quick(options: &Options) -> Quick {
    Quick::of(route::dialects().map(|dialect| rendered(dialect, options)))
}

fn rendered(dialect: &dyn Dialect, options: &Options) -> Rendered {
    let answer = |usage| {
        let model = options.models.first().map(String::as_str).unwrap_or_default();
        let ask = Ask { usage, ..Ask::saying(model, "Hello") };
        Answer::to(&ask, &Model::default(), options.tokens, "0000000000000000prerendered".to_owned())
    };
    let stream = |usage| {
        let events: Vec<Bytes> = dialect.events(&answer(usage)).into_iter().map(|event| event.bytes).collect();
        Bytes::from(events.concat())
    };
    let written = |bytes: Bytes| Written { told: tells(&bytes), bytes };
    let plain = answer(UsageEvent::Unwanted);
    Rendered {
        whole: (headers(dialect, "prerendered", Delivery::Whole), written(dialect.whole(&plain))),
        stream: (headers(dialect, "prerendered", Delivery::Streamed), written(stream(UsageEvent::Unwanted))),
        counted: written(stream(UsageEvent::Wanted)),
        usage: plain.usage,
    }
}
