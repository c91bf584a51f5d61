//! A device: the real core on the real files, its requests on the network, its timers in the run.

use souk_device::clock::Now;
use souk_device::error::SoukError;
use souk_device::host::wire::fault;
use souk_device::host::{DeviceHost, HttpAnswer, HttpRequest, Output, SignerSource};
use souk_device::sync::{Event, Fault, LiveEvent, LiveStop, Notice, ReqId, View};
use souk_protocol::sync::PullRequest;

use super::Guards;
use super::live::{Listener, event_of};
use super::market::{SERVER, SeededEntropy, device_now, host_config};
use crate::disk::HostId;
use crate::net::{Answer, Request};
use crate::rng::Rng;
use crate::sim::Sim;
use crate::world::Reply;

/// The one timer of a device's host: the machine's next.
pub(super) const WAKE: u64 = 1;

/// An answer to the opening of a stream is waited for so long, ms; the machine gives up earlier.
const STREAM_MS: u64 = 60_000;

/// A running device.
pub(super) struct Phone {
    host: HostId,
    pub(super) core: DeviceHost,
    listener: Option<Listener>,
    /// When the earliest planned wake-up comes, milliseconds since boot.
    wake_at: Option<u64>,
    is_installing: bool,
    /// What has happened since it was last asked.
    pub(super) news: News,
}

/// What has happened on a device.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) views: Vec<View>,
    pub(super) notices: Vec<Notice>,
}

impl Phone {
    /// Opens the files and starts the core.
    pub(super) fn start(
        host: HostId,
        live: bool,
        guards: &Guards,
        is_installing: bool,
        sim: &mut Sim,
    ) -> Result<Phone, SoukError> {
        let config = host_config(sim.disk(), host, live, guards);
        let entropy = Box::new(SeededEntropy(Rng::from_seed(sim.rng().next_u64())));
        let now = device_now(sim, host, is_installing);
        let core = DeviceHost::open(config, SignerSource::Software, entropy, now)?;
        let listener = None;
        let mut phone = Phone { host, core, listener, wake_at: None, is_installing, news: News::default() };
        phone.drain(sim);
        Ok(phone)
    }

    pub(super) fn now(&self, sim: &Sim) -> Now {
        device_now(sim, self.host, self.is_installing)
    }

    pub(super) fn event(&mut self, event: Event, sim: &mut Sim) {
        self.core.event(event, self.now(sim));
        self.drain(sim);
    }

    /// Sends what is to leave, and plans the next wake-up.
    pub(super) fn drain(&mut self, sim: &mut Sim) {
        for output in self.core.take_outputs() {
            match output {
                Output::Http { req, request } => self.send(req, request, sim),
                Output::Live { req, request } => {
                    self.listener = Some(Listener::new(req.0));
                    self.send(req, HttpRequest { timeout_ms: STREAM_MS, ..request }, sim);
                }
                Output::Cancel(req) => {
                    sim.cancel(self.host, req.0);
                    self.listener.take_if(|listener| listener.request == req.0);
                }
                Output::Views(views) => self.news.views.extend(views),
                Output::Notice(notice) => self.news.notices.push(notice),
            }
        }
        if let Some(at) = self.core.next_timer()
            && self.wake_at.is_none_or(|planned| planned > at)
        {
            self.wake_at = Some(at);
            sim.timer_at_mono(self.host, at, WAKE);
        }
    }

    fn send(&mut self, req: ReqId, request: HttpRequest, sim: &mut Sim) {
        let HttpRequest { method, path, bearer, body, timeout_ms } = request;
        sim.log(|_| format!("asks for {}", scopes_in(&path, &body)));
        let headers = bearer.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        let request =
            Request { line: format!("{method} {path}"), headers: headers.into_iter().collect(), body };
        sim.request(self.host, SERVER, req.0, timeout_ms, request);
    }

    pub(super) fn on_timer(&mut self, sim: &mut Sim) {
        let now = self.now(sim);
        if self.wake_at.is_some_and(|at| at > now.mono_ms) {
            return; // an earlier one came first
        }
        self.wake_at = None;
        self.core.wake(now);
        self.drain(sim);
    }

    pub(super) fn on_reply(&mut self, number: u64, reply: Reply, sim: &mut Sim) {
        let now = self.now(sim);
        if self.listener.as_ref().is_some_and(|listener| listener.request == number) {
            self.stream_answered(number, &reply, now);
        } else {
            self.core.http(ReqId(number), answer_of(reply), now);
        }
        self.drain(sim);
    }

    fn stream_answered(&mut self, number: u64, reply: &Reply, now: Now) {
        let Some(listener) = &mut self.listener else { return };
        let event = match reply {
            _ if listener.is_open => return, // a copy
            Reply::Answer(answer) if answer.status == 200 => LiveEvent::Opened,
            Reply::Answer(answer) => LiveEvent::Stopped(match fault(answer.status, None, &answer.body) {
                Fault::Token => LiveStop::Token,
                Fault::Revoked => LiveStop::Revoked,
                Fault::TooOld => LiveStop::TooOld,
                _ => LiveStop::Broken,
            }),
            Reply::Failed => LiveEvent::Stopped(LiveStop::Broken),
        };
        listener.is_open = event == LiveEvent::Opened;
        let lines = listener.ready();
        if event != LiveEvent::Opened {
            self.listener = None;
        }
        self.core.live(ReqId(number), event, now);
        self.lines(number, &lines, now);
    }

    pub(super) fn on_hint(&mut self, line: &[u8], sim: &mut Sim) {
        let now = self.now(sim);
        let Some(listener) = &mut self.listener else { return };
        let (request, lines) = (listener.request, listener.line(line));
        self.lines(request, &lines, now);
        self.drain(sim);
    }

    fn lines(&mut self, request: u64, lines: &[String], now: Now) {
        for event in lines.iter().filter_map(|line| event_of(line)) {
            if let LiveEvent::Stopped(_) = event {
                self.listener = None;
            }
            self.core.live(ReqId(request), event, now);
        }
    }

    /// What can wait is done, as far as the disk lets it.
    pub(super) fn idle(&mut self, sim: &mut Sim) {
        while self.core.idle(self.now(sim)) == Ok(true) {}
        self.drain(sim);
    }

    /// The program is about to be suspended. What the disk refuses is met at the next start.
    pub(super) fn pause(&mut self, sim: &mut Sim) {
        self.listener = None;
        let _ = self.core.pause(self.now(sim));
        self.drain(sim);
    }

    /// The program goes on. An error = its files cannot be opened.
    pub(super) fn resume(&mut self, sim: &mut Sim) -> Result<(), SoukError> {
        self.wake_at = None;
        self.core.resume(self.now(sim))?;
        self.idle(sim);
        Ok(())
    }
}

/// What a pull asks for, for the trace.
fn scopes_in(path: &str, body: &[u8]) -> String {
    let pull: Option<PullRequest> =
        path.ends_with("/pull").then(|| serde_json::from_slice(body).ok()).flatten();
    let scopes = pull.iter().flat_map(|pull| &pull.scopes);
    scopes.map(|asked| asked.id.clone()).collect::<Vec<_>>().join(", ")
}

fn answer_of(reply: Reply) -> HttpAnswer {
    match reply {
        Reply::Failed => HttpAnswer::Failed,
        Reply::Answer(Answer { status, headers, body }) => {
            let retry = headers.iter().find(|(name, _)| name == "retry-after");
            let retry_after_s = retry.and_then(|(_, value)| value.parse().ok());
            HttpAnswer::Said { status, retry_after_s, body }
        }
    }
}
