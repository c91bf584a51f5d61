//! The facade: what every shell calls, by role. `*Request` in, `*View` out, one flat error.
//!
//! The calls are methods of [`DeviceHost`](crate::host::DeviceHost), one file a role; [`Device`](crate::runtime::Device) puts threads,
//! sockets and timers round it and offers the same calls without waiting for a network. Always: a call that changes
//! something is one local transaction, then it returns.

pub mod buyer;
pub mod courier;
mod desk;
mod orders;
mod pending;
pub mod requests;
pub mod seller;
pub mod views;

pub(crate) use desk::Desk;

/// Rows of a search at most.
pub const SEARCH_ROWS_MAX: usize = 50;
/// Rows of a search, when the request names none.
pub const SEARCH_ROWS_DEFAULT: usize = 20;
/// Rows of a page of orders, products or stops.
pub const PAGE_ROWS_MAX: usize = 200;
/// Rows of such a page, when the request names none.
pub const PAGE_ROWS_DEFAULT: usize = 50;
