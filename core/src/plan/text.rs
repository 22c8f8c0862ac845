//! The plan as text in Envoy's filter state.
//!
//! `next|vm.request|begun.at.trials|made.since|kind|tenant|model|betas|targets|passed over|failed|too long|tag=value|…#class`
//!
//! The fields up to `too long` have fixed positions. Later additions to a plan follow them, each with a tag, so that
//! the filters before and after a change of code can read each other's plans while requests run. A reader passes on
//! what it does not know, and uses the default for what is absent or unreadable. [`VERSION`] counts the additions, for people.

use alloc::string::{String, ToString};
use core::fmt::Write;
use core::time::Duration;

use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

use super::limits::{Limits, limits_of, millis};
use super::{Candidate, Failed, Origin, Outcome, Plan, TooLong};
use crate::time::Instant;

/// How many times the text has been extended; version 1 had no tags.
const VERSION: u64 = 4;

impl Plan {
    /// The plan as text.
    pub fn to_text(&self) -> String {
        // If nothing is left, the same provider comes next: a try that begins there knows how the last one ended, and
        // tells the caller.
        let next = self.next().or((self.begun > 0).then_some(self.at));
        let next = next.and_then(|next| self.of(next)).unwrap_or_default();
        let mut text = String::with_capacity(96 + self.targets.len() * 32);
        let endpoint = self.asked.endpoint.name();
        let delivery = if self.asked.delivery == Delivery::Streamed { 's' } else { 'w' };
        let usage = if self.asked.usage == UsageChunk::Wanted { 'u' } else { '-' };
        let Origin { vm, request } = self.origin;
        let since = self.since.as_nanos();
        text.push_str(next);
        text.push('|');
        number(&mut text, vm);
        text.push('.');
        number(&mut text, u64::from(request));
        text.push('|');
        number(&mut text, self.begun as u64);
        text.push('.');
        number(&mut text, self.at as u64);
        text.push('.');
        number(&mut text, u64::from(self.trials));
        text.push('|');
        number(&mut text, self.made.as_nanos());
        text.push('.');
        number(&mut text, since);
        text.push('|');
        text.push(delivery);
        text.push(usage);
        text.push_str(endpoint);
        text.push('|');
        escape(&mut text, &self.tenant);
        text.push('|');
        escape(&mut text, &self.model);
        text.push('|');
        escape(&mut text, &self.betas);
        text.push('|');
        for target in &self.targets {
            candidate(&mut text, target);
            text.push(',');
        }
        text.push('|');
        for (target, why) in &self.passed_over {
            candidate(&mut text, target);
            text.push('=');
            escape(&mut text, why);
            text.push(',');
        }
        text.push('|');
        for Failed { target, outcome, status, took, ended, until, kept } in &self.failed {
            let (took, ended, kept) = (took.as_micros(), ended.as_nanos(), if *kept { "k" } else { "" });
            // Writing to a String cannot fail.
            let outcome = outcome.name();
            let _ = write!(text, "{target}={outcome}={status}={took}={ended}={kept}=");
            let _ = until.map(|until| write!(text, "{}", until.as_nanos()));
            text.push(',');
        }
        text.push('|');
        if let Some(TooLong { message, param, details }) = &self.too_long {
            escape(&mut text, message);
            for more in [param, details] {
                text.push('=');
                escape(&mut text, more.as_deref().unwrap_or_default());
            }
        }
        text.push_str("|v=");
        number(&mut text, VERSION);
        text.push_str("|l=");
        let Limits { first, gap, keep_alive, total } = self.limits;
        for (at, limit) in [first, gap, keep_alive, total.unwrap_or_default()].into_iter().enumerate() {
            if at > 0 {
                text.push('.');
            }
            number(&mut text, millis(limit));
        }
        if let Some(cap) = self.cap {
            text.push_str("|c=");
            number(&mut text, cap);
        }
        if let Some(reserved) = self.reserved {
            text.push_str("|o=");
            number(&mut text, reserved);
        }
        text.push_str(&self.others);
        text.push('#');
        text.push_str(&self.class);
        text
    }

    /// Reads only the origin of a plan from its text.
    pub fn origin_of(text: &str) -> Option<Origin> {
        let (vm, request) = text.split('|').nth(1)?.split_once('.')?;
        Some(Origin { vm: vm.parse().ok()?, request: request.parse().ok()? })
    }

    /// Reads the text that [`to_text`](Self::to_text) writes.
    pub fn from_text(text: &str) -> Option<Self> {
        let (text, class) = text.rsplit_once('#')?;
        let mut fields = text.split('|');
        let _next = fields.next()?;
        let (vm, request) = fields.next()?.split_once('.')?;
        let origin = Origin { vm: vm.parse().ok()?, request: request.parse().ok()? };
        let mut numbers = fields.next()?.split('.');
        let begun = numbers.next()?.parse().ok()?;
        let at = numbers.next()?.parse().ok()?;
        let trials = numbers.next()?.parse().ok()?;
        let (made, since) = fields.next()?.split_once('.')?;
        let (made, since) = (instant(made)?, instant(since)?);
        let mut kind = fields.next()?.chars();
        let delivery = if kind.next()? == 's' { Delivery::Streamed } else { Delivery::Whole };
        let usage = if kind.next()? == 'u' { UsageChunk::Wanted } else { UsageChunk::Unwanted };
        let endpoint = Endpoint::from_name(kind.as_str())?;
        let tenant = unescape(fields.next()?)?;
        let model = unescape(fields.next()?)?;
        let betas = unescape(fields.next()?)?;
        let targets = items(fields.next()?).map(|item| read_candidate(item.split_once('=')?)).collect::<Option<_>>()?;
        let passed_over = items(fields.next()?)
            .map(|item| {
                let (target, why) = item.rsplit_once('=')?;
                Some((read_candidate(target.split_once('=')?)?, unescape(why)?))
            })
            .collect::<Option<_>>()?;
        let failed = items(fields.next()?).map(read_failed).collect::<Option<_>>()?;
        let too_long = match fields.next()? {
            "" => None,
            text => Some(read_too_long(text)?),
        };
        let mut limits = limits_of(class).unwrap_or_default();
        let (mut cap, mut reserved, mut others) = (None, None, String::new());
        for field in fields {
            match field.split_once('=') {
                Some(("v", _)) => {}
                Some(("c", value)) => cap = value.parse().ok(),
                Some(("o", value)) => reserved = value.parse().ok(),
                Some(("l", value)) => limits = read_limits(value).unwrap_or(limits),
                _ => {
                    others.push('|');
                    others.push_str(field);
                }
            }
        }
        let class = class.to_string();
        Some(Self {
            origin,
            asked: Asked { endpoint, delivery, usage },
            class,
            limits,
            tenant,
            model,
            betas,
            targets,
            passed_over,
            trials,
            made,
            begun,
            at,
            since,
            failed,
            too_long,
            cap,
            reserved,
            others,
        })
    }
}

fn instant(nanos: &str) -> Option<Instant> {
    nanos.parse().ok().map(Instant::from_nanos)
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split_terminator(',')
}

fn candidate(text: &mut String, candidate: &Candidate) {
    escape(text, &candidate.provider);
    text.push('=');
    escape(text, &candidate.model);
}

fn read_candidate((provider, model): (&str, &str)) -> Option<Candidate> {
    Some(Candidate { provider: unescape(provider)?, model: unescape(model)? })
}

fn read_failed(item: &str) -> Option<Failed> {
    let mut parts = item.split('=');
    Some(Failed {
        target: parts.next()?.parse().ok()?,
        // An unknown outcome counts as a failed try without details.
        outcome: Outcome::from_name(parts.next()?).unwrap_or(Outcome::Unanswered),
        status: parts.next()?.parse().ok()?,
        took: Duration::from_micros(parts.next()?.parse().ok()?),
        ended: instant(parts.next()?)?,
        kept: parts.next()? == "k",
        until: match parts.next()? {
            "" => None,
            nanos => Some(instant(nanos)?),
        },
    })
}

fn read_limits(text: &str) -> Option<Limits> {
    let mut millis = text.split('.').map(|text| text.parse().ok().map(Duration::from_millis));
    let mut limit = || millis.next().flatten();
    let (first, gap, keep_alive) = (limit()?, limit()?, limit()?);
    Some(Limits { first, gap, keep_alive, total: limit().filter(|total| !total.is_zero()) })
}

fn read_too_long(text: &str) -> Option<TooLong> {
    let mut parts = text.split('=').map(unescape);
    let message = parts.next()??;
    let mut more = || parts.next()?.map(|text| (!text.is_empty()).then_some(text));
    Some(TooLong { message, param: more()?, details: more()? })
}

/// Every plan has numbers, so they are written without the formatter.
fn number(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// Writes `field` without the characters that structure the text.
fn escape(text: &mut String, field: &str) {
    if field.bytes().all(|byte| byte.is_ascii_graphic() && !b"|#,=%".contains(&byte)) {
        return text.push_str(field);
    }
    for c in field.chars() {
        if "|#,=%".contains(c) || c.is_control() {
            let _ = write!(text, "%{:02x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
}

fn unescape(field: &str) -> Option<String> {
    let mut parts = field.split('%');
    let mut text = parts.next()?.to_string();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2)?;
        text.push(char::from(u8::from_str_radix(hex, 16).ok()?));
        text.push_str(rest);
    }
    Some(text)
}
