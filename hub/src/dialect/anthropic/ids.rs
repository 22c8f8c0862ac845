//! Ids of calls, in the characters that this API allows.
//!
//! Callers send back the ids that they received, and Claude refuses any with other characters:
//! `messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`. A conversation that began with
//! another maker's model would fail there.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use sha2::{Digest, Sha256};

use crate::codec::json::Str;

/// A call's id with only allowed characters. The models of other makers use others. A digest of the whole id keeps ids
/// apart that would become equal: `f.a:0` and `f:a.0`.
pub fn call_id(id: &str) -> Cow<'_, str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(allowed) {
        Cow::Borrowed(id)
    } else {
        let mut clean: String = id.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        clean.push('_');
        clean.extend(Sha256::digest(id).iter().take(5).map(|byte| format!("{byte:02x}")));
        Cow::Owned(clean)
    }
}

/// The ids of an answer's calls, as the caller received them.
#[derive(Default)]
pub(super) struct Ids {
    told: BTreeSet<String>,
    /// The number that the next repeated id gets as a suffix. It only grows, so many repeated ids cost no more work
    /// each.
    turn: u64,
}

impl Ids {
    /// The id that the caller receives for `id`. Some models use one id for two calls, but a result must belong to one
    /// call.
    pub(super) fn tell(&mut self, id: Str<'_>) -> String {
        let id = id.text();
        let own = call_id(&id);
        let mut told = String::from(&*own);
        while !self.told.insert(told.clone()) {
            self.turn += 1;
            told = format!("{own}_{}", self.turn);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_other_names_stay_apart() {
        assert_eq!(call_id("toolu_01-a"), "toolu_01-a");
        let ids = ["f.a:0", "f:a.0", "f_a_0", "f.a.0"].map(call_id);
        assert!(ids.iter().enumerate().all(|(at, id)| !ids.iter().take(at).any(|other| other == id)), "{ids:?}");
        assert_eq!(call_id("f.a:0"), call_id("f.a:0"), "a call and its result agree");
    }

    #[test]
    fn calls_of_one_name_are_told_apart() {
        let mut ids = Ids::default();
        let told = ["a", "a", "a_1", "a", "b"].map(|id| ids.tell(Str::Plain(id)));
        assert_eq!(told, ["a", "a_1", "a_1_2", "a_3", "b"]);
    }
}
