//! Number functions in integers: rounding and sharing out (spec/market.md 0.1, spec/money.md 1).
//!
//! Products are taken in `i128`, so two `i64` factors never overflow; a result that does not fit an `i64` is
//! `money.overflow`. Always: the parts of an allocation add up to the whole, and the result does not depend on
//! the order of evaluation.

use crate::money::MoneyError;

/// How a division is rounded. A negative amount is rounded by its absolute value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the nearest, ties to the even neighbour: all money unless a tax row says otherwise.
    HalfEven,
    /// To the nearest, ties away from zero: scores, carrier tariffs, the taxes whose law says so.
    HalfUp,
    /// Cut toward zero.
    Down,
}

impl Rounding {
    /// `a / b` rounded this way. Refuses `b <= 0` and a result outside `i64`: `money.overflow`.
    pub fn div(self, a: i128, b: i128) -> Result<i64, MoneyError> {
        if b <= 0 {
            return Err(MoneyError::Overflow);
        }
        let divisor = b.unsigned_abs();
        let (whole, rest) = (a.unsigned_abs() / divisor, a.unsigned_abs() % divisor);
        // `rest` against what is missing to the next whole: no doubling, so nothing can overflow.
        let up = match (self, rest.cmp(&(divisor - rest))) {
            (Rounding::Down, _) | (_, std::cmp::Ordering::Less) => false,
            (_, std::cmp::Ordering::Greater) | (Rounding::HalfUp, std::cmp::Ordering::Equal) => true,
            (Rounding::HalfEven, std::cmp::Ordering::Equal) => whole % 2 == 1,
        };
        let size = i128::try_from(whole + u128::from(up)).map_err(|_| MoneyError::Overflow)?;
        i64::try_from(if a < 0 { -size } else { size }).map_err(|_| MoneyError::Overflow)
    }
}

/// `a / b`, half-even. Refuses `b <= 0` and a result outside `i64`: `money.overflow`.
pub fn he(a: i128, b: i128) -> Result<i64, MoneyError> {
    Rounding::HalfEven.div(a, b)
}

/// `a / b`, half-up. Refuses `b <= 0` and a result outside `i64`: `money.overflow`.
pub fn hu(a: i128, b: i128) -> Result<i64, MoneyError> {
    Rounding::HalfUp.div(a, b)
}

/// Shares `total` out by `weights`: floor shares, then one unit each by the largest remainder, ties to the lower
/// index. A negative total is shared by its absolute value.
///
/// Refuses a negative weight, and a total that is not zero over weights that are all zero: `money.weights`.
pub fn alloc(total: i64, weights: &[i64]) -> Result<Vec<i64>, MoneyError> {
    if weights.iter().any(|weight| *weight < 0) {
        return Err(MoneyError::Weights);
    }
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if sum == 0 {
        return if total == 0 { Ok(vec![0; weights.len()]) } else { Err(MoneyError::Weights) };
    }
    let size = i128::from(total).abs();
    let shares: Vec<(i128, i128)> = weights
        .iter()
        .map(|weight| (size * i128::from(*weight) / sum, size * i128::from(*weight) % sum))
        .collect();
    let missing = size - shares.iter().map(|(floor, _)| floor).sum::<i128>();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|index| (-shares[*index].1, *index));
    let mut parts: Vec<i128> = shares.iter().map(|(floor, _)| *floor).collect();
    // Fewer units are missing than there are remainders above zero.
    for index in by_remainder.into_iter().take(usize::try_from(missing).map_err(|_| MoneyError::Overflow)?) {
        parts[index] += 1;
    }
    parts
        .into_iter()
        .map(|part| i64::try_from(if total < 0 { -part } else { part }).map_err(|_| MoneyError::Overflow))
        .collect()
}

/// What of `amount` belongs to the first `part` of `whole`: `he(amount · part, whole)`, and all of it when `part`
/// is `whole`. The base of all cumulative shares (spec/money.md 1, spec/market.md 5.3).
///
/// Refuses a part outside `0..=whole`: `money.range`.
pub fn share(amount: i64, part: i64, whole: i64) -> Result<i64, MoneyError> {
    if part < 0 || part > whole {
        return Err(MoneyError::Range);
    }
    if part == whole { Ok(amount) } else { he(i128::from(amount) * i128::from(part), i128::from(whole)) }
}

/// What of `amount` belongs to the stretch from `before` to `after` of `whole`: the difference of two [`share`]s,
/// so that any cutting of the whole into stretches adds up to `amount` exactly.
///
/// Part reversals: `amount` = fee captured, `whole` = sum captured, `before` and `after` = refunded so far.
/// Unit refunds: `whole` = quantity of the line. Refuses a part outside `0..=whole`: `money.range`.
pub fn share_between(amount: i64, before: i64, after: i64, whole: i64) -> Result<i64, MoneyError> {
    share(amount, after, whole)?.checked_sub(share(amount, before, whole)?).ok_or(MoneyError::Overflow)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Vectors of spec/market.md 0.1 and spec/money.md 1.
    #[test]
    fn rounding_vectors() {
        for (a, b, even, up, down) in [
            (5, 2, 2, 3, 2),
            (7, 2, 4, 4, 3),
            (2375, 1000, 2, 2, 2),
            (-5, 2, -2, -3, -2),
            (-7, 2, -4, -4, -3),
            (1, 3, 0, 0, 0),
            (2, 3, 1, 1, 0),
            (0, 7, 0, 0, 0),
        ] {
            assert_eq!(he(a, b), Ok(even), "he({a},{b})");
            assert_eq!(hu(a, b), Ok(up), "hu({a},{b})");
            assert_eq!(Rounding::Down.div(a, b), Ok(down), "down({a},{b})");
        }
        assert_eq!(he(1, 0), Err(MoneyError::Overflow));
        assert_eq!(he(1, -1), Err(MoneyError::Overflow));
        assert_eq!(he(i128::MIN, 1), Err(MoneyError::Overflow));
        assert_eq!(he(i128::from(i64::MIN), 1), Ok(i64::MIN));
        assert_eq!(hu(i128::from(i64::MAX) * 2 + 1, 2), Err(MoneyError::Overflow));
        assert_eq!(he(i128::MAX, i128::MAX), Ok(1));
    }

    #[test]
    fn allocation_vectors() {
        let check = |total, weights: &[i64], parts: &[i64]| {
            assert_eq!(alloc(total, weights).as_deref(), Ok(parts), "alloc({total}; {weights:?})");
        };
        check(100, &[1, 1, 1], &[34, 33, 33]);
        check(1000, &[3, 3, 1], &[429, 428, 143]);
        check(1, &[5, 5], &[1, 0]);
        check(10000, &[70, 20, 10, 1], &[6931, 1980, 990, 99]);
        check(5000, &[25800, 8910, 21000], &[2315, 800, 1885]);
        check(-100, &[1, 1, 1], &[-34, -33, -33]);
        check(0, &[0, 0], &[0, 0]);
        check(0, &[], &[]);
        check(7, &[0, 1], &[0, 7]);
        check(i64::MAX, &[i64::MAX, i64::MAX], &[i64::MAX / 2 + 1, i64::MAX / 2]);
        check(i64::MIN, &[1], &[i64::MIN]);
        assert_eq!(alloc(1, &[]), Err(MoneyError::Weights));
        assert_eq!(alloc(1, &[0, 0]), Err(MoneyError::Weights));
        assert_eq!(alloc(1, &[2, -1]), Err(MoneyError::Weights));
    }

    /// Vectors D of spec/market.md 5.3 and the part reversals of spec/money.md 1.
    #[test]
    fn cumulative_shares() {
        let check = |amount, whole, cuts: &[i64], parts: &[i64]| {
            let stretches: Vec<i64> =
                cuts.windows(2).map(|cut| share_between(amount, cut[0], cut[1], whole).unwrap()).collect();
            assert_eq!(stretches, parts, "{amount} over {whole}");
        };
        check(1000, 3, &[0, 1, 2, 3], &[333, 334, 333]);
        check(23_485, 2, &[0, 1, 2], &[11742, 11743]);
        check(300, 9999, &[0, 3333, 6666, 9999], &[100, 100, 100]);
        check(0, 0, &[0, 0], &[0]);
        assert_eq!(share(1, 4, 3), Err(MoneyError::Range));
        assert_eq!(share(1, -1, 3), Err(MoneyError::Range));
    }

    proptest! {
        #[test]
        fn parts_add_up_and_stay_within_one_unit(
            total in any::<i64>(),
            weights in prop::collection::vec(0..=i64::MAX, 1..40),
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            let parts = alloc(total, &weights).unwrap();
            prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(total));
            for (part, weight) in parts.iter().zip(&weights) {
                let off = i128::from(*part) * sum - i128::from(total) * i128::from(*weight);
                prop_assert!(off.abs() < sum, "a part is a unit or more off its exact share");
            }
        }

        #[test]
        fn any_cutting_adds_up(amount in any::<i64>(), whole in 1..1_000_000i64, mut cuts in prop::collection::vec(0..1_000_000i64, 0..20)) {
            cuts.iter_mut().for_each(|cut| *cut %= whole + 1);
            cuts.extend([0, whole]);
            cuts.sort_unstable();
            let mut sum = 0i128;
            for cut in cuts.windows(2) {
                sum += i128::from(share_between(amount, cut[0], cut[1], whole).unwrap());
            }
            prop_assert_eq!(sum, i128::from(amount));
        }

        #[test]
        fn rounding_is_off_by_half_at_most(a in any::<i64>(), b in 1..=i64::MAX) {
            let (a, b) = (i128::from(a), i128::from(b));
            for rounding in [Rounding::HalfEven, Rounding::HalfUp] {
                let off = i128::from(rounding.div(a, b).unwrap()) * b - a;
                prop_assert!(off.abs() * 2 <= b);
            }
        }
    }
}
