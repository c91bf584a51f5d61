#![doc = include_str!("../README.md")]

pub mod base45;
pub mod emv;
pub mod label;
pub mod paycode;
pub mod proof;
pub mod qr;
pub mod raster;
pub mod waybill;
