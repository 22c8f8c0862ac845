//! Texts to token ids, truncated as sentence-transformers truncates: to the model's longest input, special tokens kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use thiserror::Error;
use tokenizers::{Encoding, Tokenizer, TruncationDirection, TruncationParams};

use super::recipe::{Case, Recipe};
use crate::batch::Rows;

/// What holds where no file of the model says how long an input may be.
const DEFAULT_MAX_TOKENS: usize = 512;

/// How much of a long text is looked at first, for each token that may be kept. Prose has four to six bytes a token.
const USUAL_BYTES: usize = 16;

/// How much more is looked at each time when that was not enough.
const FURTHER: usize = 4;

/// How much of a text is ever looked at, for each token that may be kept, and at least. A tokenizer needs some 300 bytes of memory for each
/// byte of a text, so that 4 MB took more than a gigabyte for the sake of 512 tokens. Only what has next to no tokens, such as
/// 500 kB of spaces, is longer than this and would have had further ones that count.
const MOST_BYTES: usize = 64;
const MOST_AT_LEAST: usize = 512 << 10;

/// How many tokens a part of a text must have beyond those that are kept. The cut may change the last word's: of a word,
/// `WordPiece` makes 100 tokens at most, since it takes longer ones for unknown; what other tokenizers merge reaches less far.
const BEYOND: usize = 512;

/// Turns texts into token ids.
pub struct Tokens {
    tokenizer: Tokenizer,
    case: Case,
    prompt: String,
    longest: usize,
    vocabulary: usize,
    /// Tokens are kept from a text's end, which is therefore never cut.
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
        let from_end = own.as_ref().is_some_and(|own| matches!(own.direction, TruncationDirection::Left));
        let truncation = TruncationParams { max_length: max_tokens, stride: 0, ..own.unwrap_or_default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| unloadable(error.to_string()))?;
        // Batches are padded to their own longest input, by the engine.
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
        // A tokenizer is a file from elsewhere, with regular expressions in it: a panic in it must not reach further.
        catch_unwind(AssertUnwindSafe(|| {
            let mut rows = Rows::default();
            for text in texts {
                rows.push(self.row(text)?.0.get_ids());
            }
            Ok(rows)
        }))
        .unwrap_or(Err(TokensError::Failed))
    }

    /// The tokens of a text, and how many of its bytes were looked at for that: as few as give the same tokens as the whole.
    fn row(&self, text: &str) -> Result<(Encoding, usize), TokensError> {
        let most = if self.from_end { text.len() } else { (self.longest * MOST_BYTES).max(MOST_AT_LEAST) };
        let mut bytes = (self.longest + BEYOND) * USUAL_BYTES;
        loop {
            bytes = bytes.min(most);
            let part = beginning(text, bytes);
            let encoding = self.encode(part)?;
            let beyond: usize = encoding.get_overflowing().iter().map(|more| more.get_ids().len()).sum();
            if part.len() == text.len() || bytes == most || beyond >= BEYOND {
                return Ok((encoding, part.len()));
            }
            bytes *= FURTHER;
        }
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

/// The first `bytes` of a text, less what would cut a character, or a word whose beginning is near.
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

    fn tokens(change: impl FnOnce(&mut Recipe)) -> Tokens {
        let mut recipe = Recipe::read(&minilm()).unwrap();
        change(&mut recipe);
        Tokens::load(&minilm(), &recipe).unwrap()
    }

    /// Texts with many tokens and with few, with words that the first cut goes through at every place, and with long ones.
    fn texts() -> Vec<String> {
        let prose = "A weir is the low dam that meters a stream; naïve \u{e9}tudes, E\u{301}. ".repeat(3000);
        let mut texts = vec![
            String::new(),
            " ".repeat(90_000) + "spaces first",
            "a".repeat(60_000),
            "a".repeat(90_000) + " behind a word that is too long",
            "流".repeat(40_000),
            "한국어".repeat(20_000),
            "🦀👩‍👩‍👧".repeat(9_000),
            "e\u{301}".repeat(40_000),
            ".".repeat(60_000),
            "0123456789abcdef".repeat(4_000) + " and after it",
            "ΣΑΣ ".repeat(20_000),
        ];
        // Long words, some of which `WordPiece` still takes, shifted by each number of bytes.
        for length in [7, 60, 99, 100, 101, 300] {
            let words = ("supercalifragilistic".repeat(20).split_at(length).0.to_owned() + " ").repeat(60_000 / length);
            texts.extend([0, 1, 2, 3, 5, 8, 13, 50].map(|shift| "x ".repeat(shift) + &words));
        }
        texts.extend((0..8).map(|shift| "x".repeat(shift) + &prose));
        texts
    }

    #[test]
    fn what_is_looked_at_of_a_long_text_gives_the_tokens_of_the_whole() {
        let prompt = |recipe: &mut Recipe| recipe.prompt = "query: ".to_owned();
        let lower = |recipe: &mut Recipe| recipe.case = Case::Lower;
        let short = |recipe: &mut Recipe| recipe.max_tokens = Some(5);
        for tokens in [tokens(|_| ()), tokens(prompt), tokens(lower), tokens(short)] {
            for text in texts() {
                let (row, looked) = tokens.row(&text).unwrap();
                let start: String = text.chars().take(20).collect();
                assert!(row.get_ids() == tokens.encode(&text).unwrap().get_ids(), "{start}… of {} bytes", text.len());
                assert!(looked <= text.len());
            }
        }
    }

    /// Each took 1.3 GB.
    #[test]
    fn of_four_megabytes_a_few_kilobytes_are_looked_at_and_never_more_than_the_most() {
        let tokens = tokens(|_| ());
        for (unit, most) in [
            ("A weir meters a stream. ", 16 << 10),
            ("流", 16 << 10),
            // What gives one token, or none: a word that is too long, as emojis are without a space.
            ("a", MOST_AT_LEAST),
            ("🦀", MOST_AT_LEAST),
            (" ", MOST_AT_LEAST),
        ] {
            let (row, looked) = tokens.row(&unit.repeat((4 << 20) / unit.len())).unwrap();
            assert!(looked <= most, "{unit:?}: {looked} bytes");
            assert!(row.get_ids().len() <= tokens.max_tokens());
        }
    }
}
