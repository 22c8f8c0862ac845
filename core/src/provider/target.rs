//! The target of a request, and what to note while the request is written for it.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::call::Call;
use weir_hub::chat::{Chat, Content, Detail, Display, Look, Part, Role, Source};
use weir_hub::codec::json::Raw;
use weir_hub::dialect::{self, MOST_NOTED};
use weir_hub::embed::{self, Embed};
use weir_hub::endpoint::{Asked, Delivery, Endpoint};
use weir_hub::fault::Reject;
use weir_hub::piece::Calls;

use super::claude::Generation;
use super::notes::{self, Notes};
use super::{ChatApi, Provider, Renamed, parts, system, tool_names};
use crate::upstream::Upstream;

/// Fields that say how to find or keep cached work, or who asks. They promise nothing about the answer.
const HINTS: [&str; 7] = [
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "context_management",
    "client_metadata",
    "user",
    "safety_identifier",
];

/// One model at one upstream, for which a call is being written.
pub struct To<'t> {
    /// The upstream.
    pub upstream: &'t Upstream,
    /// The upstream's model.
    pub model: &'t str,
    /// How the answer is delivered.
    pub delivery: Delivery,
    /// The endpoint that the caller asked.
    pub endpoint: Endpoint,
    /// The Anthropic features that the caller turns on by name.
    pub(super) betas: &'t str,
    /// The notes so far.
    pub notes: Notes,
    /// Which of the answer's tool calls the caller receives.
    pub calls: Calls,
    /// Tools that got other names.
    pub renamed: Renamed,
    /// Fields that cannot be expressed here.
    refused: Vec<String>,
    provider: &'static str,
    /// The model that the caller named.
    asked: &'t str,
    /// Whether the caller asks for reasoning directly, and not through the effort.
    thinks: bool,
    /// Whether what is written is thrown away.
    judges: bool,
}

impl<'t> To<'t> {
    pub(crate) fn new(
        provider: &'static dyn Provider,
        upstream: &'t Upstream,
        model: &'t str,
        call: &Call<'t>,
    ) -> Self {
        let Call { asked: Asked { endpoint, delivery, .. }, model: asked, betas, .. } = *call;
        Self {
            upstream,
            model,
            delivery,
            endpoint,
            betas,
            notes: Notes::default(),
            calls: Calls::All,
            renamed: Renamed::default(),
            refused: Vec::new(),
            provider: provider.name(),
            asked,
            thinks: false,
            judges: false,
        }
    }

    /// From here on, only refusals matter.
    pub(crate) fn judge(&mut self) {
        self.judges = true;
    }

    /// Whether nobody will see what is written. A provider that has refused nothing up to the point where it would
    /// write can stop there.
    pub fn judges(&self) -> bool {
        self.judges
    }

    /// Says that `field` cannot be expressed here. This refuses the request. If the configuration says to leave such
    /// fields out, it notes the omission instead.
    ///
    /// `field` is the name in OpenAI's chat completions; the caller is told its own dialect's name.
    pub fn unsupported(&mut self, field: &str) {
        let field = self.field(field);
        if self.upstream.drop_unsupported {
            notes::note(&mut self.notes.dropped, &field);
        } else if self.refused.len() < MOST_NOTED && !self.refused.contains(&field) {
            self.refused.push(field);
        }
    }

    /// Refuses the request if it has fields that cannot be expressed here. The caller is told all of them at once, and
    /// before any other error in the request.
    pub(crate) fn refuse_unsupported<T>(&mut self, outcome: Result<T, Reject>) -> Result<T, Reject> {
        match core::mem::take(&mut self.refused) {
            fields if fields.is_empty() => outcome,
            fields => Err(Reject::Unsupported { fields, provider: self.provider }),
        }
    }

    /// The refusal of a `field` that can neither be expressed here nor left out.
    pub fn refusal(&self, field: &str) -> Reject {
        Reject::Unsupported { fields: Vec::from([self.field(field)]), provider: self.provider }
    }

    /// Leaves out and notes a `field` that promises nothing about the answer, such as a hint for a cache.
    pub fn hint(&mut self, field: &str) {
        let field = self.field(field);
        notes::note(&mut self.notes.dropped, &field);
    }

    /// Leaves out another model's reasoning, which only its maker would accept back.
    pub(super) fn leaves_thoughts(&mut self) {
        let field = match self.endpoint {
            Endpoint::Messages | Endpoint::CountTokens => "messages.thinking",
            Endpoint::Responses => "input.reasoning",
            Endpoint::GenerateContent => "contents.parts.thoughtSignature",
            _ => "messages.reasoning_details",
        };
        notes::note(&mut self.notes.dropped, field);
    }

    /// Leaves out the effort, although another setting for reasoning remains.
    pub(super) fn leaves_effort(&mut self) {
        let thinks = core::mem::take(&mut self.thinks);
        self.hint("reasoning_effort");
        self.thinks = thinks;
    }

    /// Says that `field` is unknown here. It is left out and noted if it promises nothing about the answer; else it is
    /// [unsupported](Self::unsupported).
    pub fn lacks(&mut self, field: &str) {
        if HINTS.contains(&field) { self.hint(field) } else { self.unsupported(field) }
    }

    /// The stop sequences, for a provider that takes at most `most`. More are refused, or only the first ones are taken
    /// and this is noted.
    pub(super) fn stops<'c, 'a>(&mut self, chat: &'c Chat<'a>, most: usize) -> Result<&'c [Cow<'a, str>], Reject> {
        match chat.stop.get(..most) {
            Some(first) if first.len() < chat.stop.len() => {
                if !self.upstream.drop_unsupported {
                    return Err(
                        self.invalid("stop", format!("it must have at most {most} sequences for this provider"))
                    );
                }
                self.unsupported("stop");
                Ok(first)
            }
            _ => Ok(&chat.stop),
        }
    }

    /// Leaves out the cache marks, for a provider whose cache works without them.
    pub(super) fn unmark(&mut self, chat: &Chat<'_>) {
        if chat.turns.iter().flat_map(|turn| &turn.parts).any(|part| part.cache.is_some()) {
            self.hint("messages.cache_control");
        }
        if chat.tools.iter().any(|tool| tool.cache.is_some()) {
            self.hint("tools.cache_control");
        }
    }

    /// Leaves out the purpose of vectors, for a provider that cannot be told; its vectors are the same for every
    /// purpose.
    pub(crate) fn purpose(&mut self, embed: &Embed<'_>) {
        for (name, given) in [("taskType", &embed.task), ("title", &embed.title)] {
            if given.is_some() {
                self.hint(name);
            }
        }
    }

    /// Leaves out the end user, who makes no difference to the answer.
    pub(super) fn unname(&mut self, chat: &Chat<'_>) {
        for (name, given) in [("user", &chat.user), ("safety_identifier", &chat.safety_identifier)] {
            if given.is_some() {
                self.hint(name);
            }
        }
    }

    /// Notes which images are looked at differently than asked. `most` is the closest look that the provider has;
    /// `None` if the provider cannot be told how to look.
    pub(super) fn look(&mut self, looks: impl IntoIterator<Item = Look>, most: Option<Detail>) {
        for Look { turn, at, detail, .. } in looks {
            let field = Self::of_message(turn, &format!("content[{at}].image_url.detail"));
            match most {
                None => self.hint(&field),
                Some(most) if detail > most => self.emulates(&field),
                Some(_) => {}
            }
        }
    }

    /// Refuses or notes what only a provider with the caller's own API can express.
    pub(crate) fn known(&mut self, chat: &Chat<'_>) {
        fn nowhere<'p>(part: &'p Part<'_>) -> Option<&'p str> {
            match &part.content {
                Content::Other { field } => Some(field),
                Content::Result { parts, .. } => parts.iter().find_map(nowhere),
                _ => None,
            }
        }
        self.thinks = chat.thinking.is_some();
        if chat.display == Some(Display::Omitted) && !Generation::of(self.model).hides_thoughts() {
            self.hint("thinking.display");
        }
        for field in &chat.hints {
            self.hint(field);
        }
        for field in &chat.foreign {
            self.unsupported(field);
        }
        for field in &chat.emulated {
            notes::note(&mut self.notes.emulated, field);
        }
        for turn in &chat.turns {
            for (name, _) in &turn.extra {
                self.unsupported(&Self::of_message(turn.at, name));
            }
            for field in turn.parts.iter().filter_map(nowhere) {
                self.unsupported(field);
            }
        }
    }

    /// The chat with tool names that the provider accepts. Another model's reasoning is left out later, when the chat
    /// is written.
    pub(crate) fn fitted<'c, 'a>(&mut self, api: &dyn ChatApi, chat: &'c Chat<'a>) -> Cow<'c, Chat<'a>> {
        let proofs = chat.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match &part.content {
            Content::Reasoning { signature, .. } => signature.as_deref(),
            Content::Redacted(proof) => Some(&**proof),
            _ => None,
        });
        if proofs.clone().any(|proof| !api.takes_back(proof, self.model, self.upstream)) {
            self.leaves_thoughts();
        }
        let without =
            if api.reads_buckets(self.model) { Cow::Borrowed(chat) } else { parts::without(chat, self, in_bucket) };
        let without = if self.upstream.quirks.system_first && system::is_late(&without) {
            self.emulates("messages");
            let mut chat = without.into_owned();
            system::first(&mut chat);
            Cow::Owned(chat)
        } else {
            without
        };
        let Some((fitted, renamed)) = tool_names::renamed(&without, api.tool_name(self.model)) else {
            return without;
        };
        self.renamed = renamed;
        for (at, _) in
            chat.tools.iter().zip(&fitted.tools).enumerate().filter(|(_, (own, other))| own.name != other.name)
        {
            self.emulates(&format!("tools[{at}].function.name"));
        }
        Cow::Owned(fitted)
    }

    /// Says that this upstream cannot express these fields, which are named as in OpenAI's chat completions.
    pub fn takes_none_of(&mut self, chat: &Chat<'_>, fields: &[&str]) {
        for field in fields.iter().filter(|field| chat.asks_for(field)) {
            self.unsupported(field);
        }
    }

    /// Refuses or notes every extra field except those in `takes`.
    pub fn rest(&mut self, extra: &[(Cow<'_, str>, Raw<'_>)], takes: &[&str]) {
        for (name, _) in extra.iter().filter(|(name, _)| !takes.contains(&&**name)) {
            self.lacks(name);
        }
    }

    /// Notes that the effect of `field` is emulated.
    pub fn emulates(&mut self, field: &str) {
        let field = self.field(field);
        notes::note(&mut self.notes.emulated, &field);
    }

    /// Makes sure that one tool is called at a time, if the caller asks for that and this upstream has no setting for
    /// it: the caller receives only the first of an answer's calls.
    pub(super) fn call_one(&mut self, chat: &Chat<'_>) {
        if chat.asks_for("parallel_tool_calls") {
            self.first_call();
        }
    }

    /// The caller receives only the first of the answer's calls.
    pub(super) fn first_call(&mut self) {
        self.calls = Calls::First;
        self.emulates("parallel_tool_calls");
    }

    /// The refusal of a `field` whose value this upstream does not accept.
    pub fn invalid(&self, field: &str, problem: impl Into<String>) -> Reject {
        Reject::Invalid { field: self.field(field), problem: problem.into() }
    }

    /// The refusal of an endpoint that the upstream does not serve.
    pub fn wrong_endpoint(&self) -> Reject {
        Reject::WrongEndpoint { model: self.asked.to_string(), path: self.endpoint.path() }
    }

    /// The path of a field of one of the conversation's messages.
    pub fn of_message(index: usize, field: &str) -> String {
        format!("messages[{index}].{field}")
    }

    fn field(&self, field: &str) -> String {
        let field = if field == "reasoning_effort" && self.thinks { "thinking" } else { field };
        match dialect::written_in(self.endpoint) {
            Some(dialect) => dialect.field(field).into_owned(),
            None => embed::field(field, self.endpoint).into_owned(),
        }
    }
}

/// A file in Google's store.
fn in_bucket(_: Role, content: &Content<'_>) -> Option<&'static str> {
    match content {
        Content::ImageUrl(url) if url.starts_with("gs://") => Some("image_url.url"),
        Content::Document { source: Source::Url(url), .. } if url.starts_with("gs://") => Some("file"),
        _ => None,
    }
}
