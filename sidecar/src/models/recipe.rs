//! How a model must be used: pooling, normalization, the longest input. sentence-transformers writes this into the model's folder.
//! Start at [`Recipe::read`].

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::embed::Normalize;
use crate::engine::pooling::Pooling;
use crate::file::{FileError, json, optional_json};

/// How a model must be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// How token embeddings become one embedding.
    pub pooling: Pooling,
    /// Whether embeddings are scaled to unit length.
    pub normalize: Normalize,
    /// Longest input in tokens, special tokens included. `None` if no file says it; then the tokenizer's limit counts.
    pub max_tokens: Option<usize>,
    /// How many token ids the model knows, if a file says it. Its tokenizer may know more or fewer.
    pub vocabulary: Option<usize>,
    /// Whether texts are lower-cased before the tokenizer sees them.
    pub case: Case,
    /// The model's default prompt, which is written before every text.
    pub prompt: String,
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
    /// One of its files cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// One of the model's files names a place outside of the model's folder.
    #[error(
        "{path}: the path \"{written}\" leads out of the model's folder; a model has all of its files in its own folder"
    )]
    Elsewhere {
        /// The file that names it.
        path: PathBuf,
        /// As it is written there.
        written: String,
    },
    /// The model is for something else.
    #[error("{path}: {what} scores or labels texts and gives no embeddings; use a model that is made for embeddings")]
    NoEmbeddings {
        /// The file that says so.
        path: PathBuf,
        /// What it is.
        what: String,
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

#[derive(Deserialize)]
struct TokenizerConfig {
    /// If there is no limit, this is a number larger than any integer.
    #[serde(default)]
    model_max_length: Value,
}

#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    #[serde(default)]
    default_prompt_name: Option<String>,
}

#[derive(Deserialize)]
struct ModelConfig {
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    model_type: Option<String>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
}

/// Endings of the names of architectures that give scores and no embeddings: cross-encoders and other classifiers. Models that
/// predict words are not among them, because they are often the base of a model for embeddings.
const HEADS: [&str; 4] =
    ["ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice"];

impl ModelConfig {
    /// The name of the architecture, if it gives no embeddings.
    fn head(&self) -> Option<&String> {
        self.architectures.iter().flatten().find(|name| HEADS.iter().any(|head| name.ends_with(head)))
    }
}

impl Recipe {
    /// Reads the recipe of the model in `folder`.
    ///
    /// A folder without the files of sentence-transformers is used as they use a plain transformer: mean pooling, not normalized.
    pub fn read(folder: &Path) -> Result<Self, RecipeError> {
        let mut recipe = Self {
            pooling: Pooling::Mean,
            normalize: Normalize::No,
            max_tokens: None,
            vocabulary: None,
            case: Case::Keep,
            prompt: String::new(),
        };
        let mut prompts: Prompts =
            optional_json(&folder.join("config_sentence_transformers.json"))?.unwrap_or_default();
        if let Some(name) = prompts.default_prompt_name {
            recipe.prompt = prompts.prompts.remove(&name).unwrap_or_default();
        }
        let modules_path = folder.join("modules.json");
        let mut pooled = false;
        for module in optional_json::<Vec<Module>>(&modules_path)?.unwrap_or_default() {
            let own = inside(folder, &module.path)
                .ok_or_else(|| RecipeError::Elsewhere { path: modules_path.clone(), written: module.path.clone() })?;
            match module.kind.rsplit('.').next() {
                Some("Transformer") => {}
                Some("Pooling") => {
                    pooled = true;
                    recipe.pooling = pooling(&own.join("config.json"), &recipe.prompt)?;
                }
                Some("Normalize") => recipe.normalize = Normalize::Unit,
                _ => return Err(RecipeError::Unsupported { path: modules_path, what: module.kind }),
            }
        }
        if let Some(config) = optional_json::<SentenceConfig>(&folder.join("sentence_bert_config.json"))? {
            recipe.max_tokens = config.max_seq_length;
            recipe.case = if config.do_lower_case { Case::Lower } else { Case::Keep };
        }
        if recipe.max_tokens.is_none() {
            let config = optional_json::<TokenizerConfig>(&folder.join("tokenizer_config.json"))?;
            let longest = config.and_then(|config| config.model_max_length.as_u64());
            recipe.max_tokens = longest.and_then(|longest| usize::try_from(longest).ok());
        }
        let config_path = folder.join("config.json");
        if let Some(config) = optional_json::<ModelConfig>(&config_path)? {
            if let Some(what) = config.head().filter(|_| !pooled) {
                return Err(RecipeError::NoEmbeddings { path: config_path, what: what.clone() });
            }
            recipe.vocabulary = config.vocab_size;
            // A model cannot read more tokens than it has positions, whatever the other files say.
            if let Some(positions) = positions(&config) {
                recipe.max_tokens = Some(recipe.max_tokens.map_or(positions, |max| max.min(positions)));
            }
        }
        Ok(recipe)
    }
}

/// The folder that a model's file calls `written`. `None` if it lies outside of the model's folder, also by a link.
fn inside(folder: &Path, written: &str) -> Option<PathBuf> {
    let below = Path::new(written);
    if !below.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return None;
    }
    let path = folder.join(below);
    match (std::fs::canonicalize(folder), std::fs::canonicalize(&path)) {
        (Ok(folder), Ok(real)) => real.starts_with(folder).then_some(path),
        // A folder that is missing is reported by the code that reads it.
        _ => Some(path),
    }
}

fn positions(config: &ModelConfig) -> Option<usize> {
    // RoBERTa and its descendants count positions from the padding id, so two positions are never used.
    let unused = match config.model_type.as_deref() {
        Some("roberta" | "xlm-roberta" | "xlm-roberta-xl" | "camembert" | "mpnet" | "longformer") => 2,
        _ => 0,
    };
    config.max_position_embeddings.map(|positions| positions.saturating_sub(unused))
}

fn pooling(path: &Path, prompt: &str) -> Result<Pooling, RecipeError> {
    let config: serde_json::Map<String, Value> = json(path)?;
    let unsupported = |what: &str| Err(RecipeError::Unsupported { path: path.into(), what: what.to_owned() });
    if !prompt.is_empty() && config.get("include_prompt") == Some(&Value::Bool(false)) {
        return unsupported("a default prompt that is left out of the pooling");
    }
    // sentence-transformers now writes the name of the mode, or a list of names. Earlier versions wrote a switch for each mode.
    let modes: Vec<&str> = match config.get("pooling_mode") {
        Some(Value::Array(modes)) => modes.iter().filter_map(Value::as_str).collect(),
        Some(mode) => mode.as_str().into_iter().collect(),
        None => {
            let on =
                |(key, value): &(&String, &Value)| key.starts_with("pooling_mode") && value.as_bool() == Some(true);
            config.iter().filter(on).map(|(key, _)| key.as_str()).collect()
        }
    };
    match modes.as_slice() {
        ["cls" | "pooling_mode_cls_token"] => Ok(Pooling::Cls),
        ["mean" | "pooling_mode_mean_tokens"] => Ok(Pooling::Mean),
        ["max" | "pooling_mode_max_tokens"] => Ok(Pooling::Max),
        [mode] => unsupported(mode),
        [] => unsupported("a model without a pooling mode"),
        _ => unsupported("more than one pooling mode"),
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
            ("config.json", r#"{"max_position_embeddings":512,"vocab_size":30522}"#),
            ("config_sentence_transformers.json", r#"{"prompts":{"query":"query: "},"default_prompt_name":"query"}"#),
        ]);
        let expect = Recipe {
            pooling: Pooling::Cls,
            normalize: Normalize::Unit,
            max_tokens: Some(256),
            vocabulary: Some(30522),
            case: Case::Lower,
            prompt: "query: ".into(),
        };
        assert_eq!(Recipe::read(folder.path()).unwrap(), expect);
    }

    /// What sentence-transformers has written since it names the mode: pooling, and no longest input but the tokenizer's.
    #[test]
    fn a_model_that_was_saved_lately_is_read_as_one_saved_before() {
        for (mode, expect) in [(r#""cls""#, Pooling::Cls), (r#""mean""#, Pooling::Mean), (r#"["max"]"#, Pooling::Max)] {
            let folder = folder(&[
                ("modules.json", MODULES),
                ("1_Pooling/config.json", &format!(r#"{{"embedding_dimension":384,"pooling_mode":{mode}}}"#)),
                ("sentence_bert_config.json", r#"{"transformer_task":"feature-extraction"}"#),
                ("tokenizer_config.json", r#"{"model_max_length":256}"#),
                ("config.json", r#"{"max_position_embeddings":512}"#),
            ]);
            let recipe = Recipe::read(folder.path()).unwrap();
            assert_eq!((recipe.pooling, recipe.max_tokens), (expect, Some(256)));
        }
    }

    #[test]
    fn what_sentence_transformers_says_goes_before_the_tokenizer_and_no_limit_is_none() {
        let check = |sentence: &str, tokenizer: &str, expect| {
            let folder = folder(&[("sentence_bert_config.json", sentence), ("tokenizer_config.json", tokenizer)]);
            assert_eq!(Recipe::read(folder.path()).unwrap().max_tokens, expect, "{tokenizer}");
        };
        check(r#"{"max_seq_length":128}"#, r#"{"model_max_length":64}"#, Some(128));
        check("{}", r#"{"model_max_length":64}"#, Some(64));
        check("{}", r#"{"model_max_length":1000000000000000019884624838656}"#, None);
        check("{}", "{}", None);
    }

    #[test]
    fn a_plain_transformer_is_mean_pooled_and_bounded_by_its_positions() {
        for (kind, longest) in [("roberta", 512), ("mpnet", 512), ("bert", 514)] {
            let config = format!(r#"{{"max_position_embeddings":514,"model_type":"{kind}"}}"#);
            let folder = folder(&[("config.json", &config)]);
            let recipe = Recipe::read(folder.path()).unwrap();
            assert_eq!((recipe.pooling, recipe.normalize), (Pooling::Mean, Normalize::No));
            assert_eq!(recipe.max_tokens, Some(longest), "{kind}");
        }
    }

    #[test]
    fn a_default_prompt_that_must_not_be_pooled_is_refused() {
        let folder = folder(&[
            ("modules.json", MODULES),
            ("1_Pooling/config.json", r#"{"pooling_mode_mean_tokens":true,"include_prompt":false}"#),
            ("config_sentence_transformers.json", r#"{"prompts":{"query":"query: "},"default_prompt_name":"query"}"#),
        ]);
        let error = Recipe::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("a default prompt that is left out of the pooling is not supported"), "{error}");
        std::fs::remove_file(folder.path().join("config_sentence_transformers.json")).unwrap();
        assert_eq!(Recipe::read(folder.path()).unwrap().pooling, Pooling::Mean);
    }

    /// A model's files come from elsewhere: `../../etc` was read once.
    #[test]
    fn a_module_that_lies_outside_of_the_models_folder_is_refused() {
        let outside = folder(&[("config.json", r#"{"pooling_mode_cls_token":true}"#)]);
        let model = |path: &str| {
            let modules = serde_json::json!([{ "path": path, "type": "sentence_transformers.models.Pooling" }]);
            folder(&[("modules.json", &modules.to_string()), ("1_Pooling/config.json", r#"{"pooling_mode":"max"}"#)])
        };
        let absolute = outside.path().display().to_string();
        let above = format!("1_Pooling/../../{}", outside.path().file_name().unwrap().display());
        for path in [absolute.as_str(), &above, "..", "1_Pooling/..", "link"] {
            let model = model(path);
            std::os::unix::fs::symlink(outside.path(), model.path().join("link")).unwrap();
            let error = Recipe::read(model.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("the path \"{path}\" leads out of the model's folder")), "{path}: {error}");
        }
        for path in ["1_Pooling", "./1_Pooling/"] {
            assert_eq!(Recipe::read(model(path).path()).unwrap().pooling, Pooling::Max, "{path}");
        }
    }

    /// Its vectors meant nothing.
    #[test]
    fn a_cross_encoder_is_no_model_for_embeddings() {
        let config = r#"{"architectures":["BertForSequenceClassification"],"model_type":"bert"}"#;
        let error = Recipe::read(folder(&[("config.json", config)]).path()).unwrap_err().to_string();
        assert!(error.contains("BertForSequenceClassification scores or labels texts"), "{error}");
        // What sentence-transformers pools has no head any more.
        let pooled = [
            ("config.json", config),
            ("modules.json", MODULES),
            ("1_Pooling/config.json", r#"{"pooling_mode":"cls"}"#),
        ];
        assert!(Recipe::read(folder(&pooled).path()).is_ok());
        for other in [r#"{"architectures":["BertForMaskedLM"]}"#, r#"{"architectures":null}"#, "{}"] {
            assert!(Recipe::read(folder(&[("config.json", other)]).path()).is_ok(), "{other}");
        }
    }

    #[test]
    fn a_pointer_of_git_is_told_as_one() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 600\n";
        let error = Recipe::read(folder(&[("config.json", pointer)]).path()).unwrap_err().to_string();
        assert!(
            error.contains("config.json: this is a pointer of Git LFS") && error.contains("git lfs pull"),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let dense = r#"[{"path":"2_Dense","type":"sentence_transformers.models.Dense"}]"#;
        let folder = folder(&[("modules.json", dense)]);
        let error = Recipe::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("sentence_transformers.models.Dense is not supported"), "{error}");
    }
}
