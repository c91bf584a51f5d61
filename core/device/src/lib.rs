#![doc = include_str!("../README.md")]
#![expect(dead_code, reason = "some reads wait for the facade")]

pub mod clock;
pub mod error;
pub mod host;
pub mod limits;
pub mod outbox;
mod overlay;
pub mod scan;
pub mod search;
pub mod store;
pub mod sync;
pub mod testing;
