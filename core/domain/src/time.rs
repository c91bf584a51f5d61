//! Points in time and spans, as integers with a unit.
//!
//! Nothing here reads a clock: `now` comes in with the context of a decision.

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// From whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Time {
        Time(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, cut down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the epoch, cut down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Minutes since the epoch, cut down: the unit of codes that are shown to a camera.
    pub const fn minutes(self) -> i64 {
        self.0.div_euclid(60_000_000)
    }

    /// The time a span later; saturates at the ends of the range.
    pub const fn plus(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }

    /// The time a span earlier; saturates at the ends of the range.
    pub const fn minus(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }

    /// The span from `earlier` to here; negative when `earlier` is later.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// A length of time in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Span {
        Span(micros)
    }
    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Span {
        Span(millis * 1_000)
    }
    /// From seconds.
    pub const fn from_secs(secs: i64) -> Span {
        Span(secs * 1_000_000)
    }
    /// From minutes.
    pub const fn from_minutes(minutes: i64) -> Span {
        Span(minutes * 60_000_000)
    }
    /// From hours.
    pub const fn from_hours(hours: i64) -> Span {
        Span(hours * 3_600_000_000)
    }
    /// From days of 24 hours.
    pub const fn from_days(days: i64) -> Span {
        Span(days * 86_400_000_000)
    }
    /// Microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// Milliseconds, cut toward zero.
    pub const fn millis(self) -> i64 {
        self.0 / 1_000
    }
    /// Whole seconds, cut toward zero.
    pub const fn secs(self) -> i64 {
        self.0 / 1_000_000
    }
}
