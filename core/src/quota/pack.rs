//! Numbers and texts as few bytes: the content of cells that are read and written with every request.

use alloc::vec::Vec;

/// The most bytes of a number of 64 bits.
const SMALL: usize = 10;

/// Bytes that are being written.
#[derive(Debug)]
pub(super) struct Packed(Vec<u8>);

impl Default for Packed {
    /// An account of one subject fits, mostly.
    fn default() -> Self {
        Self(Vec::with_capacity(96))
    }
}

impl Packed {
    /// Adds a number: seven bits in each byte, the lowest first.
    pub(super) fn number(&mut self, number: u128) {
        // Almost every number fits, and 128 bits cost several instructions each in wasm.
        match u64::try_from(number) {
            Ok(small) if small < 0x80 => self.0.push(small.to_le_bytes()[0]),
            Ok(small) => self.small(small),
            Err(_) => self.large(number),
        }
    }

    fn small(&mut self, number: u64) {
        let (mut left, mut bytes, mut len) = (number, [0; SMALL], 0);
        for byte in &mut bytes {
            len += 1;
            *byte = left.to_le_bytes()[0] | 0x80;
            left >>= 7;
            if left == 0 {
                *byte &= 0x7f;
                break;
            }
        }
        self.0.extend_from_slice(bytes.get(..len).unwrap_or_default());
    }

    fn large(&mut self, number: u128) {
        let mut left = number;
        while left >= 0x80 {
            self.0.push(left.to_le_bytes()[0] | 0x80);
            left >>= 7;
        }
        self.0.push(left.to_le_bytes()[0]);
    }

    /// Adds bytes, after their length.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u128);
        self.0.extend_from_slice(bytes);
    }

    /// Adds a text, after its length.
    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Adds bytes without their length: they are the last.
    pub(super) fn rest(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The bytes.
    pub(super) fn end(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes that are being read. `None` if they end too early, or say what cannot be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacked<'b>(&'b [u8]);

impl<'b> Unpacked<'b> {
    /// Begins to read.
    pub(super) fn of(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// A number.
    pub(super) fn number(&mut self) -> Option<u128> {
        match self.short() {
            Some(number) => Some(number.into()),
            None => self.large(),
        }
    }

    /// A number of at most 64 bits.
    pub(super) fn small(&mut self) -> Option<u64> {
        match self.short() {
            Some(number) => Some(number),
            None => self.large()?.try_into().ok(),
        }
    }

    /// A number of at most 63 bits, as almost all are.
    fn short(&mut self) -> Option<u64> {
        let mut number = 0;
        for (at, byte) in self.0.iter().take(SMALL - 1).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.0 = self.0.get(at + 1..)?;
                return Some(number);
            }
        }
        None
    }

    fn large(&mut self) -> Option<u128> {
        let (mut number, mut shift) = (0_u128, 0_u32);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u128::from(byte & 0x7f);
            number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }

    /// Bytes, after their length.
    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        let len = usize::try_from(self.small()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A text, after its length.
    pub(super) fn text(&mut self) -> Option<&'b str> {
        str::from_utf8(self.bytes()?).ok()
    }

    /// All bytes that were not read.
    pub(super) fn rest(self) -> &'b [u8] {
        self.0
    }

    /// Whether all was read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read_as_they_were_written() {
        let numbers = (0..128).flat_map(|bits| [1_u128 << bits, (1 << bits) - 1]).chain([u128::MAX]);
        for number in numbers {
            let mut packed = Packed::default();
            packed.number(number);
            packed.text("é");
            let bytes = packed.end();
            let mut from = Unpacked::of(&bytes);
            assert_eq!((from.number(), from.text(), from.is_empty()), (Some(number), Some("é"), true));
            assert_eq!(Unpacked::of(&bytes[..1]).small().is_none(), number >= 0x80, "{number}");
        }
        assert_eq!(Unpacked::of(&[0xff; 40]).number(), None, "more than 128 bits");
    }
}
