//! `souk sandbox-rail`: the sandbox payment provider as its own process (spec/money.md 6).

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use souk_rails::sandbox::faults::parse_script;
use souk_rails::sandbox::server::{ClockKind, SandboxConfig, WebhookEndpoint, serve};

use crate::failure::Failure;
use crate::serve::listen;
use crate::stop;

/// Options of `souk sandbox-rail`.
#[derive(Debug, Args)]
pub struct RailArgs {
    /// Address to listen on; keep it on loopback, the sandbox asks for no credentials.
    #[arg(long, default_value = "127.0.0.1:4701")]
    listen: String,
    /// Folder of its database.
    #[arg(long, default_value = "souk-data/rail")]
    data: PathBuf,
    /// Seed of the faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// JSON lines `{"at_call", "fault"}`.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Which clock it goes by.
    #[arg(long, value_enum, default_value = "real")]
    clock: ClockName,
    /// Where webhooks go, e.g. `http://127.0.0.1:4700/v1/rails/sandbox/webhook`.
    #[arg(long)]
    webhook: Option<String>,
    /// Secret of the webhooks, 16 to 256 bytes; the same as `souk serve --rail-secret`.
    #[arg(long, env = "SOUK_RAIL_SECRET", default_value = DEFAULT_SECRET, hide_default_value = true)]
    secret: String,
}

/// Secret of a sandbox that nobody has set up: it protects play money on loopback.
pub const DEFAULT_SECRET: &str = "souk-sandbox-rail-secret";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClockName {
    /// The machine's.
    Real,
    /// One that `POST /_control/clock` moves.
    Manual,
}

/// Runs the sandbox until it is asked to stop.
pub async fn run(args: RailArgs) -> Result<(), Failure> {
    let script = match &args.script {
        Some(path) => parse_script(&std::fs::read_to_string(path)?)
            .map_err(|error| Failure::new("sandbox.script", error.to_string()))?,
        None => Vec::new(),
    };
    let config = SandboxConfig {
        data_dir: args.data,
        seed: args.seed,
        script,
        clock: match args.clock {
            ClockName::Real => ClockKind::Real,
            ClockName::Manual => ClockKind::Manual,
        },
        webhook: args.webhook.map(|url| WebhookEndpoint { url, secret: args.secret }),
    };
    let listener = listen(&args.listen).await?;
    crate::print(&serde_json::json!({"listening": listener.local_addr()?.to_string()}).to_string());
    serve(config, listener, stop::asked()).await.map_err(|error| Failure::new("sandbox", error.to_string()))
}
