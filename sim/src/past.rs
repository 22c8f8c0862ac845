//! Answers that a later request may build on. <https://platform.openai.com/docs/guides/conversation-state>

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use crate::answer::Answer;

/// More answers than this are not remembered; the oldest goes.
const MOST: usize = 16_384;

/// The answers that were stored.
#[derive(Default)]
pub(crate) struct Past(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    turns: HashMap<String, Turn>,
    order: VecDeque<String>,
}

/// What a later request must know about an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// All tokens up to its end, which are input to what follows.
    pub(crate) tokens: u32,
    /// The ids of its calls, which must be answered.
    pub(crate) calls: Vec<String>,
}

impl Past {
    /// Remembers an answer.
    pub(crate) fn note(&self, answer: &Answer) {
        let calls = answer.choices.iter().flat_map(|choice| &choice.calls).map(|call| format!("call_{}", call.id));
        // What was thought is not part of what follows.
        let tokens = answer.usage.input.saturating_add(answer.usage.output.saturating_sub(answer.usage.reasoning));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("resp_{}", answer.id);
        kept.turns.insert(id.clone(), Turn { tokens, calls: calls.collect() });
        kept.order.push_back(id);
        if kept.order.len() > MOST
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.turns.remove(&oldest);
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).turns.get(id).cloned()
    }
}
