//! The steward: one for each Envoy, apart from all requests.
//!
//! It does what no request should wait for. It creates the counts that the workers share, clears away what has ended,
//! reports to the operator through Envoy's statistics, and tells control what was used under limits that several Envoys
//! share. Requests do not need it: an Envoy without a steward serves them as usual, but counts nothing.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::health::cooldown::{Begun, Index};
use crate::lease;
use crate::quota::exchange::{self, Post, Sent, Which};
use crate::quota::link::Link;
use crate::quota::workers::Watch;
use crate::quota::{Limit, Posted};
use crate::shared::{Cell, Shared};
use crate::time::Instant;

/// From one tick to the next, where control is to be told.
const PERIOD: Duration = Duration::from_millis(200);

/// How many such ticks are a second. What is not urgent is done once a second.
const SECOND: u32 = 5;

/// The time limit of the last call, because Envoy waits for it before it ends.
const LAST_CALL: Duration = Duration::from_millis(500);

/// The configuration of a steward. It cannot change while Envoy runs; what can change is told by [cells](Posted).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Control, if this Envoy shares its limits with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// Makes each tick fail, for tests which show that a failing steward harms no request.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub fails: bool,
}

/// How control is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The name of its cluster in Envoy.
    pub cluster: String,
    /// This Envoy's name. It stays the same when the process starts again, and no other Envoy has it.
    pub node: String,
}

/// A call out: a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name of the cluster in Envoy.
    pub cluster: String,
    /// The path to call.
    pub path: &'static str,
    /// What is posted.
    pub body: Vec<u8>,
    /// The time limit; not zero, which Envoy would take for none.
    pub timeout: Duration,
}

impl Call {
    /// One that posts a report.
    pub fn of(post: Post, timeout: Duration) -> Self {
        let timeout = timeout.max(Duration::from_millis(1));
        Self { cluster: post.cluster, path: lease::PATH, body: post.body, timeout }
    }
}

/// What the host tells a steward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// The steward begins. The host may say so more than once.
    Start,
    /// Its [period](Steward::period) has passed.
    Tick,
    /// The call has ended.
    Answer(Answer<'a>),
    /// Envoy ends, once the steward says that it [has stopped](Effect::Stopped). In wasm the host never says so: Envoy
    /// ends at once.
    Stop,
}

/// How a call ended, according to Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// With a response. It may be Envoy's own: 503 if no host of the cluster listens, 504 if none answered in time.
    Response {
        /// Its status.
        status: u16,
        /// Its body.
        body: &'a [u8],
    },
    /// The call was not made: Envoy has no cluster with that name.
    NoCluster,
    /// The call was not made, for another reason. In wasm this includes a cluster without hosts.
    NotMade,
    /// The call ended without a response, or the response was too long.
    Broken,
}

/// The result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Status(u16),
    NoCluster,
    NotMade,
    Broken,
    /// The response is none of control's.
    Strange,
}

impl Outcome {
    fn of(answer: &Answer<'_>) -> Self {
        match answer {
            Answer::Response { status: 200..=299, .. } => Self::Answered,
            Answer::Response { status, .. } => Self::Status(*status),
            Answer::NoCluster => Self::NoCluster,
            Answer::NotMade => Self::NotMade,
            Answer::Broken => Self::Broken,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => f.write_str("it answers"),
            Self::Status(503) => f.write_str("503: it is not there, or has no room"),
            Self::Status(504) => f.write_str("504: it did not answer in time"),
            Self::Status(status) => write!(f, "it answered with {status}"),
            Self::NoCluster => f.write_str("Envoy has no such cluster"),
            Self::NotMade => f.write_str("Envoy did not make the call"),
            Self::Broken => f.write_str("the call ended without an answer"),
            Self::Strange => f.write_str("what it answers is not of Weir's control"),
        }
    }
}

/// What the host must now do for its steward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Create a cell with these bytes, if there is none.
    Create(String, Vec<u8>),
    /// Give back what these workers hold under limits, which are dead, and those that were found dead before.
    Forget(Vec<u64>),
    /// Clear the cooldowns of these providers and models that have ended.
    Sweep(Vec<(String, String)>),
    /// Call out, and pass the answer to the steward.
    Call(Call),
    /// Add to one of Envoy's counters.
    Add(Counter, u64),
    /// Set one of Envoy's gauges.
    Set(Gauge, u64),
    /// Write a line to Envoy's log, for the operator.
    Warn(String),
    /// Let Envoy end.
    Stopped,
}

/// One of Envoy's gauges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// How many targets cool down.
    Cooldowns,
    /// 1 while control is away, so that limits go by what they say of that.
    ControlAway,
}

impl Gauge {
    /// All gauges.
    pub const ALL: [Self; 2] = [Self::Cooldowns, Self::ControlAway];

    /// Its name in Envoy, after the prefix that Envoy adds.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cooldowns => "weir_cooldowns",
            Self::ControlAway => "weir_control_away",
        }
    }
}

/// One of Envoy's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// How often the steward has ticked. While this grows, the steward runs.
    Ticks,
    /// How many cooldowns have begun.
    Begun,
    /// How many amounts were admitted under a limit that no lease covered, because control was away.
    Uncovered,
}

impl Counter {
    /// All counters.
    pub const ALL: [Self; 3] = [Self::Ticks, Self::Begun, Self::Uncovered];

    /// Its name in Envoy, after the prefix that Envoy adds.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticks => "weir_steward_ticks",
            Self::Begun => "weir_cooldowns_begun",
            Self::Uncovered => "weir_limits_uncovered",
        }
    }
}

/// The steward of one Envoy.
#[derive(Debug, Default)]
pub struct Steward {
    control: Option<Control>,
    /// The report that is under way.
    sent: Option<Sent>,
    /// The result of the last call.
    last: Option<Outcome>,
    /// The limits, and the cell in which they were posted.
    limits: (Vec<u8>, Vec<Limit>),
    /// With which cell of accounts the next report begins.
    from: usize,
    /// Which workers live.
    watch: Watch,
    /// The limits for which nobody holds anything any more who is dead.
    buried: Vec<u8>,
    /// How many ticks there were.
    ticks: u32,
    /// How many cooldowns had begun at the last tick.
    begun: u64,
    /// How many amounts had been admitted without a lease.
    uncovered: u64,
    stop: Stop,
}

/// The steps of stopping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stop {
    #[default]
    Runs,
    /// When the call that is under way has ended, the steward makes its last one.
    Asked,
    /// Its last call is under way.
    LastCall,
}

impl Steward {
    /// A steward with these settings.
    pub fn new(settings: &Settings) -> Self {
        Self { control: settings.control.clone(), ..Self::default() }
    }

    /// From one tick to the next.
    pub fn period(settings: &Settings) -> Duration {
        if settings.control.is_some() { PERIOD } else { PERIOD * SECOND }
    }

    /// Advances by one input. Appends what the host must now do to `effects`, in order.
    pub fn on(&mut self, now: Instant, input: Input<'_>, shared: &dyn Shared, effects: &mut Vec<Effect>) {
        match input {
            Input::Start => {
                // What happened before this steward was reported by the one before it.
                self.begun = shared.read(&Begun::KEY).map_or(0, |begun| begun.count);
                self.uncovered = shared.read(&Link::KEY).map_or(0, |link| link.uncovered);
                effects.push(Effect::Create(Begun::KEY.as_str().to_string(), Begun::default().write()));
                if let Some(Control { cluster, node }) = &self.control {
                    let link = Link::new(cluster, node, now);
                    effects.push(Effect::Create(Link::KEY.as_str().to_string(), link.write()));
                }
            }
            Input::Tick => self.tick(now, shared, effects),
            Input::Answer(answer) => self.answered(now, answer, shared, effects),
            Input::Stop => {
                self.stop = Stop::Asked;
                if self.sent.is_none() {
                    self.call_last(now, shared, effects);
                }
            }
        }
    }

    fn tick(&mut self, now: Instant, shared: &dyn Shared, effects: &mut Vec<Effect>) {
        let a_second = self.control.is_none() || self.ticks.is_multiple_of(SECOND);
        self.ticks = self.ticks.wrapping_add(1);
        if a_second {
            self.upkeep(now, shared, effects);
        }
        if self.control.is_some() && self.sent.is_none() && self.stop == Stop::Runs {
            self.read_limits(shared);
            let limits = &self.limits.1;
            // So it is known whether control is there before anybody waits for it.
            let always = a_second && !limits.is_empty();
            let report = |store| exchange::report(store, limits, Which::Due(self.from), always, now);
            let report = shared.store().and_then(report);
            self.from = report.as_ref().map_or(0, |(_, sent)| sent.next());
            self.call(report, lease::ANSWERED, effects);
        }
    }

    /// Reads the limits, if they were posted anew: there may be very many.
    fn read_limits(&mut self, shared: &dyn Shared) {
        let bytes = shared.bytes(Posted::KEY.as_str());
        if bytes != self.limits.0 {
            let limits = Posted::read(&bytes).unwrap_or_default().0;
            self.limits = (bytes, limits);
        }
    }

    /// What is done once a second.
    fn upkeep(&mut self, now: Instant, shared: &dyn Shared, effects: &mut Vec<Effect>) {
        effects.push(Effect::Add(Counter::Ticks, 1));
        let dead = shared.store().map(|store| self.watch.tick(store)).unwrap_or_default();
        // While a limit was not there, nobody gave back what a worker held of it that died meanwhile.
        let posted = shared.bytes(Posted::KEY.as_str());
        if !dead.is_empty() || posted != self.buried {
            effects.push(Effect::Forget(dead));
            self.buried = posted;
        }
        let index = shared.read(&Index::KEY).unwrap_or_default();
        let ended = index.ended(now).map(|(provider, model)| (provider.to_string(), model.to_string()));
        let ended: Vec<_> = ended.collect();
        if !ended.is_empty() {
            effects.push(Effect::Sweep(ended));
        }
        effects.push(Effect::Set(Gauge::Cooldowns, index.cooling(now) as u64));
        if let Some(Begun { count, .. }) = shared.read(&Begun::KEY) {
            if count > self.begun {
                effects.push(Effect::Add(Counter::Begun, count - self.begun));
            }
            self.begun = count;
        }
        if let Some(link) = self.control.as_ref().and_then(|_| shared.read(&Link::KEY)) {
            effects.push(Effect::Set(Gauge::ControlAway, link.is_away(now).into()));
            if link.uncovered > self.uncovered {
                effects.push(Effect::Add(Counter::Uncovered, link.uncovered - self.uncovered));
            }
            self.uncovered = link.uncovered;
        }
    }

    fn call(&mut self, report: Option<(Post, Sent)>, timeout: Duration, effects: &mut Vec<Effect>) -> bool {
        let Some((post, sent)) = report else { return false };
        self.sent = Some(sent);
        effects.push(Effect::Call(Call::of(post, timeout)));
        true
    }

    fn answered(&mut self, now: Instant, answer: Answer<'_>, shared: &dyn Shared, effects: &mut Vec<Effect>) {
        let Some(sent) = self.sent.take() else { return };
        let mut outcome = Outcome::of(&answer);
        if let Some(store) = shared.store() {
            match answer {
                Answer::Response { status: 200..=299, body } => {
                    if !exchange::answered(store, &sent, body, now) {
                        outcome = Outcome::Strange;
                    }
                }
                _ => exchange::failed(store, now),
            }
        }
        // Reports only changes; otherwise a failure would be reported at every tick.
        if self.last.replace(outcome).unwrap_or(Outcome::Answered) != outcome {
            let cluster = self.control.as_ref().map(|control| control.cluster.as_str()).unwrap_or_default();
            effects.push(Effect::Warn(format!("weir: the steward calls cluster {cluster:?}: {outcome}")));
        }
        match self.stop {
            Stop::Runs => {}
            Stop::Asked => self.call_last(now, shared, effects),
            Stop::LastCall => effects.push(Effect::Stopped),
        }
    }

    /// Gives back all leases.
    fn call_last(&mut self, now: Instant, shared: &dyn Shared, effects: &mut Vec<Effect>) {
        self.stop = Stop::LastCall;
        self.read_limits(shared);
        let limits = &self.limits.1;
        let report = |store| exchange::report(store, limits, Which::Last, true, now);
        let report = self.control.as_ref().and_then(|_| shared.store()).and_then(report);
        if !self.call(report, LAST_CALL, effects) {
            effects.push(Effect::Stopped);
        }
    }
}

#[cfg(test)]
mod tests;
