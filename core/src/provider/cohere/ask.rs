//! Writes a chat as a request in Cohere's API.

mod conversation;
mod tools;

use alloc::vec::Vec;

use conversation::Conversation;
use tools::Tools;
use weir_hub::chat::{Chat, Detail, Effort, Format, Thinking};
use weir_hub::codec::json::write::{Object, array, object, string};
use weir_hub::codec::json::{Kind, Raw};
use weir_hub::endpoint::Delivery;
use weir_hub::fault::Reject;

use crate::provider::To;

/// The caller's own settings for this provider.
const OWN: [&str; 6] = ["citation_options", "documents", "priority", "safety_mode", "strict_tools", "thinking"];

/// The most stop sequences.
///
/// <https://docs.cohere.com/reference/chat>, `stop_sequences`
const MOST_STOPS: usize = 5;

/// The request for `chat`.
pub(super) fn write(chat: &Chat<'_>, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    expressible(chat, to);
    let thinks = thinks(to.model);
    let thinking = thinking(chat, thinks, to)?;
    let stops = to.stops(chat, MOST_STOPS)?;
    let documents = own(chat, "documents");
    if documents.is_some_and(|documents| documents.kind() != Kind::Array) {
        return Err(to.invalid("documents", "it must be an array"));
    }
    let conversation = Conversation::of(&chat.turns, thinks, to)?;
    let grounded = documents.is_some() || !conversation.documents.is_empty();
    let tools = Tools::of(chat, grounded, to)?;
    if to.judges() {
        return Ok(Vec::new());
    }
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        body.string("model", to.model);
        if to.delivery == Delivery::Streamed {
            body.raw("stream", "true");
        }
        conversation.write(body);
        if grounded {
            let own = documents.into_iter().flat_map(Raw::items);
            array(
                body.member("documents"),
                own.map(Ok).chain(conversation.documents.iter().map(Err)),
                |out, document| match document {
                    Ok(own) => out.extend_from_slice(own.text().as_bytes()),
                    Err(document) => conversation::document(out, document),
                },
            );
        }
        tools.write(body);
        if let Some(thinking) = thinking {
            thinking.write(body);
        }
        if let Some(max) = chat.max_tokens {
            body.number("max_tokens", max);
        }
        for (name, _, value) in sampling(chat).filter(|(_, name, value)| is_taken(name, *value)) {
            body.raw(name, value.text());
        }
        if !stops.is_empty() {
            body.array("stop_sequences", stops, |out, stop| string(out, stop));
        }
        if chat.logprobs.is_some() {
            body.raw("logprobs", "true");
        }
        for name in ["citation_options", "priority", "safety_mode"] {
            if let Some(value) = own_value(chat, name) {
                body.raw(name, value);
            }
        }
    });
    Ok(out)
}

/// The caller's own value for a field of this API.
fn own<'a>(chat: &Chat<'a>, name: &str) -> Option<Raw<'a>> {
    chat.extra.iter().find(|(given, _)| given == name).map(|(_, value)| *value)
}

fn own_value<'a>(chat: &Chat<'a>, name: &str) -> Option<&'a str> {
    own(chat, name).map(Raw::text)
}

/// Refuses the fields or values that this API cannot express.
fn expressible(chat: &Chat<'_>, to: &mut To<'_>) {
    // OpenAI allows temperatures up to 2 and penalties from -2 to 2. Here all of them are between 0 and 1.
    for (_, name, value) in sampling(chat) {
        if !is_taken(name, value) {
            to.unsupported(name);
        }
    }
    to.takes_none_of(chat, &["logit_bias", "metadata", "n", "top_logprobs", "service_tier"]);
    to.unname(chat);
    // Tool results are sent as text.
    to.look(chat.looks(), Some(Detail::High));
    to.unmark(chat);
    to.rest(&chat.extra, &OWN);
}

/// Whether this API accepts a value of OpenAI's field.
fn is_taken(name: &str, value: Raw<'_>) -> bool {
    let bounded = matches!(name, "temperature" | "presence_penalty" | "frequency_penalty");
    !bounded || value.number().is_some_and(|value| (0.0..=1.0).contains(&value))
}

/// The caller's sampling settings that this API has: its name, OpenAI's name, the value.
fn sampling<'a>(chat: &Chat<'a>) -> impl Iterator<Item = (&'static str, &'static str, Raw<'a>)> {
    [
        ("temperature", "temperature", chat.temperature),
        ("p", "top_p", chat.top_p),
        ("k", "top_k", chat.top_k),
        ("seed", "seed", chat.seed),
        ("presence_penalty", "presence_penalty", chat.presence_penalty),
        ("frequency_penalty", "frequency_penalty", chat.frequency_penalty),
    ]
    .into_iter()
    .filter_map(|(name, openai, value)| Some((name, openai, value?)))
}

/// Whether a model can reason. An unknown one can.
///
/// <https://docs.cohere.com/docs/models>
pub(super) fn thinks(model: &str) -> bool {
    const PLAIN: [&str; 6] =
        ["command-r", "command-a-03-2025", "command-a-translate", "command-a-vision", "c4ai-", "tiny-aya"];
    !PLAIN.iter().any(|plain| model.starts_with(plain))
}

/// <https://docs.cohere.com/docs/reasoning>
#[derive(Clone, Copy)]
enum Think {
    Off,
    On { budget: Option<u64> },
}

impl Think {
    fn write(self, body: &mut Object<'_>) {
        body.object("thinking", |thinking| match self {
            Self::Off => thinking.string("type", "disabled"),
            Self::On { budget } => {
                thinking.string("type", "enabled");
                if let Some(budget) = budget {
                    thinking.number("token_budget", budget);
                }
            }
        });
    }
}

/// The caller's setting for reasoning, in this API's own form or another provider's. Without one, models that can
/// reason do.
fn thinking(chat: &Chat<'_>, thinks: bool, to: &mut To<'_>) -> Result<Option<Think>, Reject> {
    let think = if let Some(own) = own(chat, "thinking") {
        let kind = own.get("type").and_then(Raw::string);
        let budget = ["token_budget", "budget_tokens"].iter().find_map(|name| own.get(name)?.integer());
        match kind.as_deref() {
            Some("disabled") => Think::Off,
            Some("enabled" | "adaptive") => Think::On { budget },
            _ => return Err(to.invalid("thinking.type", "it must be 'enabled' or 'disabled'")),
        }
    } else {
        match (chat.thinking, chat.effort) {
            (Some(Thinking::Off), _) | (None, Some(Effort::None)) => Think::Off,
            (Some(Thinking::Budget(tokens)), effort) => {
                if effort.is_some() {
                    to.leaves_effort();
                }
                Think::On { budget: Some(tokens) }
            }
            (_, Some(effort)) => Think::On { budget: budget(effort) },
            (Some(Thinking::Adaptive), None) => Think::On { budget: None },
            (None, None) => return Ok(None),
        }
    };
    match think {
        // A model that cannot reason has no setting for it.
        Think::Off if !thinks => Ok(None),
        Think::On { .. } if !thinks => {
            to.unsupported("reasoning_effort");
            Ok(None)
        }
        Think::On { budget: Some(budget) } => {
            // The caller's limit includes reasoning, as it does here: half of it is for the answer.
            let most = chat.max_tokens.map_or(u64::MAX, |max| (max / 2).max(1));
            Ok(Some(Think::On { budget: Some(budget.min(most)) }))
        }
        think => Ok(Some(think)),
    }
}

/// The budget of thinking; the highest efforts have only the model's own limit.
const fn budget(effort: Effort) -> Option<u64> {
    match effort {
        Effort::None | Effort::Minimal => Some(1024),
        Effort::Low => Some(2048),
        Effort::Medium => Some(8192),
        Effort::High | Effort::Xhigh | Effort::Max => None,
    }
}

/// The schema of an answer; `None` if its format has none.
fn schema<'a>(format: &'a Format<'_>) -> Option<&'a str> {
    match format {
        Format::Schema { schema, .. } => Some(schema.text()),
        Format::Text | Format::Json => None,
    }
}
