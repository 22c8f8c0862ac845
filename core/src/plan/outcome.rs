//! How one try ended.

use weir_hub::fault::FaultKind;

/// How one try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a complete answer.
    Answered,
    /// With a failure of the provider, or of reaching it: see [`FaultKind`].
    Fault(FaultKind),
    /// Without any answer: the connection failed or was reset, or the time limit passed.
    Unanswered,
    /// It was under way when the time limit of all tries passed.
    Deadline,
    /// The caller left before the answer was complete.
    ClientLeft,
    /// The caller did not read, so the answer was cut.
    SlowCaller,
}

impl Outcome {
    /// Its name in plans, records and messages; stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "ok",
            Self::Fault(kind) => kind.name(),
            Self::Unanswered => "unanswered",
            Self::Deadline => "deadline",
            Self::ClientLeft => "client_left",
            Self::SlowCaller => "slow_caller",
        }
    }

    /// Reads the name that [`name`](Self::name) writes.
    pub fn from_name(name: &str) -> Option<Self> {
        let others = [Self::Answered, Self::Unanswered, Self::Deadline, Self::ClientLeft, Self::SlowCaller];
        let fault = FaultKind::from_name(name).map(Self::Fault);
        fault.or_else(|| others.into_iter().find(|outcome| outcome.name() == name))
    }

    /// The fault, if it is one.
    pub const fn fault(self) -> Option<FaultKind> {
        match self {
            Self::Fault(kind) => Some(kind),
            Self::Answered | Self::Unanswered | Self::Deadline | Self::ClientLeft | Self::SlowCaller => None,
        }
    }
}
