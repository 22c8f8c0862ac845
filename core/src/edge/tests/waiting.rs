//! Requests that wait until control was asked for what no lease covers.

use super::*;
use crate::lease::{Grant, Grants, Report};
use crate::quota::limit::{Alone, Kind, Limit, Meter, VALUES};
use crate::quota::link::Link;
use crate::quota::testing::Memory;
use crate::quota::window::Windows;
use crate::quota::{Worker, exchange};
use crate::role::{Effect, Flow};
use crate::shared::{Cell, Store};

const NOW: Instant = Instant::from_nanos(5_000_000_000);

fn limited() -> Routing {
    let kind = Kind::Budget { amount: 100_000, windows: Windows::Ever };
    let limit = Limit {
        name: "tokens".into(),
        was: None,
        subjects: vec![],
        meter: Meter::Requests,
        kind,
        soft: false,
        alone: Alone::Closed,
        values: VALUES,
    };
    Routing { quotas: vec![limit].into(), ..routing() }
}

/// A request whose body has come, JSON or a form, and what its worker has.
struct Waits {
    routing: Routing,
    memory: Memory,
    worker: Worker,
    edge: Edge,
    body: &'static str,
}

impl Waits {
    fn new(is_form: bool) -> Self {
        let memory = Memory::default();
        memory.create(Link::KEY.as_str(), &Link::new("control", "here", NOW).write());
        let (mut worker, mut edge, routing) = (Worker::new(1), Edge::default(), limited());
        worker.shares();
        let mut headers = CHAT.to_vec();
        if is_form {
            headers = with(":path", "/v1/audio/transcriptions");
            headers.retain(|(name, _)| *name != "content-type");
            headers.push(("content-type", "multipart/form-data; boundary=b"));
        }
        edge.headers(&routing, &headers, false).unwrap();
        let body = if is_form { FORM } else { r#"{"model":"gpt","messages":[]}"# };
        Self { routing, memory, worker, edge, body }
    }

    /// Tells the edge one thing, and shows it what it wants to see.
    fn on(&mut self, input: Input<'_>) -> (Flow, Vec<Effect>) {
        let Self { routing, memory, worker, edge, body } = self;
        let mut effects = Vec::new();
        let mut around = Around { routing, shared: &*memory, load: &mut Load::new(), worker };
        let mut flow = edge.on(NOW, input, &mut around, &mut effects);
        while let Flow::Read { start, end } = flow {
            flow = edge.on(NOW, Input::Bytes(&body.as_bytes()[start..end]), &mut around, &mut effects);
        }
        (flow, effects)
    }

    fn comes(&mut self) -> (Flow, Vec<Effect>) {
        self.on(Input::Body { size: self.body.len(), end: true })
    }

    /// Control is asked, and grants so much.
    fn grants(&self, effects: &[Effect], granted: u128) {
        let [Effect::Lease(claims)] = effects else { unreachable!("{effects:?}") };
        let (post, sent) = exchange::ask(&self.memory, claims, NOW).unwrap();
        let report = Report::decode(&post.body).unwrap();
        let account = report.accounts[0].account.clone();
        let (expires_ms, left) = (5000, 100_000);
        let grant = Grant { account, granted, version: 1, expires_ms, left, unspent: left, ..Grant::default() };
        let grants = Grants { sequence: report.sequence, epoch: 1, grants: vec![grant] };
        assert!(exchange::answered(&self.memory, &sent, &grants.encode(), NOW));
    }
}

fn is_planned(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Plan(_)))
}

fn status(effects: &[Effect]) -> Option<u16> {
    effects.iter().find_map(|effect| if let Effect::Answer(answer) = effect { Some(answer.status) } else { None })
}

#[test]
fn a_request_waits_for_a_lease_and_then_goes_on() {
    for is_form in [false, true] {
        let mut request = Waits::new(is_form);
        let (flow, effects) = request.comes();
        assert_eq!(flow, Flow::Hold);
        request.grants(&effects, 10);
        let (flow, effects) = request.on(Input::Leased(Leased::Answered));
        assert_eq!((flow, is_planned(&effects)), (Flow::Continue, true));
    }
}

#[test]
fn a_request_that_was_not_asked_for_waits_again() {
    for is_form in [false, true] {
        let mut request = Waits::new(is_form);
        request.comes();
        for _ in 0..10 {
            let (flow, effects) = request.on(Input::Leased(Leased::Unasked));
            assert_eq!(flow, Flow::Hold);
            assert!(matches!(effects[..], [Effect::Lease(_)]));
        }
    }
}

#[test]
fn a_request_gives_up_when_control_fails_or_has_answered_often_enough() {
    let mut request = Waits::new(false);
    request.comes();
    let (_, effects) = request.on(Input::Leased(Leased::Failed));
    assert_eq!(status(&effects), Some(429));

    let mut request = Waits::new(false);
    let (_, mut effects) = request.comes();
    let mut asked = 0;
    while matches!(effects[..], [Effect::Lease(_)]) {
        asked += 1;
        request.grants(&effects, 0);
        effects = request.on(Input::Leased(Leased::Answered)).1;
    }
    assert_eq!((asked, status(&effects)), (3, Some(429)), "there seemed to be something left");
}
