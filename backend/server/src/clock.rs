//! The one place of the program that reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use souk_domain::time::Time;

/// Now.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
