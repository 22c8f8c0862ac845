//! Renames tools whose names a provider would refuse; the answer has the caller's names again.
//!
//! MCP servers use names of more than 64 characters, and Gemini's callers use dots and colons. The new name depends
//! only on the caller's, so the same tool has it in each request of a conversation.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};
use weir_hub::chat::{Chat, Content, ToolChoice};
use weir_hub::codec::json::Str;
use weir_hub::piece::Piece;

/// The tool names that a provider accepts: letters, digits, `_` and a few other characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolName {
    /// The maximum length, in characters.
    pub longest: usize,
    /// The other characters that it may have.
    pub besides: &'static str,
    /// Whether it may begin with something other than a letter or `_`.
    pub begins_with_any: bool,
}

impl ToolName {
    /// The names that OpenAI and most others accept.
    ///
    /// <https://platform.openai.com/docs/api-reference/chat/create#chat_create-tools>, `function.name`
    pub const USUAL: Self = Self { longest: 64, besides: "-", begins_with_any: true };

    fn takes(self, name: &str) -> bool {
        let begins = self.begins_with_any || name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        (1..=self.longest).contains(&name.len()) && begins && name.chars().all(|c| self.may_hold(c))
    }

    fn may_hold(self, c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_' || self.besides.contains(c)
    }

    /// A name that stands for `name`: its beginning, and a digest of the whole. `turn` distinguishes names that would
    /// be equal.
    fn instead(self, name: &str, turn: usize) -> String {
        let mut digest = Sha256::new();
        digest.update(name);
        if turn > 0 {
            digest.update(turn.to_le_bytes());
        }
        let digest = digest.finalize();
        let digest: Vec<String> = digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
        let mut out = String::with_capacity(self.longest);
        if !self.begins_with_any && !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            out.push('_');
        }
        let most = self.longest - DIGITS - 1 - out.len();
        out.extend(name.chars().take(most).map(|c| if self.may_hold(c) { c } else { '_' }));
        out.push('_');
        out.extend(digest);
        out
    }
}

/// The length of the digest in such a name, in hexadecimal digits.
const DIGITS: usize = 10;

/// Renamed tools: the name that was sent and the caller's, sorted by the first.
pub type Renamed = Vec<(String, String)>;

/// `chat` with accepted names, and the list of new names; `None` if all names were accepted.
pub(super) fn renamed<'a>(chat: &Chat<'a>, taken: ToolName) -> Option<(Chat<'a>, Renamed)> {
    if names(chat).all(|name| taken.takes(name)) {
        return None;
    }
    let own: BTreeSet<&str> = names(chat).collect();
    let (mut instead, mut renamed) = (BTreeMap::new(), BTreeMap::new());
    for name in own.iter().filter(|name| !taken.takes(name)) {
        // A name that exists, or was made, blocks at most one turn.
        let free = |other: &String| !own.contains(&**other) && !renamed.contains_key(other);
        if let Some(other) = (0..2 * own.len()).map(|turn| taken.instead(name, turn)).find(free) {
            instead.insert((*name).to_owned(), other.clone());
            renamed.insert(other, (*name).to_owned());
        }
    }
    let mut chat = chat.clone();
    let rename = |name: &mut Cow<'a, str>| {
        if let Some(other) = instead.get(&**name) {
            *name = Cow::Owned(other.clone());
        }
    };
    chat.tools.iter_mut().for_each(|tool| rename(&mut tool.name));
    if let Some(ToolChoice::Named(name)) = &mut chat.tool_choice {
        rename(name);
    }
    for part in chat.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        if let Content::Call { name, .. } = &mut part.content {
            rename(name);
        }
    }
    Some((chat, renamed.into_iter().collect()))
}

/// All tool names in a request.
fn names<'c>(chat: &'c Chat<'_>) -> impl Iterator<Item = &'c str> {
    let chosen = if let Some(ToolChoice::Named(name)) = &chat.tool_choice { Some(&**name) } else { None };
    let called = chat.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match &part.content {
        Content::Call { name, .. } => Some(&**name),
        _ => None,
    });
    chat.tools.iter().map(|tool| &*tool.name).chain(chosen).chain(called)
}

/// The piece with the caller's name for the tool that it calls.
pub(crate) fn restored<'p>(piece: Piece<'p>, renamed: &'p [(String, String)]) -> Piece<'p> {
    match piece {
        Piece::Call { index, id, name } if !renamed.is_empty() => {
            let said = name.text();
            let at = renamed.binary_search_by(|(other, _)| (**other).cmp(&said)).ok();
            let callers = at.and_then(|at| renamed.get(at)).map(|(_, callers)| Str::Plain(callers));
            Piece::Call { index, id, name: callers.unwrap_or(name) }
        }
        piece => piece,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use weir_hub::chat::Tool;

    use super::*;

    fn tool(name: &str) -> Tool<'_> {
        Tool { name: name.into(), description: None, parameters: None, strict: None, cache: None }
    }

    fn chat<'a>(names: &[&'a str]) -> Chat<'a> {
        Chat { tools: names.iter().map(|name| tool(name)).collect(), ..Chat::default() }
    }

    fn of(names: &[&str], taken: ToolName) -> Vec<String> {
        let chat = chat(names);
        let chat = renamed(&chat, taken).map_or(chat.clone(), |(chat, _)| chat);
        chat.tools.into_iter().map(|tool| tool.name.into_owned()).collect()
    }

    #[test]
    fn what_is_taken_keeps_its_name() {
        let long = "n".repeat(64);
        assert_eq!(renamed(&chat(&["get-weather_1", &long]), ToolName::USUAL), None);
    }

    #[test]
    fn a_name_that_stands_for_another_is_taken_and_tells_which() {
        let strict = ToolName { longest: 64, besides: "", begins_with_any: false };
        let long = "mcp__".to_owned() + &"server".repeat(15);
        for taken in [ToolName::USUAL, strict] {
            for name in [&*long, "default_api:look.up", "7-zip!", "b\u{fc}ro", "", "\u{1f600}", "a\"\\b"] {
                let names = of(&[name], taken);
                assert!(taken.takes(&names[0]), "{name}: {names:?}");
                assert_eq!(names, of(&[name, "other"], taken)[..1], "{name}");
            }
        }
        assert!(of(&["look.up"], ToolName::USUAL)[0].starts_with("look_up_"));
        assert!(of(&["7zip"], strict)[0].starts_with("_7zip_"));
    }

    /// Two names are equal in everything that is kept of them, and a caller uses a name that another one would get.
    #[test]
    fn no_two_tools_have_one_name() {
        let long = |end: &str| "n".repeat(90) + end;
        let taken = of(&["look.up"], ToolName::USUAL).remove(0);
        let names = [&*long("a"), &*long("b"), "look.up", "look:up", &*taken];
        let mut other = of(&names, ToolName::USUAL);
        assert_eq!(other[4], taken);
        assert!(other.iter().all(|name| ToolName::USUAL.takes(name)));
        other.sort();
        other.dedup();
        assert_eq!(other.len(), names.len());
    }

    #[test]
    fn a_name_is_the_same_wherever_a_request_has_it() {
        let call = Content::Call { id: "c".into(), name: "look.up".into(), arguments: "{}".into() };
        let turn = weir_hub::chat::Turn {
            role: weir_hub::chat::Role::Assistant,
            at: 0,
            parts: vec![call.into()],
            extra: vec![],
        };
        let chosen = Some(ToolChoice::Named("look.up".into()));
        let chat = Chat { tools: vec![tool("look.up")], tool_choice: chosen, turns: vec![turn], ..Chat::default() };
        let (chat, renamed) = renamed(&chat, ToolName::USUAL).unwrap();
        let [(other, callers)] = &renamed[..] else { panic!("{renamed:?}") };
        assert_eq!(callers, "look.up");
        assert!(names(&chat).count() == 3 && names(&chat).all(|name| name == other));
        let call = |name| Piece::Call { index: 0, id: Str::EMPTY, name };
        assert_eq!(restored(call(Str::Plain(other)), &renamed), call(Str::Plain("look.up")));
        assert_eq!(restored(call(Str::Plain("else")), &renamed), call(Str::Plain("else")));
    }
}
