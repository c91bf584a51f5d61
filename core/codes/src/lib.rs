#![doc = include_str!("../README.md")]

pub mod base45;
pub mod emv;
pub mod paycode;
pub mod proof;
pub mod waybill;
