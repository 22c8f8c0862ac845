//! How well documents fit a question, whoever asks for it: by the words they share.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{answer::tokens, dialect::quote, field::text};

/// A document and how well it fits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranked {
    /// Its place in the request.
    pub(crate) index: usize,
    pub(crate) text: String,
    /// Between 0 and 1.
    pub(crate) score: f64,
}

/// The texts of documents, each a string or an object with a `text`; nothing where one is neither.
pub(crate) fn texts(documents: &[Value]) -> Option<Vec<String>> {
    let one = |document: &Value| match document {
        Value::String(said) => Some(said.clone()),
        Value::Object(_) => Some(text(document, "text").to_owned()).filter(|said| !said.is_empty()),
        _ => None,
    };
    documents.iter().map(one).collect()
}

/// The `most` documents that fit `query` best, the best first; of those that fit as well, the first.
pub(crate) fn rank(query: &str, texts: Vec<String>, most: usize) -> Vec<Ranked> {
    let asked = words(query);
    let mut ranked: Vec<Ranked> = texts
        .into_iter()
        .enumerate()
        .map(|(index, text)| Ranked { index, score: score(&asked, &words(&text)), text })
        .collect();
    ranked.sort_by(|one, other| other.score.total_cmp(&one.score));
    ranked.truncate(most);
    ranked
}

/// The results as both APIs write them, with the documents where `body` asks for that.
pub(crate) fn results(ranked: &[Ranked], body: &Value) -> String {
    let documented = body.get("return_documents").and_then(Value::as_bool).unwrap_or(false);
    let one = |Ranked { index, text, score }: &Ranked| {
        let document = if documented { format!(r#","document":{{"text":{}}}"#, quote(text)) } else { String::new() };
        format!(r#"{{"index":{index},"relevance_score":{score:.8}{document}}}"#)
    };
    ranked.iter().map(one).collect::<Vec<_>>().join(",")
}

/// How many tokens it takes to compare `query` with each of `texts`.
pub(crate) fn cost(query: &str, texts: &[String]) -> u32 {
    let asked = tokens(query);
    texts.iter().map(|text| asked.saturating_add(tokens(text))).fold(0, u32::saturating_add)
}

/// Most of it for the words that are asked for, a little for saying nothing else.
fn score(asked: &BTreeSet<String>, said: &BTreeSet<String>) -> f64 {
    let shared = asked.intersection(said).count();
    let part = |of: usize| share(shared, of);
    0.01 + 0.85 * part(asked.len()) + 0.13 * part(asked.union(said).count())
}

fn share(some: usize, of: usize) -> f64 {
    let number = |count| u32::try_from(count).map_or(f64::MAX, f64::from);
    if of == 0 { 0.0 } else { number(some) / number(of) }
}

fn words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(query: &str, texts: &[&str], most: usize) -> Vec<usize> {
        let texts = texts.iter().map(|&text| text.to_owned()).collect();
        rank(query, texts, most).iter().map(|ranked| ranked.index).collect()
    }

    #[test]
    fn what_shares_more_words_comes_first() {
        let texts = ["Bread is baked.", "The capital of France is Paris.", "France has a capital", ""];
        assert_eq!(order("What is the capital of France?", &texts, 9), [1, 2, 0, 3]);
        assert_eq!(order("What is the capital of France?", &texts, 2), [1, 2]);
        assert_eq!(order("", &texts, 9), [0, 1, 2, 3]);
    }

    #[test]
    fn a_score_is_between_nothing_and_one() {
        let ranked = rank("a b", vec!["a b".into(), "c".into()], 2);
        assert!(ranked[0].score < 1.0 && ranked[0].score > 0.9 && ranked[1].score > 0.0 && ranked[1].score < 0.1);
    }
}
