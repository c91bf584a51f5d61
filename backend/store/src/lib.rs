#![doc = include_str!("../README.md")]

mod encoding;
pub mod sqlite;
mod table;
mod traits;

pub use traits::{
    BucketImage, OrdersAsk, Page, PageAsk, Prefetched, Store, StoreError, StoreStats, WriteSet,
};
