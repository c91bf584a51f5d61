#![doc = include_str!("../README.md")]

pub mod auth;
pub mod base64url;
pub mod canon;
pub mod catalogue;
pub mod checkout;
pub mod codes;
pub mod courier;
pub mod cursor;
pub mod feed;
pub mod intent;
pub mod limits;
pub mod orders;
pub mod outcome;
pub mod seller;
pub mod sync;
pub mod views;
