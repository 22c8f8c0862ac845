//! The models that are served, and how far each got. Start at [`Models`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;

use crate::embed::{Normalize, Pool, PoolSettings};
use crate::engine::{self, Description, EngineError};
use crate::metrics::Metrics;
use crate::settings::{ModelSettings, Settings};

pub mod recipe;
pub mod tokens;

use recipe::{Recipe, RecipeError};
use tokens::{Tokens, TokensError};

/// A model that can be asked.
pub struct Model {
    /// Turns texts into tokens.
    pub tokens: Tokens,
    /// Runs them.
    pub pool: Pool,
    /// What was loaded.
    pub description: Description,
    /// Whether its embeddings have unit length.
    pub normalize: Normalize,
    vocabulary: usize,
}

impl Model {
    /// Every token id a caller may send is less than this.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }
}

/// How far a model got.
#[derive(Clone)]
pub enum State {
    /// It is being read.
    Loading,
    /// It serves.
    Ready(Arc<Model>),
    /// It could not be loaded, and why.
    Failed(Arc<str>),
}

/// Why a model could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Its folder is not there.
    #[error("{0}: no such folder; check models[].path, or run `make fetch` for the test models")]
    NoFolder(std::path::PathBuf),
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

/// Every configured model.
pub struct Models {
    entries: Vec<Entry>,
}

/// A configured model.
pub struct Entry {
    /// Name that callers write.
    pub name: String,
    /// Where its files are.
    folder: PathBuf,
    /// Read by every request, written twice in a lifetime: readers never wait.
    state: ArcSwap<State>,
}

impl Entry {
    /// How far it got.
    pub fn state(&self) -> State {
        State::clone(&self.state.load())
    }

    /// Why it failed, as its callers are told: without the folders of this machine.
    pub fn told(&self, error: &str) -> String {
        let folder = self.folder.display().to_string();
        error.replace(&format!("{folder}/"), "").replace(&folder, "the model's folder")
    }

    fn set(&self, state: State) {
        self.state.store(Arc::new(state));
    }
}

impl Models {
    /// All models, none of them loaded yet.
    pub fn new(settings: &[ModelSettings]) -> Self {
        let entry = |model: &ModelSettings| Entry {
            name: model.name.clone(),
            folder: model.path.clone(),
            state: ArcSwap::from_pointee(State::Loading),
        };
        Self { entries: settings.iter().map(entry).collect() }
    }

    /// The model that callers call `name`.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// All, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Loads them one after the other; one that fails does not keep the others from serving. Blocks.
    pub fn load(&self, settings: &Settings, metrics: &Metrics) {
        for (entry, model) in self.entries.iter().zip(&settings.models) {
            // Graphs and weights are files from elsewhere, read by code that is not ours.
            let loaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| load(model, settings, metrics)));
            match loaded {
                Ok(Ok(ready)) => {
                    let Description { engine, device, dimensions, .. } = &ready.description;
                    tracing::info!(model = entry.name, engine, device, dimensions, "model ready");
                    entry.set(State::Ready(Arc::new(ready)));
                }
                Ok(Err(error)) => entry.fail(&error.to_string()),
                Err(_) => entry.fail("its files made a library panic; check that they are whole"),
            }
        }
    }
}

impl Entry {
    fn fail(&self, error: &str) {
        tracing::error!(model = self.name, error, "model failed to load");
        self.set(State::Failed(error.into()));
    }
}

fn load(model: &ModelSettings, settings: &Settings, metrics: &Metrics) -> Result<Model, LoadError> {
    let folder: &Path = &model.path;
    if !folder.is_dir() {
        return Err(LoadError::NoFolder(folder.into()));
    }
    let recipe = Recipe::read(folder)?;
    let found = engine::find(folder, model.engine)?;
    let tokens = Tokens::load(folder, &recipe)?;
    let weights = found.load(recipe.pooling, settings.onnxruntime.as_deref())?;
    let description = weights.description().clone();
    let (workers, threads) = settings.queue.division();
    let pool = PoolSettings {
        max_waiting: settings.queue.max_waiting,
        max_padded: settings.queue.max_padded_tokens,
        workers,
        threads,
        normalize: recipe.normalize,
    };
    let pool = Pool::start(&weights.into(), &pool, metrics.model(&model.name))?;
    // Its tokenizer may know ids that the model does not.
    let vocabulary = recipe.vocabulary.unwrap_or_else(|| tokens.vocabulary());
    Ok(Model { tokens, pool, description, normalize: recipe.normalize, vocabulary })
}
