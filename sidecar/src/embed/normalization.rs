//! Embeddings of unit length.

/// Whether embeddings are scaled to unit length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalize {
    /// They are.
    Unit,
    /// They are left as the model gives them.
    No,
}

/// Scales an embedding to unit length. A zero vector stays one.
pub fn normalize(embedding: &mut [f32]) {
    // Four sums side by side, so that the compiler can use vector instructions.
    let mut sums = [0.0_f32; 4];
    for values in embedding.chunks(4) {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * value);
    }
    let length = sums.iter().sum::<f32>().sqrt();
    if length > 0.0 {
        let scale = 1.0 / length;
        for value in embedding {
            *value *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_get_unit_length_and_zero_stays_zero() {
        let mut embedding = [3.0, 0.0, 0.0, 0.0, 4.0];
        normalize(&mut embedding);
        assert_eq!(embedding, [0.6, 0.0, 0.0, 0.0, 0.8]);
        let mut zero = [0.0; 3];
        normalize(&mut zero);
        assert_eq!(zero, [0.0; 3]);
    }
}
