//! Turns texts into token ids. Long texts are truncated as in sentence-transformers: to the model's longest input, with special
//! tokens kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use thiserror::Error;
use tokenizers::{Encoding, Tokenizer, TruncationDirection, TruncationParams};

use super::recipe::{Case, Recipe};
use crate::embed::Rows;
use crate::file::{FileError, fetched};

/// The longest input, if no file of the model says it.
const DEFAULT_MAX_TOKENS: usize = 512;

/// How many bytes of a text are read for each token that may be kept, and at least. A tokenizer needs about 300 bytes of memory for
/// each byte of a text: a text of 4 MB took more than a gigabyte, of which 512 tokens were kept. The kept tokens stay the same. The
/// cut can only change the last word, of which `WordPiece` makes at most 100 tokens, and thousands of tokens come before it. Only a
/// text with hardly any tokens, such as 500 kB of spaces, could lose tokens that count.
const MOST_BYTES: usize = 64;
const MOST_AT_LEAST: usize = 512 << 10;

/// Turns texts into token ids.
pub struct Tokens {
    tokenizer: Tokenizer,
    case: Case,
    prompt: String,
    longest: usize,
    vocabulary: usize,
    /// Whether the last tokens of a text are kept and not the first. Such a text is never cut.
    from_end: bool,
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
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The tokenizer gave up on a text.
    #[error("the tokenizer failed on one of the inputs")]
    Failed,
}

impl Tokens {
    /// Loads the tokenizer of the model in `folder`.
    pub fn load(folder: &Path, recipe: &Recipe) -> Result<Self, TokensError> {
        let path = folder.join("tokenizer.json");
        let unloadable = |error: String| TokensError::Unloadable { path: path.clone(), error };
        fetched(&path)?;
        let mut tokenizer = Tokenizer::from_file(&path).map_err(|error| unloadable(error.to_string()))?;
        let own = tokenizer.get_truncation().cloned();
        let max_tokens = recipe.max_tokens.or(own.as_ref().map(|own| own.max_length)).unwrap_or(DEFAULT_MAX_TOKENS);
        // `with_truncation` subtracts the special tokens without a check.
        if max_tokens <= 2 {
            return Err(unloadable(format!("inputs of at most {max_tokens} tokens leave no room for text")));
        }
        let from_end = own.as_ref().is_some_and(|own| matches!(own.direction, TruncationDirection::Left));
        let truncation = TruncationParams { max_length: max_tokens, stride: 0, ..own.unwrap_or_default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| unloadable(error.to_string()))?;
        // The engine pads a batch to its longest input.
        tokenizer.with_padding(None);
        let vocabulary = tokenizer.get_vocab_size(true);
        Ok(Self {
            tokenizer,
            case: recipe.case,
            prompt: recipe.prompt.clone(),
            longest: max_tokens,
            vocabulary,
            from_end,
        })
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
        // A tokenizer comes from elsewhere and holds regular expressions. A panic in it must fail this request only.
        catch_unwind(AssertUnwindSafe(|| {
            let mut rows = Rows::default();
            for text in texts {
                rows.push(self.row(text)?.0.get_ids());
            }
            Ok(rows)
        }))
        .unwrap_or(Err(TokensError::Failed))
    }

    /// The tokens of a text, and how many of its bytes were read for them.
    fn row(&self, text: &str) -> Result<(Encoding, usize), TokensError> {
        let most = if self.from_end { text.len() } else { (self.longest * MOST_BYTES).max(MOST_AT_LEAST) };
        let part = beginning(text, most);
        Ok((self.encode(part)?, part.len()))
    }

    fn encode(&self, text: &str) -> Result<Encoding, TokensError> {
        let encoding = if self.case == Case::Keep && self.prompt.is_empty() {
            self.tokenizer.encode_fast(text, true)
        } else {
            let mut prepared = self.prompt.clone() + text;
            if self.case == Case::Lower {
                prepared = prepared.to_lowercase();
            }
            self.tokenizer.encode_fast(prepared, true)
        };
        encoding.map_err(|_| TokensError::Failed)
    }
}

/// At most the first `bytes` of a text. It is cut between characters, and between words if a space is near.
fn beginning(text: &str, bytes: usize) -> &str {
    const NEAR: usize = 256;
    if text.len() <= bytes {
        return text;
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    let part = text.get(..end).unwrap_or_default();
    match part.rfind(char::is_whitespace) {
        Some(space) if end - space <= NEAR => part.get(..space).unwrap_or_default(),
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// The model that `cargo xtask fetch` has put there.
    fn minilm() -> PathBuf {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let xdg = || Some(variable("XDG_CACHE_HOME")?.join("weir"));
        let home = || Some(variable("HOME")?.join(".cache/weir"));
        variable("WEIR_CACHE").or_else(xdg).or_else(home).unwrap().join("models/all-minilm-l6-v2")
    }

    /// Each took 1.3 GB, of 4 MB.
    #[test]
    fn of_a_long_text_no_more_is_looked_at_than_gives_the_tokens_of_the_whole() {
        let tokens = Tokens::load(&minilm(), &Recipe::read(&minilm()).unwrap()).unwrap();
        // Prose, words that the cut goes through, what is a word by each letter, and what is one word, or none.
        for unit in
            ["A weir meters a stream; na\u{ef}ve. ", "supercalifragilistic", "流", ".", "e\u{301} ", "🦀", "a", " "]
        {
            let text = unit.repeat((600 << 10) / unit.len());
            let (row, looked) = tokens.row(&text).unwrap();
            assert!(looked <= MOST_AT_LEAST && looked + 300 > MOST_AT_LEAST, "{unit:?}: {looked} bytes");
            assert!(row.get_ids() == tokens.encode(&text).unwrap().get_ids(), "{unit:?}");
            assert!(row.get_ids().len() <= tokens.max_tokens());
        }
        let short = "流".repeat(1000);
        assert_eq!(tokens.row(&short).unwrap().1, short.len());
    }
}
