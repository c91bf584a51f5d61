#![doc = include_str!("../README.md")]

pub mod clock;
pub mod error;
pub mod facade;
mod handover;
pub mod host;
pub mod limits;
pub mod outbox;
mod overlay;
pub mod runtime;
pub mod scan;
pub mod search;
pub mod store;
pub mod sync;
pub mod testing;
