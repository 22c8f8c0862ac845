//! Embeddings between a caller's dialect and a provider's own API: reads the request, writes the answer. This file
//! serves callers of OpenAI's API, `content.rs` callers of Gemini's.
//!
//! <https://platform.openai.com/docs/api-reference/embeddings>

mod content;
mod openai;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_hub::buffer::{Buffer, malformed, parse};
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::write::{object, string};
use weir_hub::codec::json::{Kind, Raw, scan};
use weir_hub::embed::{Embed, Encoding, Vectors, one_for_each};
use weir_hub::endpoint::{Asked, Endpoint, Family};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::progress::Progress;
use weir_hub::reply::{Passage, Reply};

use crate::provider::{Ask, Body, Provider, To};
use crate::upstream::Upstream;

/// Writes the request for `provider`.
pub(super) fn ask(provider: &dyn Provider, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
    let embed = if call.asked.endpoint == Endpoint::Embeddings { read(call)? } else { content::read(call)? };
    if !speaks_openais(provider, to.upstream, to.model) {
        let api = provider.embed_api().ok_or_else(|| to.wrong_endpoint())?;
        return api.embed(&embed, to);
    }
    to.purpose(&embed);
    to.rest(&embed.extra, &[]);
    let body = openai::write(&embed, to.model);
    let call = Call {
        asked: Asked { endpoint: Endpoint::Embeddings, ..call.asked },
        body: &body,
        scan: &scan(&body)?,
        ..*call
    };
    let ask = provider.relay(&call, to)?;
    Ok(if ask.body == Body::AsIs { Ask { body: Body::Replaced(body), ..ask } } else { ask })
}

/// Whether the upstream embeds in OpenAI's API.
fn speaks_openais(provider: &dyn Provider, upstream: &Upstream, model: &str) -> bool {
    provider.relays(model, Endpoint::Embeddings, upstream)
}

/// Reads a request. Token ids are refused, because they belong to one provider's tokenizer.
pub(super) fn read<'a>(call: &Call<'a>) -> Result<Embed<'a>, Reject> {
    let mut embed = Embed::default();
    let mut given = false;
    for (name, value) in call.scan.members(call.body).filter(|(_, value)| !value.is_null()) {
        let invalid = |problem: &str| Reject::Invalid { field: (*name).to_owned(), problem: problem.to_owned() };
        match &*name {
            "model" | "user" => {}
            "input" => {
                given = true;
                match value.kind() {
                    Kind::String => embed.inputs.extend(value.string()),
                    Kind::Array => {
                        for (index, item) in value.items().enumerate() {
                            embed.inputs.push(item.string().ok_or_else(|| Reject::Invalid {
                                field: format!("input[{index}]"),
                                problem: "it must be a string for this provider".to_owned(),
                            })?);
                        }
                    }
                    _ => return Err(invalid("it must be a string or an array of strings")),
                }
                if embed.inputs.is_empty() || embed.inputs.iter().any(|text| text.is_empty()) {
                    return Err(invalid("it must not be empty"));
                }
            }
            "dimensions" => {
                let count = value.integer().filter(|count| *count > 0);
                embed.dimensions = Some(count.ok_or_else(|| invalid("it must be a whole number of at least 1"))?);
            }
            "encoding_format" => {
                embed.encoding = match value.text() {
                    "\"float\"" => Encoding::Float,
                    "\"base64\"" => Encoding::Base64,
                    _ => return Err(invalid("it must be 'float' or 'base64'")),
                }
            }
            _ => embed.extra.push((name, value)),
        }
    }
    if given { Ok(embed) } else { Err(Reject::Missing { field: "input".to_owned() }) }
}

/// Refuses more texts than the upstream takes at once. Token ids count as one text.
pub(super) fn within(provider: &dyn Provider, call: &Call<'_>, to: &To<'_>) -> Result<(), Reject> {
    let most = provider.most_texts(to.model);
    if !call.asked.endpoint.embeds() || texts(call) <= most {
        return Ok(());
    }
    let problem = match most {
        1 => "it must be a single text for this model".to_owned(),
        most => format!("it must not have more than {most} texts for this provider"),
    };
    Err(to.invalid("input", problem))
}

/// How many texts are to be embedded.
pub(super) fn texts(call: &Call<'_>) -> usize {
    let input = if call.asked.endpoint == Endpoint::BatchEmbedContents { "requests" } else { "input" };
    let input = call.scan.raw(call.body, input).unwrap_or(Raw::NULL);
    match input.items().next().map(Raw::kind) {
        None if input.kind() == Kind::Array => 0,
        None | Some(Kind::Number) => 1,
        Some(_) => input.items().count(),
    }
}

/// How the caller wants its vectors written.
pub(super) fn encoding(call: &Call<'_>) -> Encoding {
    match call.scan.get(call.body, "encoding_format") {
        Some(b"\"base64\"") => Encoding::Base64,
        _ => Encoding::Float,
    }
}

/// An answer being read.
pub(super) struct Embedded {
    provider: &'static dyn Provider,
    buffer: Buffer,
    endpoint: Endpoint,
    encoding: Encoding,
    /// Whether the answer is in OpenAI's format.
    openais: bool,
    texts: Option<usize>,
    progress: Progress,
}

impl Embedded {
    pub(super) fn new(provider: &'static dyn Provider, upstream: &Upstream, start: &ReplyStart<'_>) -> Self {
        let ReplyStart { asked: Asked { endpoint, .. }, encoding, texts, .. } = *start;
        let (buffer, openais, progress) =
            (Buffer::default(), speaks_openais(provider, upstream, start.model), Progress::new(start));
        Self { provider, buffer, endpoint, encoding, openais, texts, progress }
    }
}

impl Reply for Embedded {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        self.buffer.add(chunk)?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let body = self.buffer.take();
        let answer = parse(&body)?;
        if let Some(fault) = self.provider.fault_in_answer(answer) {
            return Err(fault);
        }
        let vectors = if self.openais {
            openai::read(answer)
        } else {
            self.provider.embed_api().and_then(|api| api.embedded(answer))
        };
        let vectors = vectors.ok_or_else(|| malformed("The provider's answer holds no embeddings."))?;
        one_for_each(self.texts, vectors.vectors.len())?;
        if !vectors.model.is_empty() {
            self.progress.model.clone_from(&vectors.model);
        }
        self.progress.usage = vectors.usage;
        if self.endpoint.family() == Family::Gemini {
            content::write(&vectors, self.endpoint, out);
        } else {
            write(&vectors, &self.progress.model, self.encoding, out)?;
        }
        self.progress.finish();
        Ok(Passage::Rewritten)
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }
}

fn write(vectors: &Vectors<'_>, model: &str, encoding: Encoding, out: &mut Vec<u8>) -> Result<(), UpstreamFault> {
    let mut broken = false;
    object(out, |body| {
        body.string("object", "list");
        body.array("data", vectors.vectors.iter().enumerate(), |out, (index, vector)| {
            object(out, |item| {
                item.string("object", "embedding");
                item.number("index", index as u64);
                match encoding {
                    Encoding::Float => item.raw("embedding", vector.text()),
                    Encoding::Base64 => match floats(*vector) {
                        Some(bytes) => string(item.member("embedding"), &STANDARD.encode(bytes)),
                        None => broken = true,
                    },
                }
            });
        });
        body.string("model", model);
        body.object("usage", |usage| {
            usage.number("prompt_tokens", vectors.usage.input);
            usage.number("total_tokens", vectors.usage.input);
        });
    });
    if broken { Err(malformed("The provider's embeddings are not numbers.")) } else { Ok(()) }
}

/// A vector as little-endian 32-bit floats.
fn floats(vector: Raw<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for number in vector.items() {
        #[allow(clippy::cast_possible_truncation, reason = "clients read 32-bit floats")]
        let number = number.number()? as f32;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::trial::{START, upstream};

    /// Otherwise a caller would take each vector for another text's.
    #[test]
    fn there_is_a_vector_for_each_text() {
        let told = |texts: Option<usize>| {
            let start = ReplyStart { asked: Asked { endpoint: Endpoint::Embeddings, ..START.asked }, texts, ..START };
            let gemini = crate::provider::by_name("gemini").unwrap();
            let mut reply = crate::exchange::reply(gemini, &upstream("gemini"), &start);
            let answer = br#"{"embeddings":[{"values":[1]},{"values":[2]}]}"#;
            let mut out = Vec::new();
            reply.read(answer, &mut out).and_then(|_| reply.end(&mut out)).map_err(|fault| fault.kind)
        };
        assert!(told(Some(2)).is_ok() && told(None).is_ok());
        assert_eq!(told(Some(3)), Err(weir_hub::fault::FaultKind::Malformed));
        assert_eq!(told(Some(1)), Err(weir_hub::fault::FaultKind::Malformed));
    }

    #[test]
    fn there_is_a_vector_for_each_text_in_what_is_relayed_too() {
        for dialect in ["openai", "azure", "mistral"] {
            let told = |texts: Option<usize>, answer: &str| {
                let start =
                    ReplyStart { asked: Asked { endpoint: Endpoint::Embeddings, ..START.asked }, texts, ..START };
                let provider = crate::provider::by_name(dialect).unwrap();
                let mut reply = crate::exchange::reply(provider, &upstream(dialect), &start);
                let mut out = Vec::new();
                reply.read(answer.as_bytes(), &mut out).and_then(|_| reply.end(&mut out)).map_err(|fault| fault.kind)
            };
            let vectors = |count: usize| {
                let vector = r#"{"object":"embedding","index":0,"embedding":[1]}"#;
                format!(r#"{{"object":"list","data":[{}],"model":"m"}}"#, alloc::vec![vector; count].join(","))
            };
            for texts in [0, 1, 2] {
                assert!(told(Some(texts), &vectors(texts)).is_ok() && told(None, &vectors(texts)).is_ok(), "{dialect}");
                let more = told(Some(texts), &vectors(texts + 1));
                assert_eq!(more, Err(weir_hub::fault::FaultKind::Malformed), "{dialect}");
            }
            assert_eq!(told(Some(2), &vectors(1)), Err(weir_hub::fault::FaultKind::Malformed), "{dialect}");
        }
    }
}
