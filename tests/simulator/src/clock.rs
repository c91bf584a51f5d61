//! Virtual time, and what each host's clocks make of it.
//!
//! A run counts microseconds from 0. A host has a monotonic clock that begins again at each boot, and a wall clock that may
//! be wrong by any amount (spec/sync.md 6.6). Nothing in a run reads the machine's clock.

use std::fmt;

/// The wall clock at the start of a run: 2026-11-22 12:00:00 UTC, in epoch microseconds.
pub const EPOCH_AT: i64 = 1_795_348_800_000_000;

/// A moment of a run, in microseconds since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SimTime(pub u64);

impl SimTime {
    /// The moment `us` microseconds later.
    pub fn plus_us(self, us: u64) -> SimTime {
        SimTime(self.0.saturating_add(us))
    }

    /// The moment `ms` milliseconds later.
    pub fn plus_ms(self, ms: u64) -> SimTime {
        self.plus_us(ms.saturating_mul(1000))
    }

    /// True wall time, in epoch microseconds.
    pub fn wall_at(self) -> i64 {
        EPOCH_AT.saturating_add_unsigned(self.0)
    }
}

/// Minutes, seconds and milliseconds, as the trace shows them.
impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0 / 1000;
        write!(f, "{:02}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000)
    }
}

/// What a host's clocks show at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Wall clock, epoch microseconds, with the host's error in it.
    pub wall_at: i64,
    /// Milliseconds since boot.
    pub mono_ms: u64,
    /// Names the boot.
    pub boot: u64,
}

/// The clocks of one host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostClock {
    boot: u64,
    booted_at: SimTime,
    wall_error_us: i64,
}

impl HostClock {
    /// A host that booted at this moment; the name of the boot is drawn by the caller.
    pub fn booted(boot: u64, at: SimTime) -> HostClock {
        HostClock { boot, booted_at: at, wall_error_us: 0 }
    }

    /// Boots again: monotonic time begins at 0. The error of the wall clock stays.
    pub fn reboot(&mut self, boot: u64, at: SimTime) {
        self.boot = boot;
        self.booted_at = at;
    }

    /// Sets by how much the wall clock is wrong.
    pub fn set_wall_error_us(&mut self, error_us: i64) {
        self.wall_error_us = error_us;
    }

    /// What the clocks show now.
    pub fn read(&self, now: SimTime) -> Reading {
        Reading {
            wall_at: now.wall_at().saturating_add(self.wall_error_us),
            mono_ms: now.0.saturating_sub(self.booted_at.0) / 1000,
            boot: self.boot,
        }
    }

    /// The moment at which the monotonic clock of this boot shows at least `mono_ms`.
    pub fn moment_of(&self, mono_ms: u64) -> SimTime {
        self.booted_at.plus_ms(mono_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reboot_sets_back_monotonic_time_only() {
        let mut clock = HostClock::booted(1, SimTime(5_000));
        clock.set_wall_error_us(-7);
        let later = SimTime(12_000);
        assert_eq!(clock.read(later), Reading { wall_at: EPOCH_AT + 11_993, mono_ms: 7, boot: 1 });
        assert_eq!(clock.moment_of(7), later);
        clock.reboot(2, later);
        assert_eq!(clock.read(later), Reading { wall_at: EPOCH_AT + 11_993, mono_ms: 0, boot: 2 });
    }

    #[test]
    fn moments_print_as_minutes() {
        assert_eq!(SimTime(61_002_999).to_string(), "01:01.002");
    }
}
