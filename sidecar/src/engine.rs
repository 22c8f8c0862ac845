//! What turns token ids into vectors. An engine is one file that implements [`Weights`] and [`Engine`], and one arm in
//! [`load`]. Start at [`Engine`].

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::recipe::Recipe;
use crate::settings::EngineChoice;

pub mod bert;
pub mod candle;
pub mod device;
pub mod onnx;
pub mod pool;

/// Inputs that run together. Rows may differ in length; engines pad them to `width`.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Token ids of each input.
    pub rows: &'a [&'a [u32]],
    /// Length of the longest row.
    pub width: usize,
}

/// Runs batches, one at a time: every worker thread has its own.
pub trait Engine: Send {
    /// Appends one pooled embedding per row to `out`, in the order of the rows.
    fn embed(&mut self, batch: Batch<'_>, out: &mut Vec<f32>) -> Result<(), EngineError>;
}

/// A loaded model, of which every worker gets an [`Engine`].
pub trait Weights: Send + Sync {
    /// What was loaded.
    fn description(&self) -> &Description;
    /// Makes an engine. It may share memory with others; `threads` is how many cores it may use.
    fn engine(&self, threads: usize) -> Result<Box<dyn Engine>, EngineError>;
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The engine's name, as in the settings.
    pub engine: &'static str,
    /// Where it runs: `cpu`, `cuda:0`.
    pub device: String,
    /// Length of its embeddings.
    pub dimensions: usize,
    /// How many token ids it knows, where its files say.
    pub vocabulary: Option<usize>,
    /// Whether several batches gain from running at the same time.
    pub parallel: Parallel,
}

/// Whether several batches gain from running at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parallel {
    /// Cores are divided between batches.
    Batches,
    /// One batch fills the device.
    One,
}

/// Why a model could not be loaded or run. Never holds input.
#[derive(Debug, Error)]
pub enum EngineError {
    /// ONNX Runtime itself is missing or unusable.
    #[error(
        "ONNX Runtime: {0}; set \"onnxruntime\" in the settings, or ORT_DYLIB_PATH, to libonnxruntime.so 1.24 or newer"
    )]
    Runtime(String),
    /// The folder has no model that the engine could run.
    #[error("{path}: no {wanted}; put one there, or choose another engine")]
    Missing {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The model's file cannot be used.
    #[error("{path}: {error}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// A batch failed.
    #[error("inference failed: {0}")]
    Run(String),
}

/// Loads the model in `folder` with the chosen engine.
pub fn load(
    folder: &Path,
    choice: EngineChoice,
    recipe: &Recipe,
    onnxruntime: Option<&Path>,
) -> Result<Box<dyn Weights>, EngineError> {
    let place = device::best();
    let graph = onnx::find(folder);
    match (choice, graph) {
        (EngineChoice::Onnx, None) => Err(EngineError::Missing { path: folder.into(), wanted: ".onnx file" }),
        (EngineChoice::Onnx, Some(graph)) => Ok(Box::new(onnx::Graph::load(&graph, recipe, onnxruntime)?)),
        (EngineChoice::Auto, Some(graph)) if place.is_cpu() => {
            Ok(Box::new(onnx::Graph::load(&graph, recipe, onnxruntime)?))
        }
        (EngineChoice::Auto | EngineChoice::Candle, _) => Ok(Box::new(candle::Encoder::load(folder, recipe, place)?)),
    }
}
