//! What a host does for a role: each effect that the core can ask for, in one place.

use std::borrow::Cow;

use weir_core::role::{Effect, Flow};
use weir_core::{allow, plan, record};

use crate::cooldown::{self, begin};
use crate::host::{Buffer, Host, Map, Next};
use crate::mailbox;

/// Performs `effects` in their order. `request` is what the request's edge calls itself on this
/// worker, if its filter is this one; `size` is how many bytes the
/// body at hand has; `always` are the headers that a provider always gets. `None` if Envoy has destroyed the stream meanwhile, which then may be asked nothing more.
pub(crate) fn perform(
    host: &mut impl Host,
    request: Option<u32>,
    size: usize,
    effects: impl Iterator<Item = Effect>,
    flow: Flow,
    always: &[(String, String)],
) -> Option<Next> {
    let mut next = if flow == Flow::Continue { Next::Continue } else { Next::Pause };
    for effect in effects {
        match effect {
            Effect::Plan(text) => host.set_state(plan::KEY, &text),
            Effect::Planned(plan) => {
                if let Some(request) = request {
                    mailbox::plan(request, *plan);
                }
            }
            Effect::Later(later) => {
                if let Some(request) = request {
                    mailbox::later(request, *later);
                }
            }
            // Only an edge waits, and it does so before this.
            Effect::Lease(_) => {}
            Effect::ChooseRoute => host.clear_route_cache(),
            Effect::Mark(name, id) => host.set_state(name, &id),
            Effect::Tries(text) => host.set_state(plan::TRIES_KEY, &text),
            Effect::Progress(origin, progress) => mailbox::tell(host, origin, progress),
            Effect::Span(attribute, value) => host.set_state(attribute.key, &value),
            Effect::Cool(cooldown) => begin(host, &cooldown),
            Effect::Reached(provider) => cooldown::reached(&host.cells(), &provider),
            Effect::Clean { after_another } => {
                clean(host, after_another);
                for (name, value) in always {
                    host.set_header(Map::Request, name, value);
                }
            }
            Effect::RequestHeader(name, value) => host.set_header(Map::Request, name, &value),
            Effect::RequestBody(with) => {
                if !host.replace_body(Buffer::Request, size, &with) {
                    return None;
                }
            }
            Effect::Headers(with) => host.rewrite_headers(Map::Response, |_| {
                ((), Some(with.into_iter().map(|(name, value)| (name, Cow::Owned(value))).collect()))
            }),
            Effect::Length(length) => host.set_header(Map::Response, "content-length", &length.to_string()),
            Effect::Body(with) => {
                if !host.replace_body(Buffer::Response, size, &with) {
                    return None;
                }
            }
            Effect::Answer(answer) => next = Next::Answer(Box::new(answer)),
            Effect::Record(line) => host.set_state(record::KEY, &line),
            Effect::End(end) => {
                if let Some(request) = request {
                    host.end(request, end);
                }
            }
        }
    }
    Some(next)
}

/// Leaves of the request's headers only those that go up to any provider, with the values that they have there.
fn clean(host: &mut impl Host, follows_another: bool) {
    if follows_another {
        for name in allow::keys() {
            host.remove_header(Map::Request, name);
        }
    }
    host.retain_headers(Map::Request, allow::goes_up);
    if follows_another {
        for (name, value) in allow::WRITTEN {
            host.set_header(Map::Request, name, value);
        }
    }
}
