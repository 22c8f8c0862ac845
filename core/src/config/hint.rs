//! "Did you mean": finds the known name that is nearest to a mistyped one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A hint with the nearest of `known`. If none is near and they are few, it lists them all.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known.iter().map(|other| (distance(name, other), *other)).min()?;
    if near.0 <= 1 + name.len() / 4 {
        return Some(format!("did you mean \"{}\"?", near.1));
    }
    (known.len() <= 8).then(|| format!("known are: {}", known.join(", ")))
}

/// The Levenshtein distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let here = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            left = here;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        let hint = did_you_mean("antropic", ["openai", "anthropic", "local"]);
        assert_eq!(hint.as_deref(), Some("did you mean \"anthropic\"?"));
    }

    #[test]
    fn a_name_like_no_other_gets_the_list() {
        let hint = did_you_mean("zzzzzzzz", ["openai", "local"]);
        assert_eq!(hint.as_deref(), Some("known are: openai, local"));
    }
}
