//! Reads the request of `POST /v1/embeddings`. The messages of serde quote the input, which may be private. So an error here holds
//! only the place and our own words.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use weir_hub::embed::Encoding;

use crate::api::Reject;
use crate::embed::Rows;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The model.
    pub model: String,
    /// What to embed.
    pub input: Input,
    /// How embeddings are written.
    pub encoding: Encoding,
    /// How many dimensions are wanted, where that was said.
    pub dimensions: Option<u64>,
}

/// What to embed: at least one input, none of them empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Texts.
    Texts(Vec<String>),
    /// Token ids.
    Tokens(Rows),
}

impl Input {
    /// How many inputs there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Tokens(rows) => rows.len(),
        }
    }

    /// Whether there is none; a request that was read has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A field and what it must be.
type Field = (&'static str, &'static str);

const BODY: Field = ("body", "a JSON object");
const MODEL: Field = ("model", "a string");
const INPUT: Field =
    ("input", "a string, an array of strings, an array of token ids, or an array of arrays of token ids");
const ENCODING: Field = ("encoding_format", "\"float\" or \"base64\"");
const DIMENSIONS: Field = ("dimensions", "a positive integer");
const USER: Field = ("user", "a string");

impl Ask {
    /// Reads a request of at most `max_inputs` inputs.
    pub fn read(body: &[u8], max_inputs: usize) -> Result<Self, Reject> {
        let field = Cell::new(BODY);
        let mut json = serde_json::Deserializer::from_slice(body);
        let draft = DraftSeed { field: &field }.deserialize(&mut json);
        let draft = draft.and_then(|draft| json.end().map(|()| draft)).map_err(|error| refuse(&error, field.get()))?;
        if let Some(name) = draft.unknown {
            return Err(Reject::UnknownParameter { name: name.chars().take(64).collect() });
        }
        let model = draft.model.ok_or(Reject::Missing { param: "model" })?;
        let input = check(draft.input.ok_or(Reject::Missing { param: "input" })?, max_inputs)?;
        let encoding = match draft.encoding.as_deref() {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(_) => {
                let (param, expected) = ENCODING;
                return Err(Reject::Invalid { param: param.to_owned(), problem: format!("must be {expected}") });
            }
        };
        Ok(Self { model, input, encoding, dimensions: draft.dimensions })
    }
}

fn refuse(error: &serde_json::Error, (param, expected): Field) -> Reject {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => Reject::WrongType { param, expected, line, column },
        Category::Eof => Reject::NotJson { what: "it ends too early", line, column },
        Category::Syntax | Category::Io => Reject::NotJson { what: "unexpected character", line, column },
    }
}

fn check(input: Input, max_inputs: usize) -> Result<Input, Reject> {
    let empty = |param: String| Err(Reject::Invalid { param, problem: "must not be empty".to_owned() });
    let given = input.len();
    let hole = match &input {
        Input::Texts(texts) => texts.iter().position(String::is_empty),
        Input::Tokens(rows) => rows.iter().position(<[u32]>::is_empty),
    };
    match hole {
        _ if given > max_inputs => Err(Reject::TooManyInputs { given, limit: max_inputs }),
        _ if given == 0 => empty("input".to_owned()),
        Some(_) if given == 1 => empty("input".to_owned()),
        Some(index) => empty(format!("input[{index}]")),
        None => Ok(input),
    }
}

#[derive(Default)]
struct Draft {
    model: Option<String>,
    input: Option<Input>,
    encoding: Option<String>,
    dimensions: Option<u64>,
    unknown: Option<String>,
}

struct DraftSeed<'a> {
    field: &'a Cell<Field>,
}

impl<'de> DeserializeSeed<'de> for DraftSeed<'_> {
    type Value = Draft;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Draft, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DraftSeed<'_> {
    type Value = Draft;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BODY.1)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Draft, A::Error> {
        let mut draft = Draft::default();
        while let Some(key) = map.next_key::<String>()? {
            let at = |field| self.field.set(field);
            match key.as_str() {
                "model" => (at(MODEL), draft.model = Some(map.next_value()?)).1,
                "input" => (at(INPUT), draft.input = Some(map.next_value_seed(InputSeed)?)).1,
                "encoding_format" => (at(ENCODING), draft.encoding = map.next_value()?).1,
                "dimensions" => (at(DIMENSIONS), draft.dimensions = map.next_value()?).1,
                // The model does not need to know who asks.
                "user" => (at(USER), drop(map.next_value::<Option<String>>()?)).1,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    draft.unknown.get_or_insert(key);
                }
            }
            at(BODY);
        }
        Ok(draft)
    }
}

struct InputSeed;

impl<'de> DeserializeSeed<'de> for InputSeed {
    type Value = Input;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Input, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for InputSeed {
    type Value = Input;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(INPUT.1)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Input, E> {
        Ok(Input::Texts(vec![text.to_owned()]))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Input, E> {
        Ok(Input::Texts(vec![text]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
        let (mut texts, mut flat, mut rows) = (Vec::new(), Vec::new(), Rows::default());
        while let Some(element) = seq.next_element_seed(ElementSeed)? {
            match element {
                Element::Text(text) => texts.push(text),
                Element::Token(id) => flat.push(id),
                Element::Tokens(row) => rows.push(&row),
            }
            let kinds = [!texts.is_empty(), !flat.is_empty(), !rows.is_empty()];
            if kinds.into_iter().filter(|present| *present).count() > 1 {
                return Err(A::Error::custom(INPUT.1));
            }
        }
        if !flat.is_empty() {
            rows.push(&flat);
        }
        Ok(if rows.is_empty() { Input::Texts(texts) } else { Input::Tokens(rows) })
    }
}

enum Element {
    Text(String),
    Token(u32),
    Tokens(Vec<u32>),
}

struct ElementSeed;

impl<'de> DeserializeSeed<'de> for ElementSeed {
    type Value = Element;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Element, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ElementSeed {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a token id, or an array of token ids")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
        Ok(Element::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Element, E> {
        Ok(Element::Text(text))
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Element, E> {
        Ok(Element::Token(token(id)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Element, A::Error> {
        let mut row = Vec::new();
        while let Some(id) = seq.next_element::<u64>()? {
            row.push(token(id));
        }
        Ok(Element::Tokens(row))
    }
}

/// A token id. One that does not fit becomes the largest, which no model has, so it is refused later with its place.
fn token(id: u64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expect: Result<Input, &str>) {
        let read = Ask::read(body.as_bytes(), 3).map(|ask| ask.input).map_err(|reject| reject.to_string());
        assert_eq!(read, expect.map_err(str::to_owned), "{body}");
    }

    fn rows(rows: &[&[u32]]) -> Input {
        let mut all = Rows::default();
        for row in rows {
            all.push(row);
        }
        Input::Tokens(all)
    }

    #[test]
    fn all_four_shapes_of_input_are_read() {
        check(r#"{"model":"m","input":"a\n"}"#, Ok(Input::Texts(vec!["a\n".into()])));
        check(r#"{"model":"m","input":["a","b"],"user":"u"}"#, Ok(Input::Texts(vec!["a".into(), "b".into()])));
        check(r#"{"model":"m","input":[1,2,3,4,5]}"#, Ok(rows(&[&[1, 2, 3, 4, 5]])));
        check(r#"{"model":"m","input":[[1,2],[3]],"dimensions":null}"#, Ok(rows(&[&[1, 2], &[3]])));
    }

    #[test]
    fn a_wrong_request_is_told_where_and_why() {
        check("", Err("The request body is not valid JSON: it ends too early at line 1, column 0."));
        check(
            "{\"model\":\n \"m\",}",
            Err("The request body is not valid JSON: unexpected character at line 2, column 6."),
        );
        check("[]", Err("`body` must be a JSON object (line 1, column 0)."));
        check(r#"{"model":"m"}"#, Err("Missing required parameter: `input`."));
        check(r#"{"input":"a"}"#, Err("Missing required parameter: `model`."));
        check(r#"{"model":"m","input":[]}"#, Err("`input` must not be empty."));
        check(r#"{"model":"m","input":""}"#, Err("`input` must not be empty."));
        check(r#"{"model":"m","input":["a",""]}"#, Err("`input[1]` must not be empty."));
        check(r#"{"model":"m","input":[[1],[]]}"#, Err("`input[1]` must not be empty."));
        check(
            r#"{"model":"m","input":"a","top_k":1}"#,
            Err("Unknown parameter: `top_k`. The local model cannot honour it; leave it out."),
        );
        check(
            r#"{"model":"m","input":["a","b","c","d"]}"#,
            Err("`input` holds 4 inputs; at most 3 are allowed in one request."),
        );
        check(
            r#"{"model":"m","input":"a","encoding_format":"hex"}"#,
            Err("`encoding_format` must be \"float\" or \"base64\"."),
        );
        check(
            r#"{"model":"m","input":"a","dimensions":-1}"#,
            Err("`dimensions` must be a positive integer (line 1, column 40)."),
        );
    }

    #[test]
    fn no_message_quotes_the_text() {
        for body in [
            r#"{"model":"m","input":["ok",7,"secret"]}"#,
            r#"{"model":"m","input":{"secret":1}}"#,
            r#"{"model":"m","input":[-1]}"#,
            r#"{"model":"m","input":"a","dimensions":"secret"}"#,
            r#"{"model":["secret"],"input":"a"}"#,
            r#""secret""#,
        ] {
            let message = Ask::read(body.as_bytes(), 3).unwrap_err().to_string();
            assert!(message.contains("must be") && !message.contains("secret"), "{message}");
        }
    }
}
