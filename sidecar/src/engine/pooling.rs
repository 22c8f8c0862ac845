//! Token embeddings to one embedding, and to unit length, on the CPU.

use crate::models::recipe::Pooling;

/// Appends the pooled embedding of one input to `out`.
///
/// `hidden` holds the input's token embeddings, `dimensions` floats each; only the first `length` belong to it, the rest
/// is padding.
pub fn pool(pooling: Pooling, hidden: &[f32], dimensions: usize, length: usize, out: &mut Vec<f32>) {
    let start = out.len();
    out.resize(start + dimensions, 0.0);
    let Some(sum) = out.get_mut(start..) else { return };
    let mut tokens = hidden.chunks_exact(dimensions.max(1)).take(length);
    let Some(first) = tokens.next() else { return };
    sum.copy_from_slice(first);
    match pooling {
        Pooling::Cls => {}
        Pooling::Max => {
            for token in tokens {
                sum.iter_mut().zip(token).for_each(|(largest, value)| *largest = largest.max(*value));
            }
        }
        Pooling::Mean => {
            for token in tokens {
                sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
            }
            #[allow(clippy::cast_precision_loss, reason = "inputs are far shorter than 2^24 tokens")]
            let scale = 1.0 / length as f32;
            for sum in sum {
                *sum *= scale;
            }
        }
    }
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

    fn check(pooling: Pooling, expect: [f32; 2]) {
        let mut out = vec![9.0];
        pool(pooling, &[1.0, 5.0, 3.0, 1.0, 100.0, 100.0], 2, 2, &mut out);
        assert_eq!(out, [&[9.0][..], &expect].concat());
    }

    #[test]
    fn padding_is_never_pooled() {
        check(Pooling::Cls, [1.0, 5.0]);
        check(Pooling::Mean, [2.0, 3.0]);
        check(Pooling::Max, [3.0, 5.0]);
    }

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
