//! Money: integer amounts in minor units of one currency.
//!
//! Not for: floats, conversion between currencies, padding or guessing. Rules: spec/money.md 1. Always: arithmetic
//! is checked, two currencies never meet, and nothing that is written for others passes [`MINOR_MAX`].

mod currency;
mod rate;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use currency::Currency;
pub use rate::{Bp, Ppm};

use crate::num;

/// The largest amount on the wire, in a code or in one transfer, in minor units: 2^53 - 1, which JavaScript and
/// every JSON reader hold exactly.
pub const MINOR_MAX: i64 = (1 << 53) - 1;

/// Why an amount was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoneyError {
    /// A result does not fit.
    #[error("money.overflow")]
    Overflow,
    /// Two currencies met, or a currency is not on the list.
    #[error("money.currency")]
    Currency,
    /// Above [`MINOR_MAX`], or a part outside its whole.
    #[error("money.range")]
    Range,
    /// More decimals than the currency has.
    #[error("money.precision")]
    Precision,
    /// Not `-?[0-9]+(\.[0-9]+)?`.
    #[error("money.format")]
    Format,
    /// A weight is negative, or all are zero.
    #[error("money.weights")]
    Weights,
}

impl MoneyError {
    /// The stable code, `money.reason`.
    pub fn code(self) -> &'static str {
        match self {
            MoneyError::Overflow => "money.overflow",
            MoneyError::Currency => "money.currency",
            MoneyError::Range => "money.range",
            MoneyError::Precision => "money.precision",
            MoneyError::Format => "money.format",
            MoneyError::Weights => "money.weights",
        }
    }
}

/// An amount: minor units of one currency.
///
/// Inside the rules it may be any `i64`; JSON and [`Money::parse`] hold it to [`MINOR_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units (cents, won, fils); may be negative.
    pub minor: i64,
    /// The currency, whose exponent says how many decimals a minor unit is.
    pub currency: Currency,
}

#[allow(clippy::should_implement_trait, reason = "checked: the operators could not return a Result")]
impl Money {
    /// An amount of minor units; any `i64` (see [`Money::in_range`]).
    pub const fn new(minor: i64, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// Nothing, in a currency.
    pub const fn zero(currency: Currency) -> Money {
        Money { minor: 0, currency }
    }

    /// True for no money at all.
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The amount itself when its size is at most [`MINOR_MAX`], else `money.range`.
    pub fn in_range(self) -> Result<Money, MoneyError> {
        if self.minor.unsigned_abs() <= MINOR_MAX.unsigned_abs() { Ok(self) } else { Err(MoneyError::Range) }
    }

    /// The sum. Errors `money.currency`, `money.overflow`.
    pub fn add(self, other: Money) -> Result<Money, MoneyError> {
        self.with(self.minor.checked_add(self.same(other)?))
    }

    /// The difference. Errors `money.currency`, `money.overflow`.
    pub fn less(self, other: Money) -> Result<Money, MoneyError> {
        self.with(self.minor.checked_sub(self.same(other)?))
    }

    /// The amount with its sign turned. Error `money.overflow`.
    pub fn neg(self) -> Result<Money, MoneyError> {
        self.with(self.minor.checked_neg())
    }

    /// A number of times the amount (unit price and quantity). Error `money.overflow`.
    pub fn mul(self, quantity: i64) -> Result<Money, MoneyError> {
        self.with(self.minor.checked_mul(quantity))
    }

    /// The smaller of two. Error `money.currency`.
    pub fn min(self, other: Money) -> Result<Money, MoneyError> {
        Ok(Money::new(self.minor.min(self.same(other)?), self.currency))
    }

    /// The larger of two. Error `money.currency`.
    pub fn max(self, other: Money) -> Result<Money, MoneyError> {
        Ok(Money::new(self.minor.max(self.same(other)?), self.currency))
    }

    /// Whether this is the larger of two. Error `money.currency`.
    pub fn exceeds(self, other: Money) -> Result<bool, MoneyError> {
        Ok(self.minor > self.same(other)?)
    }

    /// The sum of any number of amounts, zero of `currency` for none. Errors `money.currency`, `money.overflow`.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Money>) -> Result<Money, MoneyError> {
        amounts.into_iter().try_fold(Money::zero(currency), Money::add)
    }

    /// Parts by weight that add up to the amount: largest remainder, ties to the lower index ([`num::alloc`]).
    pub fn allocate(self, weights: &[i64]) -> Result<Vec<Money>, MoneyError> {
        Ok(num::alloc(self.minor, weights)?
            .into_iter()
            .map(|minor| Money::new(minor, self.currency))
            .collect())
    }

    /// The part of this amount that belongs to the stretch from `before` to `after` of `whole`
    /// ([`num::share_between`]): fees of part refunds, refunds of single units.
    pub fn share_between(self, before: i64, after: i64, whole: i64) -> Result<Money, MoneyError> {
        Ok(Money::new(num::share_between(self.minor, before, after, whole)?, self.currency))
    }

    /// Reads `-?[0-9]+(\.[0-9]+)?`. Errors `money.format`, `money.precision` (more decimals than the currency
    /// has, even zeros), `money.range`.
    pub fn parse(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, decimals) = digits.split_once('.').map_or((digits, None), |(a, b)| (a, Some(b)));
        let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !numeric(whole) || !decimals.is_none_or(numeric) {
            return Err(MoneyError::Format);
        }
        let (decimals, exponent) = (decimals.unwrap_or_default(), usize::from(currency.exponent()));
        if decimals.len() > exponent {
            return Err(MoneyError::Precision);
        }
        let missing = std::iter::repeat_n(b'0', exponent - decimals.len());
        let mut minor = 0i64;
        for digit in whole.bytes().chain(decimals.bytes()).chain(missing) {
            minor = minor * 10 + i64::from(digit - b'0');
            if minor > MINOR_MAX {
                return Err(MoneyError::Range);
            }
        }
        Ok(Money::new(sign * minor, currency))
    }

    /// The amount as a decimal with all digits of the currency and without its name: `12.30`.
    /// `parse` of it is the same amount.
    pub fn decimal(self) -> String {
        let exponent = usize::from(self.currency.exponent());
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, decimals) = digits.split_at(digits.len() - exponent);
        if decimals.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
    }

    fn same(self, other: Money) -> Result<i64, MoneyError> {
        if self.currency == other.currency { Ok(other.minor) } else { Err(MoneyError::Currency) }
    }

    fn with(self, minor: Option<i64>) -> Result<Money, MoneyError> {
        Ok(Money::new(minor.ok_or(MoneyError::Overflow)?, self.currency))
    }
}

/// `12.30 EUR`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The *amount* form: `{"minor":1230,"currency":"EUR"}`; above [`MINOR_MAX`] it is an error, not a wrong number.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.in_range().map_err(serde::ser::Error::custom)?;
        Form { minor: self.minor, currency: self.currency }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let form = Form::<i64>::deserialize(deserializer)?;
        Money::new(form.minor, form.currency).in_range().map_err(de::Error::custom)
    }
}

/// Account, statement or report sum in JSON: as an amount, with `minor` as a decimal string, because an `i64` may
/// pass [`MINOR_MAX`]. No other text of a number is read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Balance(pub Money);

impl Serialize for Balance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Form { minor: self.0.minor.to_string(), currency: self.0.currency }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Balance, D::Error> {
        let form = Form::<String>::deserialize(deserializer)?;
        let minor: i64 = form.minor.parse().map_err(|_| de::Error::custom(MoneyError::Format))?;
        if minor.to_string() != form.minor {
            return Err(de::Error::custom(MoneyError::Format));
        }
        Ok(Balance(Money::new(minor, form.currency)))
    }
}

/// The two fields of both JSON forms.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form<T> {
    minor: T,
    currency: Currency,
}
