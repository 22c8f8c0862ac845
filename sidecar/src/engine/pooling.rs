//! Pooling: several token embeddings become one embedding. The function here runs on the CPU.

/// How token embeddings become one embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's.
    Cls,
    /// The mean of all tokens'.
    Mean,
    /// The largest of all tokens', per dimension.
    Max,
}

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
}
