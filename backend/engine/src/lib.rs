#![doc = include_str!("../README.md")]

pub mod ask;
pub mod batch;
mod checkouts;
pub mod engine;
mod error;
mod feed;
mod guess;
pub mod handle;
pub mod keys;
pub mod mutants;
mod prepared;
pub mod pull;
mod push;
pub mod queries;
pub mod rail;
pub mod reader;
pub mod relay;
pub mod sign_in;
pub mod timers;

pub use ask::{Answer, Ask};
pub use engine::{Engine, EngineConfig, MemoryBudget, ScopeHint};
pub use error::EngineError;
pub use mutants::Mutants;
pub use reader::Reader;
