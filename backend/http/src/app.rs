//! What all requests share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use souk_domain::time::Time;
pub use souk_engine::handle::Clock;
use souk_engine::handle::EngineHandle;
use souk_engine::sign_in::CodeDesk;
use souk_engine::{EngineError, Reader};
use souk_rails::rail::Rail;
use tokio::sync::watch;

use crate::error::ApiError;
use crate::limiter::Limiter;
use crate::live::Streams;
use crate::metrics::Metrics;
use crate::sender::{CodeSender, SandboxMailbox};

/// The machine's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A registration may ask for the courier role and gets it: sandboxes and demos alone.
    pub open_courier_signup: bool,
    /// All rates are so many times what the spec says: 1 in real life, more where one machine plays all parts.
    pub rate_factor: u32,
    /// A proxy of ours stands in front and writes `X-Forwarded-For`.
    pub behind_proxy: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { open_courier_signup: false, rate_factor: 1, behind_proxy: false }
    }
}

/// What the API is made of.
pub struct AppConfig {
    /// The writer.
    pub engine: EngineHandle,
    /// The clock.
    pub clock: Clock,
    /// Brings sign-in codes to their contacts.
    pub sender: Arc<dyn CodeSender>,
    /// Keeps sent codes and shows them to everybody: sandboxes and demos alone.
    pub mailbox: Option<Arc<SandboxMailbox>>,
    /// Payment rails by their names.
    pub rails: BTreeMap<String, Arc<dyn Rail>>,
    /// What the operator decides.
    pub settings: Settings,
}

/// What all requests share; cheap to copy.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    config: AppConfig,
    codes: Mutex<CodeDesk>,
    limiter: Limiter,
    metrics: Metrics,
    streams: Streams,
    stopping: watch::Sender<bool>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("settings", &self.inner.config.settings).finish_non_exhaustive()
    }
}

impl App {
    /// The API over an engine.
    pub fn new(config: AppConfig) -> App {
        let (stopping, _) = watch::channel(false);
        App {
            inner: Arc::new(Inner {
                config,
                codes: Mutex::default(),
                limiter: Limiter::default(),
                metrics: Metrics::new(),
                streams: Streams::default(),
                stopping,
            }),
        }
    }

    /// The time.
    pub fn now(&self) -> Time {
        (self.inner.config.clock)()
    }

    /// The writer.
    pub fn engine(&self) -> &EngineHandle {
        &self.inner.config.engine
    }

    /// Queries.
    pub fn reader(&self) -> &Reader {
        self.inner.config.engine.reader()
    }

    /// What the operator decides.
    pub fn settings(&self) -> &Settings {
        &self.inner.config.settings
    }

    /// A rail by its name.
    pub fn rail(&self, name: &str) -> Option<&Arc<dyn Rail>> {
        self.inner.config.rails.get(name)
    }

    /// Stops: no new request is taken in, and streams of hints end.
    pub fn stop(&self) {
        self.inner.stopping.send_replace(true);
    }

    /// Turns true when the server is asked to stop.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stopping.subscribe()
    }

    /// A longer read, beside the threads that answer requests.
    pub(crate) async fn read<T, F, R>(&self, read: F) -> Result<T, ApiError>
    where
        F: FnOnce(Reader) -> R + Send + 'static,
        R: Future<Output = Result<T, EngineError>>,
        T: Send + 'static,
    {
        let reader = self.reader().clone();
        let done = tokio::task::spawn_blocking(move || futures::executor::block_on(read(reader))).await;
        Ok(done.map_err(ApiError::internal)??)
    }

    pub(crate) fn sender(&self) -> Arc<dyn CodeSender> {
        self.inner.config.sender.clone()
    }

    pub(crate) fn mailbox(&self) -> Option<&SandboxMailbox> {
        self.inner.config.mailbox.as_deref()
    }

    pub(crate) fn codes(&self) -> MutexGuard<'_, CodeDesk> {
        self.inner.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.inner.limiter
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.inner.streams
    }
}

/// Waits until the server is asked to stop.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Without a sender nobody can ask any more.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
