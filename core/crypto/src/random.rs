//! The operating system's randomness: for shells and servers, which pass the bytes in. Never called by a rule.

use ring::rand::{SecureRandom, SystemRandom};

/// The operating system gave no random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct RandomUnavailable;

/// Fills the slice with random bytes.
pub fn fill(out: &mut [u8]) -> Result<(), RandomUnavailable> {
    SystemRandom::new().fill(out).map_err(|_| RandomUnavailable)
}

/// `N` random bytes: tokens, salts, nonces, seeds.
pub fn array<const N: usize>() -> Result<[u8; N], RandomUnavailable> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_and_differs() {
        assert_ne!(array::<32>().unwrap(), array::<32>().unwrap());
        fill(&mut []).unwrap();
    }
}
