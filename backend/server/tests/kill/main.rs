//! `kill -9` at any time loses nothing that was acknowledged: real processes, real HTTP, real device cores, real files.
//!
//! Clients of the API and devices trade without a break while the backend is killed again and again, and the rail now
//! and then. After each start everything that was answered before is asked for again; at the end all trades are carried
//! through and the books of ledger, stock, rail and devices are compared. `SOUK_KILL_SEED` and `SOUK_KILLS` change a run.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod audit;
mod devices;
mod direct;
mod site;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use souk_server::bench::orders::offers;
use souk_server::processes::Running;
use souk_testkit::market::Seeded;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use devices::Stage;
use direct::{Direct, Pulse};
use site::Site;

/// Seed of a run that names none.
const SEED: u64 = 11;
/// Kills of the backend in one run.
const KILLS: u64 = 32;
/// Clients of the API that buy.
const DIRECT_BUYERS: u64 = 3;
/// Devices that buy.
const DEVICE_BUYERS: u64 = 2;
/// A life of the backend ends after so many answers at most …
const ANSWERS_MAX: u64 = 160;
/// … or after this time, …
const LIFE_MAX: Duration = Duration::from_millis(1_200);
/// … and then so many microseconds later, so that the kill falls into the middle of something.
const LATER_US_MAX: u64 = 25_000;
/// A kill during the start comes so many microseconds after it at most.
const STARTING_US_MAX: u64 = 150_000;
/// Everything that is under way must have come to its end so long after the last kill.
const DRAIN_MAX: Duration = Duration::from_secs(60);

fn from_env(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => otherwise,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    let (seed, kills) = (from_env("SOUK_KILL_SEED", SEED), from_env("SOUK_KILLS", KILLS));
    eprintln!("SOUK_KILL_SEED={seed} SOUK_KILLS={kills}");
    let started = Instant::now();
    let mut random = Seeded::new(seed);
    let site = Site::new(seed).await;
    let rail = site.rail().await;
    let backend = site.serve().await;
    let pulse = Pulse::new();
    let seller = Direct::register(&site.url, site::DIRECT_SELLER, &pulse).await;
    let catalogue = offers(&*seller.client.read().await).await.unwrap();
    let (mine, theirs): (Vec<_>, Vec<_>) =
        catalogue.into_iter().partition(|wanted| Some(wanted.shop) == seller.shop());
    assert!(!mine.is_empty() && !theirs.is_empty());

    let mut buyers = JoinSet::new();
    let mut clients = vec![Arc::clone(&seller)];
    for number in 0..DIRECT_BUYERS {
        let contact = format!("buyer{number}@kill.souk.invalid");
        let buyer = Direct::register(&site.url, &contact, &pulse).await;
        clients.push(Arc::clone(&buyer));
        let random = Seeded::new(random.next_u64());
        buyers.spawn(direct::buyer(buyer, Arc::clone(&seller), mine.clone(), random));
    }
    let stage = Stage::new(&site, &pulse, theirs.iter().map(|wanted| wanted.offer).collect());
    let mut staff = JoinSet::new();
    // Devices sign in while the backend is killed under their hands.
    for number in 0..DEVICE_BUYERS {
        buyers.spawn(devices::buyer(Arc::clone(&stage), number, Seeded::new(random.next_u64())));
    }
    staff.spawn(devices::seller(Arc::clone(&stage), Seeded::new(random.next_u64())));
    staff.spawn(devices::courier(Arc::clone(&stage)));

    let mut run = Run { site, stage, clients, pulse, random, seen: audit::Seen::default() };
    let (backend, rail) = run.lives(backend, rail, kills).await;
    let killed_for = started.elapsed();

    run.pulse.close();
    let drained = timeout(DRAIN_MAX, async {
        joined(&mut buyers).await;
        run.pulse.end();
        joined(&mut staff).await;
    });
    assert!(drained.await.is_ok(), "not carried through: {}", run.under_way().await);
    run.ask_again(true).await;
    audit::until_quiet(&run.site, &run.stage, backend, DRAIN_MAX).await;
    let counts = audit::whole(&run.site, &run.stage, &run.clients, rail).await;
    eprintln!(
        "{}",
        json!({
            "seed": seed, "kills": kills, "answers": run.pulse.answers(), "found": counts,
            "killed_for_ms": killed_for.as_millis() as u64, "took_ms": started.elapsed().as_millis() as u64,
        })
    );
}

/// All tasks of a set, each of them well.
async fn joined(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// What the driver of the kills holds.
struct Run {
    site: Site,
    stage: Arc<Stage>,
    clients: Vec<Arc<Direct>>,
    pulse: Arc<Pulse>,
    random: Seeded,
    seen: audit::Seen,
}

impl Run {
    /// Kills as often as asked; gives back what runs after the last start.
    async fn lives(&mut self, mut backend: Running, mut rail: Running, kills: u64) -> (Running, Running) {
        let mut killed = 0;
        while killed < kills {
            let answers = 1 + self.random.below(ANSWERS_MAX);
            if killed % 6 == 4 {
                self.pulse.wait(answers / 2, LIFE_MAX).await;
                rail.kill().await.unwrap();
                rail = self.site.rail().await;
            }
            self.pulse.wait(answers, LIFE_MAX).await;
            tokio::time::sleep(Duration::from_micros(self.random.below(LATER_US_MAX))).await;
            backend.kill().await.unwrap();
            killed += 1;
            if killed % 5 == 2 && killed < kills {
                let after = Duration::from_micros(self.random.below(STARTING_US_MAX));
                self.site.serve_and_kill(after).await;
                killed += 1;
            }
            backend = self.site.serve().await;
            self.stage.network_up().await;
            self.ask_again(false).await;
            self.seen.look(&self.stage).await;
        }
        (backend, rail)
    }

    /// Whatever was answered is answered again, the same: what is new since the last time, or all of it.
    async fn ask_again(&self, from_the_beginning: bool) {
        let _held = self.pulse.hold().await;
        for client in &self.clients {
            client.ask_again(from_the_beginning).await;
        }
    }

    /// For the message of a run that hangs.
    async fn under_way(&self) -> String {
        let mut text = String::new();
        for client in &self.clients {
            text.push_str(&format!("\n{}: {}", client.contact, client.doing()));
        }
        text + &self.stage.under_way().await
    }
}
