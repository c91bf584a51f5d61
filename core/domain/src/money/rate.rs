//! Rates on an amount: basis points for fees, millionths for taxes (spec/money.md 1).

use serde::{Deserialize, Serialize};

use super::{Money, MoneyError};
use crate::num::Rounding;

/// Basis points, 1 bp = 0.01 %: commission, fees, discounts, surcharges.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bp(pub u32);

impl Bp {
    /// Parts of the whole: 10,000 bp = 100 %.
    pub const WHOLE: Bp = Bp(10_000);

    /// This share of an amount, half-even, so that the house gains nothing from ties. Error `money.overflow`.
    pub fn of(self, amount: Money) -> Result<Money, MoneyError> {
        let product = i128::from(amount.minor) * i128::from(self.0);
        Ok(Money::new(Rounding::HalfEven.div(product, i128::from(Bp::WHOLE.0))?, amount.currency))
    }
}

/// Millionths: tax and duty rates (8.875 % = 88,750 ppm does not fit basis points).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ppm(pub i64);

impl Ppm {
    /// Parts of the whole: 1,000,000 ppm = 100 %.
    pub const WHOLE: Ppm = Ppm(1_000_000);

    /// This share of an amount, half-even. Error `money.overflow`.
    pub fn of(self, amount: Money) -> Result<Money, MoneyError> {
        self.rounded(amount, Rounding::HalfEven)
    }

    /// This share of an amount, rounded as the tax rule row says: a tax on top of a price. Error `money.overflow`.
    pub fn rounded(self, amount: Money, rounding: Rounding) -> Result<Money, MoneyError> {
        let product = i128::from(amount.minor) * i128::from(self.0);
        Ok(Money::new(rounding.div(product, i128::from(Ppm::WHOLE.0))?, amount.currency))
    }

    /// The tax that an amount already holds: `amount · r / (10^6 + r)`, for prices with the tax included.
    /// Error `money.overflow` (also for a rate of -100 % or less).
    pub fn within(self, amount: Money, rounding: Rounding) -> Result<Money, MoneyError> {
        let product = i128::from(amount.minor) * i128::from(self.0);
        let gross = i128::from(Ppm::WHOLE.0) + i128::from(self.0);
        Ok(Money::new(rounding.div(product, gross)?, amount.currency))
    }
}
