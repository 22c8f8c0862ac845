//! System messages in the middle of a conversation, for hosts whose chat templates accept them only at the beginning.
//!
//! Such a message keeps its position, so the host can still use its cache of the earlier conversation. It becomes part
//! of the user's message there, in the tags that Claude Code uses for this.

use alloc::format;
use alloc::vec::Vec;

use weir_hub::chat::{Chat, Content, Part, Role, Turn};

/// Whether there is a system message after the first message.
pub(super) fn is_late(chat: &Chat<'_>) -> bool {
    chat.turns.iter().skip(1).any(|turn| turn.role == Role::System)
}

/// Leaves only the first system message.
pub(super) fn first(chat: &mut Chat<'_>) {
    let mut turns: Vec<Turn<'_>> = Vec::with_capacity(chat.turns.len());
    // Parts of system messages that wait for the user's next message.
    let mut open: Vec<Part<'_>> = Vec::new();
    for mut turn in chat.turns.drain(..) {
        match (turn.role, turns.last_mut()) {
            (Role::System, Some(last)) if last.role == Role::System => last.parts.append(&mut turn.parts),
            (Role::System, None) => turns.push(turn),
            (Role::System, Some(last)) => {
                let said = turn.parts.into_iter().map(reminder);
                if last.role == Role::User { last.parts.extend(said) } else { open.extend(said) }
            }
            (Role::User, _) => {
                turn.parts.append(&mut open);
                turns.push(turn);
            }
            (Role::Assistant | Role::Tool, _) => {
                speak(&mut open, turn.at, &mut turns);
                turns.push(turn);
            }
        }
    }
    speak(&mut open, 0, &mut turns);
    chat.turns = turns;
}

/// Adds a message of the user, if there is something to say.
fn speak<'a>(open: &mut Vec<Part<'a>>, at: usize, turns: &mut Vec<Turn<'a>>) {
    if !open.is_empty() {
        turns.push(Turn { role: Role::User, at, parts: core::mem::take(open), extra: Vec::new() });
    }
}

fn reminder(part: Part<'_>) -> Part<'_> {
    match part.content {
        Content::Text(text) => {
            let text = format!("<system-reminder>\n{text}\n</system-reminder>");
            Part { content: Content::Text(text.into()), ..part }
        }
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use weir_hub::endpoint::{Delivery, Endpoint};

    use super::*;
    use crate::config::Preset;
    use crate::exchange::trial::{sent, upstream, written};

    fn asked(preset: &str, messages: &str) -> alloc::string::String {
        let quirks = Preset::all().remove(preset).unwrap().quirks;
        let upstream = crate::upstream::Upstream { quirks, ..upstream("openai") };
        let body = format!(r#"{{"max_tokens":9,"system":"first","messages":[{messages}]}}"#);
        let sent = written(sent(&upstream, Endpoint::Messages, Delivery::Whole, &body, "m").unwrap());
        sent.split_once(r#""messages":"#).unwrap().1.split_once("],\"max").unwrap().0.into()
    }

    #[test]
    fn what_comes_late_keeps_its_place() {
        let said = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
        let late = r#"{"type":"text","text":"<system-reminder>\nlate\n</system-reminder>"}"#;
        let with = |text: &str| format!(r#"{{"role":"user","content":[{{"type":"text","text":"{text}"}},{late}]}}"#);
        let alone = r#"{"role":"user","content":"<system-reminder>\nlate\n</system-reminder>"}"#;
        let first = said("system", "first");
        let check = |messages: &[&str], expect: &[&str]| {
            for preset in ["vllm", "llamacpp", "ollama"] {
                assert_eq!(asked(preset, &messages.join(",")), format!("[{first},{}", expect.join(",")), "{preset}");
            }
        };
        let (user, model, system) = (said("user", "a"), said("assistant", "b"), said("system", "late"));
        check(&[&user, &system, &model, &user], &[&with("a"), &model, &user]);
        check(&[&user, &model, &system, &user], &[&user, &model, &with("a")]);
        check(&[&user, &model, &system], &[&user, &model, alone]);
        check(&[&user, &model], &[&user, &model]);
        let kept = asked("groq", &[&*user, &*system].join(","));
        assert_eq!(kept, format!("[{first},{user},{system}"));
    }
}
