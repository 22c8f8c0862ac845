//! Amounts of money as providers write them: decimals, in dollars or cents.

/// Reads a decimal number, such as `0.0125`, `-3`, `1.5e-5` or `$1,234.50`, as so many times 10^-12, rounded to the nearest.
///
/// `None` if it is no number, or one beyond all money.
pub(super) fn read(text: &str) -> Option<i128> {
    let text = text.trim().trim_start_matches('$').replace(',', "");
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => (-1, number),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // As many digits as 128 bits hold; those beyond them are far behind the last that counts, or the number is no money.
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_add(12)?;
    if point < 0 || digits.trim_start_matches('0').is_empty() {
        return Some(0);
    }
    let point = usize::try_from(point).ok().filter(|point| *point <= 60)?;
    let padded = format!("{digits:0<point$}");
    let (kept, rest) = padded.split_at_checked(point)?;
    let kept: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    Some(sign * (kept + i128::from(rest.starts_with(['5', '6', '7', '8', '9']))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let check = |text, expect| assert_eq!(read(text), expect, "{text}");
        check("1", Some(1_000_000_000_000));
        check("0.06", Some(60_000_000_000));
        check("-0.000000000001", Some(-1));
        check("0.0000000000005", Some(1));
        check("1.5e-5", Some(15_000_000));
        check("2E3", Some(2_000_000_000_000_000));
        check("$1,234.50", Some(1_234_500_000_000_000));
        check("0.0", Some(0));
        check(".5", Some(500_000_000_000));
        check("0.06012345678901234567890123456789", Some(60_123_456_789));
        for wrong in ["", "-", "ten", "1.2.3", "1e999", "e5", "NaN"] {
            check(wrong, None);
        }
    }
}
