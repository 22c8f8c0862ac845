//! Text in the pieces that stand for tokens here.

/// The pieces of text so large that single tokens would be a waste.
const LARGE_PIECE: usize = 8 << 10;

/// Cuts text into what stands for tokens here: words with the space before them, long ones every eight characters.
pub(crate) fn pieces(text: &str) -> Vec<String> {
    cut(text).map(str::to_owned).collect()
}

/// How many tokens `text` is.
pub(crate) fn tokens(text: &str) -> u32 {
    u32::try_from(cut(text).count()).unwrap_or(u32::MAX)
}

fn cut(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut length = 0;
        let end = rest.char_indices().find_map(|(at, c)| {
            let new_word = at > 0 && c == ' ';
            length += 1;
            (new_word || length > 8).then_some(at)
        });
        let (piece, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The sentence again and again until it is `count` tokens.
pub(super) fn repeat(said: &str, count: u32) -> Vec<String> {
    let once = pieces(said);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    once.iter().cycle().take(count).cloned().collect()
}

/// `size` bytes of text in large pieces.
pub(super) fn filler(size: usize) -> Vec<String> {
    let line = "All work and no play makes a simulator a dull toy. ";
    let piece: String = line.chars().cycle().take(LARGE_PIECE.min(size.max(1))).collect();
    let mut pieces = vec![piece.clone(); size / piece.len()];
    pieces.extend(piece.get(..size % piece.len()).filter(|rest| !rest.is_empty()).map(str::to_owned));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_text() {
        for text in
            ["", "a", "Hello there, wonderful world", "  two  spaces ", "zażółć gęślą jaźń", "東京は夜の七時、です"]
        {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(pieces("Hi there you"), ["Hi", " there", " you"]);
        assert_eq!(tokens("incomprehensibilities"), 3);
    }
}
