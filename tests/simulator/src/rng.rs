//! The one source of chance of a run.
//!
//! SplitMix64 turns the seed (1, 2, 3 … are usual) into a well mixed state, xorshift64* draws from it
//! (spec/sync.md 10.1). Chances are whole permille, so that no rounding mode can change a run.
//! Never for keys or ids outside the simulator: it is predictable on purpose.

/// One step of SplitMix64 (Steele, Lea and Flood 2014): the state moves, the mixed value is returned.
pub fn split_mix_64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A seeded xorshift64* generator (Vigna 2016).
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The generator of a seed. Every seed is allowed, 0 too.
    pub fn from_seed(seed: u64) -> Rng {
        let mut mixed = seed;
        // xorshift never leaves zero, so the one seed in 2^64 that mixes to zero gets another start.
        let state = match split_mix_64(&mut mixed) {
            0 => 1,
            state => state,
        };
        Rng { state }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let mut x = self.state;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.state = x;
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`; 0 when the bound is 0. The bias of the remainder is below 2^-40 for the small bounds used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        match bound {
            0 => 0,
            _ => (self.next_u64() >> 11) % bound,
        }
    }

    /// A number in `low..=high`; `low` when the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True with the chance of `permille` in 1,000.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// One of the items; `None` when there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.below(items.len() as u64);
        items.get(usize::try_from(at).ok()?)
    }

    /// 16 bytes, for ids that a host mints.
    pub fn id_bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next_u64().to_be_bytes());
        bytes[8..].copy_from_slice(&self.next_u64().to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference outputs of `splitmix64.c` (Vigna, public domain) for the seed 1234567.
    #[test]
    fn split_mix_vectors() {
        let mut state = 1_234_567;
        let drawn: Vec<u64> = (0..5).map(|_| split_mix_64(&mut state)).collect();
        assert_eq!(
            drawn,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423,
                4593380528125082431,
                16408922859458223821
            ]
        );
    }

    /// Reference outputs (upper 32 bits) of xorshift64* from the state 1234567.
    #[test]
    fn xorshift_vectors() {
        let mut rng = Rng { state: 1_234_567 };
        let drawn: Vec<u64> = (0..5).map(|_| rng.next_u64() >> 32).collect();
        assert_eq!(drawn, [3540625527, 2750739987, 4037983143, 1993361440, 3809424708]);
    }

    #[test]
    fn bounds_hold_at_their_edges() {
        let mut rng = Rng::from_seed(0);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        assert_eq!(rng.between(7, 7), 7);
        assert_eq!(rng.between(7, 3), 7);
        assert!(!rng.chance(0));
        assert!(rng.chance(1000));
        assert_eq!(rng.pick::<u8>(&[]), None);
        let drawn: std::collections::BTreeSet<u64> = (0..200).map(|_| rng.between(3, 5)).collect();
        assert_eq!(drawn, [3, 4, 5].into());
    }

    #[test]
    fn neighbouring_seeds_draw_differently() {
        let firsts: std::collections::BTreeSet<u64> =
            (0..1000).map(|seed| Rng::from_seed(seed).next_u64()).collect();
        assert_eq!(firsts.len(), 1000);
    }
}
