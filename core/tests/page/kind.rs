//! Which cases are examples of what.
//!
//! Nothing here names a provider or a case: what a case shows is read from its request and its answer, and of several that show
//! the same, the [plainest](Plainness) is the example.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use weir_hub::chat::{Chat, Content, Effort, Format, Thinking};
use weir_hub::dialect;
use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::fault::{FaultKind, Whose};

use crate::fixture::Fixture;

/// What a case may be an example of, in the order of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Text,
    Tools,
    ToolResults,
    Schema,
    Json,
    Thinking,
    Images,
    Documents,
    Sound,
    Logprobs,
    Choices,
    /// A chat, but by another path than OpenAI's chat completions.
    Caller(Endpoint),
    /// No chat.
    Endpoint(Endpoint),
    /// A request that the provider refuses.
    CallersFault,
    /// A request that it fails at, for all that the caller knows.
    ProvidersFault,
    /// A request that it refuses for the operator's key or account.
    OperatorsFault,
    /// An answer that began well, and ends with an error.
    ErrorEvent,
    /// An answer that began well, and does not end.
    Cut,
}

impl Kind {
    pub(crate) fn title(self) -> String {
        match self {
            Self::Text => "Text".to_owned(),
            Self::Tools => "Tools".to_owned(),
            Self::ToolResults => "A tool's result, sent back".to_owned(),
            Self::Schema => "Structured output".to_owned(),
            Self::Json => "JSON without a schema".to_owned(),
            Self::Thinking => "Thinking".to_owned(),
            Self::Images => "An image in the question".to_owned(),
            Self::Documents => "A document in the question".to_owned(),
            Self::Sound => "Sound in the question".to_owned(),
            Self::Logprobs => "Log probabilities".to_owned(),
            Self::Choices => "Several answers at once".to_owned(),
            Self::Caller(endpoint) => format!("Asked by `POST {}`", endpoint.path()),
            Self::Endpoint(endpoint) => {
                let (first, rest) = endpoint.name().split_at(1);
                format!("{}{}", first.to_uppercase(), rest.replace('_', " "))
            }
            Self::CallersFault => "A fault of the caller's".to_owned(),
            Self::ProvidersFault => "A fault of the provider's".to_owned(),
            Self::OperatorsFault => "A fault of the operator's".to_owned(),
            Self::ErrorEvent => "An error within a stream".to_owned(),
            Self::Cut => "A stream that is cut".to_owned(),
        }
    }

    /// All that a case shows.
    pub(crate) fn of(case: &Fixture) -> BTreeSet<Self> {
        if case.status != 200 {
            let fault = case.provider.fault(case.status, &case.answer);
            return BTreeSet::from([match fault.kind.whose() {
                Whose::Caller => Self::CallersFault,
                Whose::Provider => Self::ProvidersFault,
                Whose::Ours => Self::OperatorsFault,
            }]);
        }
        if case.fault.is_some() {
            let received = case.received([&case.answer[..]]);
            return match received.end.map_err(|fault| fault.kind) {
                Err(FaultKind::ErrorEvent) if received.begun => BTreeSet::from([Self::ErrorEvent]),
                Err(FaultKind::Cut) if received.begun => BTreeSet::from([Self::Cut]),
                _ => BTreeSet::new(),
            };
        }
        let Some(dialect) = dialect::of(case.endpoint) else { return BTreeSet::from([Self::Endpoint(case.endpoint)]) };
        let mut kinds = dialect.read(&case.call()).map(|chat| asked(&chat)).unwrap_or_default();
        if kinds.is_empty() {
            kinds.insert(Self::Text);
        }
        if case.endpoint != Endpoint::Chat {
            kinds.insert(Self::Caller(case.endpoint));
        }
        kinds
    }

    /// Whether a stream of it is another thing than a stream of text.
    fn has_events_of_its_own(self) -> bool {
        !matches!(self, Self::ToolResults | Self::Schema | Self::Json | Self::Images | Self::Documents | Self::Sound)
    }
}

/// What a chat asks for beside text.
fn asked(chat: &Chat<'_>) -> BTreeSet<Kind> {
    let contents = chat.turns.iter().flat_map(|turn| &turn.parts);
    let mut kinds: BTreeSet<Kind> = contents
        .filter_map(|part| match part.content {
            Content::Result { .. } => Some(Kind::ToolResults),
            Content::ImageUrl(_) | Content::Image { .. } => Some(Kind::Images),
            Content::Document { .. } => Some(Kind::Documents),
            Content::Audio { .. } => Some(Kind::Sound),
            _ => None,
        })
        .collect();
    let thinks = chat.effort.is_some_and(|effort| effort != Effort::None)
        || chat.thinking.is_some_and(|thinking| thinking != Thinking::Off);
    let asked = [
        // A result comes with the tools that gave it.
        (Kind::Tools, !chat.tools.is_empty() && !kinds.contains(&Kind::ToolResults)),
        (Kind::Schema, matches!(chat.format, Format::Schema { .. })),
        (Kind::Json, chat.format == Format::Json),
        (Kind::Thinking, thinks),
        (Kind::Logprobs, chat.logprobs.is_some()),
        (Kind::Choices, chat.n.is_some_and(|n| n > 1)),
    ];
    kinds.extend(asked.into_iter().filter_map(|(kind, asked)| asked.then_some(kind)));
    kinds
}

/// How plain a case is; the least is the plainest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Plainness<'c> {
    /// How much it shows beside text.
    kinds: usize,
    asked_otherwise: bool,
    /// What fails in the plainest way is called so: `cut-…`, `error-event-…`.
    fails_otherwise: bool,
    /// `odd-crlf` says more than `text`.
    words: usize,
    length: usize,
    fields: usize,
    name: &'c str,
}

impl<'c> Plainness<'c> {
    fn of(case: &'c Fixture, kinds: &BTreeSet<Kind>) -> Self {
        let name = short(case);
        Self {
            kinds: kinds.iter().filter(|kind| **kind != Kind::Text).count(),
            asked_otherwise: case.endpoint != Endpoint::Chat,
            fails_otherwise: case.fault.as_ref().is_some_and(|fault| !name.starts_with(&fault.replace('_', "-"))),
            words: name.strip_suffix("-stream").unwrap_or(name).split('-').count(),
            length: name.len(),
            fields: members(&case.caller),
            name,
        }
    }
}

fn members(body: &[u8]) -> usize {
    serde_json::from_slice(body).ok().and_then(|body: Value| Some(body.as_object()?.len())).unwrap_or_default()
}

/// The plainest case of each kind, and the plainest stream where that shows more and nothing else. How a host deviates is
/// no example of the API that it speaks.
pub(crate) fn examples<'c>(cases: &[&'c Fixture]) -> BTreeMap<(Kind, Delivery), &'c Fixture> {
    let mut plainest: BTreeMap<(Kind, Delivery), (Plainness<'c>, &'c Fixture)> = BTreeMap::new();
    for case in cases.iter().filter(|case| !case.deviates) {
        let kinds = Kind::of(case);
        for kind in &kinds {
            let delivery = if case.status == 200 { case.delivery } else { Delivery::Whole };
            let candidate = (Plainness::of(case, &kinds), *case);
            let best = plainest.entry((*kind, delivery)).or_insert(candidate);
            if candidate.0 < best.0 {
                *best = candidate;
            }
        }
    }
    let shows_more = |(kind, delivery): (Kind, Delivery), stream: &Plainness<'_>| {
        let whole = plainest.get(&(kind, Delivery::Whole)).map(|(plainness, _)| plainness.kinds);
        let beside = |whole| kind.has_events_of_its_own() && stream.kinds <= whole;
        delivery == Delivery::Whole || whole.is_none_or(beside)
    };
    let shown = plainest.iter().filter(|(key, (plainness, _))| shows_more(**key, plainness));
    shown.map(|(key, (_, case))| (*key, *case)).collect()
}

/// A case's name, without its provider's.
pub(crate) fn short(case: &Fixture) -> &str {
    case.name.split_once('/').map_or(&*case.name, |(_, name)| name)
}
