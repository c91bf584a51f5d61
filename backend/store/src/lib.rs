#![doc = include_str!("../README.md")]

pub mod bench;
mod encoding;
pub mod sqlite;
mod table;
mod traits;

pub use traits::{
    BucketImage, OrdersAsk, Page, PageAsk, Prefetched, Store, StoreError, StoreStats, WriteSet,
};
