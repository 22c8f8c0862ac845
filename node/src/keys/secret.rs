//! A key that nobody can guess.

/// The digits of base 62. They need no quotes in a shell or URL, and a double click selects them all.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// As random as 32 bytes: 62^43 > 2^256.
const LENGTH: usize = 43;

/// A fresh key.
pub(super) fn random() -> Result<String, getrandom::Error> {
    let mut key = String::from("weir-");
    let end = key.len() + LENGTH;
    let mut bytes = [0; 64];
    while key.len() < end {
        getrandom::fill(&mut bytes)?;
        // Six bits give a number below 64. 62 and 63 are thrown away, so that all digits are equally likely.
        let digits = bytes.iter().filter_map(|byte| DIGITS.get(usize::from(byte & 63))).map(|digit| char::from(*digit));
        key.extend(digits.take(end - key.len()));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_plain_and_new_each_time() {
        let keys: std::collections::BTreeSet<_> = (0..64).map(|_| random().unwrap()).collect();
        assert_eq!(keys.len(), 64);
        for key in keys {
            let digits = key.strip_prefix("weir-").unwrap();
            assert_eq!(digits.len(), LENGTH);
            assert!(digits.bytes().all(|digit| digit.is_ascii_alphanumeric()));
        }
    }
}
