#![doc = include_str!("../README.md")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use souk_server::failure::Failure;
use souk_server::{bench, demo, import, ledger_check, person, print, qr, rail, replay, serve, store_at};

/// Souk: the trade system that a town, a market or a country can run itself.
#[derive(Debug, Parser)]
#[command(name = "souk", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A whole market on this machine: backend, rail, and lively buyers, sellers and couriers.
    Demo(demo::DemoArgs),
    /// A buyer's terminal over a real device core.
    Buyer(person::BuyerArgs),
    /// A seller's terminal over a real device core.
    Seller(person::SellerArgs),
    /// A courier's terminal over a real device core.
    Courier(person::CourierArgs),
    /// Runs the backend.
    Serve(serve::ServeArgs),
    /// Runs the sandbox payment provider: real HTTP, signed webhooks, every fault on request.
    SandboxRail(rail::RailArgs),
    /// Prints figures as JSON.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Loads products into a shop; progress and findings on stderr, totals on stdout.
    Import(ImportArgs),
    /// Replays real data of the past through the ledger.
    #[command(subcommand)]
    Replay(ReplayCommand),
    /// Checks the books.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Reads payment codes.
    #[command(subcommand)]
    Qr(QrCommand),
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// Format of the file.
    #[arg(value_enum)]
    format: ImportFormat,
    /// File or folder.
    path: PathBuf,
    /// The shop; without it the shop of the contact `import@souk.invalid` is opened.
    #[arg(long)]
    seller: Option<String>,
    /// Reads and reports, writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// The store to write to, made by `souk serve`; the server must not run on it.
    #[arg(long, default_value = "sqlite:souk-data/souk.db")]
    store: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ImportFormat {
    /// Open Icecat sheets, JSON lines, may be packed.
    Icecat,
}

#[derive(Debug, Subcommand)]
enum ReplayCommand {
    /// A year of invoices of the UCI Online Retail data as orders paid, released and refunded.
    OnlineRetail {
        /// Folder of the data.
        #[arg(long)]
        data: PathBuf,
        /// An empty store; a new file is made in a folder that is there.
        #[arg(long)]
        store: String,
    },
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Durable transfers of the store alone.
    Transfers(bench::transfers::TransfersArgs),
    /// Whole orders over HTTP, four requests each.
    Orders(bench::orders::OrdersArgs),
    /// Camera frames read.
    Scan(bench::scan::ScanArgs),
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Replays every journal from nothing and compares balances, heads and sums.
    Verify {
        /// The store; it must be there.
        #[arg(long)]
        store: String,
    },
}

#[derive(Debug, Subcommand)]
enum QrCommand {
    /// Decodes standard input line by line, one JSON object a line.
    Decode {
        /// How much is asked of a code.
        #[arg(long, value_enum, default_value = "lossless")]
        level: LevelName,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelName {
    /// Structure and CRC only.
    Lossless,
    /// Every rule of the EMVCo document.
    Strict,
    /// The structure and the rules of the profile that is recognised.
    Profile,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(
        tracing_subscriber::EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
    );
    subscriber.init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Failure::from(error)),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

/// A failure is one JSON object on stdout and exit code 1.
fn failed(failure: &Failure) -> ExitCode {
    print(&failure.to_json());
    ExitCode::FAILURE
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string(value).map_err(|error| Failure::new("program.json", error.to_string()))?;
    print(&text);
    Ok(())
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => match demo::run(args).await? {
            Some(summary) => print_json(&summary),
            None => Ok(()),
        },
        Command::Buyer(args) => print_json(&person::buyer(args).await?),
        Command::Seller(args) => print_json(&person::seller(args).await?),
        Command::Courier(args) => print_json(&person::courier(args).await?),
        Command::Serve(args) => serve::run(args).await,
        Command::Bench(BenchCommand::Orders(args)) => print_json(&bench::orders::run(args).await?),
        Command::SandboxRail(args) => rail::run(args).await,
        Command::Bench(BenchCommand::Transfers(args)) => print_json(&bench::transfers::run(args).await?),
        Command::Bench(BenchCommand::Scan(args)) => print_json(&bench::scan::run(&args)?),
        Command::Import(args) => print_json(&import_command(args).await?),
        Command::Replay(ReplayCommand::OnlineRetail { data, store }) => {
            print_json(&replay::online_retail(&data, store_at::open(&store)?).await?)
        }
        Command::Ledger(LedgerCommand::Verify { store }) => {
            let opened = store_at::open_existing(&store)?;
            let checked = ledger_check::verify(opened.as_ref()).await;
            print_json(&checked.map_err(|failure| failure.about(&store))?)
        }
        Command::Qr(QrCommand::Decode { level }) => {
            let level = match level {
                LevelName::Lossless => souk_codes::emv::Level::Lossless,
                LevelName::Strict => souk_codes::emv::Level::EmvStrict,
                LevelName::Profile => souk_codes::emv::Level::Profile(souk_codes::emv::Profile::Auto),
            };
            qr::decode(level, std::io::stdin().lock(), std::io::stdout().lock())
        }
    }
}

async fn import_command(args: ImportArgs) -> Result<import::Report, Failure> {
    let read = || match args.format {
        ImportFormat::Icecat => import::icecat(&args.path),
    };
    if args.dry_run {
        return Ok(import::dry_run(read()?));
    }
    // A mistyped store is told before a long file is read.
    let store = store_at::open_existing(&args.store)?;
    import::load(read()?, args.seller.as_deref(), store).await
}
