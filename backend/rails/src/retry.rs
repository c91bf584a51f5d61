//! When an operation in doubt is tried again and when people hear of it (spec/money.md 6).
//!
//! Not for: doing it. Pure functions of counters and random bits, so that the relay can be simulated.

use souk_domain::time::Span;

/// The first upper bound of a wait.
pub const RETRY_BASE: Span = Span::from_millis(500);

/// No wait is longer: a rail that comes back is met within five minutes.
pub const RETRY_MAX: Span = Span::from_minutes(5);

/// An op unknown for longer is blocker `rail_unknown` and an alarm.
pub const UNKNOWN_ALARM: Span = Span::from_minutes(15);

/// After this an op is a work item for staff as well; it is still tried.
pub const STAFF_AFTER: Span = Span::from_hours(24);

/// After how long an open payment or op is looked at without any event; the last one repeats.
pub const POLL_AFTER: [Span; 5] = [
    Span::from_minutes(1),
    Span::from_minutes(5),
    Span::from_minutes(15),
    Span::from_minutes(60),
    Span::from_hours(6),
];

/// The wait before attempt number `attempts` + 1, full jitter: evenly from 1 microsecond to the bound, which doubles
/// from [`RETRY_BASE`] to [`RETRY_MAX`]. `random` is any 64 random bits; `retry_after` (what the rail asked for) is
/// never cut short.
pub fn delay(attempts: u32, random: u64, retry_after: Option<Span>) -> Span {
    let doubled =
        1i64.checked_shl(attempts.saturating_sub(1)).filter(|factor| *factor > 0).unwrap_or(i64::MAX);
    let bound = RETRY_BASE.micros().saturating_mul(doubled).min(RETRY_MAX.micros());
    let jittered = (u128::from(random) * bound.unsigned_abs() as u128) >> 64;
    let wait = Span::from_micros(jittered as i64 + 1);
    retry_after.map_or(wait, |asked| asked.max(wait))
}

/// How long after the last look number `looks` (0 = the start) the next one is due.
pub fn poll_after(looks: usize) -> Span {
    POLL_AFTER[looks.min(POLL_AFTER.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound() {
        let longest = |attempts| delay(attempts, u64::MAX, None).millis();
        let table: Vec<i64> = [0, 1, 2, 3, 10, 11, 12, 64, 65, u32::MAX].into_iter().map(longest).collect();
        assert_eq!(table, [500, 500, 1000, 2000, 256_000, 300_000, 300_000, 300_000, 300_000, 300_000]);
        assert_eq!(delay(1, 0, None), Span::from_micros(1));
        assert_eq!(delay(1, u64::MAX / 2, None).millis(), 250);
        assert_eq!(delay(1, 0, Some(Span::from_secs(7))), Span::from_secs(7));
        assert_eq!(delay(12, u64::MAX, Some(Span::from_secs(7))).millis(), 300_000);
    }

    #[test]
    fn looks_become_rare() {
        let minutes: Vec<i64> = (0..7).map(|looks| poll_after(looks).secs() / 60).collect();
        assert_eq!(minutes, [1, 5, 15, 60, 360, 360, 360]);
    }
}
