//! The BERT encoder (Devlin et al., 2018, arXiv:1810.04805) in candle: embeddings, then layers of self-attention and a
//! feed-forward network, each followed by a residual and a layer norm.

use candle_core::{Module, Result, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, VarBuilder, embedding, layer_norm, linear, ops};
use serde::Deserialize;

/// What `config.json` says about the encoder.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Which architecture it is; only `bert` is known here.
    pub model_type: String,
    /// How many token ids there are.
    pub vocab_size: usize,
    /// Length of an embedding.
    pub hidden_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of each layer's attention.
    pub num_attention_heads: usize,
    /// Width of the feed-forward network.
    pub intermediate_size: usize,
    /// Its activation.
    pub hidden_act: String,
    /// Longest input.
    pub max_position_embeddings: usize,
    /// Segments that an input may have.
    pub type_vocab_size: usize,
    /// A small number that prevents a division by zero in a layer norm.
    pub layer_norm_eps: f64,
    /// How positions are encoded; only `absolute` is known here.
    #[serde(default)]
    pub position_embedding_type: Option<String>,
}

impl Config {
    /// Refuses models that this encoder would run wrongly.
    pub fn check(&self) -> std::result::Result<(), String> {
        let positions = self.position_embedding_type.as_deref().unwrap_or("absolute");
        if self.model_type != "bert" || positions != "absolute" {
            return Err(format!(
                "model_type \"{}\" with {positions} positions cannot be run by candle here; export it to ONNX",
                self.model_type
            ));
        }
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err("hidden_size is not a multiple of num_attention_heads".to_owned());
        }
        Activation::named(&self.hidden_act).map(|_| ())
    }
}

#[derive(Clone, Copy, Debug)]
enum Activation {
    Gelu,
    GeluTanh,
    Relu,
}

impl Activation {
    fn named(name: &str) -> std::result::Result<Self, String> {
        match name {
            "gelu" => Ok(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Ok(Self::GeluTanh),
            "relu" => Ok(Self::Relu),
            other => Err(format!("hidden_act \"{other}\" is not known; gelu, gelu_new and relu are")),
        }
    }

    fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
            Self::Relu => x.relu(),
        }
    }
}

/// An encoder with its weights.
pub struct Bert {
    words: Embedding,
    positions: Tensor,
    /// The first segment's embedding; inputs have no other.
    segment: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Builds the encoder from its weights.
    pub fn load(weights: &VarBuilder<'_>, config: &Config) -> Result<Self> {
        let activation = Activation::named(&config.hidden_act).map_err(candle_core::Error::msg)?;
        let (hidden, eps) = (config.hidden_size, config.layer_norm_eps);
        let parts = weights.pp("embeddings");
        let segments = parts.get((config.type_vocab_size, hidden), "token_type_embeddings.weight")?;
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::load(&weights.pp(format!("encoder.layer.{index}")), config, activation));
        Ok(Self {
            words: embedding(config.vocab_size, hidden, parts.pp("word_embeddings"))?,
            positions: parts.get((config.max_position_embeddings, hidden), "position_embeddings.weight")?,
            segment: segments.narrow(0, 0, 1)?,
            norm: layer_norm(hidden, eps, parts.pp("LayerNorm"))?,
            layers: layers.collect::<Result<_>>()?,
        })
    }

    /// Token embeddings, `[batch, width, hidden]`, of token ids, `[batch, width]`. `mask` has the shape of `ids`, 1 where a
    /// token is and 0 where padding is; `None` says that nothing is padding.
    pub fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (_, width) = ids.dims2()?;
        let places = self.positions.narrow(0, 0, width)?.broadcast_add(&self.segment)?;
        let mut x = self.norm.forward(&self.words.forward(ids)?.broadcast_add(&places)?)?;
        let bias = mask.map(|mask| mask.affine(1e9, -1e9)?.unsqueeze(1)?.unsqueeze(1)).transpose()?;
        for layer in &self.layers {
            x = layer.forward(&x, bias.as_ref())?;
        }
        Ok(x)
    }
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    merge: Linear,
    attention_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm: LayerNorm,
    activation: Activation,
    heads: usize,
}

impl Layer {
    fn load(weights: &VarBuilder<'_>, config: &Config, activation: Activation) -> Result<Self> {
        let (hidden, wide, eps) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps);
        let own = weights.pp("attention.self");
        Ok(Self {
            query: linear(hidden, hidden, own.pp("query"))?,
            key: linear(hidden, hidden, own.pp("key"))?,
            value: linear(hidden, hidden, own.pp("value"))?,
            merge: linear(hidden, hidden, weights.pp("attention.output.dense"))?,
            attention_norm: layer_norm(hidden, eps, weights.pp("attention.output.LayerNorm"))?,
            widen: linear(hidden, wide, weights.pp("intermediate.dense"))?,
            narrow: linear(wide, hidden, weights.pp("output.dense"))?,
            norm: layer_norm(hidden, eps, weights.pp("output.LayerNorm"))?,
            activation,
            heads: config.num_attention_heads,
        })
    }

    fn forward(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let attended = self.merge.forward(&self.attend(x, bias)?)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        let wide = self.activation.apply(&self.widen.forward(&x)?)?;
        self.norm.forward(&(self.narrow.forward(&wide)? + x)?)
    }

    fn attend(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (batch, width, hidden) = x.dims3()?;
        let size = hidden / self.heads;
        let split = |x: Tensor| x.reshape((batch, width, self.heads, size))?.transpose(1, 2)?.contiguous();
        let (query, key, value) =
            (split(self.query.forward(x)?)?, split(self.key.forward(x)?)?, split(self.value.forward(x)?)?);
        #[allow(clippy::cast_precision_loss, reason = "a head's size is far below 2^52")]
        let scores = (query.matmul(&key.t()?)? * (size as f64).sqrt().recip())?;
        let scores = match bias {
            Some(bias) => scores.broadcast_add(bias)?,
            None => scores,
        };
        let mixed = ops::softmax_last_dim(&scores)?.matmul(&value)?;
        mixed.transpose(1, 2)?.reshape((batch, width, hidden))
    }
}
