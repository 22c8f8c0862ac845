//! How a model folder wants to be used, as sentence-transformers writes it down: pooling, normalization, the longest
//! input. Start at [`Recipe::read`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// How a model wants to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// How token embeddings become one embedding.
    pub pooling: Pooling,
    /// Whether embeddings are scaled to unit length.
    pub normalize: Normalize,
    /// Longest input in tokens, special tokens included. `None` where no file says; the tokenizer's own limit holds then.
    pub max_tokens: Option<usize>,
    /// Whether texts are lower-cased before the tokenizer sees them.
    pub case: Case,
    /// What is written before every text: the model's default prompt.
    pub prompt: String,
}

/// How token embeddings become one embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's.
    Cls,
    /// The mean of all tokens'.
    Mean,
    /// The largest of all tokens', per dimension.
    Max,
}

/// Whether embeddings are scaled to unit length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalize {
    /// They are.
    Unit,
    /// They are left as the model gives them.
    No,
}

/// Whether texts are lower-cased first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They are.
    Lower,
    /// They are left to the tokenizer.
    Keep,
}

/// Why a model's folder cannot be used.
#[derive(Debug, Error)]
pub enum RecipeError {
    /// A file is missing or unreadable.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {error}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        error: serde_json::Error,
    },
    /// The model needs something that is not supported.
    #[error("{path}: {what} is not supported; use a model with cls, mean or max pooling and no further layers")]
    Unsupported {
        /// The file that asks for it.
        path: PathBuf,
        /// What it asks for.
        what: String,
    },
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    #[serde(default)]
    default_prompt_name: Option<String>,
}

#[derive(Deserialize)]
struct PositionConfig {
    max_position_embeddings: Option<usize>,
    model_type: Option<String>,
}

impl Recipe {
    /// Reads the recipe of the model in `folder`.
    ///
    /// Where a folder is a plain transformer without sentence-transformers' files, theirs is the default: mean pooling,
    /// not normalized.
    pub fn read(folder: &Path) -> Result<Self, RecipeError> {
        let mut recipe = Self {
            pooling: Pooling::Mean,
            normalize: Normalize::No,
            max_tokens: None,
            case: Case::Keep,
            prompt: String::new(),
        };
        let modules_path = folder.join("modules.json");
        for module in optional::<Vec<Module>>(&modules_path)?.unwrap_or_default() {
            match module.kind.rsplit('.').next() {
                Some("Transformer") => {}
                Some("Pooling") => recipe.pooling = pooling(&folder.join(&module.path).join("config.json"))?,
                Some("Normalize") => recipe.normalize = Normalize::Unit,
                _ => return Err(RecipeError::Unsupported { path: modules_path, what: module.kind }),
            }
        }
        if let Some(config) = optional::<SentenceConfig>(&folder.join("sentence_bert_config.json"))? {
            recipe.max_tokens = config.max_seq_length;
            recipe.case = if config.do_lower_case { Case::Lower } else { Case::Keep };
        }
        // A model cannot see further than it has positions, whatever the other files say.
        if let Some(positions) = optional::<PositionConfig>(&folder.join("config.json"))?.as_ref().and_then(positions) {
            recipe.max_tokens = Some(recipe.max_tokens.map_or(positions, |max| max.min(positions)));
        }
        let mut prompts: Prompts = optional(&folder.join("config_sentence_transformers.json"))?.unwrap_or_default();
        if let Some(name) = prompts.default_prompt_name {
            recipe.prompt = prompts.prompts.remove(&name).unwrap_or_default();
        }
        Ok(recipe)
    }
}

fn positions(config: &PositionConfig) -> Option<usize> {
    // The RoBERTa family counts positions from the padding id, so two of them are never used.
    let unused = match config.model_type.as_deref() {
        Some("roberta" | "xlm-roberta" | "camembert") => 2,
        _ => 0,
    };
    config.max_position_embeddings.map(|positions| positions.saturating_sub(unused))
}

fn pooling(path: &Path) -> Result<Pooling, RecipeError> {
    let config: serde_json::Map<String, serde_json::Value> = required(path)?;
    let mut modes = config
        .iter()
        .filter(|(key, value)| key.starts_with("pooling_mode") && value.as_bool() == Some(true))
        .map(|(key, _)| key.as_str());
    match (modes.next(), modes.next()) {
        (Some("pooling_mode_cls_token"), None) => Ok(Pooling::Cls),
        (Some("pooling_mode_mean_tokens"), None) => Ok(Pooling::Mean),
        (Some("pooling_mode_max_tokens"), None) => Ok(Pooling::Max),
        (Some(mode), None) => Err(RecipeError::Unsupported { path: path.into(), what: mode.to_owned() }),
        (None, _) => Err(RecipeError::Unsupported { path: path.into(), what: "a model without a pooling mode".into() }),
        _ => Err(RecipeError::Unsupported { path: path.into(), what: "more than one pooling mode".into() }),
    }
}

/// Reads a JSON file that must be there.
pub(crate) fn required<T: DeserializeOwned>(path: &Path) -> Result<T, RecipeError> {
    let bytes = std::fs::read(path).map_err(|error| RecipeError::Unreadable { path: path.into(), error })?;
    serde_json::from_slice(&bytes).map_err(|error| RecipeError::Malformed { path: path.into(), error })
}

fn optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecipeError> {
    match required(path) {
        Ok(value) => Ok(Some(value)),
        Err(RecipeError::Unreadable { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    const MODULES: &str = r#"[{"path":"","type":"sentence_transformers.models.Transformer"},
        {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
        {"path":"2_Normalize","type":"sentence_transformers.models.Normalize"}]"#;

    #[test]
    fn sentence_transformers_files_are_followed() {
        let folder = folder(&[
            ("modules.json", MODULES),
            ("1_Pooling/config.json", r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#),
            ("sentence_bert_config.json", r#"{"max_seq_length":256,"do_lower_case":true}"#),
            ("config.json", r#"{"max_position_embeddings":512}"#),
            ("config_sentence_transformers.json", r#"{"prompts":{"query":"query: "},"default_prompt_name":"query"}"#),
        ]);
        let expect = Recipe {
            pooling: Pooling::Cls,
            normalize: Normalize::Unit,
            max_tokens: Some(256),
            case: Case::Lower,
            prompt: "query: ".into(),
        };
        assert_eq!(Recipe::read(folder.path()).unwrap(), expect);
    }

    #[test]
    fn a_plain_transformer_is_mean_pooled_and_bounded_by_its_positions() {
        let folder = folder(&[("config.json", r#"{"max_position_embeddings":514,"model_type":"roberta"}"#)]);
        let recipe = Recipe::read(folder.path()).unwrap();
        assert_eq!((recipe.pooling, recipe.normalize), (Pooling::Mean, Normalize::No));
        assert_eq!(recipe.max_tokens, Some(512));
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let dense = r#"[{"path":"2_Dense","type":"sentence_transformers.models.Dense"}]"#;
        let folder = folder(&[("modules.json", dense)]);
        let error = Recipe::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("sentence_transformers.models.Dense is not supported"), "{error}");
    }
}
