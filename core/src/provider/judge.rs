//! Whether targets can serve a call, found out by the code that would write it for them, up to where it would write: so a plan
//! names none that would refuse, and many targets cost little more than one. What the caller says is read once for all.

use alloc::vec::Vec;
use core::cell::OnceCell;

use super::{Call, To, by_name, count, embedding};
use crate::chat::Chat;
use crate::codec::json::{Scan, scan};
use crate::config::Upstream;
use crate::dialect::{self, Dialect};
use crate::endpoint::{BodyKind, Endpoint};
use crate::fault::Reject;

/// A body in the words of today, where the caller's are older; see [`Dialect::reword`].
#[derive(Default)]
pub struct Reworded(OnceCell<Option<(Vec<u8>, Scan)>>);

impl Reworded {
    /// The call with that body.
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
    /// What the caller asks, once it has been read.
    chat: OnceCell<Result<Chat<'a>, Reject>>,
    /// Those judged so far: of two that are alike only one is.
    judged: Vec<(&'a Upstream, &'a str, Result<(), Reject>)>,
}

impl<'a> Judge<'a> {
    /// Of `call`; `reworded` is empty.
    pub fn of(call: &'a Call<'a>, reworded: &'a Reworded) -> Self {
        Self { call, reworded, chat: OnceCell::new(), judged: Vec::new() }
    }

    /// Whether `model` at `upstream` can serve the call; the refusal names the field.
    pub fn accepts(&mut self, upstream: &'a Upstream, model: &'a str) -> Result<(), Reject> {
        let call = self.call;
        let relays =
            by_name(&upstream.dialect).is_some_and(|provider| provider.relays_to(model, call.endpoint, upstream));
        if call.endpoint.body() == BodyKind::Multipart && !relays {
            // A form can only be passed on.
            return Err(Reject::unserved(call));
        }
        // Nothing is refused of what passes as it is, but where an endpoint has words that not all who serve it know.
        let quirks = &upstream.quirks;
        let takes_all = quirks.unsupported.is_empty() && quirks.values.is_empty();
        let varies = matches!(call.endpoint, Endpoint::Rerank | Endpoint::Moderations | Endpoint::Transcriptions);
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
        let Some(provider) = by_name(&upstream.dialect) else { return Err(Reject::unserved(call)) };
        let mut to = To::new(provider, upstream, model, call);
        if relays {
            to.judge();
            provider.relay(call, &mut to).map(drop)
        } else if let Some(dialect) = dialect::of(call.endpoint) {
            let read = || dialect.read(&self.reworded.of(call, dialect)?);
            let chat = self.chat.get_or_init(read).as_ref().map_err(Clone::clone)?;
            to.known(chat)?;
            to.judge();
            provider.write(chat, &mut to).map(drop)
        } else if call.endpoint == Endpoint::Embeddings {
            provider.embed(&embedding::read(call)?, &mut to).map(drop)
        } else if call.endpoint == Endpoint::CountTokens {
            // Some look at what they would have written.
            count::ask(provider, call, &mut to).map(drop)
        } else {
            Err(to.wrong_endpoint())
        }
    }
}
