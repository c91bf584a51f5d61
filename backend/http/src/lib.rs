#![doc = include_str!("../README.md")]

mod app;
mod body;
mod call;
mod error;
mod gate;
mod handlers;
mod limiter;
mod live;
mod metrics;
pub mod openapi;
pub mod rail_driver;
mod route;
mod routes;
mod sender;
mod serve;
#[cfg(test)]
mod tests;

pub use app::{App, AppConfig, Clock, Settings, system_clock};
pub use gate::router;
pub use sender::{CodeSender, SandboxMailbox, SentCode};
pub use serve::{Peer, serve};
