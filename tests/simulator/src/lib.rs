#![doc = include_str!("../README.md")]

pub mod disk;
pub mod rng;
pub mod trace;
pub mod vfs;
