//! As much of protobuf's wire format as an ONNX file needs. Field numbers are those of `onnx.proto3`.

/// A message under construction.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// An integer field. Negative values take ten bytes, as protobuf's int64 does.
    pub(super) fn integer(mut self, field: u32, value: i64) -> Self {
        self.tag(field, 0);
        self.varint(value.cast_unsigned());
        self
    }

    /// A float field.
    pub(super) fn float(mut self, field: u32, value: f32) -> Self {
        self.tag(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A string or bytes field.
    pub(super) fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.tag(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// A message field.
    pub(super) fn message(self, field: u32, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// A repeated integer field, not packed: readers must take both.
    pub(super) fn integers(self, field: u32, values: &[i64]) -> Self {
        values.iter().fold(self, |message, value| message.integer(field, *value))
    }

    /// The encoded message.
    pub(super) fn encoded(self) -> Vec<u8> {
        self.0
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, mut value: u64) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_encoded_as_protobufs_documentation_shows() {
        assert_eq!(Message::default().integer(1, 150).encoded(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().bytes(2, "testing").encoded(), b"\x12\x07testing");
        assert_eq!(Message::default().integer(1, -1).encoded(), *b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(Message::default().float(2, 1.0).encoded(), [0x15, 0, 0, 0x80, 0x3f]);
        let inner = Message::default().integer(1, 150);
        assert_eq!(Message::default().message(3, &inner).encoded(), [0x1a, 3, 0x08, 0x96, 0x01]);
    }
}
