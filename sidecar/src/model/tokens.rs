//! Texts to token ids, truncated as sentence-transformers truncates: to the model's longest input, special tokens kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use thiserror::Error;
use tokenizers::{Tokenizer, TruncationParams};

use super::recipe::{Case, Recipe};
use crate::batch::Rows;

/// What holds where no file of the model says how long an input may be.
const DEFAULT_MAX_TOKENS: usize = 512;

/// Turns texts into token ids.
pub struct Tokens {
    tokenizer: Tokenizer,
    case: Case,
    prompt: String,
    longest: usize,
    vocabulary: usize,
}

/// Why texts cannot be turned into tokens. Never holds any of the text.
#[derive(Debug, Error)]
pub enum TokensError {
    /// The tokenizer could not be loaded.
    #[error("{path}: {error}; the folder needs the tokenizer.json of its model")]
    Unloadable {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// The tokenizer gave up on a text.
    #[error("the tokenizer failed on one of the inputs")]
    Failed,
}

impl Tokens {
    /// Loads the tokenizer of the model in `folder`.
    pub fn load(folder: &Path, recipe: &Recipe) -> Result<Self, TokensError> {
        let path = folder.join("tokenizer.json");
        let unloadable = |error: String| TokensError::Unloadable { path: path.clone(), error };
        let mut tokenizer = Tokenizer::from_file(&path).map_err(|error| unloadable(error.to_string()))?;
        let own = tokenizer.get_truncation().cloned();
        let max_tokens = recipe.max_tokens.or(own.as_ref().map(|own| own.max_length)).unwrap_or(DEFAULT_MAX_TOKENS);
        // `with_truncation` subtracts the special tokens without looking.
        if max_tokens <= 2 {
            return Err(unloadable(format!("inputs of at most {max_tokens} tokens leave no room for text")));
        }
        let truncation = TruncationParams { max_length: max_tokens, stride: 0, ..own.unwrap_or_default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| unloadable(error.to_string()))?;
        // Batches are padded to their own longest input, by the engine.
        tokenizer.with_padding(None);
        let vocabulary = tokenizer.get_vocab_size(true);
        Ok(Self { tokenizer, case: recipe.case, prompt: recipe.prompt.clone(), longest: max_tokens, vocabulary })
    }

    /// Longest input in tokens, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.longest
    }

    /// How many token ids there are; every id is less.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Turns texts into token ids, one row each, cut to the longest input.
    pub fn rows(&self, texts: &[String]) -> Result<Rows, TokensError> {
        // A tokenizer is a file from elsewhere, with regular expressions in it: a panic in it must not reach further.
        catch_unwind(AssertUnwindSafe(|| {
            let mut rows = Rows::default();
            for text in texts {
                let encoding = if self.case == Case::Keep && self.prompt.is_empty() {
                    self.tokenizer.encode_fast(text.as_str(), true)
                } else {
                    let mut prepared = self.prompt.clone() + text;
                    if self.case == Case::Lower {
                        prepared = prepared.to_lowercase();
                    }
                    self.tokenizer.encode_fast(prepared, true)
                };
                rows.push(encoding.map_err(|_| TokensError::Failed)?.get_ids());
            }
            Ok(rows)
        }))
        .unwrap_or(Err(TokensError::Failed))
    }
}
