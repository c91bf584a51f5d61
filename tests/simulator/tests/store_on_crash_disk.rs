//! The server's SQLite adapter on the crash disk: what it acknowledges stays, wherever the host dies.
//!
//! Settings of the installation stand in for all rows: they are written by the same connection with the same commit.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests too

use futures::executor::block_on;
use souk_simulator::disk::{Disk, HostId, Image};
use souk_simulator::rng::Rng;
use souk_simulator::vfs;
use souk_store::sqlite::{SqliteConfig, SqliteStore};
use souk_store::{Store, StoreError};

const SERVER: HostId = HostId(0);

fn config(disk: &Disk) -> SqliteConfig {
    vfs::register();
    SqliteConfig {
        vfs: Some(vfs::NAME.to_str().unwrap().to_owned()),
        exclusive: true,
        ..SqliteConfig::new(disk.path(SERVER, "souk.db"))
    }
}

/// A store that served once.
fn template() -> Image {
    let disk = Disk::new();
    let store = SqliteStore::open(config(&disk)).unwrap();
    block_on(store.take_over()).unwrap();
    drop(store);
    disk.image(SERVER)
}

fn name(number: u32) -> String {
    format!("test.{number}")
}

/// How many settings, counted from the first, are there; none may be there behind a gap.
fn count(store: &SqliteStore) -> u32 {
    let is_there = |number: &u32| block_on(store.setting(&name(*number))).unwrap().is_some();
    let count = (1..).take_while(is_there).count() as u32;
    assert!((count + 1..count + 40).all(|number| !is_there(&number)), "rows behind a gap");
    count
}

/// Writes settings until the fuse blows; returns how many were acknowledged.
fn write_until_dead(store: &SqliteStore) -> u32 {
    (1..1000).take_while(|number| block_on(store.setting_put(&name(*number), &[7; 900])).is_ok()).count()
        as u32
}

#[test]
fn what_is_acknowledged_survives_every_crash() {
    let image = template();
    for seed in 0..150 {
        let mut rng = Rng::from_seed(seed);
        let disk = Disk::new();
        disk.restore(SERVER, &image);
        let store = SqliteStore::open(config(&disk)).unwrap();
        disk.set_fuse(SERVER, rng.between(0, 120) as u32, rng.between(0, 9) as usize);
        let acknowledged = write_until_dead(&store);
        assert!(disk.is_dead(SERVER));
        drop(store);
        if rng.chance(700) {
            disk.power_loss(SERVER, &mut rng)
        } else {
            disk.kill(SERVER)
        }
        let found = count(&SqliteStore::open(config(&disk)).unwrap());
        assert!((acknowledged..=acknowledged + 1).contains(&found), "seed {seed}: {acknowledged}, {found}");
    }
}

/// The host dies at each call of the first opening, of taking over, and of opening again: the next start always works.
#[test]
fn a_start_may_be_cut_off_anywhere() {
    let start = |disk: &Disk| -> Result<i64, StoreError> {
        let store = SqliteStore::open(config(disk))?;
        block_on(store.take_over())
    };
    let counting = Disk::new();
    start(&counting).unwrap();
    let calls = counting.counters().writes + counting.counters().syncs;
    let mut cut_off = 0;
    for fuse in (0..calls).step_by(3) {
        let mut rng = Rng::from_seed(fuse);
        let disk = Disk::new();
        for _ in 0..2 {
            disk.set_fuse(SERVER, fuse as u32, rng.between(0, 9) as usize);
            cut_off += u32::from(start(&disk).is_err());
            if rng.chance(500) { disk.power_loss(SERVER, &mut rng) } else { disk.kill(SERVER) }
        }
        start(&disk).unwrap_or_else(|error| panic!("fuse {fuse}: {error}"));
    }
    assert!(cut_off > 50, "only {cut_off} starts were cut off");
}

/// Mutants 3 and 5 of spec/sync.md 10.5, as settings of the adapter: each loses rows at some seed, the default at none.
#[test]
fn each_durability_setting_is_needed() {
    let image = template();
    let losing_seeds = |change: fn(&mut SqliteConfig)| {
        (0..400)
            .filter(|seed| {
                let mut rng = Rng::from_seed(*seed);
                let disk = Disk::new();
                disk.restore(SERVER, &image);
                let mut config = config(&disk);
                change(&mut config);
                let store = SqliteStore::open(config.clone()).unwrap();
                disk.set_fuse(SERVER, rng.between(4, 60) as u32, 9);
                let acknowledged = write_until_dead(&store);
                drop(store);
                disk.kill(SERVER);
                let store = SqliteStore::open(config.clone()).unwrap();
                let shown = count(&store).max(acknowledged);
                disk.cut(SERVER);
                drop(store);
                disk.power_loss(SERVER, &mut rng);
                count(&SqliteStore::open(config).unwrap()) < shown
            })
            .count()
    };
    assert_eq!(losing_seeds(|_| {}), 0);
    assert!(losing_seeds(|config| config.start_checkpoint = false) > 0);
    assert!(
        losing_seeds(|config| config.synchronous_full = false) == 0,
        "the start checkpoint syncs what it read"
    );
    assert!(losing_seeds(|config| (config.synchronous_full, config.start_checkpoint) = (false, false)) > 0);
}
