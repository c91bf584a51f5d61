#![doc = include_str!("../README.md")]

pub mod id;
pub mod ledger;
pub mod money;
pub mod num;
pub mod time;
