//! The sandbox payment provider: a server of its own with its own books, and the adapter that talks to it.
//!
//! [`server`] is what `souk sandbox-rail` runs; [`client`] is a [`Rail`](crate::rail::Rail) like any other and meets
//! the server over HTTP alone. Rules: spec/money.md 6, *Sandbox rail*.

mod books;
pub mod client;
mod clock;
mod control;
pub mod faults;
mod idempotency;
mod payments;
mod refunds;
mod reply;
mod routes;
pub mod server;
mod store;
mod webhooks;
mod wire;
