#![doc = include_str!("../README.md")]

pub mod base45;
pub mod proof;
pub mod waybill;
