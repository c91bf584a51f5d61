//! The runtime round a [`DeviceHost`]: one thread owns it, sockets and timers stand beside it.
//!
//! Not for: what a call means (`facade`), what a message proves (`handover`). Always: a call runs whole on the owner's
//! thread, one after the other; a call that was handed in is done even if nobody waits for its answer; requests leave
//! only after their transaction; without a server every local call works.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use souk_domain::id::IntentId;
use souk_domain::outcome::Outcome;
use tokio::sync::{oneshot, watch};

mod clock;
mod live;
mod net;
mod observe;
mod online;
mod owner;

pub use clock::{Clock, SystemClock};
pub use observe::{CHANGES_MAX, OBSERVERS_MAX, Observed, Observer, Update};

use crate::clock::Now;
use crate::error::SoukError;
use crate::host::{DeviceHost, HttpAnswer, HttpRequest, SignerSource};
use crate::outbox;
use crate::sync::{Event, Join, Phase};
use net::Net;
use owner::{Command, Start};

/// Longest wait of [`Device::sync_now`], milliseconds (spec/mobile.md 2.13).
pub const SYNC_BUDGET_MS_MAX: u64 = 20_000;
/// Longest wait for a question that the server alone can answer, milliseconds.
const ASK_TIMEOUT_MS: u64 = 15_000;

/// How a device is opened.
pub struct DeviceConfig {
    /// Folder of `user.db` and `cache.db`; it is made if it is not there.
    pub dir: PathBuf,
    /// Root of the server, `https://…`; plain `http://` on loopback alone. None = no server: every call is local.
    pub server_url: Option<String>,
    /// Certificates that are trusted, DER. The machine's own list is never read.
    pub roots_der: Vec<Vec<u8>>,
    /// Program and version, as requests carry it.
    pub app: String,
    /// `android`, `linux` …
    pub platform: String,
    /// What the device calls itself in the account's list.
    pub model: String,
    /// Who signs: the platform's key store, or a software key in `user.db`.
    pub signer: SignerSource,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whether a stream of hints is kept open in the foreground.
    pub live: bool,
}

impl DeviceConfig {
    /// A device with its files in a folder, a software key and the system's clock.
    pub fn in_dir(dir: impl Into<PathBuf>, app: &str) -> DeviceConfig {
        DeviceConfig {
            dir: dir.into(),
            server_url: None,
            roots_der: Vec::new(),
            app: app.to_owned(),
            platform: std::env::consts::OS.to_owned(),
            model: "souk".to_owned(),
            signer: SignerSource::Software,
            clock: Arc::new(SystemClock::new()),
            live: true,
        }
    }

    /// The same with a server.
    #[must_use]
    pub fn with_server(mut self, url: impl Into<String>) -> DeviceConfig {
        self.server_url = Some(url.into());
        self
    }
}

/// An open device: a handle that may be cloned and sent anywhere. The files are closed with the last one.
#[derive(Clone)]
pub struct Device {
    inner: Arc<Inner>,
}

struct Inner {
    inbox: mpsc::Sender<Command>,
    net: Option<Net>,
    online: Arc<AtomicBool>,
    topics: Topics,
    /// Observers that are open.
    observers: Arc<AtomicUsize>,
    platform: String,
    model: String,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The thread may have ended already.
        let _ = self.inbox.send(Command::Stop(None));
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("online", &self.is_online()).finish_non_exhaustive()
    }
}

/// What [`Observer`]s wait for: each counts up when its rows may have changed, and changes in quick succession count as
/// one. A new receiver begins with the state of now, so its owner reads once and then after each change.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Orders, parcels, products of the own shop.
    pub orders: watch::Receiver<u64>,
    /// Stops and shift.
    pub stops: watch::Receiver<u64>,
    /// The public catalogue.
    pub catalogue: watch::Receiver<u64>,
    /// Link, outbox.
    pub status: watch::Receiver<u64>,
}

/// What a synchronisation has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SyncView {
    /// Whether everything was done in time.
    pub is_done: bool,
    /// Acts that are still undecided.
    pub left: u64,
}

impl Device {
    /// Opens the files and starts. Needs a tokio runtime. Refuses `net.url`, and what [`DeviceHost::open`] refuses.
    pub async fn open(config: DeviceConfig) -> Result<Device, SoukError> {
        let net = match &config.server_url {
            Some(url) => Some(Net::new(url, &config.app, &config.roots_der)?),
            None => None,
        };
        let online = Arc::new(AtomicBool::new(false));
        let (platform, model) = (config.platform.clone(), config.model.clone());
        let start = Start { config, net: net.clone(), online: Arc::clone(&online) };
        let (inbox, topics) = owner::start(start).await?;
        let observers = Arc::default();
        Ok(Device { inner: Arc::new(Inner { inbox, net, online, topics, observers, platform, model }) })
    }

    /// Runs a call on the owner's thread. Once handed in it is done, whether or not its answer is waited for.
    /// This is how every call of the facade is made: `device.call(|host, now| host.orders(request, now))`.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DeviceHost, Now) -> Result<T, SoukError> + Send + 'static,
    ) -> Result<T, SoukError> {
        ask_owner(&self.inner.inbox, work).await
    }

    fn hand_in(&self, command: Command) -> Result<(), SoukError> {
        self.inner.inbox.send(command).map_err(|_| closed())
    }

    /// Whether the server answered the last request.
    pub fn is_online(&self) -> bool {
        self.inner.online.load(Ordering::Relaxed)
    }

    /// What observers wait for. Offline.
    pub fn topics(&self) -> Topics {
        self.inner.topics.clone()
    }

    /// Brings both logs into their files and lets go of every lock; until [`Device::resume`] all calls answer
    /// `core.paused`. Twice is the same. Detached; offline.
    pub async fn pause(&self) -> Result<(), SoukError> {
        self.call(|host, now| host.pause(now)).await
    }

    /// Opens the files again. Twice is the same. Detached; offline.
    pub async fn resume(&self) -> Result<(), SoukError> {
        self.call(|host, now| host.resume(now)).await
    }

    /// Says whether the program is on the screen. Detached; offline.
    pub async fn set_foreground(&self, is_foreground: bool) -> Result<(), SoukError> {
        let phase = if is_foreground { Phase::Foreground } else { Phase::Background };
        self.event(Event::Phase(phase)).await
    }

    /// Says that the network is back. Detached; offline.
    pub async fn network_up(&self) -> Result<(), SoukError> {
        self.event(Event::NetUp).await
    }

    async fn event(&self, event: Event) -> Result<(), SoukError> {
        self.call(move |host, now| {
            host.event(event, now);
            Ok(())
        })
        .await
    }

    /// Sends and fetches now, and waits until it is done or `budget_ms` (at most [`SYNC_BUDGET_MS_MAX`]) are over.
    /// Cancel-safe: the synchronisation goes on without a listener. Without a network it answers what is left.
    pub async fn sync_now(&self, budget_ms: u64) -> Result<SyncView, SoukError> {
        let budget = Duration::from_millis(budget_ms.min(SYNC_BUDGET_MS_MAX));
        let (reply, done) = oneshot::channel();
        self.hand_in(Command::Sync(reply))?;
        let is_done = matches!(tokio::time::timeout(budget, done).await, Ok(Ok(())));
        let left = self.call(|host, _| host.undecided()).await?;
        Ok(SyncView { is_done: is_done && left == 0, left })
    }

    /// Waits until an act is decided, at most `wait_ms`; none = it is still pending. Refuses `intent.unknown`.
    /// Cancel-safe; offline it waits in vain.
    pub async fn decided(&self, id: IntentId, wait_ms: u64) -> Result<Option<Outcome>, SoukError> {
        let mut status = self.inner.topics.status.clone();
        let wait = async {
            loop {
                status.mark_unchanged();
                let outcome = self.call(move |host, _| outcome_of(host, id)).await?;
                if outcome.is_some() {
                    return Ok(outcome);
                }
                if status.changed().await.is_err() {
                    return Err(SoukError::new("core.closed"));
                }
            }
        };
        match tokio::time::timeout(Duration::from_millis(wait_ms), wait).await {
            Ok(outcome) => outcome,
            Err(_) => self.call(move |host, _| outcome_of(host, id)).await,
        }
    }

    /// Ends the device: requests are dropped, both files are closed. Later calls answer `core.closed`. Detached.
    pub async fn close(&self) -> Result<(), SoukError> {
        let (reply, done) = oneshot::channel();
        if self.hand_in(Command::Stop(Some(reply))).is_ok() {
            return done.await.unwrap_or(Ok(()));
        }
        Ok(())
    }

    /// Asks for a sign-in code to be sent to an e-mail address or a phone number. Online alone: `net.offline`;
    /// refuses `auth.contact`, `server.slow`. Detached once sent.
    pub async fn request_code(&self, contact: &str) -> Result<(), SoukError> {
        let body = souk_protocol::auth::CodeRequest { contact: contact.to_owned() };
        body.canonical()?;
        self.ask_raw("POST", "/v1/auth/code", Some(&body), false).await.map(|_| ())
    }

    /// Signs in, or up when the contact is new; `as_courier` asks for that role then. Online alone: `net.offline`;
    /// refuses `auth.code`, `auth.contact`, `signout.pending` (another account's acts wait), `link.busy`. Detached.
    pub async fn join(
        &self,
        contact: &str,
        code: &str,
        name: &str,
        as_courier: bool,
    ) -> Result<(), SoukError> {
        let join = Join {
            contact: souk_protocol::auth::canonical_contact(contact)?,
            code: code.to_owned(),
            name: name.to_owned(),
            platform: self.inner.platform.clone(),
            model: self.inner.model.clone(),
            as_courier,
        };
        if self.inner.net.is_none() {
            return Err(SoukError::new("net.offline"));
        }
        let (reply, done) = oneshot::channel();
        self.hand_in(Command::Join(join, reply))?;
        done.await.unwrap_or_else(|_| Err(SoukError::new("core.closed")))
    }

    /// The newest code that a sandbox would have sent to a contact; none if it has sent none. Online alone; a real
    /// server has no such route (`route.unknown`). Cancel-safe.
    pub async fn sandbox_code(&self, contact: &str) -> Result<Option<String>, SoukError> {
        let query: String = contact
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect();
        let path = format!("/_sandbox/codes?contact={query}");
        let answer: SandboxCodes = self.ask("GET", &path, None::<&()>, false).await?;
        Ok(answer.codes.into_iter().max_by_key(|code| code.at).map(|code| code.code))
    }

    /// A question that the server alone can answer. Refuses `net.offline`, and the code of its answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
        signed_in: bool,
    ) -> Result<T, SoukError> {
        let bytes = self.ask_raw(method, path, body, signed_in).await?;
        serde_json::from_slice(&bytes).map_err(|_| SoukError::new("sync.row"))
    }

    async fn ask_raw(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
        signed_in: bool,
    ) -> Result<Vec<u8>, SoukError> {
        let Some(net) = &self.inner.net else { return Err(SoukError::new("net.offline")) };
        let bearer = if signed_in { Some(self.call(|host, _| host.access_token()).await?) } else { None };
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|_| SoukError::new("request.form"))?,
            None => Vec::new(),
        };
        let request = HttpRequest { method, path: path.to_owned(), bearer, body, timeout_ms: ASK_TIMEOUT_MS };
        match net.exchange(request).await {
            HttpAnswer::Failed => Err(SoukError::new("net.offline")),
            HttpAnswer::Said { status, body, .. } if (200..300).contains(&status) => Ok(body),
            HttpAnswer::Said { status, body, .. } => {
                if status == 401 && signed_in {
                    // The machine finds out by its next request, and renews the token.
                    self.event(Event::SyncNow).await?;
                }
                Err(net::error_of(status, &body))
            }
        }
    }
}

/// Runs a call on the owner's thread and waits for its answer. Refuses `core.closed`.
async fn ask_owner<T: Send + 'static>(
    inbox: &mpsc::Sender<Command>,
    work: impl FnOnce(&mut DeviceHost, Now) -> Result<T, SoukError> + Send + 'static,
) -> Result<T, SoukError> {
    let (reply, answer) = oneshot::channel();
    let run = move |host: &mut DeviceHost, now: Now| {
        // Nobody may be waiting any more.
        let _ = reply.send(work(host, now));
    };
    inbox.send(Command::Run(Box::new(run))).map_err(|_| closed())?;
    answer.await.unwrap_or_else(|_| Err(closed()))
}

fn closed() -> SoukError {
    SoukError::new("core.closed")
}

fn outcome_of(host: &DeviceHost, id: IntentId) -> Result<Option<Outcome>, SoukError> {
    let row = outbox::find(&host.files()?.user, id)?;
    row.map(|row| row.outcome).ok_or_else(|| SoukError::new("intent.unknown"))
}

/// `GET /_sandbox/codes`.
#[derive(serde::Deserialize)]
struct SandboxCodes {
    codes: Vec<SandboxCode>,
}

#[derive(serde::Deserialize)]
struct SandboxCode {
    code: String,
    at: souk_domain::time::Time,
}
