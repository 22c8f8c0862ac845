//! Counts a request's messages, parts, tools and texts before any of them is read. Each costs the same work, however
//! short it is, so a body within its size limit could keep a worker busy for seconds.

use alloc::format;

use weir_hub::codec::json::{Kind, Raw, Scan};
use weir_hub::endpoint::{Endpoint, Family};
use weir_hub::fault::Reject;

/// The kinds that are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Message,
    Part,
    Tool,
}

/// The lists at the top level of a body, in every dialect.
const TOP: [(&str, What); 10] = [
    ("messages", What::Message),
    ("input", What::Message),
    ("contents", What::Message),
    ("requests", What::Message),
    ("content", What::Part),
    ("system", What::Part),
    ("systemInstruction", What::Part),
    ("system_instruction", What::Part),
    ("tools", What::Tool),
    ("functions", What::Tool),
];

/// The lists inside such items, and the objects that have further lists. Tool arguments, tool results and schemas are
/// not listed, because they are not read.
const INSIDE: [(&str, What); 12] = [
    ("content", What::Part),
    ("tool_calls", What::Part),
    ("reasoning_details", What::Part),
    ("summary", What::Part),
    ("output", What::Part),
    ("parts", What::Part),
    ("functionResponse", What::Part),
    ("function_response", What::Part),
    ("source", What::Part),
    ("tools", What::Tool),
    ("functionDeclarations", What::Tool),
    ("function_declarations", What::Tool),
];

/// How deep such lists are nested: a document's chunks in a result in a message.
const DEPTH: u32 = 4;

/// The shortest text in a list, with its comma, in bytes.
const SHORTEST: u64 = 3;

#[derive(Default)]
struct Count {
    messages: u64,
    parts: u64,
    tools: u64,
}

/// Refuses a body that has more than `most` of them; `None` means no limit.
pub(super) fn within(most: Option<u64>, endpoint: Endpoint, body: &[u8], scan: &Scan) -> Result<(), Reject> {
    let Some(most) = most else { return Ok(()) };
    if endpoint.is_chat() || endpoint.counts() || endpoint.family() == Family::Gemini {
        // Each of them is an object. Most requests have fewer objects than that, and then there is nothing to count.
        if scan.objects() <= most { Ok(()) } else { chat(most, endpoint, body, scan) }
    } else if body.len() as u64 / SHORTEST > most {
        texts(most, endpoint, body, scan)
    } else {
        Ok(())
    }
}

fn chat(most: u64, endpoint: Endpoint, body: &[u8], scan: &Scan) -> Result<(), Reject> {
    let mut count = Count::default();
    let inner = ["generateContentRequest", "generate_content_request"].map(|name| scan.raw(body, name));
    for (name, what) in TOP {
        let inner = inner.iter().flatten().filter_map(|asked| asked.get(name));
        for value in scan.raw(body, name).into_iter().chain(inner) {
            count.value(value, what, DEPTH);
        }
    }
    let Count { messages, parts, tools } = count;
    if messages + parts + tools <= most {
        return Ok(());
    }
    let messages = match endpoint.family() {
        _ if endpoint == Endpoint::Responses => format!("{messages} input items"),
        Family::Gemini => format!("{messages} contents"),
        _ => format!("{messages} messages"),
    };
    Err(Reject::TooManyParts { counted: format!("{messages}, {parts} parts and calls, and {tools} tools"), most })
}

fn texts(most: u64, endpoint: Endpoint, body: &[u8], scan: &Scan) -> Result<(), Reject> {
    let name = if endpoint == Endpoint::Rerank { "documents" } else { "input" };
    // A number is a token, and a text has many tokens.
    let is_text = |item: &Raw<'_>| item.kind() != Kind::Number;
    let texts = scan.raw(body, name).map_or(0, |list| list.items().filter(is_text).count() as u64);
    if texts <= most { Ok(()) } else { Err(Reject::TooManyParts { counted: format!("{texts} {name} texts"), most }) }
}

impl Count {
    fn value(&mut self, value: Raw<'_>, what: What, depth: u32) {
        for item in value.items() {
            match what {
                What::Message => self.messages += 1,
                What::Part => self.parts += 1,
                What::Tool => self.tools += 1,
            }
            self.inside(item, depth);
        }
        self.inside(value, depth);
    }

    fn inside(&mut self, object: Raw<'_>, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for (name, value) in object.members() {
            if let Some((_, what)) = INSIDE.iter().find(|(known, _)| *known == name) {
                self.value(value, *what, depth);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use weir_hub::codec::json::scan;

    use super::*;

    /// The count for a body in which `@` stands for a list of this many items.
    fn counted(endpoint: Endpoint, body: &str, item: &str, items: usize, most: u64) -> Option<String> {
        let body = body.replace('@', &format!("[{}]", vec![item; items].join(",")));
        let scan = scan(body.as_bytes()).unwrap();
        match within(Some(most), endpoint, body.as_bytes(), &scan) {
            Err(Reject::TooManyParts { counted, .. }) => Some(counted),
            outcome => {
                outcome.unwrap();
                None
            }
        }
    }

    #[test]
    fn what_costs_work_is_counted_in_every_dialect() {
        let check = |endpoint, body, item, expect: &str| {
            assert_eq!(counted(endpoint, body, item, 60, 62).as_deref(), None, "{body}");
            assert_eq!(counted(endpoint, body, item, 60, 59).as_deref(), Some(expect), "{body}");
        };
        let message = r#"{"role":"user","content":"a"}"#;
        check(Endpoint::Chat, r#"{"messages":@}"#, message, "60 messages, 0 parts and calls, and 0 tools");
        let text = r#"{"type":"text","text":"a"}"#;
        check(Endpoint::Chat, r#"{"messages":[{"content":@}]}"#, text, "1 messages, 60 parts and calls, and 0 tools");
        check(
            Endpoint::Chat,
            r#"{"messages":[{"tool_calls":@}]}"#,
            "{}",
            "1 messages, 60 parts and calls, and 0 tools",
        );
        check(
            Endpoint::Chat,
            r#"{"tools":@}"#,
            r#"{"type":"function"}"#,
            "0 messages, 0 parts and calls, and 60 tools",
        );
        check(Endpoint::Messages, r#"{"system":@}"#, text, "0 messages, 60 parts and calls, and 0 tools");
        let result = r#"{"messages":[{"content":[{"type":"tool_result","content":@}]}]}"#;
        check(Endpoint::CountTokens, result, text, "1 messages, 61 parts and calls, and 0 tools");
        let chunks = r#"{"system":[],"messages":[{"content":[{"content":[{"source":{"content":@}}]}]}]}"#;
        assert!(counted(Endpoint::Messages, chunks, text, 60, 59).unwrap().contains("62 parts"));
        check(Endpoint::Responses, r#"{"input":@}"#, message, "60 input items, 0 parts and calls, and 0 tools");
        check(
            Endpoint::Responses,
            r#"{"tools":[{"tools":@}]}"#,
            "{}",
            "0 input items, 0 parts and calls, and 61 tools",
        );
        check(
            Endpoint::GenerateContent,
            r#"{"contents":@}"#,
            r#"{"parts":{}}"#,
            "60 contents, 0 parts and calls, and 0 tools",
        );
        check(
            Endpoint::GenerateContent,
            r#"{"contents":{"parts":@}}"#,
            "{}",
            "0 contents, 60 parts and calls, and 0 tools",
        );
        let declared = r#"{"tools":{"function_declarations":@}}"#;
        check(Endpoint::GenerateContent, declared, "{}", "0 contents, 0 parts and calls, and 60 tools");
        let counted_as_asked = r#"{"generateContentRequest":{"contents":@}}"#;
        check(Endpoint::CountContent, counted_as_asked, "{}", "60 contents, 0 parts and calls, and 0 tools");
        let (one, several) = (r#"{"content":{"parts":@}}"#, r#"{"requests":@}"#);
        check(Endpoint::EmbedContent, one, "{}", "0 contents, 60 parts and calls, and 0 tools");
        check(Endpoint::BatchEmbedContents, several, "{}", "60 contents, 0 parts and calls, and 0 tools");
        check(Endpoint::Embeddings, r#"{"input":@}"#, "\"a\"", "60 input texts");
        check(Endpoint::Rerank, r#"{"documents":@}"#, "{}", "60 documents texts");
    }

    /// Data, schemas and tokens are not read.
    #[test]
    fn what_passes_as_it_is_is_not_counted() {
        for (endpoint, body) in [
            (Endpoint::Chat, r#"{"tools":[{"function":{"parameters":{"anyOf":@}}}]}"#),
            (Endpoint::Messages, r#"{"messages":[{"content":[{"type":"tool_use","input":{"rows":@}}]}]}"#),
            (Endpoint::GenerateContent, r#"{"contents":[{"parts":[{"functionResponse":{"response":{"output":@}}}]}]}"#),
        ] {
            assert_eq!(counted(endpoint, body, r#"{"a":1}"#, 60, 9), None, "{body}");
        }
        assert_eq!(counted(Endpoint::Embeddings, r#"{"input":@}"#, "1", 60, 9), None);
        assert_eq!(within(None, Endpoint::Embeddings, b"{}", &scan(b"{}").unwrap()), Ok(()));
    }
}
