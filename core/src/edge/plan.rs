//! Reads what a request's body asks for, and makes its plan.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::call::Call;
use weir_hub::codec::json::write::object;
use weir_hub::codec::json::{self, Scan};
use weir_hub::codec::multipart::{Part, Scanner};
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::{Problem, Reject, shown};

use super::caller::{self, Rights};
use super::quota::Unplanned;
use super::rank::{Ranked, rank};
use super::{Around, Edge, Wanted, names, other_models, parts, within};
use crate::health::cooldown::{Cooldown, Cooldowns};
use crate::key::KeyHash;
use crate::plan::Plan;
use crate::price::Tier;
use crate::quota::media::Files;
use crate::time::Instant;

impl Edge {
    pub(super) fn plan(
        &mut self,
        around: &mut Around<'_>,
        now: Instant,
        (wanted, key): (&Wanted, KeyHash),
        body: &[u8],
    ) -> Result<(Plan, Vec<Cooldown>), Unplanned> {
        let routing = around.routing;
        let Wanted { endpoint, in_path, .. } = wanted;
        let endpoint = *endpoint;
        within(routing, endpoint, body.len() as u64).map_err(refuse)?;
        let scan = json::scan(body).map_err(refuse)?;
        scan.names(body).try_for_each(|name| names::check(&name)).map_err(refuse)?;
        parts::within(routing.parts, endpoint, body, &scan).map_err(refuse)?;
        let (name, (delivery, usage)) = if let Some((model, delivery)) = in_path {
            (Cow::Borrowed(model.as_str()), (*delivery, UsageChunk::Unwanted))
        } else {
            let name = scan.string(body, "model").map_err(refuse)?;
            let name = name.ok_or_else(|| refuse(Reject::Missing { field: "model".to_string() }))?;
            self.subject.model = shown(&name).into_owned();
            (name, delivery(endpoint, body, &scan).map_err(refuse)?)
        };
        let betas = self.betas.clone();
        let call = Call { asked: Asked { endpoint, delivery, usage }, model: &name, betas: &betas, body, scan: &scan };
        self.plan_call(around, now, key, &call)
    }

    pub(super) fn plan_form(
        &mut self,
        around: &mut Around<'_>,
        now: Instant,
        (endpoint, key): (Endpoint, KeyHash),
        form: Scanner,
        len: u64,
    ) -> Result<(Plan, Vec<Cooldown>), Unplanned> {
        within(around.routing, endpoint, len).map_err(refuse)?;
        let parts = form.end().map_err(refuse)?;
        parts.iter().try_for_each(|part| names::check(&part.name)).map_err(refuse)?;
        let field = |name: &str| parts.iter().find(|part| part.name == name).and_then(|part| part.text.as_deref());
        let missing = || refuse(Reject::Missing { field: "model".to_string() });
        let model = field("model").map(str::trim).filter(|model| !model.is_empty()).ok_or_else(missing)?;
        let delivery = if field("stream") == Some("true") { Delivery::Streamed } else { Delivery::Whole };
        self.files = Files::of(&parts);
        let body = fields(&parts);
        let scan = json::scan(&body).map_err(refuse)?;
        let asked = Asked { endpoint, delivery, usage: UsageChunk::Unwanted };
        let call = Call { asked, model, betas: "", body: &body, scan: &scan };
        self.plan_call(around, now, key, &call)
    }

    /// Notes what the request asks for that is billed besides tokens.
    fn note_billed(&mut self, call: &Call<'_>) {
        let Call { asked: Asked { endpoint, .. }, body, scan, .. } = *call;
        let tier = ["service_tier", "serviceTier"].into_iter().find_map(|name| scan.string(body, name).ok().flatten());
        self.subject.tier = tier.map(|tier| Tier::asked(&tier)).unwrap_or_default();
        if matches!(endpoint, Endpoint::Images | Endpoint::ImageEdits) {
            let count = scan.raw(body, "n");
            // In a form it is text.
            let count = count.and_then(|count| count.integer().or_else(|| count.string()?.parse().ok()));
            self.subject.images = count.unwrap_or(1);
        }
    }

    fn plan_call(
        &mut self,
        around: &mut Around<'_>,
        now: Instant,
        key: KeyHash,
        call: &Call<'_>,
    ) -> Result<(Plan, Vec<Cooldown>), Unplanned> {
        let routing = around.routing;
        let Call { asked: Asked { endpoint, delivery, usage }, model: name, .. } = *call;
        self.subject.model = shown(name).into_owned();
        self.subject.delivery = Some(delivery);
        if !routing.prices.is_empty() || !routing.quotas.is_empty() {
            self.note_billed(call);
        }
        if self.subject.user.is_empty() {
            self.subject.user = caller::user(self.family, call.body, call.scan);
        }
        let unknown = || Reject::UnknownModel { model: name.to_string() }.problem();
        let model = routing.models.get(name).ok_or_else(unknown)?;
        let rights = Rights::of(routing, &key, &self.subject.team);
        if !rights.have_model(name) {
            return Err(Reject::ModelNotAllowed { model: name.to_string() }.problem().into());
        }
        if rights.name_models() {
            other_models::check(call.body, call.scan).map_err(refuse)?;
        }
        let mut ranked = rank(routing, model, call, &Cooldowns::of(around.shared), now).map_err(|unranked| {
            self.subject.passed_over = unranked.passed_over;
            unranked.problem
        })?;
        let room = self.reserve(around, now, model, call, &mut ranked)?;
        assert!(routing.fails_on.as_deref() != Some(name), "as asked");
        let Ranked { targets, passed_over, trials, proving } = ranked;
        let class = model.class(delivery);
        let plan = Plan {
            origin: self.origin,
            asked: Asked { endpoint, delivery, usage },
            class: class.name.clone(),
            limits: class.limits,
            tenant: self.subject.key.clone(),
            model: name.to_string(),
            betas: self.betas.clone(),
            targets,
            passed_over,
            trials,
            made: now,
            begun: 0,
            at: 0,
            since: now,
            failed: Vec::new(),
            too_long: None,
            cap: room.cap,
            reserved: room.output,
            others: String::new(),
        };
        Ok((plan, proving))
    }
}

/// A form's fields as an object; see [`Call::body`].
fn fields(parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |to| {
        for (at, Part { name, text, .. }) in parts.iter().enumerate() {
            match text {
                _ if parts.iter().take(at).any(|earlier| earlier.name == *name) => {}
                Some(text) => to.string(name, text),
                None => to.raw(name, "true"),
            }
        }
    });
    out
}

/// Reads `stream` and `stream_options.include_usage`.
fn delivery(endpoint: Endpoint, body: &[u8], scan: &Scan) -> Result<(Delivery, UsageChunk), Reject> {
    if endpoint == Endpoint::Speech {
        return Ok((Delivery::Streamed, UsageChunk::Unwanted));
    }
    let streams = endpoint.is_chat() || endpoint == Endpoint::Images;
    if !streams || !scan.boolean(body, "stream")?.unwrap_or(false) {
        return Ok((Delivery::Whole, UsageChunk::Unwanted));
    }
    let options = scan.raw(body, "stream_options").filter(|options| !options.is_null());
    let wanted = match options.and_then(|options| options.get("include_usage")).filter(|wanted| !wanted.is_null()) {
        None => false,
        Some(wanted) => wanted.boolean().ok_or_else(|| Reject::Invalid {
            field: "stream_options.include_usage".to_string(),
            problem: "it must be true or false".to_string(),
        })?,
    };
    Ok((Delivery::Streamed, if wanted { UsageChunk::Wanted } else { UsageChunk::Unwanted }))
}

/// The problem that the caller is told.
fn refuse(reject: impl Into<Reject>) -> Problem {
    reject.into().problem()
}
