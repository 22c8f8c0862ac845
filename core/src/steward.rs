//! The steward: one for each Envoy, apart from all requests.
//!
//! It does what no request should wait for. It creates the counts that the workers share, clears away what has ended,
//! reports to the operator through Envoy's statistics, and can call out. Requests do not need it: an Envoy without a
//! steward serves them as usual, but counts nothing.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::health::cooldown::{Begun, Index};
use crate::quota::workers;
use crate::shared::{Cell, Shared};
use crate::time::Instant;

/// From one tick to the next.
pub const PERIOD: Duration = Duration::from_secs(1);

/// The longest that a call may take. Envoy takes 0 for no limit, and waits for the call that is under way before it ends.
const LONGEST_CALL: Duration = Duration::from_secs(1);

/// The time limit of the last call, because Envoy waits for it before it ends.
const LAST_CALL: Duration = Duration::from_millis(500);

/// The configuration of a steward.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The call to make at every tick. Nothing that Weir renders sets it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Makes each tick fail, for tests which show that a failing steward harms no request.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub fails: bool,
}

/// A call out: a POST without a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The name of the cluster in Envoy.
    pub cluster: String,
    /// The path to call.
    pub path: String,
    /// The time limit.
    pub timeout: Duration,
}

/// What the host tells a steward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// The steward begins. The host may say so more than once.
    Start,
    /// [`PERIOD`] has passed.
    Tick,
    /// The call has ended.
    Answer(Answer<'a>),
    /// Envoy ends, once the steward says that it [has stopped](Effect::Stopped). In wasm the host never says so: Envoy
    /// ends at once.
    Stop,
}

/// How a call ended, according to Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        }
    }
}

/// What the host must now do for its steward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Create a cell with these bytes, if there is none.
    Create(String, Vec<u8>),
    /// Give back what these workers, which are dead, hold under limits.
    Forget(Vec<u64>),
    /// Clear the cooldowns of these providers and models that have ended.
    Sweep(Vec<(String, String)>),
    /// Call out, and pass the answer to the steward.
    Call(Call),
    /// Add to one of Envoy's counters.
    Add(Counter, u64),
    /// Set the gauge [`COOLDOWNS`].
    Cooldowns(u64),
    /// Write a line to Envoy's log, for the operator.
    Warn(String),
    /// Let Envoy end.
    Stopped,
}

/// The gauge with the number of targets that cool down.
pub const COOLDOWNS: &str = "weir_cooldowns";

/// One of Envoy's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// How often the steward has ticked. While this grows, the steward runs.
    Ticks,
    /// How many cooldowns have begun.
    Begun,
}

impl Counter {
    /// All counters.
    pub const ALL: [Self; 2] = [Self::Ticks, Self::Begun];

    /// Its name in Envoy, after the prefix that Envoy adds.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticks => "weir_steward_ticks",
            Self::Begun => "weir_cooldowns_begun",
        }
    }
}

/// The steward of one Envoy.
#[derive(Debug, Default)]
pub struct Steward {
    call: Option<Call>,
    /// Whether a call is under way.
    calling: bool,
    /// The result of the last call.
    last: Option<Outcome>,
    /// How many cooldowns had begun at the last tick.
    begun: u64,
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
        Self { call: settings.call.clone(), ..Self::default() }
    }

    /// Advances by one input. Appends what the host must now do to `effects`, in order.
    pub fn on(&mut self, now: Instant, input: Input<'_>, shared: &dyn Shared, effects: &mut Vec<Effect>) {
        match input {
            Input::Start => {
                // Cooldowns that began before this steward were reported by the one before it.
                self.begun = shared.read(&Begun::KEY).map_or(0, |begun| begun.count);
                effects.push(Effect::Create(Begun::KEY.as_str().to_string(), Begun::default().write()));
            }
            Input::Tick => self.tick(now, shared, effects),
            Input::Answer(answer) => self.answered(&answer, effects),
            Input::Stop => {
                self.stop = Stop::Asked;
                if !self.calling {
                    self.call_last(effects);
                }
            }
        }
    }

    fn tick(&mut self, now: Instant, shared: &dyn Shared, effects: &mut Vec<Effect>) {
        effects.push(Effect::Add(Counter::Ticks, 1));
        let dead = shared.store().map(|store| workers::living(store, now).1).unwrap_or_default();
        if !dead.is_empty() {
            effects.push(Effect::Forget(dead));
        }
        let index = shared.read(&Index::KEY).unwrap_or_default();
        let ended = index.ended(now).map(|(provider, model)| (provider.to_string(), model.to_string()));
        let ended: Vec<_> = ended.collect();
        if !ended.is_empty() {
            effects.push(Effect::Sweep(ended));
        }
        effects.push(Effect::Cooldowns(index.cooling(now) as u64));
        if let Some(Begun { count, .. }) = shared.read(&Begun::KEY) {
            if count > self.begun {
                effects.push(Effect::Add(Counter::Begun, count - self.begun));
            }
            self.begun = count;
        }
        if let Some(call) = self.call.as_ref().filter(|_| !self.calling && self.stop == Stop::Runs) {
            self.calling = true;
            effects.push(Effect::Call(within(call, LONGEST_CALL)));
        }
    }

    fn answered(&mut self, answer: &Answer<'_>, effects: &mut Vec<Effect>) {
        self.calling = false;
        let outcome = Outcome::of(answer);
        // Reports only changes; otherwise a failure would be reported every second.
        if self.last.replace(outcome).unwrap_or(Outcome::Answered) != outcome {
            let cluster = self.call.as_ref().map(|call| call.cluster.as_str()).unwrap_or_default();
            effects.push(Effect::Warn(format!("weir: the steward calls cluster {cluster:?}: {outcome}")));
        }
        match self.stop {
            Stop::Runs => {}
            Stop::Asked => self.call_last(effects),
            Stop::LastCall => effects.push(Effect::Stopped),
        }
    }

    fn call_last(&mut self, effects: &mut Vec<Effect>) {
        match &self.call {
            Some(call) => {
                (self.stop, self.calling) = (Stop::LastCall, true);
                effects.push(Effect::Call(within(call, LAST_CALL)));
            }
            None => effects.push(Effect::Stopped),
        }
    }
}

/// `call`, with a time limit that Envoy takes as one.
fn within(call: &Call, longest: Duration) -> Call {
    Call { timeout: call.timeout.clamp(Duration::from_millis(1), longest), ..call.clone() }
}

#[cfg(test)]
mod tests;
