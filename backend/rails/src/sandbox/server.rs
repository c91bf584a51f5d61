//! The sandbox provider as a server: `souk sandbox-rail` and the tests start it here.
//!
//! Rules: design.md 9, spec/money.md 6. Always: nothing is answered before the file is open, checked and flushed; a
//! stop lets running calls end; a kill loses nothing that was answered.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use souk_crypto::rowsum::mix64;
use souk_domain::time::Time;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, oneshot, watch};
use tokio::task::JoinHandle;

use super::clock::{Clock, MANUAL_START};
use super::control::{self, CLOCK_SETTING};
use super::faults::{Faults, ScriptLine};
use super::idempotency::Running;
use super::reply::Reply;
use super::routes;
pub use super::store::SandboxError;
use super::store::{Store, TAG, set_setting, setting};
use super::webhooks;
pub use super::webhooks::{BACKOFF, WebhookEndpoint};
use crate::http;

/// Which clock the sandbox goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockKind {
    /// The machine's.
    Real,
    /// One that stands still and is moved on by `POST /_control/clock`; kept in the data folder.
    Manual,
}

/// What a sandbox is started with.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Folder of its database; made when missing. One process at a time.
    pub data_dir: PathBuf,
    /// Seed of the faults.
    pub seed: u64,
    /// Faults for calls by number, see [`parse_script`](super::faults::parse_script).
    pub script: Vec<ScriptLine>,
    /// Its clock.
    pub clock: ClockKind,
    /// Where webhooks go; `None` keeps what the data folder has, which `POST /_control/webhooks/endpoint` sets.
    pub webhook: Option<WebhookEndpoint>,
}

/// What all routes share.
pub(super) struct App {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    pub(super) running: Running,
    pub(super) http: reqwest::Client,
    /// Held by the one round of deliveries that may run.
    pub(super) delivering: Mutex<()>,
    /// Rung after every commit.
    pub(super) wake: Notify,
    /// True from the moment at which the server is asked to stop.
    pub(super) stopping: watch::Receiver<bool>,
}

/// Runs the sandbox on a listener until `shutdown` is ready and the running calls have ended. Errors: the data folder
/// cannot be opened (another process has it, disk), or the endpoint of webhooks is refused.
pub async fn serve(
    config: SandboxConfig,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SandboxError> {
    let (stop, stopping) = watch::channel(false);
    let app = Arc::new(open(config, stopping).await?);
    let courier = tokio::spawn({
        let app = Arc::clone(&app);
        async move { webhooks::run(&app).await }
    });
    let router = Router::new()
        .merge(routes::router())
        .merge(control::router())
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .with_state(Arc::clone(&app));
    // Answers are small and waited for: without this each would wait for the acknowledgement of the one before.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            shutdown.await;
            stop.send_replace(true);
        })
        .await;
    courier.abort();
    app.store.close().await;
    Ok(served?)
}

async fn open(config: SandboxConfig, stopping: watch::Receiver<bool>) -> Result<App, SandboxError> {
    let folder = config.data_dir.clone();
    let store = tokio::task::spawn_blocking(move || Store::open(&folder))
        .await
        .map_err(|_| SandboxError::Stopped)??;
    let (seed, kind, webhook) = (config.seed, config.clock, config.webhook);
    let clock = store
        .run(move |connection| {
            let clock = match kind {
                ClockKind::Real => Clock::Real,
                ClockKind::Manual => {
                    let kept =
                        setting(connection, CLOCK_SETTING)?.map(|text| text.parse().map(Time::from_micros));
                    let kept = kept.transpose().map_err(|_| SandboxError::Corrupt("clock"))?;
                    Clock::manual(kept.unwrap_or(MANUAL_START))
                }
            };
            if setting(connection, TAG)?.is_none() {
                let tag = mix64(seed ^ mix64(clock.now().micros().unsigned_abs())) >> 32;
                set_setting(connection, TAG, &format!("{tag:08x}"))?;
            }
            webhook.iter().try_for_each(|endpoint| webhooks::set_endpoint(connection, endpoint))?;
            Ok(clock)
        })
        .await?;
    Ok(App {
        store,
        clock,
        faults: Faults::new(seed, &config.script),
        running: Running::default(),
        http: http::client(webhooks::TIMEOUTS).map_err(|error| SandboxError::Client(error.into()))?,
        delivering: Mutex::new(()),
        wake: Notify::new(),
        stopping,
    })
}

async fn unknown_route() -> Response {
    Reply::refused(404, "route.unknown", "there is no such path").into_response()
}

async fn unknown_method() -> Response {
    Reply::refused(405, "route.method", "this path has other methods").into_response()
}

/// A sandbox inside this process, on a free port of loopback: for tests and the demo.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), SandboxError>>,
}

impl Sandbox {
    /// Starts one. It may not be ready yet; its first answer waits until it is.
    pub async fn start(config: SandboxConfig) -> Result<Sandbox, SandboxError> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(config, listener, async move {
            // A handle that is dropped stops its sandbox too.
            let _ = stopped.await;
        }));
        Ok(Sandbox { address, stop, task })
    }

    /// Where it answers, e.g. `http://127.0.0.1:40123`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it; returns when its file is closed.
    pub async fn stop(self) -> Result<(), SandboxError> {
        let _ = self.stop.send(());
        self.task.await.map_err(|_| SandboxError::Stopped)?
    }
}
