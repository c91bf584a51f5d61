//! The product as a world: the real engine on the real SQLite store, real device cores, and a payment rail of another
//! company, all on the crash disk and the network that loses (spec/sync.md 10).
//!
//! What each part does: [`market`] who is there and at what terms; `server`, `api`, `live`, `rail` the server's side;
//! `phone` a device; `people`, `custody` what is tapped; `truth`, `oracle`, `record` what must come of it; `books`,
//! `views` the checks of both sides.

mod api;
mod books;
mod custody;
mod install;
mod live;
mod market;
mod oracle;
mod people;
mod phone;
mod rail;
mod record;
mod server;
mod truth;
mod views;
mod world;

use crate::sim::Sim;
use crate::vfs;
use crate::world::{MutantSpec, Scenario, Violation, World};
use market::Part;

/// Drives a future of the engine, which waits for nothing but the medium.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

/// What stands between the product and its faults; a mutant takes one out.
#[derive(Clone, Copy, Debug)]
struct Guards {
    engine: souk_engine::Mutants,
    device: souk_device::testing::Mutants,
    server_full: bool,
    server_checkpoint: bool,
    device_full: bool,
    device_checkpoint: bool,
}

impl Guards {
    /// All in place.
    fn all() -> Guards {
        Guards {
            engine: souk_engine::Mutants::NONE,
            device: souk_device::testing::Mutants::default(),
            server_full: true,
            server_checkpoint: true,
            device_full: true,
            device_checkpoint: true,
        }
    }

    /// Without the one of this name.
    fn without(mutant: &str) -> Guards {
        let mut guards = Guards::all();
        match mutant {
            "no_server_dedupe" => guards.engine.no_dedupe = true,
            "device_synchronous_normal" => guards.device_full = false,
            "server_synchronous_normal" => guards.server_full = false,
            "removed_on_send" => guards.device.outbox_row_removed_on_send = true,
            "no_start_checkpoint_on_server" => {
                (guards.server_checkpoint, guards.engine.no_start_checkpoint) = (false, true);
            }
            "no_start_checkpoint_on_device" => guards.device_checkpoint = false,
            "new_id_on_retry" => guards.device.new_id_on_retry = true,
            "cursor_before_rows" => guards.device.cursor_before_rows = true,
            "stream_in_second_commit" => guards.engine.stream_in_second_commit = true,
            "part_in_second_commit" => guards.engine.part_in_second_commit = true,
            "max_total_ignored" => guards.engine.max_total_is_ignored = true,
            "not_after_ignored" => guards.engine.not_after_is_ignored = true,
            "leaving_is_silent" => guards.engine.leaving_is_silent = true,
            _ => {}
        }
        guards
    }
}

const fn mutant(
    number: u32,
    name: &'static str,
    what: &'static str,
    profile: &'static str,
    known_seed: u64,
    seeds_max: u64,
) -> MutantSpec {
    MutantSpec { number, name, what, profile, known_seed, seeds_max }
}

/// Numbers: spec/sync.md 10.5.
const MUTANTS: [MutantSpec; 13] = [
    mutant(1, "no_server_dedupe", "the server decides a known id again", "short", 1, 300),
    mutant(2, "device_synchronous_normal", "the device does not sync its commits", "short", 1, 300),
    mutant(3, "server_synchronous_normal", "the server does not sync its commits", "short", 1, 300),
    mutant(4, "removed_on_send", "the outbox row goes when the request leaves", "short", 1, 300),
    mutant(
        5,
        "no_start_checkpoint_on_server",
        "the server reads before the log is emptied",
        "short",
        1,
        2000,
    ),
    mutant(
        5,
        "no_start_checkpoint_on_device",
        "a device reads before its logs are emptied",
        "short",
        1,
        2000,
    ),
    mutant(6, "new_id_on_retry", "a retry gets a new id", "short", 1, 300),
    mutant(8, "cursor_before_rows", "the cursor is committed before its rows", "short", 1, 300),
    mutant(11, "stream_in_second_commit", "a stream's last comes in a second commit", "short", 2, 300),
    mutant(13, "part_in_second_commit", "a part's counter comes in a second commit", "short", 7, 300),
    mutant(18, "max_total_ignored", "the most that may be charged is not looked at", "short", 1, 300),
    mutant(19, "not_after_ignored", "an act is done however late it comes", "short", 2, 300),
    mutant(24, "leaving_is_silent", "a row that leaves a scope sends no removal", "short", 3, 300),
];

/// The scenario `product`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Product;

impl Scenario for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn mutants(&self) -> &'static [MutantSpec] {
        &MUTANTS
    }

    fn build(&self, mutant: Option<&str>, sim: &mut Sim) -> Result<Box<dyn World>, Violation> {
        let template = install::template()?;
        // Making the files has moved SQLite's generator, in the first run of a process alone.
        vfs::seed_sqlite(sim.rng().next_u64());
        let guards = mutant.map_or_else(Guards::all, Guards::without);
        Ok(Box::new(world::ProductWorld::of(template, guards, sim)))
    }
}
