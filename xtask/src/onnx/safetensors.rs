//! Reads a safetensors file: eight bytes of length, a JSON header, then the tensors' bytes.
//!
//! Format: <https://github.com/huggingface/safetensors#format>.

use serde_json::Value;

use crate::say::Outcome;

/// A checkpoint in memory.
#[derive(Debug)]
pub(super) struct Checkpoint {
    header: Value,
    bytes: Vec<u8>,
    start: usize,
}

/// One tensor of 32-bit floats, little-endian, rows first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<i64>,
    pub(super) bytes: Vec<u8>,
}

impl Checkpoint {
    /// Takes a file's content.
    pub(super) fn read(bytes: Vec<u8>) -> Outcome<Self> {
        let length = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
        let start = length.and_then(|length| usize::try_from(length).ok()?.checked_add(8));
        let header = start.and_then(|start| serde_json::from_slice(bytes.get(8..start)?).ok());
        match (start, header) {
            (Some(start), Some(header)) => Ok(Self { header, bytes, start }),
            _ => Err("not a safetensors file".to_owned()),
        }
    }

    /// A tensor by name.
    pub(super) fn tensor(&self, name: &str) -> Outcome<Tensor> {
        self.find(name).ok_or_else(|| format!("the checkpoint has no 32-bit float tensor `{name}`"))
    }

    fn find(&self, name: &str) -> Option<Tensor> {
        let entry = self.header.get(name)?;
        if entry.get("dtype")?.as_str()? != "F32" {
            return None;
        }
        let shape: Vec<i64> = entry.get("shape")?.as_array()?.iter().map(Value::as_i64).collect::<Option<_>>()?;
        let offset = |at| {
            let offset = entry.get("data_offsets")?.get(at)?.as_u64()?;
            self.start.checked_add(usize::try_from(offset).ok()?)
        };
        let bytes = self.bytes.get(offset(0)?..offset(1)?)?.to_vec();
        let size = shape.iter().try_fold(4_i64, |size, dimension| size.checked_mul(*dimension))?;
        (usize::try_from(size).ok()? == bytes.len()).then_some(Tensor { shape, bytes })
    }
}

impl Tensor {
    /// Swaps rows and columns of a matrix.
    pub(super) fn transposed(self) -> Outcome<Self> {
        let [rows, columns] = self.shape.as_slice() else {
            return Err(format!("a tensor of {} dimensions is no matrix", self.shape.len()));
        };
        let (count, width) = (to_usize(*rows), to_usize(*columns));
        let mut bytes = Vec::with_capacity(self.bytes.len());
        for column in 0..width {
            for row in 0..count {
                let at = 4 * (row * width + column);
                bytes.extend(self.bytes.get(at..at + 4).unwrap_or_default());
            }
        }
        Ok(Self { shape: vec![*columns, *rows], bytes })
    }

    /// The first row of a matrix, as a vector.
    pub(super) fn first_row(self) -> Outcome<Self> {
        let [_, columns] = self.shape.as_slice() else {
            return Err(format!("a tensor of {} dimensions is no matrix", self.shape.len()));
        };
        let row = self.bytes.get(..4 * to_usize(*columns)).ok_or("an empty matrix has no first row")?;
        Ok(Self { shape: vec![*columns], bytes: row.to_vec() })
    }
}

/// Sizes were multiplied and compared with the bytes that are there, so they fit.
fn to_usize(size: i64) -> usize {
    usize::try_from(size).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn a_matrix_is_read_and_turned() {
        let header = r#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
        let checkpoint = Checkpoint::read(file(header, &floats(&[1., 2., 3., 4., 5., 6.]))).unwrap();
        let turned = checkpoint.tensor("w").unwrap().transposed().unwrap();
        assert_eq!(turned, Tensor { shape: vec![3, 2], bytes: floats(&[1., 4., 2., 5., 3., 6.]) });
        let row = checkpoint.tensor("w").unwrap().first_row().unwrap();
        assert_eq!(row, Tensor { shape: vec![3], bytes: floats(&[1., 2., 3.]) });
        assert!(checkpoint.tensor("x").is_err());
    }

    #[test]
    fn a_broken_file_is_an_error() {
        assert!(Checkpoint::read(Vec::new()).is_err());
        assert!(Checkpoint::read(vec![255; 9]).is_err());
        let short = r#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
        assert!(Checkpoint::read(file(short, &[0; 8])).unwrap().tensor("w").is_err());
        let wrong = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}"#;
        assert!(Checkpoint::read(file(wrong, &[0; 12])).unwrap().tensor("w").is_err());
    }
}
