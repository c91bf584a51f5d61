//! `souk demo`: a whole market on one machine. Backend and sandbox rail run as processes of their own; buyers, sellers
//! and couriers are real device cores, each with its own files, that trade at a human pace and talk to the backend by
//! HTTP alone. A second start goes on with the data.

mod bots;
mod door;
mod guide;
mod report;
mod start;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use souk_testkit::market::Seeded;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::{clock, processes, stop};
use bots::Stage;
use door::Doors;
use guide::Guide;
use report::{Report, Summary};

/// Options of `souk demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Ends by itself after this many released trades and prints a JSON summary.
    #[arg(long)]
    trades: Option<u64>,
    /// Icecat sheets to trade on instead of the generated market.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Opens no seller's console. There is none yet, so the demo runs in the terminal with it and without it.
    #[arg(long)]
    headless: bool,
    /// Folder of the demo's market; a second start goes on with it.
    #[arg(long, default_value = "souk-demo")]
    folder: PathBuf,
    /// Address of the backend, so that terminals can take part.
    #[arg(long, default_value = "127.0.0.1:4700")]
    listen: String,
    /// Seed of the generated market and of the bots.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Products of the generated market.
    #[arg(long, default_value_t = 2_000)]
    products: usize,
    /// Sellers.
    #[arg(long, default_value_t = 4)]
    sellers: usize,
    /// Buyers.
    #[arg(long, default_value_t = 6)]
    buyers: usize,
    /// Couriers.
    #[arg(long, default_value_t = 2)]
    couriers: usize,
    /// How fast the bots live: 1 = a human pace of some seconds between acts.
    #[arg(long, default_value_t = 1)]
    pace: u32,
}

/// Runs the demo until Ctrl-C or until enough trades are released.
pub async fn run(args: DemoArgs) -> Result<Option<Summary>, Failure> {
    std::fs::create_dir_all(&args.folder)?;
    let folder = std::fs::canonicalize(&args.folder)?;
    let plan = start::plan(&args)?;
    let couriers = start::seed(&folder, &plan).await?;
    let doors = Doors::of(&folder)?;
    let started = clock::now();
    let program = std::env::current_exe()?;
    let (rail, backend) =
        processes::market(&program, &folder, &args.listen, &["--rate-factor", "50"]).await?;
    let guide = Guide::new(&program, &backend.url, &folder);
    guide.banner(&plan, &couriers, &doors);
    let (told, report) = Report::new(args.trades);
    let (stopping, stopped) = watch::channel(false);
    let stage = Arc::new(Stage {
        url: backend.url.clone(),
        folder: folder.join("people"),
        doors,
        guide,
        told,
        stopped,
        pace: args.pace.max(1),
        started,
        shops: plan.shops(),
    });
    let mut people = JoinSet::new();
    let mut random = Seeded::new(args.seed);
    for number in 0..plan.sellers.len() {
        people.spawn(bots::seller::run(
            stage.clone(),
            plan.sellers[number].contact.clone(),
            random.next_u64(),
        ));
    }
    for number in 0..args.couriers {
        people.spawn(bots::courier::run(stage.clone(), number, random.next_u64()));
    }
    for number in 0..args.buyers {
        people.spawn(bots::buyer::run(stage.clone(), number, plan.words.clone(), random.next_u64()));
    }
    drop(stage);
    let summary = tokio::select! {
        summary = report.run() => Some(summary),
        () = stop::asked() => None,
        failed = first_failure(&mut people) => {
            stopping.send_replace(true);
            return Err(failed);
        }
    };
    report::stopping();
    stopping.send_replace(true);
    while people.join_next().await.is_some() {}
    backend.stop().await?;
    rail.stop().await?;
    Ok(summary)
}

/// The first bot that gives up; bots that end by themselves are no failure.
async fn first_failure(people: &mut JoinSet<Result<(), Failure>>) -> Failure {
    loop {
        match people.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(failure))) => return failure,
            Some(Err(error)) => return Failure::new("demo.bot", error.to_string()),
            None => std::future::pending().await,
        }
    }
}
