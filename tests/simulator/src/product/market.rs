//! The market before the first tap: who is there, what is sold at what terms, and how the programs are set up.
//!
//! Small numbers on purpose: 12 products, 5 of each, so that orders collide; short deadlines, so that every timer fires
//! within a run.

use std::sync::Arc;

use souk_crypto::random::RandomUnavailable;
use souk_device::clock::Now;
use souk_device::host::{Entropy, HostConfig};
use souk_device::store::FilesConfig;
use souk_domain::context::{FeePlan, Policies, Reference};
use souk_domain::money::{Bp, Currency, Money, Ppm};
use souk_domain::time::{Span, Time};
use souk_engine::EngineConfig;
use souk_store::sqlite::SqliteConfig;

use super::Guards;
use crate::disk::{Disk, HostId};
use crate::rng::Rng;
use crate::sim::Sim;
use crate::vfs;

/// The server's host.
pub(super) const SERVER: HostId = HostId(0);
/// The server's file.
pub(super) const SERVER_FILE: &str = "souk.db";
/// A device's files.
pub(super) const DEVICE_FILES: [&str; 2] = ["user.db", "cache.db"];

/// What somebody does in the market.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Part {
    Seller,
    Courier,
    Buyer,
}

/// A device and whose it is; two devices with one contact are one account's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) host: HostId,
    pub(super) part: Part,
    pub(super) name: &'static str,
    pub(super) contact: &'static str,
}

const fn seat(host: u32, part: Part, name: &'static str, contact: &'static str) -> Seat {
    Seat { host: HostId(host), part, name, contact }
}

/// All devices that may take part; a run draws the last of its three or four.
pub(super) const SEATS: [Seat; 5] = [
    seat(1, Part::Seller, "seller's desktop", "seller@example.org"),
    seat(2, Part::Courier, "courier's phone", "courier@example.org"),
    seat(3, Part::Buyer, "Kim's phone", "kim@example.org"),
    seat(4, Part::Buyer, "Kim's tablet", "kim@example.org"),
    seat(5, Part::Buyer, "Lee's phone", "lee@example.org"),
];

/// Products of the one shop.
pub(super) const PRODUCTS: u32 = 12;
/// Units of each at first.
pub(super) const STOCK_AT_FIRST: u32 = 5;
/// Price of the first product, minor units; each further one costs [`PRICE_STEP`] more.
pub(super) const PRICE: i64 = 4_990;
/// Odd, so that fees must be rounded.
pub(super) const PRICE_STEP: i64 = 1_337;
/// Flat shipping, minor units.
pub(super) const SHIPPING: i64 = 3_000;
/// Goods of this sum travel free, minor units.
pub(super) const FREE_FROM: i64 = 40_000;
/// Commission on goods, in 1/10,000.
pub(super) const COMMISSION_BP: i64 = 500;
/// Tax on the commission, in 1/1,000,000.
pub(super) const COMMISSION_TAX_PPM: i64 = 100_000;
/// Where the buyers live, 1e-7 degrees.
pub(super) const HOME: (i32, i32) = (375_665_000, 1_269_780_000);

/// Deadlines that fit into half an hour.
pub(super) const POLICIES: Policies = Policies {
    pay_window_us: Span::from_minutes(5),
    pay_extend_us: Span::from_minutes(4),
    ship_deadline_us: Span::from_minutes(8),
    ship_auto_cancel_us: Span::from_minutes(20),
    cancel_free_us: Span::from_minutes(2),
    case_silence_us: Span::from_minutes(4),
    release_e2_us: Span::from_minutes(3),
    release_e1_us: Span::from_minutes(5),
    release_ec_us: Span::from_minutes(6),
    reserve_us: Span::from_minutes(6),
    rail_unknown_us: Span::from_minutes(15),
};

pub(super) fn money(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

/// What the engine is opened with.
pub(super) fn engine_config(guards: &Guards) -> EngineConfig {
    EngineConfig {
        reference: Reference {
            version: 0,
            policies: POLICIES,
            fee_plan: FeePlan {
                version: 1,
                commission: Bp(COMMISSION_BP as u32),
                commission_tax: Ppm(COMMISSION_TAX_PPM),
            },
            platform_keys: Vec::new(),
            emv_guid: "org.souk.pay".to_owned(),
        },
        seed: [9; 32],
        mutants: guards.engine,
    }
}

fn vfs_name() -> String {
    vfs::register();
    vfs::NAME.to_string_lossy().into_owned()
}

/// How the server opens its file.
pub(super) fn store_config(disk: &Disk, guards: &Guards) -> SqliteConfig {
    SqliteConfig {
        vfs: Some(vfs_name()),
        exclusive: true,
        synchronous_full: guards.server_full,
        start_checkpoint: guards.server_checkpoint,
        ..SqliteConfig::new(disk.path(SERVER, SERVER_FILE))
    }
}

/// How a device opens its files.
pub(super) fn host_config(disk: &Disk, host: HostId, live: bool, guards: &Guards) -> HostConfig {
    let files = FilesConfig {
        vfs: Some(vfs_name()),
        exclusive: true,
        user_synchronous_full: guards.device_full,
        start_checkpoint: guards.device_checkpoint,
        ..FilesConfig::in_dir(disk.dir(host))
    };
    HostConfig { files, app: "simulator/1".to_owned(), live, mutants: guards.device }
}

/// Randomness of one life of a device.
pub(super) struct SeededEntropy(pub(super) Rng);

impl Entropy for SeededEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomUnavailable> {
        fill(&mut self.0, out);
        Ok(())
    }
}

/// Fills a buffer from the run's generator.
pub(super) fn fill(rng: &mut Rng, out: &mut [u8]) {
    for chunk in out.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_be_bytes()[..chunk.len()]);
    }
}

/// The server's time: a run begins an hour behind the making of its files.
pub(super) fn server_now(sim: &Sim, is_installing: bool) -> Time {
    Time::from_micros(sim.now().wall_at()).plus(offset(is_installing))
}

/// What the device's clocks show.
pub(super) fn device_now(sim: &Sim, host: HostId, is_installing: bool) -> Now {
    let reading = sim.clock(host);
    let wall = Time::from_micros(reading.wall_at).plus(offset(is_installing));
    Now { mono_ms: reading.mono_ms, boot: reading.boot, wall }
}

fn offset(is_installing: bool) -> Span {
    if is_installing { Span::from_micros(0) } else { Span::from_hours(1) }
}

/// Shorthand of the engine's store.
pub(super) type SharedStore = Arc<dyn souk_store::Store>;
