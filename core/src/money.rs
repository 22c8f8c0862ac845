//! Money: whole pico-dollars. No float ever holds an amount, and every sum has 128 bits.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign};

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many decimals of a dollar an amount has.
const DECIMALS: usize = 12;
/// The pico-dollars of a dollar.
const DOLLAR: i128 = 1_000_000_000_000;

/// An amount of US dollars in whole pico-dollars (10⁻¹² dollars). May be negative, as a credit or a difference is.
///
/// A sum that 128 bits cannot hold stops at the largest amount instead of wrapping. The largest amount is more than
/// 10²⁶ dollars, so only nonsense reaches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Picodollars(i128);

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAmount {
    /// It is not written as digits with at most one point between digits.
    Form,
    /// It has more than 12 decimals.
    TooFine,
    /// It does not fit into 128 bits.
    TooLarge,
}

impl NoAmount {
    /// The problem, to follow "it": `has more than 12 decimals`.
    pub const fn problem(self) -> &'static str {
        match self {
            Self::Form => "is no amount of dollars",
            Self::TooFine => "has more than 12 decimals",
            Self::TooLarge => "is more money than there is",
        }
    }
}

impl Picodollars {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(i128::MAX);

    /// From pico-dollars.
    pub const fn new(picodollars: i128) -> Self {
        Self(picodollars)
    }

    /// In pico-dollars.
    pub const fn get(self) -> i128 {
        self.0
    }

    /// In pico-dollars, for counters of 64 bits: a negative amount is 0, and one too large is the largest (18 million
    /// dollars).
    pub fn to_u64(self) -> u64 {
        u64::try_from(self.0.max(0)).unwrap_or(u64::MAX)
    }

    /// Reads an amount of dollars in decimal: `0.15`, `-2`. Exact: nothing is rounded, and what cannot be held is an
    /// error.
    pub fn parse(text: &str) -> Result<Self, NoAmount> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) {
            return Err(NoAmount::Form);
        }
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > DECIMALS {
            return Err(NoAmount::TooFine);
        }
        let whole: i128 = whole.parse().map_err(|_| NoAmount::TooLarge)?;
        let part: i128 = format!("{decimals:0<DECIMALS$}").parse().map_err(|_| NoAmount::TooLarge)?;
        let amount = whole.checked_mul(DOLLAR).and_then(|amount| amount.checked_add(part));
        amount.map(|amount| Self(sign * amount)).ok_or(NoAmount::TooLarge)
    }

    /// The amount in dollars, without a sign for dollars and without zeros at its end: `0.15`, `2`, `-0.000123`.
    pub fn dollars(self) -> String {
        let (sign, amount) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, part) = (amount / DOLLAR.unsigned_abs(), amount % DOLLAR.unsigned_abs());
        if part == 0 {
            return format!("{sign}{whole}");
        }
        let part = format!("{part:0DECIMALS$}");
        format!("{sign}{whole}.{}", part.trim_end_matches('0'))
    }

    /// What one of a million costs, if this is what the million costs, rounded up. 0.15 dollars a million tokens are
    /// 150 000 pico-dollars a token.
    #[must_use]
    pub const fn each_of_a_million(self) -> Self {
        let (each, rest) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        Self(if rest == 0 { each } else { each.saturating_add(1) })
    }

    /// The sum; `None` if it cannot be held.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference; `None` if it cannot be held.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// The difference, or the amount nearest to it that can be held.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `count` times this, or the amount nearest to it that can be held.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }
}

impl Add for Picodollars {
    type Output = Self;

    /// The sum, or the amount nearest to it that can be held.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Picodollars {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Picodollars {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// As people read it: `$0.15`, `$2.00`, `-$0.000123`. Every decimal is there, and two at least.
impl fmt::Display for Picodollars {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.dollars();
        let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        to.pad(&format!("{sign}${whole}.{decimals:0<2}"))
    }
}

/// A number of pico-dollars; a text if it needs more than 64 bits, which many readers of JSON do not have.
impl Serialize for Picodollars {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(amount) => to.serialize_i64(amount),
            Err(_) => to.serialize_str(&self.0.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Picodollars {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Amount)
    }
}

struct Amount;

impl Visitor<'_> for Amount {
    type Value = Picodollars;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a whole number of pico-dollars")
    }

    fn visit_i64<E: Error>(self, amount: i64) -> Result<Picodollars, E> {
        Ok(Picodollars(amount.into()))
    }

    fn visit_u64<E: Error>(self, amount: u64) -> Result<Picodollars, E> {
        Ok(Picodollars(amount.into()))
    }

    fn visit_i128<E: Error>(self, amount: i128) -> Result<Picodollars, E> {
        Ok(Picodollars(amount))
    }

    fn visit_str<E: Error>(self, amount: &str) -> Result<Picodollars, E> {
        amount.parse().map(Picodollars).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_are_read_without_losing_a_digit() {
        let check = |text: &str, expect| assert_eq!(Picodollars::parse(text).map(Picodollars::get), expect, "{text}");
        check("0.15", Ok(150_000_000_000));
        check("2", Ok(2_000_000_000_000));
        check("-0.000000000001", Ok(-1));
        check("0.0000000000010000", Ok(1));
        check("0.0000000000001", Err(NoAmount::TooFine));
        check("170141183460469231731687304", Err(NoAmount::TooLarge));
        check("99999999999999999999999999999999999999999999", Err(NoAmount::TooLarge));
        for wrong in ["", ".", "-", "5.", ".5", "1e3", "+1", "0,15", "1_000", "--1", "1.-2", "NaN", "٣"] {
            check(wrong, Err(NoAmount::Form));
        }
    }

    #[test]
    fn an_amount_reads_as_dollars() {
        let check = |amount, expect: &str| assert_eq!(Picodollars::new(amount).to_string(), expect);
        check(0, "$0.00");
        check(150_000_000_000, "$0.15");
        check(2_000_000_000_000, "$2.00");
        check(-123_000_000, "-$0.000123");
        check(1, "$0.000000000001");
        assert_eq!(format!("{:>8}", Picodollars::new(DOLLAR)), "   $1.00");
    }

    #[test]
    fn a_price_a_million_is_a_price_a_token() {
        let a_token = |dollars| Picodollars::parse(dollars).unwrap().each_of_a_million().get();
        assert_eq!(a_token("0.15"), 150_000);
        assert_eq!(a_token("0.0000015"), 2, "up");
    }

    #[test]
    fn sums_stop_at_the_largest_amount() {
        assert_eq!(Picodollars::MAX + Picodollars::new(1), Picodollars::MAX);
        assert_eq!(Picodollars::MAX.checked_add(Picodollars::new(1)), None);
        assert_eq!(Picodollars::new(i128::MIN).checked_sub(Picodollars::new(1)), None);
        assert_eq!(Picodollars::MAX.times(2), Picodollars::MAX);
        assert_eq!(Picodollars::MAX.to_u64(), u64::MAX);
        assert_eq!(Picodollars::new(-1).to_u64(), 0);
        assert_eq!([1, 2, 3].map(Picodollars::new).into_iter().sum::<Picodollars>(), Picodollars::new(6));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(amount: i128) {
            let amount = Picodollars::new(amount);
            if amount.get() != i128::MIN {
                prop_assert_eq!(Picodollars::parse(&amount.dollars()), Ok(amount));
            }
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Picodollars>(&json).unwrap(), amount);
        }

        #[test]
        fn no_text_is_misread(text in "-?[0-9]{0,30}[.]?[0-9]{0,14}") {
            if let Ok(amount) = Picodollars::parse(&text) {
                let (whole, part) = text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
                let digits = format!("{whole}{part:0<12.12}");
                prop_assert_eq!(amount.get().unsigned_abs(), digits.parse::<u128>().unwrap());
            }
        }
    }
}
