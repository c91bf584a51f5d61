//! The two forms of an ES256 signature: DER as key hardware gives it, r||s with low s as it travels.

use super::{SIGNATURE_LEN, SignError};

/// Order n of the P-256 group (FIPS 186-4, D.1.2.3), big-endian.
const N: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// s := min(s, n - s) on r||s. An s of n or more is left as it is; no verifier takes it.
pub(super) fn low_s(mut signature: [u8; SIGNATURE_LEN]) -> [u8; SIGNATURE_LEN] {
    let mut other = [0; 32];
    let mut borrow = 0i16;
    for i in (0..32).rev() {
        let byte = i16::from(N[i]) - i16::from(signature[32 + i]) - borrow;
        borrow = i16::from(byte < 0);
        other[i] = byte.rem_euclid(256) as u8;
    }
    if borrow == 0 && other[..] < signature[32..] {
        signature[32..].copy_from_slice(&other);
    }
    signature
}

/// From DER (`SEQUENCE { r INTEGER, s INTEGER }`, RFC 3279 2.2.3) to r||s with low s. Only the shortest DER is taken.
/// Refuses `sign.bad_signature`.
pub fn signature_from_der(der: &[u8]) -> Result<[u8; SIGNATURE_LEN], SignError> {
    let (body, rest) = element(der, 0x30)?;
    let (r, body) = element(body, 0x02)?;
    let (s, body) = element(body, 0x02)?;
    if !rest.is_empty() || !body.is_empty() {
        return Err(SignError::BadSignature);
    }
    let mut out = [0; SIGNATURE_LEN];
    unsigned(r, &mut out[..32])?;
    unsigned(s, &mut out[32..])?;
    Ok(low_s(out))
}

/// Splits off one element with a short-form length; an ES256 signature has at most 70 bytes inside.
fn element(der: &[u8], tag: u8) -> Result<(&[u8], &[u8]), SignError> {
    match der {
        [t, length @ 0..=0x7f, rest @ ..] if *t == tag && rest.len() >= usize::from(*length) => {
            Ok(rest.split_at(usize::from(*length)))
        }
        _ => Err(SignError::BadSignature),
    }
}

/// Writes a positive DER integer right-aligned; refuses negative, padded, empty and too long ones.
fn unsigned(integer: &[u8], out: &mut [u8]) -> Result<(), SignError> {
    let digits = match integer {
        [0, 0x80..=0xff, ..] => &integer[1..],
        [0x01..=0x7f, ..] => integer,
        _ => return Err(SignError::BadSignature),
    };
    let start = out.len().checked_sub(digits.len()).ok_or(SignError::BadSignature)?;
    out[..start].fill(0);
    out[start..].copy_from_slice(digits);
    Ok(())
}
