//! What a request reserves before its first try, and settles at its end.

use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::Call;
use weir_hub::endpoint::Delivery;
use weir_hub::fault::Problem;
use weir_hub::usage::Usage;

use super::rank::Ranked;
use super::{Around, Edge};
use crate::config::{Model, Routing};
use crate::exchange::output::{Output, output};
use crate::plan::Candidate;
use crate::price::Billed;
use crate::quota::estimate::{Factor, Size};
use crate::quota::media::Media;
use crate::quota::{
    Amounts, Asking, Claim, Kind, Later, Limit, Meter, Quotas, Refused, Shortfall, Step, Taken, Want, Who, admit,
    foresee, has_room, headers, is_covered, refusal, settle,
};
use crate::record::{BilledTry, Record, Spent, Stage, Subject};
use crate::shared::Store;
use crate::time::Instant;

/// How many tokens are left for the answer where a model first thinks.
const ANSWER: u64 = 1024;

/// What a request has reserved.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    taken: Vec<Taken>,
    /// What the estimate of the input went by.
    size: Size,
    /// What a try costs of which nobody tells how long its audio was, in pico-dollars.
    audio: u128,
    /// What it may take later.
    later: Option<Later>,
    /// How often control was asked for it.
    asked: u8,
    /// Whether it waits no more.
    waited: bool,
}

/// Why a request goes nowhere yet, or not at all.
#[derive(Debug)]
pub(super) enum Unplanned {
    /// The caller is told this.
    Problem(Problem),
    /// It waits until control is asked for these.
    Lease(Vec<Claim>),
}

impl From<Problem> for Unplanned {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What became of asking control for what a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leased {
    /// It has answered.
    Answered,
    /// It has answered, but was asked before this request waited.
    Unasked,
    /// It has not, or not in time.
    Failed,
}

impl Reserved {
    /// Settles what was reserved with what the request has used, and says what it was. Follows what the provider has counted.
    pub(super) fn settle(self, record: &Record<'_>, quotas: &Quotas, store: &dyn Store) -> Vec<Spent> {
        let now = record.ending.now;
        let who = who(record.subject, &record.subject.model);
        let mut spent: Vec<Spent> = Vec::with_capacity(self.taken.len());
        for taken in &self.taken {
            let Some(limit) = quotas.get(taken.number) else { continue };
            let counts = |one: &BilledTry<'_>| {
                let target = one.target.filter(|_| limit.is_of_a_try());
                let who = target.map(|target| Who { provider: &target.provider, upstream_model: &target.model, ..who });
                who.is_none_or(|who| limit.subject(&who).as_deref() == Some(&taken.subject))
            };
            // Several tries of one target have taken from the same account.
            let known = spent.iter().any(|spent| spent.limit == limit.name && spent.subject == taken.subject);
            let tries = record.billed().filter(|one| !known && counts(one));
            let used = if limit.is_of_a_try() || limit.meter != Meter::Requests {
                tries.map(|one| self.used(&one, record).of(limit.meter)).fold(0, u128::saturating_add)
            } else {
                // It was admitted, whatever became of it.
                1
            };
            let lease = settle(store, limit, taken, used, now);
            if !matches!(limit.kind, Kind::Concurrency { .. }) && !known {
                let (limit, subject) = (limit.name.clone(), taken.subject.clone());
                spent.push(Spent { limit, subject, window: taken.window, amount: used, over: taken.over, lease });
            }
        }
        if let Some(progress) = record.progress.filter(|progress| progress.stage == Stage::Done) {
            let counted = progress.usage.input;
            if !progress.usage.estimated && self.size.text > 0 {
                Factor::learn(store, &record.subject.model, self.size, counted);
            }
        }
        spent
    }

    /// What a try has used, as far as it is known.
    fn used(&self, one: &BilledTry<'_>, record: &Record<'_>) -> Amounts {
        let usage = one.bill.usage;
        let price = record.prices.zip(one.target);
        let price = price.and_then(|(prices, target)| prices.tariff.get(&target.provider)?.get(&target.model));
        let cost = match one.bill.cost {
            Some(cost) => cost.to_u64().into(),
            None => price.map_or(0, |_| self.audio),
        };
        Amounts { input: usage.input, output: usage.output, cost }
    }
}

/// What a request has room for, as far as its tries must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// The cap that its output must have, if a hard limit goes by the output.
    pub(super) cap: Option<u64>,
    /// How many output tokens are reserved, if a limit goes by them and the answer is a stream of text.
    pub(super) output: Option<u64>,
}

impl Edge {
    /// Reserves what the request may use, under all limits that it meets, for the first of its targets that has enough left.
    pub(super) fn reserve(
        &mut self,
        around: &mut Around<'_>,
        now: Instant,
        model: &Model,
        call: &Call<'_>,
        ranked: &mut Ranked,
    ) -> Result<Room, Unplanned> {
        let routing = around.routing;
        self.subject.input_estimate = roughly(call.body);
        let asking = if self.reserved.waited { Asking::Unanswered } else { Asking::Again(self.reserved.asked) };
        let Some(store) = around.shared.store().filter(|_| !routing.quotas.is_empty()) else {
            return Ok(Room::default());
        };
        let who = who(&self.subject, call.model);
        let limits: Vec<(usize, &Limit, String)> = routing.quotas.of(&who).collect();
        let of_try = |target: &Candidate| {
            let who = Who { provider: &target.provider, upstream_model: &target.model, ..who };
            routing.quotas.of(&who).collect::<Vec<_>>()
        };
        let mut of_tries: Vec<_> = ranked.targets.iter().map(of_try).collect();
        let met = || limits.iter().chain(of_tries.iter().flatten()).map(|(_, limit, _)| *limit);
        if met().next().is_none() {
            return Ok(Room::default());
        }
        let goes_by_tokens = met().any(|limit| limit.meter != Meter::Requests);
        let caps = met().any(|limit| !limit.soft && goes_by_output(limit));
        let (mut amounts, mut room) = (Amounts::default(), Room::default());
        if goes_by_tokens {
            self.reserved.size = Size::of(call.body);
            amounts.input = Factor::of(around.shared, call.model).tokens(self.reserved.size);
            self.subject.input_estimate = amounts.input;
            if let Some(Output { cap: asked, alternatives, thinking }) = output(call) {
                let own = model.reserve_output.unwrap_or(routing.reserve_output);
                let each = asked.unwrap_or(u64::MAX).min(model.max_output.unwrap_or(u64::MAX)).min(own);
                // Below what the caller gives the model for thinking there would be no answer.
                let least =
                    if thinking == 0 { 0 } else { thinking.saturating_add(ANSWER).min(asked.unwrap_or(u64::MAX)) };
                let each = each.max(least);
                amounts.output = each.saturating_mul(alternatives);
                room.cap = (caps && asked.is_none_or(|asked| asked > each)).then_some(each);
                let is_stream = call.asked.delivery == Delivery::Streamed;
                room.output = Some(amounts.output).filter(|_| is_stream && met().any(goes_by_output));
            }
        }
        let media = Media::of(call, self.subject.images, self.files).filter(|_| goes_by_tokens);
        if let Some(media) = &media {
            amounts.input = amounts.input.saturating_add(media.input);
            amounts.output = media.output;
            // What is counted of it says nothing about its text.
            self.reserved.size = Size::default();
        }
        let media = media.unwrap_or_default();
        if met().any(|limit| limit.meter == Meter::Cost) {
            amounts.cost = self.dearest(routing, &ranked.targets, &amounts, &media, now);
            self.reserved.audio = media.audio_ms.map_or(0, |_| amounts.cost);
        }
        let mut shortest: Option<(Shortfall, &Limit)> = None;
        let mut passed_over = Vec::new();
        for (at, of_try) in of_tries.iter().enumerate() {
            let wants = limits.iter().chain(of_try).map(|(number, limit, subject)| {
                let (number, limit, amount) = (*number, *limit, amounts.of(limit.meter));
                Want { number, limit, subject: subject.clone(), amount }
            });
            let mut wants: Vec<Want<'_>> = wants.collect();
            match admit(store, around.worker, &mut wants, asking, now) {
                Ok(taken) => {
                    self.reserved.taken = taken;
                    pass_over(ranked, at, passed_over);
                    of_tries.drain(..at);
                    let step = self.step(routing, &ranked.targets, &amounts, now);
                    let mut later = later(&limits, &of_tries, &amounts, step);
                    without_room(store, ranked, &mut later, now);
                    if around.worker.is_sharing() {
                        uncovered(store, later.claims.iter().skip(1).flatten(), now)
                            .for_each(|claim| foresee(store, &claim.want(), now));
                    }
                    self.reserved.later = Some(later).filter(|later| !later.is_empty());
                    return Ok(room);
                }
                Err(Refused::Short(short)) => {
                    let Some(limit) = routing.quotas.get(short.number) else { continue };
                    if !limit.is_of_a_try() {
                        return Err(refusal::problem(&Refused::Short(short), Some(limit)).into());
                    }
                    passed_over.push(["limit ", &limit.name].concat());
                    let sooner = |(known, _): &(Shortfall, &Limit)| {
                        known.wait.unwrap_or(u64::MAX) <= short.wait.unwrap_or(u64::MAX)
                    };
                    if !shortest.as_ref().is_some_and(sooner) {
                        shortest = Some((short, limit));
                    }
                }
                Err(Refused::Lease(mut claims)) => {
                    // Later tries cannot ask.
                    let later = later(&[], of_tries.get(at..).unwrap_or_default(), &amounts, Step::default());
                    claims.extend(uncovered(store, later.claims.iter().skip(1).flatten(), now).cloned());
                    return Err(Unplanned::Lease(claims));
                }
                Err(Refused::Lost) => return Err(refusal::problem(&Refused::Lost, None).into()),
            }
        }
        let tried = of_tries.len();
        pass_over(ranked, tried, passed_over);
        self.subject.passed_over.clone_from(&ranked.passed_over);
        match shortest {
            Some((short, limit)) => Err(refusal::problem(&Refused::Short(short), Some(limit)).into()),
            None => Ok(room),
        }
    }

    /// What the dearest of the targets may cost, in pico-dollars. A target without a price costs nothing.
    fn dearest(
        &self,
        routing: &Routing,
        targets: &[Candidate],
        amounts: &Amounts,
        media: &Media,
        now: Instant,
    ) -> u128 {
        let Media { audio_input, audio_output, audio_ms, .. } = *media;
        let ahead =
            Usage { input: amounts.input, output: amounts.output, audio_input, audio_output, ..Usage::default() };
        let Subject { tier, images, .. } = self.subject;
        let billed = Billed { tier, images, audio_ms, ..Billed::default() };
        let prices = targets.iter().filter_map(|target| routing.price(&target.provider, &target.model));
        prices.map(|price| u128::from(price.most(&ahead, &billed, now).to_u64())).max().unwrap_or_default()
    }

    /// By how much a reservation of these amounts grows.
    fn step(&self, routing: &Routing, targets: &[Candidate], amounts: &Amounts, now: Instant) -> Step {
        let output = Step::tokens(amounts.output);
        let more = Amounts { output: amounts.output.saturating_add(output), ..*amounts };
        let cost = match amounts.cost {
            0 => 0,
            cost => self.dearest(routing, targets, &more, &Media::default(), now).saturating_sub(cost),
        };
        Step { output, cost }
    }

    /// Notes what became of asking control.
    pub(super) fn leased(&mut self, leased: Leased) {
        match leased {
            Leased::Answered => self.reserved.asked = self.reserved.asked.saturating_add(1),
            Leased::Unasked => {}
            Leased::Failed => self.reserved.waited = true,
        }
    }

    /// Keeps what later tries have taken, to be settled with the rest.
    pub(super) fn keep(&mut self, taken: Vec<Taken>) {
        self.reserved.taken.extend(taken);
    }

    /// What later tries must take; it is told once.
    pub(super) fn later(&mut self) -> Option<Later> {
        self.reserved.later.take()
    }

    /// What it had reserved and could not settle: its role failed.
    pub fn abandoned(&mut self) -> Vec<Taken> {
        core::mem::take(&mut self.reserved.taken)
    }

    /// The rate-limit headers of every answer to this caller; none, where no limit of Weir's applies.
    pub fn limit_headers(&self, routing: &Routing, now: Instant) -> Vec<(&'static str, String)> {
        let taken = &self.reserved.taken;
        let limits = taken.iter().filter_map(|taken| Some((routing.quotas.get(taken.number)?, taken.standing)));
        let mut headers = headers::headers(limits, self.family, now);
        let over = taken.iter().filter(|taken| taken.over).filter_map(|taken| routing.quotas.get(taken.number));
        let over: Vec<&str> = over.map(|limit| limit.name.as_str()).collect();
        if !over.is_empty() {
            headers.push((headers::OVER, over.join(", ")));
        }
        headers
    }
}

/// What the request may take later. The first target's claims are there for its second try.
fn later(
    limits: &[(usize, &Limit, String)],
    of_tries: &[Vec<(usize, &Limit, String)>],
    amounts: &Amounts,
    step: Step,
) -> Later {
    let claim = |(number, limit, subject): &(usize, &Limit, String)| Claim {
        number: *number,
        limit: (*limit).clone(),
        subject: subject.clone(),
        amount: amounts.of(limit.meter),
    };
    let claims = of_tries.iter().map(|limits| limits.iter().map(claim).collect()).collect();
    let counts_tries = |(_, limit, _): &&(usize, &Limit, String)| limit.meter != Meter::Requests;
    let every = limits.iter().filter(counts_tries).map(claim).collect();
    Later::new(claims, every, amounts.output, step)
}

/// Whether a limit counts what an answer has.
fn goes_by_output(limit: &Limit) -> bool {
    matches!(limit.meter, Meter::Tokens | Meter::OutputTokens | Meter::Cost)
}

/// Those of the claims of later tries that no lease covers, one for each account.
fn uncovered<'c>(
    store: &dyn Store,
    claims: impl Iterator<Item = &'c Claim>,
    now: Instant,
) -> impl Iterator<Item = &'c Claim> {
    let mut found: Vec<&Claim> = Vec::new();
    for claim in claims {
        let is_same = |other: &&Claim| other.number == claim.number && other.subject == claim.subject;
        if !found.iter().any(is_same) && !is_covered(store, &claim.want(), now) {
            found.push(claim);
        }
    }
    found.into_iter()
}

/// Passes over the later targets whose limits are spent now.
fn without_room(store: &dyn Store, ranked: &mut Ranked, later: &mut Later, now: Instant) {
    for at in (1..later.claims.len().min(ranked.targets.len())).rev() {
        let claims = later.claims.get(at).map(Vec::as_slice).unwrap_or_default();
        let spent = claims.iter().find(|claim| !has_room(store, &claim.want(), now));
        let Some(why) = spent.map(|claim| ["limit ", &claim.limit.name].concat()) else { continue };
        later.claims.remove(at);
        ranked.passed_over.push((ranked.targets.remove(at), why));
        let below = (1_u16 << at) - 1;
        ranked.trials = ranked.trials & below | (ranked.trials >> 1) & !below;
    }
}

/// About how many input tokens a body has. A short one is not read for it; a long one may be an image.
fn roughly(body: &[u8]) -> u64 {
    const LONG: usize = 256 << 10;
    let size = if body.len() > LONG { Size::of(body) } else { Size { text: body.len() as u64, data: 0 } };
    Factor::default().tokens(size)
}

/// Takes the first targets out of those that are tried, for these reasons.
fn pass_over(ranked: &mut Ranked, first: usize, reasons: Vec<String>) {
    let targets: Vec<Candidate> = ranked.targets.drain(..first.min(ranked.targets.len())).collect();
    ranked.passed_over.extend(targets.into_iter().zip(reasons));
    ranked.trials = ranked.trials.checked_shr(u32::try_from(first).unwrap_or(u32::MAX)).unwrap_or_default();
}

fn who<'w>(subject: &'w Subject, model: &'w str) -> Who<'w> {
    let Subject { key, team, user, application, .. } = subject;
    Who { key, team, user, application, model, ..Who::default() }
}
