//! Token ids of several inputs in one allocation.

/// Token ids of several inputs, row after row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    tokens: Vec<u32>,
    ends: Vec<usize>,
}

impl Rows {
    /// Appends one input.
    pub fn push(&mut self, row: &[u32]) {
        self.tokens.extend_from_slice(row);
        self.ends.push(self.tokens.len());
    }

    /// The input at `index`, empty beyond the last.
    pub fn row(&self, index: usize) -> &[u32] {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(index).copied());
        range.and_then(|(start, end)| self.tokens.get(start..end)).unwrap_or_default()
    }

    /// How many inputs there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no input.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Tokens of all inputs together.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Every input, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len()).map(|index| self.row(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let mut rows = Rows::default();
        rows.push(&[1, 2, 3]);
        rows.push(&[]);
        rows.push(&[4]);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [&[1, 2, 3][..], &[], &[4]]);
        assert_eq!((rows.len(), rows.tokens(), rows.row(7)), (3, 4, &[][..]));
    }
}
