#![doc = include_str!("../README.md")]

pub mod auth;
pub mod base64url;
pub mod canon;
pub mod codes;
pub mod cursor;
pub mod intent;
pub mod limits;
pub mod outcome;
pub mod sync;
