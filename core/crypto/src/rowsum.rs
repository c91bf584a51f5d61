//! The checksum of a scope's rows (spec/sync.md 4.7): finds lost, extra and stale rows, not flipped payload bytes.
//!
//! The sum of a scope is the wrapping u64 sum of [`h`] over its live rows, so both sides keep it up to date by adding
//! and subtracting, and parts simply add up.

/// The share of one row: `ent` = number of the entity, `id` = its key, `ver` = seq of its last change in its part.
pub fn h(ent: u64, id: &[u8; 16], ver: u64) -> u64 {
    let id = u128::from_be_bytes(*id);
    let x = ver.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(ent);
    let x = mix64(x ^ (id >> 64) as u64);
    mix64(x ^ id as u64)
}

/// The finaliser of SplitMix64: every bit of the input moves about half the bits of the output.
pub fn mix64(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::array;

    /// spec/sync.md 4.7.
    #[test]
    fn vectors() {
        let offer = array("000000000000000001a1000000000042");
        let order = array("01a20320a20076858b22334455667788");
        assert_eq!(h(1, &offer, 1), 0x40b7_8b9e_86d3_491e);
        assert_eq!(h(2, &offer, 7), 0x9e5d_ac46_7ddf_658f);
        assert_eq!(h(3, &order, 90_311), 0xaa1a_e213_64f6_2c74);
        assert_eq!(h(1, &offer, 1).wrapping_add(h(2, &offer, 7)), 0xdf15_37e5_04b2_aead);
    }
}
