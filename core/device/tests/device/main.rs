//! Devices against a server of plain maps: nothing is lost, nothing is doubled, what was tapped is on the screen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod door;
mod handover;
mod line;
mod observe;
mod outbox;
mod overlay;
mod pictures;
mod server;
mod sync;
