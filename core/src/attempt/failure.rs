//! A try that failed before the caller saw any of it.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use weir_hub::fault::{FaultKind, Problem, Retry, UpstreamFault, Whose};

use super::{Attempt, Failing, MAX_ERROR_BODY, Phase, Room};
use crate::answer::Answer;
use crate::exchange;
use crate::health::cooldown::{self, Cooldown};
use crate::plan::{Outcome, Plan, TooLong, exhausted_with};
use crate::provider::Reach;
use crate::record::span;
use crate::record::{Progress, Stage};
use crate::role::{Effect, Flow};
use crate::time::Instant;

/// How many seconds Envoy must at least wait before the next try. This header is on a failed try's answer, and never on
/// the caller's.
pub const PAUSE: &str = "x-weir-pause";

impl Attempt {
    pub(super) fn read_failure(
        &mut self,
        mut failing: Failing,
        chunk: &[u8],
        end: bool,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let room = MAX_ERROR_BODY.saturating_sub(failing.body.len());
        match &mut failing.decoder {
            // An error that cannot be unpacked is still an error; then its status must do.
            Some(decoder) => drop(decoder.read(chunk, &mut failing.body)),
            None => failing.body.extend(chunk.iter().take(room)),
        }
        if !end && failing.body.len() < MAX_ERROR_BODY {
            self.phase = Phase::Failing(failing);
            if !chunk.is_empty() {
                effects.push(Effect::Body(Vec::new()));
            }
            return Flow::Hold;
        }
        let fault = failing.fault.unwrap_or_else(|| self.provider.fault(failing.status, &failing.body));
        self.fail(&fault, failing.status, failing.retry_after, now, effects)
    }

    /// The try failed before the caller saw any of it. A caller's fault is told to the caller. Any other fault looks to
    /// Envoy like an error that it should retry. The whole error is written in any case, because Envoy may have no
    /// retry left.
    pub(super) fn fail(
        &mut self,
        fault: &UpstreamFault,
        status: u16,
        retry_after: Option<Duration>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        self.phase = Phase::Over;
        let asked = retry_after.or(fault.retry_after);
        let asked = cooldown::asked_for(fault.kind, asked, self.upstream.longest_rest());
        // The sidecar is local and reports a full queue within microseconds. A cooldown would only leave it idle.
        let target = self.plan.current().filter(|_| fault.rests && self.provider.reach() == Reach::Url);
        let cooldown = target.and_then(|target| Cooldown::after(target, self.upstream.version, fault.kind, asked, now));
        effects.extend(cooldown.map(Effect::Cool));
        self.plan.fail(Outcome::Fault(fault.kind), status, asked.map(|asked| now.after(asked)), now);
        if self.upstream.traced {
            effects.push(Effect::Span(span::ERROR, fault.kind.name().to_string()));
        }
        let callers = fault.kind.whose() == Whose::Caller;
        let model = self.plan.current().map_or("", |target| target.model.as_str());
        let told = callers
            .then(|| exchange::fault_for_caller(fault, self.provider, &self.upstream, model, self.plan.asked.endpoint));
        if let (Some(told), FaultKind::ContextLength) = (&told, fault.kind) {
            self.plan.too_long.get_or_insert_with(|| TooLong::of(told));
        }
        let next = self.plan.next().filter(|_| (!callers || fault.kind.is_about_size()) && !self.plan.is_over(now));
        let problem = match told {
            // If all targets say that the request is too long, the first one's words are used.
            Some(told) if next.is_none() && fault.kind != FaultKind::ContextLength => told,
            _ => exhausted_with(&self.plan, fault, now),
        };
        let problem = match self.provider.reach() {
            // What the sidecar says about itself is Weir's to tell.
            Reach::Sidecar if !callers => {
                Problem { message: [&problem.message, " ", &fault.message].concat(), ..problem }
            }
            _ => problem,
        };
        let problem = match fault.kind {
            FaultKind::InvalidRequest if may_be_back(&self.plan) => Problem { retry: Retry::Yes, ..problem },
            _ => problem,
        };
        let answer = Answer::problem(&problem, self.plan.asked.endpoint.family());
        effects.push(Effect::Plan(self.plan.to_text()));
        effects.push(Effect::Tries(self.plan.tries()));
        let last = next.is_none();
        if last {
            effects.push(Effect::Progress(self.plan.origin, self.refused(&answer)));
            if !callers {
                // Envoy does not retry after an answer from a filter.
                effects.push(Effect::Answer(answer));
                return Flow::Hold;
            }
        }
        // Callers cannot read an error without a body.
        if last && self.room == Room::HeadersOnly {
            effects.push(Effect::Answer(answer));
            return Flow::Hold;
        }
        let body = if self.room == Room::Body { answer.body } else { Vec::new() };
        // Envoy does not retry a 400.
        let status = if last || answer.status != 400 { answer.status } else { 503 };
        let mut headers = alloc::vec![(":status", status.to_string())];
        headers.extend(answer.headers);
        if let Some(pause) = self.plan.pause(now).filter(|_| !last) {
            let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
            headers.push((PAUSE, seconds.to_string()));
        }
        headers.push(("content-length", body.len().to_string()));
        effects.push(Effect::Headers(headers));
        if self.room == Room::Body {
            effects.push(Effect::Body(body));
        }
        Flow::Continue
    }

    /// The progress of an answer that is replaced by `answer`.
    pub(super) fn refused(&self, answer: &Answer) -> Progress {
        self.progress(Stage::Failed, answer.outcome.clone(), "".into())
    }
}

/// Whether another target failed in a way that passes. If it is asked again, it may accept what a later one refuses.
fn may_be_back(plan: &Plan) -> bool {
    let passes = |kind: FaultKind| kind.whose() == Whose::Provider;
    plan.failed.iter().any(|failed| failed.outcome.fault().is_none_or(passes))
}
