//! Rates of one order line, frozen when its money was captured (spec/money.md 4.3).

use crate::money::{Bp, Currency, Money, MoneyError, Ppm};
use crate::num::Rounding;

/// What the platform takes of a line. Frozen at capture: a release or refund never uses today's or an average rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct CapturedRates {
    /// Commission on the line.
    pub commission: Bp,
    /// Service fee on the line.
    pub service_fee: Bp,
    /// Tax on commission and service fee.
    pub tax: Ppm,
    /// How the law of the place rounds that tax.
    pub tax_rounding: Rounding,
}

impl CapturedRates {
    /// Nothing is taken: a shipping line that goes to the courier.
    pub const NONE: CapturedRates = CapturedRates {
        commission: Bp(0),
        service_fee: Bp(0),
        tax: Ppm(0),
        tax_rounding: Rounding::HalfEven,
    };

    /// Fees on the release of `amount`: commission and service fee half-even, once for the line; the tax on their
    /// sum. Error `money.overflow`.
    pub fn of(&self, amount: Money) -> Result<LineFees, MoneyError> {
        let commission = self.commission.of(amount)?;
        let service = self.service_fee.of(amount)?;
        let tax = self.tax.rounded(commission.add(service)?, self.tax_rounding)?;
        Ok(LineFees { commission, service, tax })
    }

    /// Fees on the release of one piece of a line: what is due on all that will have been released, less what has
    /// been `taken` of earlier pieces, and never more than the piece itself. So all pieces together are charged what
    /// one release of the whole is charged, and a piece of one unit is not stuck because two fees round up on it.
    /// Errors `money.overflow`, `money.currency`.
    pub fn due(&self, released_after: Money, taken: &LineFees, piece: Money) -> Result<LineFees, MoneyError> {
        let open = self.of(released_after)?.less(taken)?;
        let mut left = piece;
        let mut take = |fee: Money| {
            let part = fee.max(Money::zero(piece.currency))?.min(left)?;
            left = left.less(part)?;
            Ok::<Money, MoneyError>(part)
        };
        Ok(LineFees {
            commission: take(open.commission)?,
            service: take(open.service)?,
            tax: take(open.tax)?,
        })
    }
}

/// What the platform takes, or gives back, of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineFees {
    /// To or from 4000.
    pub commission: Money,
    /// To or from 4010.
    pub service: Money,
    /// To or from 2400.
    pub tax: Money,
}

impl LineFees {
    /// No fees.
    pub const fn zero(currency: Currency) -> LineFees {
        let zero = Money::zero(currency);
        LineFees { commission: zero, service: zero, tax: zero }
    }

    /// All three together. Errors `money.overflow`, `money.currency`.
    pub fn sum(&self) -> Result<Money, MoneyError> {
        self.commission.add(self.service)?.add(self.tax)
    }

    /// Fee by fee. Errors `money.overflow`, `money.currency`.
    pub fn add(&self, other: &LineFees) -> Result<LineFees, MoneyError> {
        Ok(LineFees {
            commission: self.commission.add(other.commission)?,
            service: self.service.add(other.service)?,
            tax: self.tax.add(other.tax)?,
        })
    }

    /// Fee by fee. Errors `money.overflow`, `money.currency`.
    pub fn less(&self, other: &LineFees) -> Result<LineFees, MoneyError> {
        Ok(LineFees {
            commission: self.commission.less(other.commission)?,
            service: self.service.less(other.service)?,
            tax: self.tax.less(other.tax)?,
        })
    }

    /// What of these fees goes back when refunds of a released sum grow from `before` to `after` (cumulative rule
    /// of spec/money.md 1). Errors `money.range` (a part outside `0..=released`), `money.currency`.
    pub fn reversal(&self, before: Money, after: Money, released: Money) -> Result<LineFees, MoneyError> {
        // The subtractions only compare currencies.
        released.less(before)?.less(after)?.less(self.commission)?;
        let part = |fee: Money| fee.share_between(before.minor, after.minor, released.minor);
        Ok(LineFees {
            commission: part(self.commission)?,
            service: part(self.service)?,
            tax: part(self.tax)?,
        })
    }
}
