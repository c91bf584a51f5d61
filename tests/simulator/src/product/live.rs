//! Streams of hints: the server's ends, and the device's end.
//!
//! A stream is ordered: what is lost holds up all behind it, as on a broken connection, until one side gives up.

use std::collections::BTreeMap;

use souk_device::sync::LiveEvent;
use souk_domain::scope::Scope;
use souk_domain::time::{Span, Time};
use souk_engine::Reader;
use souk_engine::ScopeHint;

use crate::disk::HostId;
use crate::sim::Sim;

use super::block_on;
use super::market::SERVER;

/// A comment keeps a stream alive, ms.
pub(super) const COMMENT_MS: u64 = 20_000;
/// A stream ends so long before its token.
const END_BEFORE: Span = Span::from_secs(5);

/// The server's end of one stream.
#[derive(Debug)]
struct Stream {
    /// The device's number of the request.
    request: u64,
    token: String,
    until: Time,
    scopes: Vec<Scope>,
    next_line: u64,
}

/// All streams of the server: one a device, the newest.
#[derive(Debug, Default)]
pub(super) struct Streams(BTreeMap<HostId, Stream>);

impl Streams {
    /// Opens a device's stream; a former one ends.
    pub(super) fn open(
        &mut self,
        device: HostId,
        request: u64,
        token: String,
        until: Time,
        scopes: Vec<Scope>,
    ) {
        self.0.insert(device, Stream { request, token, until, scopes, next_line: 1 });
    }

    /// Tells those who listen what has moved.
    pub(super) fn tell(&mut self, hints: &[ScopeHint], sim: &mut Sim) {
        for (device, stream) in &mut self.0 {
            let mut told: Vec<&Scope> = Vec::new();
            for hint in hints {
                if stream.scopes.contains(&hint.scope) && !told.contains(&&hint.scope) {
                    told.push(&hint.scope);
                    stream.send(*device, &format!("hint {}", hint.scope), sim);
                }
            }
        }
    }

    /// A comment on each stream; those whose sign-in is over end.
    pub(super) fn comment(&mut self, reader: &Reader, now: Time, sim: &mut Sim) {
        let mut over = Vec::new();
        for (device, stream) in &mut self.0 {
            let is_good = match block_on(reader.authenticate(&stream.token, now)) {
                Ok(_) | Err(souk_engine::EngineError::Store(_)) => now < stream.until.minus(END_BEFORE),
                Err(_) => false,
            };
            stream.send(*device, if is_good { "alive" } else { "end" }, sim);
            if !is_good {
                over.push(*device);
            }
        }
        over.iter().for_each(|device| drop(self.0.remove(device)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Stream {
    fn send(&mut self, device: HostId, what: &str, sim: &mut Sim) {
        let line = format!("{} {} {what}", self.request, self.next_line);
        self.next_line += 1;
        sim.hint(SERVER, device, line.into_bytes());
    }
}

/// The device's end.
#[derive(Debug)]
pub(super) struct Listener {
    /// Number of its request.
    pub(super) request: u64,
    pub(super) is_open: bool,
    next_line: u64,
    held: BTreeMap<u64, String>,
}

impl Listener {
    pub(super) fn new(request: u64) -> Listener {
        Listener { request, is_open: false, next_line: 1, held: BTreeMap::new() }
    }

    /// A line arrives; what can be read now, in order. Nothing is read before the answer has come.
    pub(super) fn line(&mut self, line: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(line);
        let mut parts = text.splitn(3, ' ');
        let request = parts.next().and_then(|number| number.parse().ok());
        let number: Option<u64> = parts.next().and_then(|number| number.parse().ok());
        let (Some(number), Some(what)) = (number, parts.next()) else { return Vec::new() };
        if request == Some(self.request) && number >= self.next_line {
            self.held.insert(number, what.to_owned());
        }
        self.ready()
    }

    /// Lines that are in order now.
    pub(super) fn ready(&mut self) -> Vec<String> {
        let mut ready = Vec::new();
        while self.is_open
            && let Some(what) = self.held.remove(&self.next_line)
        {
            self.next_line += 1;
            ready.push(what);
        }
        ready
    }
}

/// A line as the machine hears it.
pub(super) fn event_of(what: &str) -> Option<LiveEvent> {
    match what.split_once(' ') {
        Some(("hint", scope)) => scope.parse().ok().map(LiveEvent::Hint),
        None if what == "alive" => Some(LiveEvent::Alive),
        None if what == "end" => Some(LiveEvent::Stopped(souk_device::sync::LiveStop::End)),
        _ => None,
    }
}
