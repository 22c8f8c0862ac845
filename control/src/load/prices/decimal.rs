//! Decimals as text: they are shifted and compared without a binary fraction.

use std::cmp::Ordering;

/// How many decimals of a dollar a price has.
const DECIMALS: usize = 12;

/// `number` times ten to the power of `places`, as plain decimal text without needless zeros. Decimals beyond the twelfth are
/// rounded up. `None` if it is no number from 0 up, or a huge one.
pub(super) fn shifted(number: &str, places: i32) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()? + exponent.parse::<i32>().ok()?.checked_add(places)?;
    if !(-64..=64).contains(&point) {
        return None;
    }
    let mut digits = [whole, decimals].concat();
    let missing = usize::try_from(-point).unwrap_or(0);
    digits.insert_str(0, &"0".repeat(missing));
    let point = usize::try_from(point).unwrap_or(0);
    while digits.len() < point {
        digits.push('0');
    }
    let (whole, decimals) = digits.split_at_checked(point)?;
    let (kept, rest) = decimals.split_at_checked(DECIMALS).unwrap_or((decimals, ""));
    let mut amount: u128 = format!("{whole}{kept:0<DECIMALS$}").parse().ok()?;
    amount += u128::from(rest.bytes().any(|digit| digit != b'0'));
    let text = format!("{amount:0>width$}", width = DECIMALS + 1);
    let (whole, decimals) = text.split_at_checked(text.len() - DECIMALS)?;
    let decimals = decimals.trim_end_matches('0');
    Some(if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") })
}

/// Compares two texts that [`shifted`] has written.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        (whole.len(), whole.to_owned(), decimals.to_owned())
    };
    parts(one).cmp(&parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shifted_without_losing_a_digit() {
        let check = |text: &str, places, expect: Option<&str>| {
            assert_eq!(shifted(text, places).as_deref(), expect, "{text}");
        };
        check("1.5e-07", 6, Some("0.15"));
        check("3E-06", 6, Some("3"));
        check("0.0000025", 6, Some("2.5"));
        check("4e-05", 6, Some("40"));
        check("0.0", 6, Some("0"));
        check("12", 0, Some("12"));
        check("0.0002833333333333333", 0, Some("0.000283333334"));
        check("1e-19", 6, Some("0.000000000001"));
        for none in ["-1", "", "x", "1e", ".5", "1e99", "NaN"] {
            check(none, 6, None);
        }
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert_eq!(compare("10", "9.5"), Ordering::Greater);
        assert_eq!(compare("0.15", "0.2"), Ordering::Less);
        assert_eq!(compare("2", "2"), Ordering::Equal);
    }
}
