//! What time it is: the server's, reckoned from the last contact and the time since boot (spec/sync.md 6.6).
//!
//! Nothing here reads a clock: [`Now`] comes in. Always: a moved wall clock changes nothing within one boot.

use serde::{Deserialize, Serialize};
use souk_domain::time::{Span, Time};

/// What the device's clocks say at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds since boot; runs on while the device sleeps.
    pub mono_ms: u64,
    /// Random id of the boot.
    pub boot: u64,
    /// The wall clock, which anybody may have moved.
    pub wall: Time,
}

impl Now {
    /// The moment `ms` later in the same boot.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Now {
        let span = Span::from_millis(i64::try_from(ms).unwrap_or(i64::MAX / 1_000));
        Now { mono_ms: self.mono_ms.saturating_add(ms), wall: self.wall.plus(span), ..self }
    }
}

/// The last time that the server was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// Boot of the contact.
    pub boot: u64,
    /// Milliseconds since boot then.
    pub mono_ms: u64,
    /// The server's time then.
    pub server_at: Time,
    /// Half of the round trip, milliseconds.
    pub err_ms: u64,
    /// The wall clock then.
    pub wall: Time,
}

/// What the server's clock says now, as far as the device can know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Estimate {
    /// The time.
    pub at: Time,
    /// How far it may be off; none = nobody knows (the device was restarted since, or never heard the server).
    pub err_ms: Option<u64>,
}

impl Estimate {
    /// The error as it stands in texts: -1 = unknown.
    pub fn err_ms_text(&self) -> i64 {
        self.err_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(souk_protocol::intent::ERR_UNKNOWN_MS)
    }

    /// Whether the age of what is made now can be reckoned.
    pub fn is_sure(&self) -> bool {
        self.err_ms.is_some()
    }
}

/// Error that is added to each estimate, milliseconds.
const BASE_ERR_MS: u64 = 1_000;
/// Drift of a cheap quartz, parts per million.
const DRIFT_PPM: u64 = 50;

/// The server's time now.
pub fn estimate(contact: Option<&Contact>, now: Now) -> Estimate {
    match contact {
        Some(contact) if contact.boot == now.boot && now.mono_ms >= contact.mono_ms => {
            let elapsed_ms = now.mono_ms - contact.mono_ms;
            let span = Span::from_millis(i64::try_from(elapsed_ms).unwrap_or(0));
            let drift_ms = elapsed_ms.saturating_mul(DRIFT_PPM) / 1_000_000;
            Estimate {
                at: contact.server_at.plus(span),
                err_ms: Some(contact.err_ms + BASE_ERR_MS + drift_ms),
            }
        }
        // After a restart only the wall clock goes on: by as much as it was off at the last contact.
        Some(contact) => Estimate { at: now.wall.plus(contact.server_at.since(contact.wall)), err_ms: None },
        None => Estimate { at: now.wall, err_ms: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time::from_secs(1_795_348_800);

    fn now(boot: u64, mono_ms: u64, wall_s: i64) -> Now {
        Now { mono_ms, boot, wall: T0.plus(Span::from_secs(wall_s)) }
    }

    #[test]
    fn estimates() {
        let contact = Contact { boot: 1, mono_ms: 1_000, server_at: T0, err_ms: 40, wall: T0 };
        let check = |now: Now, at_s: i64, err_ms: Option<u64>| {
            let estimate = estimate(Some(&contact), now);
            assert_eq!((estimate.at, estimate.err_ms), (T0.plus(Span::from_secs(at_s)), err_ms), "{now:?}");
        };
        check(now(1, 1_000, 0), 0, Some(1_040));
        check(now(1, 61_000, 60), 60, Some(1_043));
        // The wall clock was moved by two days: nothing changes.
        check(now(1, 61_000, 172_800), 60, Some(1_043));
        // Another boot: the wall clock with the last known offset, and nobody vouches for it.
        check(now(2, 5_000, 300), 300, None);
        assert_eq!(estimate(None, now(1, 0, 7)).at, T0.plus(Span::from_secs(7)));
    }
}
