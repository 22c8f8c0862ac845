//! How one try ended.

use weir_hub::fault::FaultKind;

/// How one try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer, which is complete.
    Answered,
    /// The provider's failure, or nobody's answer: see [`FaultKind`].
    Fault(FaultKind),
    /// Nothing came back: the connection failed or was reset, or the limit passed.
    Unanswered,
    /// It was under way when the limit of all tries passed.
    Deadline,
    /// The caller left before the answer was complete.
    ClientLeft,
    /// The caller did not read, and the answer was cut.
    SlowCaller,
}

impl Outcome {
    /// The word for it in plans, records and messages; stable.
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

    /// Reads what [`name`](Self::name) writes.
    pub fn from_name(name: &str) -> Option<Self> {
        let others = [Self::Answered, Self::Unanswered, Self::Deadline, Self::ClientLeft, Self::SlowCaller];
        let fault = FaultKind::from_name(name).map(Self::Fault);
        fault.or_else(|| others.into_iter().find(|outcome| outcome.name() == name))
    }

    /// What went wrong, where that is known.
    pub const fn fault(self) -> Option<FaultKind> {
        match self {
            Self::Fault(kind) => Some(kind),
            Self::Answered | Self::Unanswered | Self::Deadline | Self::ClientLeft | Self::SlowCaller => None,
        }
    }
}
