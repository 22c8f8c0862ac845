//! Reads a model from its folder, and runs it once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::model::Model;
use super::recipe::{Recipe, RecipeError};
use super::tokens::{Tokens, TokensError};
use crate::embed::{Pool, PoolSettings};
use crate::engine::{self, Batch, Description, Engine, EngineError, Weights};
use crate::metrics::ModelMetrics;
use crate::settings::{ModelSettings, QueueSettings, Settings};

/// What is to be served under a name. Two that are equal make the same model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The name, the folder and the engine.
    pub model: ModelSettings,
    /// How its requests wait and are put together.
    pub queue: QueueSettings,
}

impl Wanted {
    /// A model and how its requests wait.
    pub fn new(model: ModelSettings, mut queue: QueueSettings) -> Self {
        // All cores are the same whether they are counted or left out.
        queue.threads = Some(queue.cores());
        Self { model, queue }
    }

    /// What a settings file names, in its order.
    pub fn all(settings: &Settings) -> Vec<Self> {
        settings.models.iter().map(|model| Self::new(model.clone(), settings.queue.clone())).collect()
    }
}

/// Why a model could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Its folder is not there.
    #[error("{0}: no such folder; check models[].path, or run `make fetch` for the test models")]
    NoFolder(PathBuf),
    /// Its configuration cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Its tokenizer cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// Its weights cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Loads what is wanted. Blocks for seconds.
pub(super) fn load(wanted: &Wanted, onnxruntime: Option<&Path>, metrics: ModelMetrics) -> Result<Model, LoadError> {
    let Wanted { model, queue } = wanted;
    let folder: &Path = &model.path;
    if !folder.is_dir() {
        return Err(LoadError::NoFolder(folder.into()));
    }
    let recipe = Recipe::read(folder)?;
    let found = engine::find(folder, model.engine)?;
    let tokens = Tokens::load(folder, &recipe)?;
    let weights = found.load(recipe.pooling, onnxruntime)?;
    let description = weights.description().clone();
    let (workers, threads) = queue.division();
    let pool = PoolSettings {
        max_waiting: queue.max_waiting,
        max_padded: queue.max_padded_tokens,
        workers,
        threads,
        normalize: recipe.normalize,
    };
    let weights: Arc<dyn Weights> = Arc::new(Warm { weights });
    let pool = Pool::start(&weights, &pool, metrics)?;
    // Its tokenizer may know ids that the model does not.
    let vocabulary = recipe.vocabulary.unwrap_or_else(|| tokens.vocabulary());
    Ok(Model { tokens, pool, description, normalize: recipe.normalize, vocabulary })
}

/// Weights whose engines have run once: the first run allocates, and on a GPU it compiles, so that it takes longer.
struct Warm {
    weights: Box<dyn Weights>,
}

impl Weights for Warm {
    fn description(&self) -> &Description {
        self.weights.description()
    }

    fn engine(&self, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        let mut engine = self.weights.engine(threads)?;
        engine.embed(Batch { rows: &[&[0]], width: 1 }, &mut Vec::new())?;
        Ok(engine)
    }
}
