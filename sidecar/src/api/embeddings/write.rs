//! Writes the answer of `POST /v1/embeddings` in pieces, so that a long answer is never held as one text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use weir_hub::codec::json::write as json;
use weir_hub::embed::Encoding;

/// A piece is cut after the embedding that makes it this long.
const PIECE_BYTES: usize = 48 * 1024;

/// The longest float in JSON, with its comma: `-1.17549435e-38,`.
const FLOAT_BYTES: usize = 16;

/// An upper limit for the text around an embedding.
const FRAME_BYTES: usize = 64;

/// At most how long an answer will be.
pub fn longest(encoding: Encoding, inputs: usize, dimensions: usize) -> usize {
    let embedding = match encoding {
        Encoding::Float => dimensions.saturating_mul(FLOAT_BYTES),
        Encoding::Base64 => dimensions.saturating_mul(4).div_ceil(3).saturating_mul(4),
    };
    inputs.saturating_mul(embedding.saturating_add(FRAME_BYTES)).saturating_add(4 * FRAME_BYTES)
}

fn write(encoding: Encoding, embedding: &[f32], scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Float => {
            let mut buffer = zmij::Buffer::new();
            out.push(b'[');
            for (index, value) in embedding.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(buffer.format_finite(*value).as_bytes());
            }
            out.push(b']');
        }
        Encoding::Base64 => {
            scratch.clear();
            scratch.extend(embedding.iter().flat_map(|value| value.to_le_bytes()));
            out.push(b'"');
            let start = out.len();
            out.resize(start + scratch.len().div_ceil(3) * 4, 0);
            // The room is exact, so this cannot fail.
            if let Some(room) = out.get_mut(start..) {
                let _ = STANDARD.encode_slice(&scratch, room);
            }
            out.push(b'"');
        }
    }
}

/// The pieces of an answer.
pub struct Pieces {
    values: Vec<f32>,
    dimensions: usize,
    encoding: Encoding,
    /// Everything after the last embedding; taken by the last piece.
    tail: Option<Vec<u8>>,
    next: usize,
    scratch: Vec<u8>,
}

impl Pieces {
    /// `values` holds one embedding of `dimensions` floats, all finite, per input.
    pub fn new(values: Vec<f32>, dimensions: usize, encoding: Encoding, model: &str, tokens: usize) -> Self {
        let mut tail = br#"],"model":"#.to_vec();
        json::string(&mut tail, model);
        tail.extend_from_slice(
            format!(r#","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#).as_bytes(),
        );
        Self { values, dimensions: dimensions.max(1), encoding, tail: Some(tail), next: 0, scratch: Vec::new() }
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.tail.as_ref()?;
        let left = self.values.len() / self.dimensions - self.next;
        let mut piece = Vec::with_capacity(longest(self.encoding, left, self.dimensions).min(PIECE_BYTES * 2));
        if self.next == 0 {
            piece.extend_from_slice(br#"{"object":"list","data":["#);
        }
        for embedding in self.values.chunks_exact(self.dimensions).skip(self.next) {
            if self.next > 0 {
                piece.push(b',');
            }
            piece.extend_from_slice(br#"{"object":"embedding","index":"#);
            piece.extend_from_slice(self.next.to_string().as_bytes());
            piece.extend_from_slice(br#","embedding":"#);
            write(self.encoding, embedding, &mut self.scratch, &mut piece);
            piece.push(b'}');
            self.next += 1;
            if piece.len() >= PIECE_BYTES {
                break;
            }
        }
        if self.next * self.dimensions >= self.values.len() {
            piece.extend_from_slice(&self.tail.take()?);
        }
        Some(piece.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(values: &[f32], dimensions: usize, encoding: Encoding) -> Vec<u8> {
        Pieces::new(values.to_vec(), dimensions, encoding, "m\"", 7).flatten().collect()
    }

    #[test]
    fn an_answer_has_openais_shape() {
        let float = String::from_utf8(whole(&[1.0, -0.5, 1e-10, 2.0], 2, Encoding::Float)).unwrap();
        let expect = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0,-0.5]},{"object":"embedding","index":1,"embedding":[1e-10,2.0]}],"model":"m\"","usage":{"prompt_tokens":7,"total_tokens":7}}"#;
        assert_eq!(float, expect);
        let base64 = String::from_utf8(whole(&[1.0, -0.5], 2, Encoding::Base64)).unwrap();
        assert!(base64.contains(r#""embedding":"AACAPwAAAL8=""#), "{base64}");
    }

    proptest! {
        /// However long the answer, it is valid JSON, every float survives, and the estimate holds.
        #[test]
        fn every_float_survives(
            values in proptest::collection::vec(proptest::num::f32::NORMAL | proptest::num::f32::SUBNORMAL | proptest::num::f32::ZERO, 0..2000),
            dimensions in 1_usize..400,
            base64: bool,
        ) {
            let values: Vec<f32> = values.chunks_exact(dimensions).flatten().copied().collect();
            let encoding = if base64 { Encoding::Base64 } else { Encoding::Float };
            let bytes = whole(&values, dimensions, encoding);
            prop_assert!(bytes.len() <= longest(encoding, values.len() / dimensions, dimensions));
            let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let mut read = Vec::new();
            for (index, item) in answer["data"].as_array().unwrap().iter().enumerate() {
                prop_assert_eq!(item["index"].as_u64(), Some(index as u64));
                match item["embedding"].as_str() {
                    Some(text) => {
                        let raw = STANDARD.decode(text).unwrap();
                        read.extend(raw.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())));
                    }
                    None => read.extend(item["embedding"].as_array().unwrap().iter().map(|value| value.to_string().parse::<f32>().unwrap())),
                }
            }
            prop_assert_eq!(read, values);
        }
    }
}
