//! Judges whether targets can serve a call. It runs the code that would write the call, up to the point where it would
//! write. So a plan has no target that would refuse the call, and many targets cost little more than one. The call is
//! read once for all of them.

use alloc::vec::Vec;
use core::cell::OnceCell;

use weir_hub::call::Call;
use weir_hub::chat::Chat;
use weir_hub::codec::json::{Scan, scan};
use weir_hub::dialect::{self, Dialect};
use weir_hub::endpoint::{BodyKind, Endpoint};
use weir_hub::fault::Reject;

use super::{ask, count, embedding};
use crate::provider::{To, by_name};
use crate::upstream::Upstream;

/// The call's body after [`Dialect::reword`], for a caller who uses older words.
#[derive(Default)]
pub struct Reworded(OnceCell<Option<(Vec<u8>, Scan)>>);

impl Reworded {
    /// The call with the reworded body.
    fn of<'a>(&'a self, call: &Call<'a>, dialect: &dyn Dialect) -> Result<Call<'a>, Reject> {
        if self.0.get().is_none() {
            let reworded = dialect.reword(call).map(|body| scan(&body).map(|scan| (body, scan))).transpose()?;
            let _ = self.0.set(reworded);
        }
        Ok(match self.0.get() {
            Some(Some((body, scan))) => Call { body, scan, ..*call },
            _ => *call,
        })
    }
}

/// Judges the targets of one call.
pub struct Judge<'a> {
    call: &'a Call<'a>,
    reworded: &'a Reworded,
    /// The caller's chat, once it has been read.
    chat: OnceCell<Result<Chat<'a>, Reject>>,
    /// The targets judged so far. Targets that are judged alike are judged once.
    judged: Vec<(&'a Upstream, &'a str, Result<(), Reject>)>,
}

impl<'a> Judge<'a> {
    /// A judge of `call`; `reworded` must be empty.
    pub fn of(call: &'a Call<'a>, reworded: &'a Reworded) -> Self {
        Self { call, reworded, chat: OnceCell::new(), judged: Vec::new() }
    }

    /// Whether `model` at `upstream` can serve the call; the refusal names the field.
    pub fn accepts(&mut self, upstream: &'a Upstream, model: &'a str) -> Result<(), Reject> {
        let call = self.call;
        let relays =
            by_name(&upstream.dialect).is_some_and(|provider| provider.relays(model, call.asked.endpoint, upstream));
        if call.asked.endpoint.body() == BodyKind::Multipart && !relays {
            // A form can only be relayed.
            return Err(call.unserved());
        }
        if let Some(provider) = by_name(&upstream.dialect) {
            embedding::within(provider, call, &To::new(provider, upstream, model, call))?;
        }
        // A relayed call is refused only at an upstream that does not take everything, or at an endpoint that not all
        // hosts know in full.
        let quirks = &upstream.quirks;
        let takes_all = quirks.unsupported.is_empty() && quirks.values.is_empty();
        let varies = matches!(call.asked.endpoint, Endpoint::Rerank | Endpoint::Moderations | Endpoint::Transcriptions);
        if relays && takes_all && !varies {
            return Ok(());
        }
        let alike = |(other, name, _): &&(&Upstream, &str, _)| *name == model && other.is_judged_as(upstream);
        if let Some((_, _, verdict)) = self.judged.iter().find(alike) {
            return verdict.clone();
        }
        let verdict = self.judge(upstream, model, relays);
        self.judged.push((upstream, model, verdict.clone()));
        verdict
    }

    fn judge(&self, upstream: &Upstream, model: &str, relays: bool) -> Result<(), Reject> {
        let call = self.call;
        let Some(provider) = by_name(&upstream.dialect) else { return Err(call.unserved()) };
        if !has_room(call, upstream) {
            // The length is only known after writing.
            return ask(call, upstream, model).map(drop);
        }
        let mut to = To::new(provider, upstream, model, call);
        let outcome = if relays {
            to.judge();
            provider.relay(call, &mut to).map(drop)
        } else if let Some(dialect) = dialect::of(call.asked.endpoint) {
            let read = || dialect.read(&self.reworded.of(call, dialect)?);
            let chat = self.chat.get_or_init(read).as_ref().map_err(Clone::clone)?;
            to.known(chat);
            to.judge();
            match provider.chat_api() {
                Some(api) => api.write(&to.fitted(api, chat), &mut to).map(drop),
                None => Err(to.wrong_endpoint()),
            }
        } else if call.asked.endpoint.embeds() {
            embedding::ask(provider, call, &mut to).map(drop)
        } else if call.asked.endpoint.counts() {
            // Some providers look at what they would have written.
            count::ask(provider, call, &mut to).map(drop)
        } else {
            Err(to.wrong_endpoint())
        };
        to.refuse_unsupported(outcome)
    }
}

/// Whether the call fits, however it is written. Text that is put in other text takes at most twice its length; an
/// object that becomes another dialect's object takes less than a kilobyte more.
fn has_room(call: &Call<'_>, upstream: &Upstream) -> bool {
    let grown = call.scan.objects().saturating_add(64).saturating_mul(1 << 10);
    (call.body.len() as u64).saturating_mul(2).saturating_add(grown) <= upstream.longest() as u64
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use weir_hub::endpoint::Asked;

    use super::*;
    use crate::exchange::trial::{asked, chat, sent, upstream};

    /// Otherwise an attempt would refuse it when no other target can be asked any more.
    #[test]
    fn what_may_grow_beyond_what_is_held_is_written() {
        let body = chat(&format!(r#""stop":"{}""#, "a".repeat(5000)));
        let check = |buffer: usize, fits: bool| {
            let buffer = buffer.try_into().unwrap();
            let outcome = asked(&Upstream { buffer, ..upstream("cohere") }, &body, "m");
            assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
        };
        let length = asked(&upstream("cohere"), &body, "m").unwrap().len();
        check(length, true);
        check(length - 1, false);
    }

    /// Otherwise a caller would be told one field, remove it, and be told the next.
    #[test]
    fn all_that_cannot_be_expressed_is_told_at_once() {
        let body = chat(r#""seed":1,"logit_bias":{"5":1},"n":2"#);
        for (dialect, fields) in [
            ("anthropic", "'seed', 'logit_bias' and 'n'"),
            ("cohere", "'logit_bias' and 'n'"),
            ("mistral", "'logit_bias'"),
        ] {
            let problem = asked(&upstream(dialect), &body, "m").unwrap_err().problem();
            assert!(problem.message.starts_with(&format!("{fields} cannot be expressed")), "{}", problem.message);
            assert!(problem.param.is_some_and(|first| fields.starts_with(&format!("'{first}'"))));
        }
    }

    #[test]
    fn what_another_model_thought_is_left_out_by_name() {
        let check = |dialect: &str, model: &str, endpoint: Endpoint, body: &str, dropped: &[&str]| {
            let ask = sent(&upstream(dialect), endpoint, weir_hub::endpoint::Delivery::Whole, body, model).unwrap();
            assert_eq!(ask.notes.dropped, dropped, "{dialect} {model} {body}");
        };
        let thought = |proof: &str| {
            let content =
                format!(r#"[{{"type":"thinking","thinking":"b","signature":"{proof}"}},{{"type":"text","text":"c"}}]"#);
            format!(
                r#"{{"max_tokens":9000,"messages":[{{"role":"user","content":"a"}},
                    {{"role":"assistant","content":{content}}},{{"role":"user","content":"d"}}]}}"#
            )
        };
        let named = &["messages.thinking"][..];
        for (dialect, model, own) in [
            ("anthropic", "claude-sonnet-4-5", "EqoB"),
            ("vertex", "claude-sonnet-4-5", "EqoB"),
            ("bedrock", "anthropic.claude-sonnet-4-5", "EqoB"),
            ("gemini", "gemini-2.5-pro", "gemini~CiQB"),
            ("vertex", "gemini-2.5-pro", "gemini~CiQB"),
        ] {
            check(dialect, model, Endpoint::Messages, &thought(own), &[]);
            check(dialect, model, Endpoint::Messages, &thought("openai~gAAA"), named);
        }
        for (dialect, model) in
            [("openai", "gpt-4o"), ("mistral", "m"), ("cohere", "m"), ("bedrock", "amazon.nova-pro-v1:0")]
        {
            check(dialect, model, Endpoint::Messages, &thought("EqoB"), named);
        }
        let item = r#"{"type":"reasoning","summary":[],"encrypted_content":"anthropic~EqoB"}"#;
        let body = format!(r#"{{"input":[{{"role":"user","content":"a"}},{item},{{"role":"user","content":"b"}}]}}"#);
        check("openai", "gpt-5", Endpoint::Responses, &body, &["input.reasoning"]);
    }

    #[test]
    fn targets_that_are_alike_are_judged_once() {
        let body = chat(r#""seed":1"#);
        let scan = scan(body.as_bytes()).unwrap();
        let (delivery, usage) = (weir_hub::endpoint::Delivery::Whole, weir_hub::endpoint::UsageChunk::Unwanted);
        let body = body.as_bytes();
        let call = Call {
            asked: Asked { endpoint: Endpoint::Chat, delivery, usage },
            model: "m",
            betas: "",
            body,
            scan: &scan,
        };
        let reworded = Reworded::default();
        let mut judge = Judge::of(&call, &reworded);
        let [one, other] = ["a", "b"].map(|provider| Upstream { provider: provider.into(), ..upstream("anthropic") });
        let drops = Upstream { drop_unsupported: true, ..upstream("anthropic") };
        assert!(judge.accepts(&one, "m").is_err() && judge.accepts(&other, "m").is_err());
        assert_eq!(judge.judged.len(), 1);
        assert!(judge.accepts(&one, "n").is_err() && judge.accepts(&drops, "m").is_ok());
        assert_eq!(judge.judged.len(), 3);
    }
}
