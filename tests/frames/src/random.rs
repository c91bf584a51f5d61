//! Random numbers: one ChaCha8 stream for each frame, so that any frame can be drawn alone.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};

/// Entries of the table of the normal distribution: 12 random bits give one sample.
const NORMAL_BITS: u32 = 12;

pub(crate) struct Random {
    stream: ChaCha8Rng,
    normal: Vec<f32>,
}

impl Random {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut chacha = ChaCha8Rng::seed_from_u64(seed);
        chacha.set_stream(stream);
        Self { stream: chacha, normal: normal_table() }
    }

    /// 0 to `limit` - 1.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.stream.next_u32()) * u64::from(limit)) >> 32) as u32
    }

    /// Whole numbers from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(crate) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.stream.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Degrees of a range, as radians.
    pub(crate) fn angle(&mut self, low: f32, high: f32) -> f32 {
        self.uniform(low, high).to_radians()
    }

    /// Normal distribution around 0.
    pub(crate) fn normal(&mut self, deviation: f32) -> f32 {
        let place = (self.stream.next_u32() >> (32 - NORMAL_BITS)) as usize;
        self.normal[place] * deviation
    }

    /// Adds noise to each dot; five samples come from one 64-bit number.
    pub(crate) fn add_noise(&mut self, dots: &mut [f32], deviation: f32) {
        for five in dots.chunks_mut(5) {
            let mut bits = self.stream.next_u64();
            for dot in five {
                *dot += self.normal[bits as usize & ((1 << NORMAL_BITS) - 1)] * deviation;
                bits >>= NORMAL_BITS;
            }
        }
    }
}

/// Equally likely values of the standard normal distribution, by summing its density.
fn normal_table() -> Vec<f32> {
    let entries = 1 << NORMAL_BITS;
    let step = 1e-4;
    let mut table = Vec::with_capacity(entries);
    let (mut x, mut mass) = (-5.0f64, 0.0f64);
    for entry in 0..entries {
        let target = (entry as f64 + 0.5) / entries as f64;
        while mass < target && x < 5.0 {
            mass += (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt() * step;
            x += step;
        }
        table.push(x as f32);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_has_its_moments() {
        let table = normal_table();
        let mean = table.iter().sum::<f32>() / table.len() as f32;
        let variance = table.iter().map(|x| x * x).sum::<f32>() / table.len() as f32;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn ranges() {
        let mut random = Random::new(1, 2);
        for _ in 0..1_000 {
            assert!((3..=7).contains(&random.between(3, 7)));
            assert!((-1.0..1.0).contains(&random.uniform(-1.0, 1.0)));
        }
    }
}
