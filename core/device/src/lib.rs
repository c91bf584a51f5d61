#![doc = include_str!("../README.md")]

pub mod scan;
pub mod search;
