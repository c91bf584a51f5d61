#![doc = include_str!("../README.md")]

pub mod aead;
pub mod hash;
pub mod hmac;
pub mod random;
pub mod rowsum;
pub mod sign;

pub use hmac::derive;

#[cfg(test)]
mod vectors;
