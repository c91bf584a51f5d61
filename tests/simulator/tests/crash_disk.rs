//! Real SQLite on the crash disk: what survives which crash, and with which settings.
//!
//! These are the facts that the settings of the server and of the devices rest on (spec/sync.md 2.4, 2.7).

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests too

use rusqlite::{Connection, ErrorCode, OpenFlags};
use souk_simulator::disk::{Disk, Fault, HostId, Image};
use souk_simulator::rng::Rng;
use souk_simulator::vfs;

const HOST: HostId = HostId(1);

/// How the file is opened: `EXCLUSIVE` and WAL as in the simulator, with this `synchronous`.
fn open(disk: &Disk, synchronous: &str) -> rusqlite::Result<Connection> {
    vfs::register();
    let db = Connection::open_with_flags_and_vfs(disk.path(HOST, "db"), OpenFlags::default(), vfs::NAME)?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "wal_autocheckpoint", 20)?; // a few pages, so that checkpoints are met often
    Ok(db)
}

/// A file with an empty table, wholly on the medium.
fn template() -> Image {
    let disk = Disk::new();
    let db = open(&disk, "FULL").unwrap();
    db.execute_batch("CREATE TABLE item(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT").unwrap();
    drop(db);
    disk.image(HOST)
}

fn insert(db: &Connection, id: u64, rng: &mut Rng) -> rusqlite::Result<usize> {
    let length = usize::try_from(rng.between(1, 9000)).unwrap(); // some rows lie on several pages
    db.execute("INSERT INTO item VALUES (?1, ?2)", (id as i64, vec![id as u8; length]))
}

fn ids(db: &Connection) -> Vec<u64> {
    let mut statement = db.prepare("SELECT id, body FROM item ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    rows.map(|row| {
        let (id, body) = row.unwrap();
        assert!(body.iter().all(|byte| *byte == id as u8), "row {id} holds foreign bytes");
        id as u64
    })
    .collect()
}

fn integrity(db: &Connection) -> String {
    db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

enum Crash {
    Kill,
    PowerLoss,
}

/// Writes rows until the fuse blows, crashes, opens again. Returns (acknowledged, found afterwards).
fn crash_once(synchronous: &str, crash: Crash, image: &Image, seed: u64) -> (Vec<u64>, Vec<u64>) {
    let mut rng = Rng::from_seed(seed);
    let disk = Disk::new();
    disk.restore(HOST, image);
    let db = open(&disk, synchronous).unwrap();
    let calls = u32::try_from(rng.between(0, 80)).unwrap();
    disk.set_fuse(HOST, calls, usize::try_from(rng.between(0, 9)).unwrap());
    let acknowledged: Vec<u64> = (1..1000).take_while(|id| insert(&db, *id, &mut rng).is_ok()).collect();
    assert!(disk.is_dead(HOST), "a live disk refused a row");
    drop(db); // the dying process cannot write any more
    match crash {
        Crash::Kill => disk.kill(HOST),
        Crash::PowerLoss => disk.power_loss(HOST, &mut rng),
    }
    let db = open(&disk, synchronous).unwrap();
    assert_eq!(integrity(&db), "ok", "seed {seed}");
    (acknowledged, ids(&db))
}

/// At most the one row that was being written when the host died is there without an acknowledgement.
fn is_whole(acknowledged: &[u64], found: &[u64]) -> bool {
    found.strip_prefix(acknowledged).is_some_and(|more| more.len() <= 1)
}

#[test]
fn full_loses_nothing_acknowledged() {
    let image = template();
    for seed in 0..300 {
        for crash in [Crash::Kill, Crash::PowerLoss] {
            let (acknowledged, found) = crash_once("FULL", crash, &image, seed);
            assert!(is_whole(&acknowledged, &found), "seed {seed}: {acknowledged:?} became {found:?}");
        }
    }
}

#[test]
fn normal_loses_acknowledged_rows_by_power_loss_only() {
    let image = template();
    let mut losing_seeds = 0;
    for seed in 0..100 {
        let (acknowledged, found) = crash_once("NORMAL", Crash::Kill, &image, seed);
        assert!(is_whole(&acknowledged, &found), "a kill cost rows at seed {seed}");
        let (acknowledged, found) = crash_once("NORMAL", Crash::PowerLoss, &image, seed);
        assert!(
            acknowledged.starts_with(&found) || is_whole(&acknowledged, &found),
            "not a prefix at seed {seed}"
        );
        losing_seeds += u32::from(found.len() < acknowledged.len());
    }
    assert!(losing_seeds > 50, "only {losing_seeds} of 100 seeds lost an acknowledged row");
}

/// Crash after crash on one file, each at another call, tells that recovery itself may be cut off anywhere.
#[test]
fn torn_pages_never_corrupt_a_wal_database() {
    let image = template();
    let mut torn = 0;
    for seed in 0..60 {
        let mut rng = Rng::from_seed(seed);
        let disk = Disk::new();
        disk.restore(HOST, &image);
        for _ in 0..12 {
            let synchronous = if rng.chance(500) { "FULL" } else { "NORMAL" };
            disk.set_fuse(
                HOST,
                u32::try_from(rng.between(0, 60)).unwrap(),
                usize::try_from(rng.between(0, 9)).unwrap(),
            );
            if let Ok(db) = open(&disk, synchronous) {
                let start = rng.next_u64() >> 8;
                for id in start..start + 40 {
                    if insert(&db, id, &mut rng).is_err() {
                        break;
                    }
                }
            }
            if rng.chance(700) {
                disk.power_loss(HOST, &mut rng);
            } else {
                disk.kill(HOST);
            }
            let db = open(&disk, "FULL").unwrap();
            assert_eq!(integrity(&db), "ok", "seed {seed}");
            ids(&db);
        }
        torn += disk.counters().torn;
    }
    assert!(torn > 100, "only {torn} torn writes were met");
}

/// A disk with row 1 committed, and row 2 in the WAL of the page cache but not on the medium: the host was killed
/// between the write and its sync.
fn killed_before_the_sync() -> Disk {
    let disk = Disk::new();
    disk.restore(HOST, &template());
    insert(&open(&disk, "FULL").unwrap(), 1, &mut Rng::from_seed(1)).unwrap();
    let cut_at = |calls| {
        let disk = disk.fork();
        let db = open(&disk, "FULL").unwrap();
        disk.set_fuse(HOST, calls, 0);
        insert(&db, 2, &mut Rng::from_seed(1)).unwrap_err();
        drop(db);
        disk.kill(HOST);
        disk
    };
    let has_row_2 = |disk: &Disk| ids(&open(&disk.fork(), "FULL").unwrap()).len() == 2;
    (0..20).map(cut_at).find(has_row_2).expect("one call stands between the last frame and the sync")
}

/// How many rows a restarted program reads, and the fewest that any following power loss leaves.
fn seen_and_kept(startup: &str) -> (usize, usize) {
    let disk = killed_before_the_sync();
    let db = open(&disk, "FULL").unwrap();
    db.execute_batch(startup).unwrap();
    let seen = ids(&db).len();
    let kept = (0..50).map(|seed| {
        let disk = disk.fork();
        disk.power_loss(HOST, &mut Rng::from_seed(seed));
        ids(&open(&disk, "FULL").unwrap()).len()
    });
    (seen, kept.min().unwrap())
}

/// The row is in the page cache, so the new process sees it and may answer from it; the power loss that follows takes it
/// away again. A checkpoint before the first read brings to the medium what is about to be shown.
#[test]
fn a_start_without_checkpoint_shows_what_a_power_loss_takes_away() {
    assert_eq!(seen_and_kept(""), (2, 1));
    assert_eq!(seen_and_kept("PRAGMA wal_checkpoint(TRUNCATE)"), (2, 2));
}

#[test]
fn exclusive_must_stand_before_wal() {
    let disk = Disk::new();
    vfs::register();
    let db =
        Connection::open_with_flags_and_vfs(disk.path(HOST, "db"), OpenFlags::default(), vfs::NAME).unwrap();
    let mode = |db: &Connection| -> String {
        db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).unwrap()
    };
    assert_eq!(mode(&db), "delete", "without shared memory and exclusive locking there is no WAL");
    db.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
    assert_eq!(mode(&db), "wal");
}

#[test]
fn a_second_connection_is_refused() {
    let disk = Disk::new();
    let first = open(&disk, "FULL").unwrap();
    first.execute_batch("CREATE TABLE item(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT").unwrap();
    let refused = open(&disk, "FULL").unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    drop(first);
    open(&disk, "FULL").unwrap();
}

/// A failed call fails its transaction; the connection goes on and nothing acknowledged is touched.
#[test]
fn a_failed_call_costs_one_transaction() {
    let image = template();
    for (fault, code) in [(Fault::Io, ErrorCode::SystemIoFailure), (Fault::Full, ErrorCode::DiskFull)] {
        for calls in 0..12 {
            let disk = Disk::new();
            disk.restore(HOST, &image);
            let db = open(&disk, "FULL").unwrap();
            let mut rng = Rng::from_seed(u64::from(calls));
            insert(&db, 1, &mut rng).unwrap();
            disk.arm(HOST, fault, calls);
            let mut acknowledged = vec![1];
            for id in 2..12 {
                match insert(&db, id, &mut rng) {
                    Ok(_) => acknowledged.push(id),
                    Err(error) => assert_eq!(error.sqlite_error_code(), Some(code)),
                }
            }
            assert_eq!(disk.counters().failed_calls, 1, "{fault:?} after {calls}");
            assert_eq!(ids(&db), acknowledged);
            drop(db);
            let db = open(&disk, "FULL").unwrap();
            assert_eq!(
                (ids(&db), integrity(&db)),
                (acknowledged, "ok".to_owned()),
                "{fault:?} after {calls}"
            );
        }
    }
}

#[test]
fn bit_rot_is_found_by_a_check() {
    let image = template();
    let found = (0..600).any(|seed| {
        let mut rng = Rng::from_seed(seed);
        let disk = Disk::new();
        disk.restore(HOST, &image);
        assert!(disk.rot(HOST, "db", &mut rng));
        match open(&disk, "FULL") {
            Ok(db) => {
                db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)) != Ok("ok".into())
            }
            Err(_) => true,
        }
    });
    assert!(found);
}

/// Rollback journals and files without a name work on the disk as well.
#[test]
fn rollback_journal_and_temporary_files() {
    let disk = Disk::new();
    vfs::register();
    let db =
        Connection::open_with_flags_and_vfs(disk.path(HOST, "db"), OpenFlags::default(), vfs::NAME).unwrap();
    db.execute_batch(
        "PRAGMA temp_store=FILE; PRAGMA cache_size=10; CREATE TABLE item(id INTEGER PRIMARY KEY, body BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO item SELECT i, zeroblob(900) FROM n;
         CREATE TEMP TABLE copy AS SELECT * FROM item ORDER BY body, id DESC;
         BEGIN; DELETE FROM item; ROLLBACK;",
    )
    .unwrap();
    assert_eq!(ids_count(&db, "item"), 500);
    assert_eq!(ids_count(&db, "copy"), 500);
    assert_eq!(disk.files(HOST), ["db"], "the journal is gone");
}

fn ids_count(db: &Connection, table: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}
