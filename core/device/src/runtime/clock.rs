//! What time it is, asked of the system.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use souk_crypto::hash::{first, sha256};
use souk_domain::time::Time;

use crate::clock::Now;

/// A clock: a phone's shell brings one that counts sleep.
pub trait Clock: Send + Sync {
    /// What all clocks of the device say now.
    fn now(&self) -> Now;
}

/// The clocks of this machine. On Linux the time since boot and the boot's id come from `/proc` and count sleep;
/// elsewhere each start of the program counts as a boot of its own, which is safe: the server's time is then asked
/// for again.
#[derive(Clone, Debug)]
pub struct SystemClock {
    boot: u64,
    /// Milliseconds since boot when the program started, and the start.
    start: (u64, Instant),
}

impl SystemClock {
    /// Reads the boot's id.
    pub fn new() -> SystemClock {
        let boot_id = std::fs::read("/proc/sys/kernel/random/boot_id").ok();
        let start_ms = uptime_ms();
        let boot = match (boot_id, start_ms) {
            (Some(id), Some(_)) => u64::from_be_bytes(first(&sha256(&id))),
            _ => souk_crypto::random::array().map(u64::from_be_bytes).unwrap_or(0),
        };
        SystemClock { boot, start: (start_ms.unwrap_or(0), Instant::now()) }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let (start_ms, start) = self.start;
        let running_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        // The finer of the two; sleep makes the first one larger.
        let mono_ms = uptime_ms().unwrap_or(0).max(start_ms.saturating_add(running_ms));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = i64::try_from(wall.as_micros()).unwrap_or(i64::MAX);
        Now { mono_ms, boot: self.boot, wall: Time::from_micros(wall) }
    }
}

/// First number of `/proc/uptime`, seconds with two decimals.
fn uptime_ms() -> Option<u64> {
    parse_uptime(&std::fs::read_to_string("/proc/uptime").ok()?)
}

fn parse_uptime(text: &str) -> Option<u64> {
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    let (seconds, hundredths): (u64, u64) = (seconds.parse().ok()?, hundredths.get(..2)?.parse().ok()?);
    seconds.checked_mul(1_000)?.checked_add(hundredths * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime() {
        assert_eq!(parse_uptime("350735.47 234388.90\n"), Some(350_735_470));
        assert_eq!(parse_uptime("0.05 0.00"), Some(50));
        for bad in ["", "12", "x.y z", "1.", "-1.00"] {
            assert_eq!(parse_uptime(bad), None, "{bad}");
        }
    }

    #[test]
    fn never_goes_back() {
        let clock = SystemClock::new();
        let (a, b) = (clock.now(), clock.now());
        assert!(b.mono_ms >= a.mono_ms);
        assert_eq!(a.boot, b.boot);
    }
}
