//! The fields of a cell as bytes: the layout's number, then numbers and texts in a fixed order.

use alloc::vec;
use alloc::vec::Vec;

/// Writes fields.
#[derive(Debug)]
pub struct Fields(Vec<u8>);

impl Fields {
    /// Begins a cell with the layout of this number.
    pub fn of(layout: u8) -> Self {
        Self(vec![layout])
    }

    /// Adds a number: eight bytes, the lowest first.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// Adds a number of 128 bits: sixteen bytes, the lowest first.
    #[must_use]
    pub fn amount(mut self, amount: u128) -> Self {
        self.0.extend_from_slice(&amount.to_le_bytes());
        self
    }

    /// Adds bytes, after their length in four bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&len.to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds the bytes that another version has written after the known fields, and ends.
    pub fn end_with(mut self, unknown: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(unknown);
        self.0
    }

    /// The bytes.
    pub fn end(self) -> Vec<u8> {
        self.0
    }
}

/// Reads fields in the order in which they were written. `None` if there are no more.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    /// Begins to read bytes in the layout with this number; `None` if they have another.
    pub fn of(layout: u8, bytes: &'b [u8]) -> Option<Self> {
        let (first, fields) = bytes.split_first()?;
        (*first == layout).then_some(Self(fields))
    }

    /// The next field, a number.
    pub fn number(&mut self) -> Option<u64> {
        let (number, fields) = self.0.split_first_chunk()?;
        self.0 = fields;
        Some(u64::from_le_bytes(*number))
    }

    /// The next field, a number of 128 bits.
    pub fn amount(&mut self) -> Option<u128> {
        let (amount, fields) = self.0.split_first_chunk()?;
        self.0 = fields;
        Some(u128::from_le_bytes(*amount))
    }

    /// The next field, bytes.
    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        let (len, fields) = self.0.split_first_chunk()?;
        let (bytes, fields) = fields.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.0 = fields;
        Some(bytes)
    }

    /// The next field, a text.
    pub fn text(&mut self) -> Option<&'b str> {
        str::from_utf8(self.bytes()?).ok()
    }

    /// The bytes after the fields that were read.
    pub fn unknown(self) -> &'b [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written() {
        let bytes = Fields::of(7).amount(u128::MAX - 1).number(u64::MAX).text("é").bytes(&[]).end_with(&[1, 2]);
        let mut fields = Reader::of(7, &bytes).unwrap();
        assert_eq!(fields.amount(), Some(u128::MAX - 1));
        assert_eq!((fields.number(), fields.text(), fields.bytes()), (Some(u64::MAX), Some("é"), Some(&[][..])));
        assert_eq!(fields.unknown(), [1, 2]);
        assert_eq!((fields.number(), fields.text()), (None, None));
    }

    #[test]
    fn bytes_of_another_layout_or_cut_short_are_nothing() {
        let bytes = Fields::of(7).text("abc").end();
        assert!(Reader::of(8, &bytes).is_none() && Reader::of(7, &[]).is_none());
        for len in 1..bytes.len() {
            assert_eq!(Reader::of(7, &bytes[..len]).unwrap().text(), None, "{len}");
        }
    }
}
