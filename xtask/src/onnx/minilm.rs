//! all-MiniLM-L6-v2 as one graph: token ids in, a normalised sentence embedding out.
//!
//! The architecture is BERT's (Devlin et al., 2018) with six layers; pooling is the mean over unmasked tokens, then L2
//! normalisation, as the model's `modules.json` says.

use std::fs;
use std::path::Path;

use super::graph::{Attribute, Dimension, Graph, Name, Port};
use super::safetensors::Checkpoint;
use crate::say::Outcome;

const LAYERS: usize = 6;
const HIDDEN: i64 = 384;
const HEADS: i64 = 12;
/// Added to the scores of masked tokens: nothing is left of them after the softmax.
const MASKED: f32 = -1e9;

/// Writes `onnx` from the checkpoint at `safetensors`.
///
/// Inputs `input_ids` and `attention_mask`, `[batch, sequence]` of int64; output `sentence_embedding`, `[batch, 384]` of
/// float32.
pub(crate) fn write(safetensors: &Path, onnx: &Path) -> Outcome {
    let bytes = fs::read(safetensors).map_err(|error| format!("{}: {error}", safetensors.display()))?;
    let checkpoint = Checkpoint::read(bytes).map_err(|problem| format!("{}: {problem}", safetensors.display()))?;
    fs::write(onnx, Model { graph: Graph::default(), checkpoint }.encoded()?)
        .map_err(|error| format!("{}: {error}", onnx.display()))
}

struct Model {
    graph: Graph,
    checkpoint: Checkpoint,
}

impl Model {
    fn encoded(mut self) -> Outcome<Vec<u8>> {
        let mut hidden = self.embeddings()?;
        let mask = self.graph.op("Cast", &["attention_mask"], &[Attribute::Integer("to", 1)]);
        let penalty = self.penalty(&mask);
        for layer in 0..LAYERS {
            hidden = self.layer(layer, &hidden, &penalty)?;
        }
        self.pool(&hidden, &mask);

        let tokens = [Dimension::Named("batch"), Dimension::Named("sequence")];
        let embedding = [Dimension::Named("batch"), Dimension::Fixed(HIDDEN)];
        let inputs = [Port::Int64("input_ids", &tokens), Port::Int64("attention_mask", &tokens)];
        Ok(self.graph.encoded("all-MiniLM-L6-v2", &inputs, &[Port::Float("sentence_embedding", &embedding)]))
    }

    /// Words, positions and the one segment there is.
    fn embeddings(&mut self) -> Outcome<Name> {
        let graph = &mut self.graph;
        let shape = graph.op("Shape", &["input_ids"], &[]);
        let (zero, one) = (graph.integer(0), graph.integer(1));
        let length = graph.op("Gather", &[&shape, &one], &[Attribute::Integer("axis", 0)]);
        let positions = graph.op("Range", &[&zero, &length, &one], &[]);
        let words = graph.weight(&self.checkpoint.tensor("embeddings.word_embeddings.weight")?);
        let words = graph.op("Gather", &[&words, "input_ids"], &[]);
        let places = graph.weight(&self.checkpoint.tensor("embeddings.position_embeddings.weight")?);
        let places = graph.op("Gather", &[&places, &positions], &[]);
        let segment = self.checkpoint.tensor("embeddings.token_type_embeddings.weight")?.first_row()?;
        let segment = graph.weight(&segment);
        let sum = graph.op("Add", &[&words, &places], &[]);
        let sum = graph.op("Add", &[&sum, &segment], &[]);
        self.norm(&sum, "embeddings.LayerNorm")
    }

    /// What is added to attention scores, `[batch, 1, 1, sequence]`: nothing for tokens, much for padding.
    fn penalty(&mut self, mask: &str) -> Name {
        let graph = &mut self.graph;
        let axes = graph.integers(&[1, 2]);
        let mask = graph.op("Unsqueeze", &[mask, &axes], &[]);
        let one = graph.float(1.0);
        let padding = graph.op("Sub", &[&one, &mask], &[]);
        let much = graph.float(MASKED);
        graph.op("Mul", &[&padding, &much], &[])
    }

    fn layer(&mut self, layer: usize, input: &str, penalty: &str) -> Outcome<Name> {
        let part = |name: &str| format!("encoder.layer.{layer}.{name}");
        let attended = self.attention(&part("attention.self"), input, penalty)?;
        let attended = self.linear(&attended, &part("attention.output.dense"))?;
        let attended = self.graph.op("Add", &[&attended, input], &[]);
        let attended = self.norm(&attended, &part("attention.output.LayerNorm"))?;
        let wide = self.linear(&attended, &part("intermediate.dense"))?;
        let wide = self.graph.op("Gelu", &[&wide], &[]);
        let narrow = self.linear(&wide, &part("output.dense"))?;
        let sum = self.graph.op("Add", &[&narrow, &attended], &[]);
        self.norm(&sum, &part("output.LayerNorm"))
    }

    fn attention(&mut self, name: &str, input: &str, penalty: &str) -> Outcome<Name> {
        let mut heads = |which: &str, order: &[i64]| -> Outcome<Name> {
            let projected = self.linear(input, &format!("{name}.{which}"))?;
            let split = self.graph.integers(&[0, 0, HEADS, HIDDEN / HEADS]);
            let split = self.graph.op("Reshape", &[&projected, &split], &[]);
            Ok(self.graph.op("Transpose", &[&split], &[Attribute::Integers("perm", order)]))
        };
        let query = heads("query", &[0, 2, 1, 3])?;
        let key = heads("key", &[0, 2, 3, 1])?;
        let value = heads("value", &[0, 2, 1, 3])?;
        let graph = &mut self.graph;
        let scores = graph.op("MatMul", &[&query, &key], &[]);
        // The width of a head is 32: its root is the usual scale.
        let scale = graph.float(32_f32.sqrt());
        let scores = graph.op("Div", &[&scores, &scale], &[]);
        let scores = graph.op("Add", &[&scores, penalty], &[]);
        let shares = graph.op("Softmax", &[&scores], &[Attribute::Integer("axis", -1)]);
        let mixed = graph.op("MatMul", &[&shares, &value], &[]);
        let mixed = graph.op("Transpose", &[&mixed], &[Attribute::Integers("perm", &[0, 2, 1, 3])]);
        let merged = graph.integers(&[0, 0, HIDDEN]);
        Ok(graph.op("Reshape", &[&mixed, &merged], &[]))
    }

    /// Mean over unmasked tokens, then L2 normalisation.
    fn pool(&mut self, hidden: &str, mask: &str) {
        let graph = &mut self.graph;
        let (last, middle) = (graph.integers(&[2]), graph.integers(&[1]));
        let mask = graph.op("Unsqueeze", &[mask, &last], &[]);
        let kept = graph.op("Mul", &[hidden, &mask], &[]);
        let sum = [Attribute::Integer("keepdims", 0)];
        let total = graph.op("ReduceSum", &[&kept, &middle], &sum);
        let count = graph.op("ReduceSum", &[&mask, &middle], &sum);
        let mean = graph.op("Div", &[&total, &count], &[]);
        let l2 = [Attribute::Integer("axis", -1), Attribute::Integer("p", 2)];
        graph.op_named("LpNormalization", &[&mean], "sentence_embedding", &l2);
    }

    /// `input · weightᵀ + bias`; checkpoints hold the weight with outputs first.
    fn linear(&mut self, input: &str, name: &str) -> Outcome<Name> {
        let weight = self.checkpoint.tensor(&format!("{name}.weight"))?.transposed()?;
        let weight = self.graph.weight(&weight);
        let bias = self.graph.weight(&self.checkpoint.tensor(&format!("{name}.bias"))?);
        let product = self.graph.op("MatMul", &[input, &weight], &[]);
        Ok(self.graph.op("Add", &[&product, &bias], &[]))
    }

    fn norm(&mut self, input: &str, name: &str) -> Outcome<Name> {
        let scale = self.graph.weight(&self.checkpoint.tensor(&format!("{name}.weight"))?);
        let bias = self.graph.weight(&self.checkpoint.tensor(&format!("{name}.bias"))?);
        let how = [Attribute::Integer("axis", -1), Attribute::Float("epsilon", 1e-12)];
        Ok(self.graph.op("LayerNormalization", &[input, &scale, &bias], &how))
    }
}
