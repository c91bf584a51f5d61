//! Delays of retries: full jitter under a doubling bound, with a budget (spec/sync.md 3.6).

use souk_crypto::rowsum::mix64;

use crate::limits::{RETRY_COST_TENTHS, RETRY_FIRST_MS, RETRY_MAX_MS};

/// Chance of one step: SplitMix64 from the number that came with the event.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// A number in 0..=max.
    pub(super) fn up_to(&mut self, max: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let number = mix64(self.0);
        match max.checked_add(1) {
            Some(bound) => number % bound,
            None => number,
        }
    }
}

/// The delay after a failure, milliseconds; `failures` = how many there were before it.
pub(super) fn delay(failures: u32, budget_tenths: &mut u32, chance: &mut Chance) -> u64 {
    if *budget_tenths < RETRY_COST_TENTHS {
        return RETRY_MAX_MS;
    }
    *budget_tenths -= RETRY_COST_TENTHS;
    let bound = RETRY_FIRST_MS.saturating_mul(1 << failures.min(20)).min(RETRY_MAX_MS);
    chance.up_to(bound)
}

/// A wait that the server named: never less, and up to a fifth more.
pub(super) fn given(after_ms: u64, chance: &mut Chance) -> u64 {
    let after_ms = after_ms.min(RETRY_MAX_MS * 12);
    after_ms + chance.up_to(after_ms / 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RETRY_BUDGET_TENTHS_MAX;

    #[test]
    fn delays_stay_in_their_bounds() {
        let mut chance = Chance::new(7);
        for failures in 0..40 {
            let bound = (RETRY_FIRST_MS << failures.min(20)).min(RETRY_MAX_MS);
            let mut seen = Vec::new();
            for _ in 0..200 {
                let mut budget = RETRY_BUDGET_TENTHS_MAX;
                seen.push(delay(failures, &mut budget, &mut chance));
                assert_eq!(budget, RETRY_BUDGET_TENTHS_MAX - RETRY_COST_TENTHS);
            }
            assert!(seen.iter().all(|ms| *ms <= bound), "{failures}");
            assert!(seen.iter().any(|ms| *ms > bound / 2) && seen.iter().any(|ms| *ms < bound / 2));
        }
        for _ in 0..100 {
            let ms = given(2_000, &mut chance);
            assert!((2_000..=2_400).contains(&ms));
        }
    }

    #[test]
    fn an_empty_budget_waits_long() {
        let mut budget = RETRY_BUDGET_TENTHS_MAX;
        let mut chance = Chance::new(1);
        for _ in 0..RETRY_BUDGET_TENTHS_MAX / RETRY_COST_TENTHS {
            assert!(delay(0, &mut budget, &mut chance) <= RETRY_FIRST_MS);
        }
        assert_eq!(delay(0, &mut budget, &mut chance), RETRY_MAX_MS);
        assert_eq!(budget, 0);
    }
}
