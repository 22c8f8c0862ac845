//! Tokens used, and whether they are told.

/// Whether an answer tells the tokens used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsageEvent {
    /// Whole or as a stream.
    Wanted,
    /// Whole, but not as a stream where the dialect leaves that to the caller.
    Unwanted,
    /// Never: the model's name says so.
    Withheld,
}

/// Input tokens that prompt caching changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cache {
    pub(crate) read: u32,
    pub(crate) written: u32,
}

/// Tokens used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// All of the input, cached or not.
    pub(crate) input: u32,
    pub(crate) cache: Cache,
    /// All of the output, reasoning included.
    pub(crate) output: u32,
    /// All of the reasoning, said aloud or not.
    pub(crate) reasoning: u32,
    /// The part of the reasoning that is not said.
    pub(crate) hidden: u32,
}

impl Usage {
    /// What `input` tokens cost to read, before anything is said.
    pub(crate) fn read(input: u32) -> Self {
        Self { input, ..Self::default() }
    }

    /// `input` tokens read and `output` tokens said.
    pub(crate) fn of(input: u32, output: u32) -> Self {
        Self { input, output, ..Self::default() }
    }

    /// The output once `said` of all `pieces` are said. Hidden reasoning comes before the first of them, and each is an equal part of
    /// the rest.
    pub(crate) fn after(&self, said: usize, pieces: usize) -> u32 {
        if said == 0 {
            return 0;
        }
        let aloud = u64::from(self.output.saturating_sub(self.hidden));
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let part = aloud.saturating_mul(number(said)).div_ceil(number(pieces).max(1)).min(aloud);
        self.hidden.saturating_add(u32::try_from(part).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_an_equal_part_of_what_is_said() {
        let usage = Usage { output: 110, reasoning: 100, hidden: 100, ..Usage::default() };
        let check = |pieces, expect: [u32; 4]| {
            assert_eq!([0, 1, 2, pieces].map(|said| usage.after(said, pieces)), expect);
        };
        check(10, [0, 101, 102, 110]);
        check(3, [0, 104, 107, 110]);
        assert_eq!(Usage::read(9).after(1, 1), 0);
    }
}
