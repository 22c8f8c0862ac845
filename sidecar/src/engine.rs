//! Engines turn token ids into vectors. An engine is one file that implements [`Weights`] and [`Engine`], and one arm in
//! [`Found::load`]. Start at [`Engine`].

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::file::{FileError, fetched};
use crate::settings::EngineChoice;

pub mod bert;
pub mod candle;
pub mod device;
pub mod files;
pub mod onnx;
pub mod pooling;

use pooling::Pooling;

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
    #[error("{path}: no {wanted}; {}", files::seen(.path))]
    Missing {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// One of its files cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
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

/// The files that ONNX Runtime runs. If there are several graphs, none is chosen.
const GRAPH: &str = "model.onnx here or in onnx/, nor another .onnx file that is the only one";

/// The files that any engine runs.
const NEITHER: &str = "model.onnx here or in onnx/, nor another .onnx file that is the only one, nor model.safetensors";

/// A model's files, and the engine and device that run them.
pub struct Found<'f> {
    folder: &'f Path,
    engine: EngineChoice,
    graph: Option<PathBuf>,
    place: candle_core::Device,
}

/// Finds the files of the model in `folder` for the chosen engine.
pub fn find(folder: &Path, choice: EngineChoice) -> Result<Found<'_>, EngineError> {
    let place = device::best();
    let (graph, weights) = (files::graph(folder), candle::has_weights(folder));
    let missing = |wanted| Err(EngineError::Missing { path: folder.into(), wanted });
    let engine = choose(choice, graph.is_some(), weights, place.is_cpu());
    match (engine, &graph) {
        (EngineChoice::Onnx, Some(graph)) => files::fetched_graph(graph)?,
        (EngineChoice::Onnx, None) => return missing(GRAPH),
        _ if weights => fetched(&folder.join(candle::WEIGHTS))?,
        _ if choice == EngineChoice::Auto => return missing(NEITHER),
        _ => return missing(candle::WEIGHTS),
    }
    Ok(Found { folder, engine, graph, place })
}

impl Found<'_> {
    /// Loads the model. Its token embeddings will be pooled by `pooling`.
    pub fn load(self, pooling: Pooling, onnxruntime: Option<&Path>) -> Result<Box<dyn Weights>, EngineError> {
        match (self.engine, self.graph) {
            (EngineChoice::Onnx, Some(graph)) => Ok(Box::new(onnx::Graph::load(&graph, pooling, onnxruntime)?)),
            (_, _) => Ok(Box::new(candle::Encoder::load(self.folder, pooling, self.place)?)),
        }
    }
}

/// Chooses the engine of a model that has a `graph` for ONNX Runtime, `weights` for candle, or both. ONNX Runtime is faster on a
/// CPU, and runs only there. On a GPU, candle runs every model that it can read.
fn choose(choice: EngineChoice, graph: bool, weights: bool, on_cpu: bool) -> EngineChoice {
    match choice {
        EngineChoice::Auto if graph && (on_cpu || !weights) => EngineChoice::Onnx,
        EngineChoice::Auto => EngineChoice::Candle,
        chosen => chosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_graphs_none_is_guessed_and_the_error_says_so() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("folder.onnx")).unwrap();
        std::fs::write(folder.path().join("a.onnx"), "").unwrap();
        assert_eq!(files::graph(folder.path()), Some(folder.path().join("a.onnx")));
        std::fs::write(folder.path().join("b.onnx"), "").unwrap();
        for (choice, expect) in [(EngineChoice::Auto, NEITHER), (EngineChoice::Onnx, GRAPH)] {
            let error = find(folder.path(), choice).err().unwrap().to_string();
            assert!(error.contains(&format!("no {expect}; a.onnx and b.onnx are there")), "{error}");
        }
    }

    #[test]
    fn a_model_runs_where_its_files_let_it() {
        let (onnx, candle, auto) = (EngineChoice::Onnx, EngineChoice::Candle, EngineChoice::Auto);
        // Files: graph, weights. Place: a CPU, or a GPU.
        for (files, on_cpu, on_gpu) in [
            ((true, true), onnx, candle),
            ((true, false), onnx, onnx),
            ((false, true), candle, candle),
            ((false, false), candle, candle),
        ] {
            let (graph, weights) = files;
            assert_eq!(choose(auto, graph, weights, true), on_cpu, "{files:?}");
            assert_eq!(choose(auto, graph, weights, false), on_gpu, "{files:?}");
            for wanted in [onnx, candle] {
                assert_eq!(choose(wanted, graph, weights, false), wanted, "what was said holds");
            }
        }
    }
}
