//! The smallest system with the product's shape, to test the simulator itself.
//!
//! Devices with an outbox and a cursor, a server with streams, stock, ledger and feed, both on real SQLite, in a few
//! hundred lines. Its mutants are the product's in small: a simulator that misses one of them here would miss it there
//! too. It shares no code with the product on purpose. What the rows mean: spec/sync.md 3.5, 4.1-4.3.

mod device;
mod server;
mod truth;
mod wire;
mod world;

use rusqlite::{Connection, OpenFlags};

use crate::disk::{Disk, HostId};
use crate::sim::Sim;
use crate::vfs;
use crate::world::{MutantSpec, Scenario, Violation, World};

/// The server's host.
const SERVER: HostId = HostId(0);

/// Each product begins with so many in stock; small, so that orders collide.
const STOCK_AT_FIRST: i64 = 5;

const PRODUCTS: i64 = 12;

/// A wrong line that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    NoServerDedupe,
    DeviceSynchronousNormal,
    ServerSynchronousNormal,
    RemovedOnSend,
    NoStartCheckpoint,
    NewIdOnRetry,
    CursorBeforeRows,
    LastInSecondTransaction,
}

impl Mutant {
    fn by_name(name: &str) -> Option<Mutant> {
        match name {
            "no_server_dedupe" => Some(Mutant::NoServerDedupe),
            "device_synchronous_normal" => Some(Mutant::DeviceSynchronousNormal),
            "server_synchronous_normal" => Some(Mutant::ServerSynchronousNormal),
            "removed_on_send" => Some(Mutant::RemovedOnSend),
            "no_start_checkpoint" => Some(Mutant::NoStartCheckpoint),
            "new_id_on_retry" => Some(Mutant::NewIdOnRetry),
            "cursor_before_rows" => Some(Mutant::CursorBeforeRows),
            "last_in_second_transaction" => Some(Mutant::LastInSecondTransaction),
            _ => None,
        }
    }
}

const fn mutant(
    number: u32,
    name: &'static str,
    what: &'static str,
    known_seed: u64,
    seeds_max: u64,
) -> MutantSpec {
    MutantSpec { number, name, what, profile: "short", known_seed, seeds_max }
}

const MUTANTS: [MutantSpec; 8] = [
    mutant(1, "no_server_dedupe", "the server decides a known id again", 1, 300),
    mutant(2, "device_synchronous_normal", "the device does not sync its commits", 1, 300),
    mutant(3, "server_synchronous_normal", "the server does not sync its commits", 1, 300),
    mutant(4, "removed_on_send", "the outbox row goes when the request leaves", 1, 300),
    mutant(5, "no_start_checkpoint", "the first read comes before the checkpoint", 14, 2000),
    mutant(6, "new_id_on_retry", "a retry gets a new id", 1, 300),
    mutant(8, "cursor_before_rows", "the cursor is committed before its rows", 1, 300),
    mutant(11, "last_in_second_transaction", "the stream's last is committed after its intents", 1, 300),
];

/// The scenario `toy`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toy;

impl Scenario for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn mutants(&self) -> &'static [MutantSpec] {
        &MUTANTS
    }

    fn build(&self, mutant: Option<&str>, sim: &mut Sim) -> Result<Box<dyn World>, Violation> {
        let mutant = mutant.and_then(Mutant::by_name);
        let devices = u32::try_from(sim.rng().between(2, 4)).unwrap_or(2);
        server::install(sim.disk()).map_err(setup_failed)?;
        for number in 1..=devices {
            device::install(sim.disk(), HostId(number)).map_err(setup_failed)?;
        }
        Ok(Box::new(world::ToyWorld::new(devices, mutant)))
    }
}

fn setup_failed(error: rusqlite::Error) -> Violation {
    Violation::new("open", format!("no files to begin with: {error}"))
}

/// Opens a host's file the way the product does in the simulator: EXCLUSIVE, then WAL, then `synchronous`.
fn open(disk: &Disk, host: HostId, synchronous: &str) -> rusqlite::Result<Connection> {
    vfs::register();
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags_and_vfs(disk.path(host, "toy.db"), flags, vfs::NAME)?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "wal_autocheckpoint", 60)?; // small files: checkpoints must be met within a run
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}

fn synchronous(mutant: Option<Mutant>, normal: Mutant) -> &'static str {
    if mutant == Some(normal) { "NORMAL" } else { "FULL" }
}

/// Brings to the medium whatever a former life left in the WAL, before anybody reads it (spec/sync.md 2.7).
fn checkpoint(db: &Connection, mutant: Option<Mutant>) -> rusqlite::Result<()> {
    if mutant == Some(Mutant::NoStartCheckpoint) {
        return Ok(());
    }
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
}

/// A file that a crash must not have damaged. The check reports a failed read as damage too, so it must find it twice.
fn check_integrity(db: &Connection, host: HostId) -> Result<(), Violation> {
    let check = || db.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0));
    match (check(), check()) {
        (Ok(first), Ok(second)) if first != "ok" && second != "ok" => {
            Err(Violation::new("open", format!("{host} is damaged: {second}")))
        }
        _ => Ok(()),
    }
}
