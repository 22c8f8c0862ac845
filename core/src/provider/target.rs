//! Where a request goes, and what must be said of it on the way.

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

/// Fields that say where cached work may be found, how to keep it, or who asks: they promise nothing about the answer.
const HINTS: [&str; 7] = [
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "context_management",
    "client_metadata",
    "user",
    "safety_identifier",
];

/// One upstream's model, to which a call is being written.
pub struct To<'t> {
    /// The upstream.
    pub upstream: &'t Upstream,
    /// Its model.
    pub model: &'t str,
    /// How the answer is to be delivered.
    pub delivery: Delivery,
    /// What the caller spoke.
    pub endpoint: Endpoint,
    /// The features that the caller turns on by name, as Anthropic calls them.
    pub(super) betas: &'t str,
    /// What has been said so far.
    pub notes: Notes,
    /// Which of the answer's calls the caller is told of.
    pub calls: Calls,
    /// Tools that were given other names.
    pub renamed: Renamed,
    /// What cannot be expressed here.
    refused: Vec<String>,
    provider: &'static str,
    /// The model that the caller named.
    asked: &'t str,
    /// Reasoning was asked for as such, and not by its effort.
    thinks: bool,
    /// What is written is thrown away.
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

    /// From here on only what refuses is of interest.
    pub(crate) fn judge(&mut self) {
        self.judges = true;
    }

    /// Whether nobody will see what is written: a provider that has refused nothing up to where it would write need not.
    pub fn judges(&self) -> bool {
        self.judges
    }

    /// `field` cannot be expressed here: the request is refused, unless the configuration says to leave such fields out; then
    /// that is noted.
    ///
    /// `field` is named as OpenAI's chat completions call it; the caller is told its own dialect's name.
    pub fn unsupported(&mut self, field: &str) {
        let field = self.field(field);
        if self.upstream.drop_unsupported {
            notes::note(&mut self.notes.dropped, &field);
        } else if self.refused.len() < MOST_NOTED && !self.refused.contains(&field) {
            self.refused.push(field);
        }
    }

    /// What becomes of the request: refused, if there is something in it that cannot be expressed here. The caller is told all of
    /// that at once, and before what is wrong with the rest.
    pub(crate) fn told<T>(&mut self, outcome: Result<T, Reject>) -> Result<T, Reject> {
        match core::mem::take(&mut self.refused) {
            fields if fields.is_empty() => outcome,
            fields => Err(Reject::Unsupported { fields, provider: self.provider }),
        }
    }

    /// The refusal of a `field` that cannot be expressed here, nor left out.
    pub fn refusal(&self, field: &str) -> Reject {
        Reject::Unsupported { fields: Vec::from([self.field(field)]), provider: self.provider }
    }

    /// `field` promises nothing about the answer (a hint for a cache, say), and is left out; that is noted.
    pub fn hint(&mut self, field: &str) {
        let field = self.field(field);
        notes::note(&mut self.notes.dropped, &field);
    }

    /// What another model thought is left out: who made it would take it back, and nobody else.
    pub(super) fn leaves_thoughts(&mut self) {
        let field = match self.endpoint {
            Endpoint::Messages | Endpoint::CountTokens => "messages.thinking",
            Endpoint::Responses => "input.reasoning",
            Endpoint::GenerateContent => "contents.parts.thoughtSignature",
            _ => "messages.reasoning_details",
        };
        notes::note(&mut self.notes.dropped, field);
    }

    /// The effort is left out, though something else is said about reasoning.
    pub(super) fn leaves_effort(&mut self) {
        let thinks = core::mem::take(&mut self.thinks);
        self.hint("reasoning_effort");
        self.thinks = thinks;
    }

    /// `field` is not known here: left out and noted if it promises nothing about the answer, else
    /// [unsupported](Self::unsupported).
    pub fn lacks(&mut self, field: &str) {
        if HINTS.contains(&field) { self.hint(field) } else { self.unsupported(field) }
    }

    /// The sequences that stop the answer, if this provider takes no more than `most`. More are refused, or the first are
    /// taken and that is noted.
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

    /// Leaves out the marks for the prompt cache, for a provider whose caches find by themselves what they hold.
    pub(super) fn unmark(&mut self, chat: &Chat<'_>) {
        if chat.turns.iter().flat_map(|turn| &turn.parts).any(|part| part.cache.is_some()) {
            self.hint("messages.cache_control");
        }
        if chat.tools.iter().any(|tool| tool.cache.is_some()) {
            self.hint("tools.cache_control");
        }
    }

    /// Leaves out what vectors are for, where no word says it: they are the same for every purpose there.
    pub(crate) fn purpose(&mut self, embed: &Embed<'_>) {
        for (name, given) in [("taskType", &embed.task), ("title", &embed.title)] {
            if given.is_some() {
                self.hint(name);
            }
        }
    }

    /// Leaves out who asks, which makes no difference to the answer.
    pub(super) fn unname(&mut self, chat: &Chat<'_>) {
        for (name, given) in [("user", &chat.user), ("safety_identifier", &chat.safety_identifier)] {
            if given.is_some() {
                self.hint(name);
            }
        }
    }

    /// Notes which images are looked at otherwise than asked: as closely as may be where that is `most`, and as the model
    /// sees fit where nothing can be said of it.
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

    /// Refuses what no provider but the caller's own has words for.
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

    /// What is asked, with names of tools that the provider takes. What another model thought is left out when it is written.
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

    /// This upstream has no words for these fields, as OpenAI's chat completions call them.
    pub fn takes_none_of(&mut self, chat: &Chat<'_>, fields: &[&str]) {
        for field in fields.iter().filter(|field| chat.asks_for(field)) {
            self.unsupported(field);
        }
    }

    /// Deals with the fields that have no place in the hub, but for those that the provider `takes` by itself.
    pub fn rest(&mut self, extra: &[(Cow<'_, str>, Raw<'_>)], takes: &[&str]) {
        for (name, _) in extra.iter().filter(|(name, _)| !takes.contains(&&**name)) {
            self.lacks(name);
        }
    }

    /// What `field` asks for is had in another way; that is noted.
    pub fn emulates(&mut self, field: &str) {
        let field = self.field(field);
        notes::note(&mut self.notes.emulated, &field);
    }

    /// Sees to it that one tool is called at a time, where that is asked for and this upstream cannot be told: of an
    /// answer's calls, the first is passed on.
    pub(super) fn call_one(&mut self, chat: &Chat<'_>) {
        if chat.asks_for("parallel_tool_calls") {
            self.first_call();
        }
    }

    /// Of the answer's calls, passes on the first.
    pub(super) fn first_call(&mut self) {
        self.calls = Calls::First;
        self.emulates("parallel_tool_calls");
    }

    /// `field` has a value that this upstream does not take.
    pub fn invalid(&self, field: &str, problem: impl Into<String>) -> Reject {
        Reject::Invalid { field: self.field(field), problem: problem.into() }
    }

    /// The upstream does not serve what is asked for.
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
