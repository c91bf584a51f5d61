//! The hash over all that happened in a run: time, event, disk write, message, in their order.
//!
//! Two runs of one seed must end with the same hash; where they do not, something in the code under test reads a
//! clock, a generator or the order of a hash map (spec/sync.md 10.1). It is not a cryptographic hash: nobody attacks it.

const MULTIPLIER: u64 = 0x9FB2_1C65_1E98_DF25; // odd, bits well spread (from rrmxmx, Pelle Evensen 2018)

/// A running 64-bit hash, eight bytes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> TraceHash {
        TraceHash(MULTIPLIER) // not 0: zeros must leave their mark from the first one on
    }
}

impl TraceHash {
    /// Takes in one number.
    pub fn fold(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(MULTIPLIER);
        self.0 = (mixed ^ (mixed >> 28)).rotate_left(17).wrapping_add(value);
    }

    /// Takes in bytes together with their length, so that ("ab", "c") and ("a", "bc") differ.
    pub fn fold_bytes(&mut self, bytes: &[u8]) {
        self.fold(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            self.fold(u64::from_le_bytes(eight));
        }
        let rest = words.remainder();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.fold(u64::from_le_bytes(last));
    }

    /// The hash so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// The hash of one text, for names that are folded often.
pub fn hash_of(text: &str) -> u64 {
    let mut hash = TraceHash::default();
    hash.fold_bytes(text.as_bytes());
    hash.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(parts: &[&[u8]]) -> u64 {
        let mut hash = TraceHash::default();
        for part in parts {
            hash.fold_bytes(part);
        }
        hash.value()
    }

    #[test]
    fn order_borders_and_every_byte_count() {
        let page = [7u8; 4096];
        let mut other = page;
        other[4095] = 6;
        let different = [
            folded(&[]),
            folded(&[b""]),
            folded(&[b"\0"]),
            folded(&[b"ab", b"c"]),
            folded(&[b"a", b"bc"]),
            folded(&[b"c", b"ab"]),
            folded(&[&page]),
            folded(&[&other]),
        ];
        let distinct: std::collections::BTreeSet<u64> = different.into();
        assert_eq!(distinct.len(), different.len());
        assert_eq!(folded(&[&page]), folded(&[&page]));
    }
}
