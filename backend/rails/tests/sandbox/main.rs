//! The sandbox provider over loopback HTTP: the real server, the real adapter, a real receiver of webhooks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod faults;
mod flows;
mod idempotency;
mod payer;
mod restart;
mod rig;
mod webhooks;
