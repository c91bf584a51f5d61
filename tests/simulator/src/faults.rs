//! Which faults a run meets, how often, and in which network weather: spec/sync.md 10.2 as tables.

use crate::net::Weather;
use crate::rng::Rng;

/// A fault that the run makes happen at a drawn moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A device dies at one of its next disk calls, so usually inside a commit.
    DeviceFuse,
    /// A device is killed or loses power at once.
    DeviceCrash,
    /// The server dies at one of its next disk calls.
    ServerFuse,
    /// The server is killed or loses power at once.
    ServerCrash,
    /// A device and the server are cut off, one way or both.
    Partition,
    /// Uploads of a device vanish while downloads work.
    PushBlackhole,
    /// A device is suspended and resumed later.
    Pause,
    /// One disk call of any host fails with IOERR, FULL or BUSY.
    DiskFailure,
    /// One bit of a public file flips on the medium of a device.
    BitRot,
    /// A device's wall clock becomes wrong by up to 48 h.
    ClockJump,
    /// An image of a device is taken.
    DeviceBackup,
    /// A device is set back to its image.
    DeviceRestore,
    /// An image of the server is taken.
    ServerBackup,
    /// The server is set back to its image; half of them without anybody saying so.
    ServerRestore,
    /// A device's disk answers ok to syncs and forgets.
    LyingSync,
}

impl FaultKind {
    /// The name under which the report counts it.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::DeviceFuse => "device_crash_mid",
            FaultKind::DeviceCrash => "device_crash",
            FaultKind::ServerFuse => "server_crash_mid",
            FaultKind::ServerCrash => "server_crash",
            FaultKind::Partition => "partition",
            FaultKind::PushBlackhole => "push_blackhole",
            FaultKind::Pause => "pause",
            FaultKind::DiskFailure => "disk_failure",
            FaultKind::BitRot => "bit_rot",
            FaultKind::ClockJump => "clock_jump",
            FaultKind::DeviceBackup => "backup",
            FaultKind::DeviceRestore => "restore",
            FaultKind::ServerBackup => "server_backup",
            FaultKind::ServerRestore => "server_restore",
            FaultKind::LyingSync => "lying_sync",
        }
    }
}

/// The faults of a run that no profile leaves out, with their shares among the fault events.
const COMMON_SHARES: [(FaultKind, u64); 10] = [
    (FaultKind::DeviceFuse, 18),
    (FaultKind::DeviceCrash, 10),
    (FaultKind::ServerFuse, 14),
    (FaultKind::ServerCrash, 5),
    (FaultKind::Partition, 8),
    (FaultKind::PushBlackhole, 3),
    (FaultKind::Pause, 4),
    (FaultKind::DiskFailure, 6),
    (FaultKind::BitRot, 2),
    (FaultKind::ClockJump, 4),
];

const RESTORE_SHARES: [(FaultKind, u64); 4] = [
    (FaultKind::DeviceBackup, 4),
    (FaultKind::DeviceRestore, 3),
    (FaultKind::ServerBackup, 2),
    (FaultKind::ServerRestore, 2),
];

const LYING_SHARES: [(FaultKind, u64); 1] = [(FaultKind::LyingSync, 4)];

/// What a run is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name on the command line.
    pub name: &'static str,
    /// How long people tap and things break, virtual.
    pub workload_minutes: u64,
    /// Shares that this profile has beyond the common ones.
    more_shares: &'static [(FaultKind, u64)],
}

/// All profiles, the usual one first.
pub const PROFILES: [Profile; 4] = [
    Profile { name: "short", workload_minutes: 30, more_shares: &[] },
    Profile { name: "long", workload_minutes: 240, more_shares: &[] },
    Profile { name: "restore", workload_minutes: 60, more_shares: &RESTORE_SHARES },
    Profile { name: "lying", workload_minutes: 30, more_shares: &LYING_SHARES },
];

impl Profile {
    /// The profile of a name.
    pub fn by_name(name: &str) -> Option<Profile> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// Draws a fault among those that the world can meet; `None` when it can meet none.
    pub fn draw_fault(&self, supported: &[FaultKind], rng: &mut Rng) -> Option<FaultKind> {
        let shares: Vec<(FaultKind, u64)> = COMMON_SHARES
            .iter()
            .chain(self.more_shares)
            .filter(|(kind, _)| supported.contains(kind))
            .copied()
            .collect();
        let mut left = rng.below(shares.iter().map(|(_, share)| share).sum());
        for (kind, share) in shares {
            if left < share {
                return Some(kind);
            }
            left -= share;
        }
        None
    }
}

/// Draws the weather of a run: loss and copies 0, 5 or 30 %, delays up to 80, 800 or 9,000 ms.
pub fn draw_weather(rng: &mut Rng) -> Weather {
    let one_of = |values: [u64; 3], rng: &mut Rng| rng.pick(&values).copied().unwrap_or(values[0]);
    Weather {
        loss_permille: one_of([0, 50, 300], rng),
        copy_permille: one_of([0, 50, 300], rng),
        delay_ms_max: one_of([80, 800, 9000], rng),
    }
}

/// Spans of 10.2 and 10.3; each is drawn anew between its ends.
pub mod spans {
    /// Between two fault events, ms.
    pub const FAULT_MS: (u64, u64) = (3_000, 43_000);
    /// Between two taps on one device, ms.
    pub const TAP_MS: (u64, u64) = (5_000, 155_000);
    /// Length of a partition or blackhole, ms.
    pub const PARTITION_MS: (u64, u64) = (5_000, 185_000);
    /// Until a crashed device is started again, ms.
    pub const DEVICE_DOWN_MS: (u64, u64) = (500, 60_000);
    /// Until a crashed server is started again, ms.
    pub const SERVER_DOWN_MS: (u64, u64) = (2_000, 32_000);
    /// Length of a suspension, ms.
    pub const PAUSE_MS: (u64, u64) = (1_000, 120_000);
    /// Mutating disk calls that a device still gets through.
    pub const DEVICE_FUSE_CALLS: (u64, u64) = (0, 11);
    /// Mutating disk calls that the server still gets through.
    pub const SERVER_FUSE_CALLS: (u64, u64) = (0, 19);
    /// Sectors of the dying write that still get through.
    pub const FUSE_SECTORS: (u64, u64) = (0, 9);
    /// Largest error of a device's wall clock, ms: 48 h.
    pub const CLOCK_ERROR_MS_MAX: u64 = 48 * 3_600_000;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn drawn(profile: &str, supported: &[FaultKind]) -> BTreeMap<FaultKind, u32> {
        let profile = Profile::by_name(profile).unwrap();
        let mut rng = Rng::from_seed(1);
        let mut counts = BTreeMap::new();
        for _ in 0..10_000 {
            if let Some(kind) = profile.draw_fault(supported, &mut rng) {
                *counts.entry(kind).or_default() += 1;
            }
        }
        counts
    }

    #[test]
    fn shares_are_kept_among_the_supported() {
        let counts =
            drawn("short", &[FaultKind::DeviceFuse, FaultKind::DiskFailure, FaultKind::ServerRestore]);
        assert_eq!(counts.len(), 2, "the short profile restores no server");
        assert!((7_300..7_700).contains(&counts[&FaultKind::DeviceFuse]), "{counts:?}");
        assert!(drawn("short", &[]).is_empty());
        assert!(drawn("restore", &[FaultKind::ServerRestore]).contains_key(&FaultKind::ServerRestore));
        assert!(drawn("lying", &[FaultKind::LyingSync]).contains_key(&FaultKind::LyingSync));
    }

    #[test]
    fn profiles_have_their_names() {
        assert_eq!(PROFILES.map(|profile| profile.name), ["short", "long", "restore", "lying"]);
        assert_eq!(Profile::by_name("calm"), None);
    }
}
