//! `souk serve`: the backend (design.md 9).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use souk_engine::Engine;
use souk_engine::handle::EngineHandle;
use souk_http::{App, AppConfig, SandboxMailbox, Settings, rail_driver, system_clock};
use souk_rails::rail::Rail;
use souk_rails::sandbox::client::{SandboxRail, TIMEOUTS};
use souk_rails::webhook::WebhookSecrets;
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::rail::DEFAULT_SECRET;
use crate::{market, private, stop, store_at};

/// Options of `souk serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:4700")]
    pub listen: String,
    /// Folder of the installation.
    #[arg(long, default_value = "souk-data")]
    pub data: PathBuf,
    /// The store; without it `souk.db` in the data folder.
    #[arg(long)]
    pub store: Option<String>,
    /// The store was restored from a backup: devices will send again what it no longer knows.
    #[arg(long)]
    pub restored: bool,
    /// A market to play with: sign-in codes can be fetched at `/_sandbox/codes`, couriers sign themselves up.
    #[arg(long)]
    pub sandbox: bool,
    /// The sandbox payment rail.
    #[arg(long, default_value = "http://127.0.0.1:4701")]
    pub rail: String,
    /// Secret of its webhooks.
    #[arg(long, env = "SOUK_RAIL_SECRET", default_value = DEFAULT_SECRET, hide_default_value = true)]
    pub rail_secret: String,
    /// Requests a minute are this many times the usual; for benches.
    #[arg(long, default_value_t = 1)]
    pub rate_factor: u32,
}

/// Serves until it is asked to stop; running requests end, and the log is emptied.
pub async fn run(args: ServeArgs) -> Result<(), Failure> {
    private::folder(&args.data).map_err(|error| Failure::from(error).about(args.data.display()))?;
    // Before the store: opening it takes the buckets over, which a server that runs here already would not survive.
    let listener = listen(&args.listen).await?;
    let store = store_at::open(&args.store.clone().unwrap_or_else(|| store_at::in_folder(&args.data)))?;
    if args.restored {
        store.raise_generation().await?;
    }
    let engine = Engine::open(store, market::engine_config()?).await?;
    let handle = EngineHandle::start(engine, system_clock())?;
    let app = App::new(config(&args, handle.clone())?);
    crate::print(&serde_json::json!({"listening": listener.local_addr()?.to_string()}).to_string());
    let driver = tokio::spawn(rail_driver::run(app.clone()));
    let served = souk_http::serve(app, listener, stop::asked()).await;
    // The driver stops with the API; calls to the rail that are under way end first.
    driver.await.map_err(|error| Failure::new("rail.driver", error.to_string()))?;
    handle.stop().await?;
    Ok(served?)
}

/// Listens on an address; a failure names it.
pub(crate) async fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| Failure::from(error).about(address))
}

fn config(args: &ServeArgs, engine: EngineHandle) -> Result<AppConfig, Failure> {
    let secrets = WebhookSecrets::new(&args.rail_secret, None)
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let rail = SandboxRail::new(&args.rail, secrets, TIMEOUTS)
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let rail: Arc<dyn Rail> = Arc::new(rail);
    let mailbox = Arc::new(SandboxMailbox::default());
    Ok(AppConfig {
        engine,
        clock: system_clock(),
        sender: mailbox.clone(),
        mailbox: args.sandbox.then_some(mailbox),
        rails: BTreeMap::from([(rail.name().to_owned(), rail)]),
        settings: Settings {
            open_courier_signup: args.sandbox,
            rate_factor: args.rate_factor,
            ..Settings::default()
        },
    })
}
