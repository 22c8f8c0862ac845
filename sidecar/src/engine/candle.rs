//! The engine for candle: our own BERT encoder over safetensors. It is the one that can use a GPU.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::bert::{Bert, Config};
use super::pooling::Pooling;
use super::{Batch, Description, Engine, EngineError, Parallel, Weights, device};
use crate::file;

/// The file that candle reads.
pub const WEIGHTS: &str = "model.safetensors";

/// Whether `folder` holds weights that candle reads.
pub fn has_weights(folder: &Path) -> bool {
    folder.join(WEIGHTS).is_file()
}

/// A loaded encoder. Engines share its weights.
pub struct Encoder {
    bert: Arc<Bert>,
    pooling: Pooling,
    place: Device,
    description: Description,
}

impl Encoder {
    /// Reads `config.json` and `model.safetensors`.
    pub fn load(folder: &Path, pooling: Pooling, place: Device) -> Result<Self, EngineError> {
        let path = folder.join("config.json");
        let config: Config = file::json(&path)?;
        config.check().map_err(|error| EngineError::Unusable { path, error })?;
        let path = folder.join(WEIGHTS);
        let unusable =
            |error: candle_core::Error| EngineError::Unusable { path: path.clone(), error: error.to_string() };
        let tensors = candle_core::safetensors::load(&path, &place).map_err(unusable)?;
        let prefixed = tensors.keys().any(|name| name.starts_with("bert."));
        let mut weights = VarBuilder::from_tensors(tensors, DType::F32, &place);
        if prefixed {
            weights = weights.pp("bert");
        }
        let bert = Bert::load(&weights, &config).map_err(unusable)?;
        let description = Description {
            engine: "candle",
            device: device::name(&place),
            dimensions: config.hidden_size,
            parallel: if place.is_cpu() { Parallel::Batches } else { Parallel::One },
        };
        Ok(Self { bert: Arc::new(bert), pooling, place, description })
    }
}

impl Weights for Encoder {
    fn description(&self) -> &Description {
        &self.description
    }

    fn engine(&self, _threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        // Candle has one pool of threads for the process, so an engine cannot have its own.
        Ok(Box::new(Runner { bert: Arc::clone(&self.bert), pooling: self.pooling, place: self.place.clone() }))
    }
}

struct Runner {
    bert: Arc<Bert>,
    pooling: Pooling,
    place: Device,
}

impl Engine for Runner {
    fn embed(&mut self, batch: Batch<'_>, out: &mut Vec<f32>) -> Result<(), EngineError> {
        let embeddings = self.run(batch).map_err(|error| EngineError::Run(error.to_string()))?;
        out.extend(embeddings);
        Ok(())
    }
}

impl Runner {
    fn run(&self, batch: Batch<'_>) -> candle_core::Result<Vec<f32>> {
        let shape = (batch.rows.len(), batch.width);
        let mut ids = Vec::with_capacity(shape.0 * shape.1);
        let mut mask = Vec::with_capacity(shape.0 * shape.1);
        for row in batch.rows {
            let end = ids.len() + batch.width;
            ids.extend_from_slice(row);
            mask.resize(ids.len(), 1.0_f32);
            ids.resize(end, 0);
            mask.resize(end, 0.0);
        }
        let padded = batch.rows.iter().any(|row| row.len() != batch.width);
        let ids = Tensor::from_vec(ids, shape, &self.place)?;
        let mask = if padded { Some(Tensor::from_vec(mask, shape, &self.place)?) } else { None };
        let hidden = self.bert.forward(&ids, mask.as_ref())?;
        pool(&hidden, mask.as_ref(), self.pooling)?.flatten_all()?.to_vec1()
    }
}

/// Pools `hidden`, `[batch, width, dimensions]`, on its device. Moving it to the host first would cost more.
fn pool(hidden: &Tensor, mask: Option<&Tensor>, pooling: Pooling) -> candle_core::Result<Tensor> {
    match (pooling, mask) {
        (Pooling::Cls, _) => hidden.narrow(1, 0, 1)?.squeeze(1)?.contiguous(),
        (Pooling::Mean, None) => hidden.mean(1),
        (Pooling::Max, None) => hidden.max(1),
        (Pooling::Mean, Some(mask)) => {
            let sum = hidden.broadcast_mul(&mask.unsqueeze(2)?)?.sum(1)?;
            sum.broadcast_div(&mask.sum_keepdim(1)?)
        }
        // Padding gets values far below those of any encoder.
        (Pooling::Max, Some(mask)) => hidden.broadcast_add(&mask.affine(1e9, -1e9)?.unsqueeze(2)?)?.max(1),
    }
}
