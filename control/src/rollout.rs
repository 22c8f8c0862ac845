//! The order in which a change reaches Envoy, and how long Envoy keeps what the change replaces.
//!
//! A plan that names a cluster which Envoy does not have fails without a retry. So what is new comes first: secrets, clusters,
//! routes, then the edge, which makes plans with them. What is old goes last, when no plan from before the change can be under
//! way any more. Between the two, Envoy holds both.
//!
//! [`Rollout`] is pure: it is told what to run and what became of each step, and asks for the next step. A
//! [`Publisher`](crate::publisher::Publisher) performs the steps.

mod step;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::render::{Kind, Resources};
pub use step::{Input, NotTaken, Outcome, Report, Step, Taken};

/// How long Envoy may take to confirm that it has taken something, before the rollout goes on without that.
const PATIENCE: Duration = Duration::from_millis(700);
/// The same for clusters. To requests a cluster does not exist until its host's name is resolved: if the edge came earlier, the
/// requests that it sends there would fail. A resolver asks again after five seconds.
const PATIENCE_WITH_CLUSTERS: Duration = Duration::from_secs(8);

/// Who reads the first configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// An Envoy that is not running yet: nobody is waited for.
    #[default]
    Later,
    /// An Envoy that may run already, on the configuration of an earlier process.
    Now,
}

/// Brings one Envoy from each configuration to the next.
#[derive(Debug, Default)]
pub struct Rollout {
    reader: Reader,
    grace: Option<Duration>,
    patience: Option<Duration>,
    /// The configuration that runs.
    current: Option<Arc<Resources>>,
    /// Earlier configurations, oldest first.
    older: Vec<Older>,
    /// A change that came while a round was under way.
    waiting: Option<Arc<Resources>>,
    round: Option<Round>,
}

/// An earlier configuration.
#[derive(Debug)]
struct Older {
    /// When its last plan has ended.
    until: Instant,
    resources: Arc<Resources>,
}

/// A row of steps with one purpose.
#[derive(Debug)]
struct Round {
    purpose: Purpose,
    /// What Envoy has at the end of the round.
    set: Arc<Resources>,
    /// The steps that are still to be asked for.
    ahead: VecDeque<Action>,
    /// The step that waits for its answer.
    under_way: Option<Action>,
    report: Report,
}

#[derive(Debug)]
enum Purpose {
    /// This is to run.
    Change(Arc<Resources>),
    /// What is no longer needed goes.
    Removal,
    /// What ran before comes back, for this reason.
    TakeBack(NotTaken),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Put(Kind),
    Sweep,
}

impl Round {
    fn new(purpose: Purpose, set: Resources, actions: impl IntoIterator<Item = Action>) -> Self {
        let report = Report { confirmed: true, ..Report::default() };
        Self { purpose, set: Arc::new(set), ahead: actions.into_iter().collect(), under_way: None, report }
    }
}

impl Rollout {
    /// A rollout whose first configuration is read by `reader`.
    pub fn new(reader: Reader) -> Self {
        Self { reader, ..Self::default() }
    }

    /// Keeps what a change replaces for `grace`. By default it is kept as long as a plan can ask for it.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace: Some(grace), ..self }
    }

    /// Waits for `patience` until Envoy confirms a step. The default is 700 ms, and 8 s for clusters, because the names of their
    /// hosts may take long to resolve.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Advances by one input. Appends what is to be done now to `steps`, in order.
    ///
    /// A change that comes while a round is under way waits for its end. Of several such changes only the latest is brought.
    pub fn on(&mut self, now: Instant, input: Input, steps: &mut Vec<Step>) {
        let ticks = matches!(input, Input::Tick);
        match input {
            Input::Change(next) => self.waiting = Some(next),
            Input::Answer(answer) => self.answered(now, answer, steps),
            Input::Tick => {}
        }
        if self.round.is_none() {
            self.round = self.change().or_else(|| if ticks { self.removal(now) } else { None });
        }
        self.ask(steps);
    }

    /// When the next removal is due, if there is one. It begins with the first [`Tick`](Input::Tick) from then on at which no round
    /// is under way.
    pub fn next_removal(&self) -> Option<Instant> {
        self.older.iter().map(|older| older.until).min()
    }

    /// A round that brings the change that waits, together with all that plans from before it may still ask for.
    fn change(&mut self) -> Option<Round> {
        let next = self.waiting.take()?;
        let mut actions: Vec<Action> = Kind::ALL.into_iter().map(Action::Put).collect();
        let set = if let Some(current) = &self.current {
            self.with_older(next.with(current))
        } else {
            // An earlier process may have left secrets that nobody refers to.
            actions.push(Action::Sweep);
            (*next).clone()
        };
        Some(Round::new(Purpose::Change(next), set, actions))
    }

    /// A round that removes the configurations whose last plan has ended: routes first, because they name clusters.
    fn removal(&mut self, now: Instant) -> Option<Round> {
        let current = self.current.clone()?;
        self.next_removal().filter(|due| *due <= now)?;
        self.older.retain(|older| older.until > now);
        let rest = self.with_older((*current).clone());
        Some(Round::new(
            Purpose::Removal,
            rest,
            [Action::Put(Kind::Routes), Action::Put(Kind::Clusters), Action::Sweep],
        ))
    }

    /// `newest`, and from every earlier configuration what it does not have.
    fn with_older(&self, newest: Resources) -> Resources {
        self.older.iter().rev().fold(newest, |both, older| both.with(&older.resources))
    }

    /// Asks for the next step of the round, if none is under way.
    fn ask(&mut self, steps: &mut Vec<Step>) {
        let Some(round) = &mut self.round else { return };
        if round.under_way.is_some() {
            return;
        }
        round.under_way = round.ahead.pop_front();
        let unread = self.current.is_none() && self.reader == Reader::Later;
        let set = round.set.clone();
        steps.extend(round.under_way.map(|action| match action {
            Action::Put(kind) => {
                let usual = if kind == Kind::Clusters { PATIENCE_WITH_CLUSTERS } else { PATIENCE };
                let waits = !unread && !matches!(round.purpose, Purpose::TakeBack(_));
                Step::Put { kind, set, wait: waits.then(|| self.patience.unwrap_or(usual)) }
            }
            Action::Sweep => Step::Sweep(set),
        }));
    }

    fn answered(&mut self, now: Instant, answer: Result<Taken, NotTaken>, steps: &mut Vec<Step>) {
        let Some(mut round) = self.round.take() else { return };
        let Some(action) = round.under_way.take() else {
            self.round = Some(round);
            return;
        };
        match (answer, action) {
            (Err(problem), _) => self.failed(round, problem, steps),
            (Ok(taken), action) => {
                if let (Action::Put(kind), Taken::Unconfirmed | Taken::Confirmed) = (action, taken) {
                    round.report.written.push(kind);
                    round.report.confirmed &= taken == Taken::Confirmed;
                }
                if round.ahead.is_empty() {
                    self.finished(now, round, steps);
                } else {
                    self.round = Some(round);
                }
            }
        }
    }

    /// A refused change is taken back, the newest part first, so that at no time the edge names what Envoy does not have. Nobody is
    /// waited for: what was refused does not run, and an Envoy that restarts must not read it.
    ///
    /// Before the first configuration nothing is known that could come back.
    fn failed(&mut self, round: Round, problem: NotTaken, steps: &mut Vec<Step>) {
        match (round.purpose, &self.current) {
            (Purpose::Change(_), Some(current)) => {
                let before = self.with_older((**current).clone());
                let actions = Kind::ALL.into_iter().rev().map(Action::Put);
                self.round = Some(Round::new(Purpose::TakeBack(problem), before, actions));
            }
            _ => steps.push(Step::Tell(Outcome::NotTaken(problem))),
        }
    }

    fn finished(&mut self, now: Instant, round: Round, steps: &mut Vec<Step>) {
        let Round { purpose, set, mut report, .. } = round;
        let outcome = match purpose {
            Purpose::Change(next) => {
                if let Some(current) = self.current.take() {
                    report.restart = next.need_restart(&current);
                    if *set != *next {
                        // Only now does no edge make plans with it any more.
                        let until = now + self.grace.unwrap_or_else(|| current.longest());
                        self.older.push(Older { until, resources: current });
                    }
                }
                self.current = Some(next);
                Outcome::Live(report)
            }
            Purpose::Removal => Outcome::Removed(report),
            Purpose::TakeBack(problem) => Outcome::NotTaken(problem),
        };
        steps.push(Step::Tell(outcome));
    }
}
