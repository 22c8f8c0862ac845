//! A request for what its caller has used: it goes to control, see [`usage`](crate::usage).

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;

use weir_hub::fault::Reject;

use super::caller::Caller;
use super::{Edge, Goes, Phase, SCHEME, only};
use crate::answer::Answer;
use crate::config::{LedgerPlace, Routing};
use crate::role::Effect;
use crate::usage::{self, Asker};

impl Edge {
    /// Decides about a request of `caller` at this path.
    pub(super) fn usage(&mut self, routing: &Routing, caller: &Caller<'_>, method: &str) -> Result<Goes, Answer> {
        only("GET", method).map_err(|reject| self.reject(&reject))?;
        if !caller.rights(routing).have_usage() {
            return Err(self.reject(&Reject::EndpointNotAllowed { path: usage::PATH }));
        }
        if routing.ledger == LedgerPlace::None {
            return Err(Answer::problem(&usage::without_control(), self.family));
        }
        self.phase = Phase::Control(caller.hash);
        Ok(Goes::ToControl(Asker {
            name: caller.name.to_string(),
            team: caller.team.to_string(),
            known: caller.known(),
            family: self.family,
        }))
    }

    /// All headers that go to control. Of the caller's, only those that Envoy itself needs.
    pub(super) fn control_headers<'h>(
        &self,
        headers: &[(&'h str, &'h str)],
        asker: &Asker,
    ) -> Vec<(&'h str, Cow<'h, str>)> {
        let needed = headers.iter().filter(|(name, _)| name.starts_with(':') || *name == SCHEME);
        let mut passed: Vec<(&str, Cow<'_, str>)> = needed
            .map(|(name, value)| match (*name, value.split_once('?')) {
                (":path", None) => (*name, Cow::Borrowed(usage::PATH)),
                (":path", Some((_, query))) => (*name, Cow::Owned([usage::PATH, "?", query].concat())),
                _ => (*name, Cow::Borrowed(*value)),
            })
            .collect();
        passed.push((usage::ASKER, Cow::Owned(asker.to_text())));
        passed.push(("x-request-id", Cow::Owned(self.subject.request_id.clone())));
        passed
    }

    /// What the host does so that a request goes to control.
    pub(super) fn to_control() -> [Effect; 2] {
        [Effect::Mark(usage::MARK, usage::MARKED.to_string()), Effect::ChooseRoute]
    }

    /// Whether control answers it.
    pub fn asks_control(&self) -> bool {
        matches!(self.phase, Phase::Control(_))
    }

    /// Notes what the answer was, of control or of Envoy in its stead, for the record.
    pub fn control_answered(&mut self, status: u16) {
        let outcome = match status {
            200..400 => "ok",
            400..500 => "invalid_value",
            _ => "usage_unavailable",
        };
        self.subject.answered = Some(outcome.to_string());
    }
}
