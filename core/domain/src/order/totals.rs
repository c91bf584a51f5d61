//! Totals: what lines cost and hold in tax, one pure function for phone and server (spec/market.md 5.3).

use crate::catalogue::TaxRule;
use crate::money::{Currency, Money, MoneyError};
use crate::num::alloc;

/// A line before tax: gross = unit x quantity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gross {
    /// Minor units.
    pub minor: i64,
    /// How tax is reckoned on it.
    pub rule: TaxRule,
}

/// A line with its tax.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taxed {
    /// What is paid, tax included.
    pub amount: i64,
    /// The tax in it.
    pub tax: i64,
}

/// Steps 6 and 7: tax on the sum of each rate, spread over its lines by largest remainder. Error `money.overflow`.
pub fn taxed(lines: &[Gross], currency: Currency) -> Result<Vec<Taxed>, MoneyError> {
    let mut out: Vec<Taxed> = lines.iter().map(|line| Taxed { amount: line.minor, tax: 0 }).collect();
    let mut done = vec![false; lines.len()];
    for first in 0..lines.len() {
        if done[first] {
            continue;
        }
        let rule = lines[first].rule;
        let group: Vec<usize> = (first..lines.len()).filter(|i| lines[*i].rule == rule).collect();
        group.iter().for_each(|i| done[*i] = true);
        let weights: Vec<i64> = group.iter().map(|i| lines[*i].minor).collect();
        let sum = weights
            .iter()
            .try_fold(0i64, |sum, minor| sum.checked_add(*minor))
            .ok_or(MoneyError::Overflow)?;
        if sum == 0 || rule.rate.0 == 0 {
            continue;
        }
        let sum = Money::new(sum, currency);
        let tax = if rule.inclusive {
            rule.rate.within(sum, rule.rounding)?
        } else {
            rule.rate.rounded(sum, rule.rounding)?
        };
        for (i, share) in group.into_iter().zip(alloc(tax.minor, &weights)?) {
            out[i].tax = share;
            if !rule.inclusive {
                out[i].amount = out[i].amount.checked_add(share).ok_or(MoneyError::Overflow)?;
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Ppm;
    use crate::num::Rounding;

    fn check(currency: &str, lines: &[(i64, i64, bool)], amounts: &[i64], taxes: &[i64]) {
        let currency = Currency::from_code(currency).unwrap();
        let lines: Vec<Gross> = lines
            .iter()
            .map(|(minor, rate, inclusive)| Gross {
                minor: *minor,
                rule: TaxRule { rate: Ppm(*rate), inclusive: *inclusive, rounding: Rounding::HalfUp },
            })
            .collect();
        let taxed = taxed(&lines, currency).unwrap();
        assert_eq!(taxed.iter().map(|line| line.amount).collect::<Vec<_>>(), amounts);
        assert_eq!(taxed.iter().map(|line| line.tax).collect::<Vec<_>>(), taxes);
    }

    /// Vectors of spec/market.md 5.3: B without promotion, F, and A with its nets after discounts.
    #[test]
    fn vectors() {
        check(
            "USD",
            &[(5997, 88_750, false), (549, 88_750, false), (495, 0, false)],
            &[6529, 598, 495],
            &[532, 49, 0],
        );
        check("KWD", &[(3750, 50_000, true)], &[3750], &[179]);
        check(
            "KRW",
            &[(23_485, 100_000, true), (8_110, 100_000, true), (19_115, 0, true)],
            &[23_485, 8_110, 19_115],
            &[2135, 737, 0],
        );
    }
}
