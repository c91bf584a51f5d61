//! Hints: server-sent events that say where to look, and carry no data (spec/sync.md 4.10).
//!
//! Always: one stream a device, the newest one; at most four hints a second, merged; the right to a scope is read
//! when its hint leaves; a stream ends when its token does, when its device is cut off, and when the server stops.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use souk_domain::id::DeviceId;
use souk_domain::scope::Scope;
use souk_domain::time::Span;
use souk_engine::ScopeHint;
use souk_engine::reader::Caller;
use souk_protocol::limits::{LIVE_COMMENT_EVERY_S, LIVE_HINTS_PER_S_MAX};
use souk_protocol::sync::{HINT_EVENT, Hint, LIVE_END_EVENT};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, interval_at, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use crate::app::{App, stopped};

/// The sign-in of a stream is looked at again so often: a device that was cut off elsewhere hears nothing after 5 s.
const CHECK_EVERY: Duration = Duration::from_secs(4);
/// A stream ends so long before its token, so that the device renews in time.
const END_BEFORE: Span = Span::from_secs(5);
/// Events that a slow reader may be behind; its hints wait and are merged meanwhile.
const EVENTS_MAX: usize = 8;

/// Keeps a stream open through proxies, and says nothing.
const COMMENT: &str = ":\n\n";

/// Streams that are open, one a device.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: Mutex<HashMap<DeviceId, (u64, oneshot::Sender<()>)>>,
    opened: AtomicU64,
}

impl Streams {
    /// Opens the stream of a device; a former one ends.
    fn open(&self, device: DeviceId) -> (u64, oneshot::Receiver<()>) {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let (end, ended) = oneshot::channel();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(device, (number, end));
        (number, ended)
    }

    fn closed(&self, device: DeviceId, number: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&device).is_some_and(|(open, _)| *open == number) {
            open.remove(&device);
        }
    }

    /// Ends the stream of a device that was cut off.
    pub(crate) fn end(&self, device: DeviceId) {
        // Its receiver wakes up by the loss of the sender.
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&device);
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The stream of a signed-in device over scopes that it may follow.
pub(crate) fn stream(app: App, caller: Caller, token: String, scopes: Vec<Scope>) -> Response {
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    let (number, ended) = app.streams().open(caller.device.id);
    let stopping = app.stopping();
    let stream = Stream {
        hints: app.engine().hints(),
        scopes,
        pending: BTreeMap::new(),
        next_hint: Instant::now(),
        events,
        app,
        caller,
        token,
        number,
    };
    tokio::spawn(stream.run(ended, stopping));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(ReceiverStream::new(receiver))).into_response()
}

struct Stream {
    app: App,
    caller: Caller,
    token: String,
    number: u64,
    scopes: Vec<Scope>,
    hints: broadcast::Receiver<ScopeHint>,
    /// Scopes that have changed and were not told yet, with their sequence where one part is all there is.
    pending: BTreeMap<Scope, Option<u64>>,
    /// No hint before this.
    next_hint: Instant,
    events: mpsc::Sender<Result<Bytes, Infallible>>,
}

impl Stream {
    async fn run(mut self, mut ended: oneshot::Receiver<()>, mut stopping: watch::Receiver<bool>) {
        let start = Instant::now();
        let every = Duration::from_secs(LIVE_COMMENT_EVERY_S);
        let mut comment = interval_at(start + every, every);
        let mut check = interval_at(start + CHECK_EVERY, CHECK_EVERY);
        let until = start + self.life();
        // One at once: the device sees that the stream is open.
        self.send(COMMENT.to_owned());
        loop {
            tokio::select! {
                _ = &mut ended => break,
                () = stopped(&mut stopping) => break,
                () = sleep_until(until) => break,
                () = self.events.closed() => break,
                hint = self.hints.recv() => if !self.note(hint) { break },
                () = sleep_until(self.next_hint), if !self.pending.is_empty() => self.tell().await,
                _ = comment.tick() => self.send(COMMENT.to_owned()),
                _ = check.tick() => if !self.is_good().await { break },
            }
        }
        self.app.streams().closed(self.caller.device.id, self.number);
        let end = Bytes::from(format!("event: {LIVE_END_EVENT}\ndata: {{}}\n\n"));
        // A reader that is too slow to be told learns it from the end of the connection.
        let _ = self.events.try_send(Ok(end));
    }

    /// How long the token lasts.
    fn life(&self) -> Duration {
        let left = self.caller.until.since(self.app.now()).micros() - END_BEFORE.micros();
        Duration::from_micros(u64::try_from(left).unwrap_or(0))
    }

    /// Takes a hint; false = the engine has stopped.
    fn note(&mut self, hint: Result<ScopeHint, RecvError>) -> bool {
        match hint {
            Ok(hint) if self.scopes.contains(&hint.scope) => {
                let at = hint.scope.is_public().then_some(hint.seq);
                self.pending.insert(hint.scope, at);
            }
            Ok(_) => {}
            // Some were missed: all may have changed.
            Err(RecvError::Lagged(_)) => {
                self.pending.extend(self.scopes.iter().map(|scope| (scope.clone(), None)));
            }
            Err(RecvError::Closed) => return false,
        }
        true
    }

    /// Tells one scope.
    async fn tell(&mut self) {
        self.next_hint = Instant::now() + Duration::from_secs(1) / LIVE_HINTS_PER_S_MAX;
        if self.events.capacity() == 0 {
            return;
        }
        let Some((scope, at)) = self.pending.pop_first() else { return };
        match self.app.reader().may_follow(self.caller.account.id, &scope).await {
            Ok(true) => {
                let hint = serde_json::to_string(&Hint { s: scope.to_string(), at }).unwrap_or_default();
                self.send(format!("event: {HINT_EVENT}\ndata: {hint}\n\n"));
            }
            Ok(false) => self.scopes.retain(|known| *known != scope),
            Err(error) => tracing::warn!(code = error.code(), "a right could not be read for a hint"),
        }
    }

    fn send(&self, event: String) {
        // No room: comments are of no use then, and hints are only taken while there is room.
        let _ = self.events.try_send(Ok(Bytes::from(event)));
    }

    /// Whether the device is still signed in. A store that cannot be read ends nothing.
    async fn is_good(&self) -> bool {
        match self.app.reader().authenticate(&self.token, self.app.now()).await {
            Ok(_) | Err(souk_engine::EngineError::Store(_)) => true,
            Err(_) => false,
        }
    }
}
