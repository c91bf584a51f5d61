//! The surroundings of all programs of a run: time, chance, network, disks, timers, counts and trace.
//!
//! Worlds get it in every call and ask it for whatever a real program asks the machine for. It never calls back.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::{HostClock, Reading, SimTime};
use crate::disk::{Disk, HostId};
use crate::faults::draw_weather;
use crate::net::{Answer, Message, Net, Payload, Request, Weather};
use crate::queue::Queue;
use crate::rng::Rng;
use crate::trace::TraceHash;
use crate::world::{ReplyTo, Role};

/// What a run does next.
#[derive(Debug)]
pub(crate) enum Event {
    Arrive(Message),
    RequestTimeOut { device: HostId, life: u64, request: u64 },
    Timer { host: HostId, life: u64, timer: u64 },
    Tap { device: HostId },
    Fault,
    Restart { host: HostId },
    Resume { host: HostId },
}

impl Event {
    /// For the trace hash: which kind of event, and of whom.
    fn facts(&self) -> (u64, HostId) {
        match self {
            Event::Arrive(message) => (1, message.to),
            Event::RequestTimeOut { device, .. } => (2, *device),
            Event::Timer { host, .. } => (3, *host),
            Event::Tap { device } => (4, *device),
            Event::Fault => (5, HostId(u32::MAX)),
            Event::Restart { host } => (6, *host),
            Event::Resume { host } => (7, *host),
        }
    }
}

/// What the run knows of a host.
#[derive(Debug)]
pub(crate) struct HostState {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) public_files: Vec<String>,
    pub(crate) clock: HostClock,
    pub(crate) life: u64,
    pub(crate) is_up: bool,
    pub(crate) is_paused: bool,
    pub(crate) requests_sent: u64,
}

/// The surroundings of all programs of one run.
pub struct Sim {
    pub(crate) now: SimTime,
    pub(crate) queue: Queue<Event>,
    pub(crate) rng: Rng,
    pub(crate) net: Net,
    pub(crate) disk: Disk,
    pub(crate) hosts: BTreeMap<HostId, HostState>,
    pub(crate) is_calm: bool,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    open_requests: BTreeSet<(HostId, u64, u64)>,
    trace: TraceHash,
    lines: Option<Vec<String>>,
}

impl Sim {
    pub(crate) fn new(seed: u64, keeps_lines: bool) -> Sim {
        let mut rng = Rng::from_seed(seed);
        let weather = draw_weather(&mut rng);
        Sim {
            now: SimTime::default(),
            queue: Queue::default(),
            rng,
            net: Net::new(weather),
            disk: Disk::new(),
            hosts: BTreeMap::new(),
            is_calm: false,
            counts: BTreeMap::new(),
            open_requests: BTreeSet::new(),
            trace: TraceHash::default(),
            lines: keeps_lines.then(Vec::new),
        }
    }

    /// The moment of the run.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// What the host's clocks show.
    pub fn clock(&self, host: HostId) -> Reading {
        self.hosts.get(&host).map_or(HostClock::default(), |state| state.clock).read(self.now)
    }

    /// The one source of chance.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The disks of all hosts.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Is the workload over, every fault healed?
    pub fn is_calm(&self) -> bool {
        self.is_calm
    }

    /// Overrides the drawn weather, for directed cases.
    pub fn set_weather(&mut self, weather: Weather) {
        self.net = Net::new(weather);
    }

    /// Does the host's program run, and is its disk alive?
    pub fn is_up(&self, host: HostId) -> bool {
        self.hosts.get(&host).is_some_and(|state| state.is_up) && !self.disk.is_dead(host)
    }

    /// Sends a request under the device's own number. Its fate comes to `on_reply`; without an answer in time as `Failed`.
    pub fn request(
        &mut self,
        device: HostId,
        server: HostId,
        number: u64,
        time_out_ms: u64,
        request: Request,
    ) {
        let Some(state) = self.hosts.get_mut(&device) else { return };
        state.requests_sent += 1;
        let life = state.life;
        self.open_requests.insert((device, life, number));
        self.queue
            .push(self.now.plus_ms(time_out_ms), Event::RequestTimeOut { device, life, request: number });
        self.log(|sim| format!("{} sends {} as {number}", sim.name(device), request.line));
        let payload = Payload::Request(request);
        self.send(Message { from: device, to: server, life, request: number, payload });
    }

    /// Gives up on a request: no time-out will come. An answer under way still arrives.
    pub fn cancel(&mut self, device: HostId, number: u64) {
        if let Some(state) = self.hosts.get(&device) {
            self.open_requests.remove(&(device, state.life, number));
        }
    }

    /// Answers a request.
    pub fn answer(&mut self, to: ReplyTo, answer: Answer) {
        self.log(|sim| {
            format!(
                "{} answers {} of {}: {}",
                sim.name(to.server),
                to.request,
                sim.name(to.device),
                answer.status
            )
        });
        self.send_back(to, Payload::Answer(answer));
    }

    /// Sends a line of the event stream to a device.
    pub fn hint(&mut self, server: HostId, device: HostId, line: Vec<u8>) {
        let Some(life) = self.hosts.get(&device).map(|state| state.life) else { return };
        self.send(Message { from: server, to: device, life, request: 0, payload: Payload::Hint(line) });
    }

    /// Wakes the host's program after a while, unless the program has ended by then.
    pub fn timer_after(&mut self, host: HostId, after_ms: u64, timer: u64) {
        self.timer(host, self.now.plus_ms(after_ms), timer);
    }

    /// Wakes the host's program when its monotonic clock shows `mono_ms`, or now if it does already.
    pub fn timer_at_mono(&mut self, host: HostId, mono_ms: u64, timer: u64) {
        let Some(state) = self.hosts.get(&host) else { return };
        self.timer(host, state.clock.moment_of(mono_ms).max(self.now), timer);
    }

    /// Counts something for the report: `orders`, `decided`, `fork` …
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Takes facts into the trace hash that neither disk nor network shows.
    pub fn fold(&mut self, bytes: &[u8]) {
        self.trace.fold_bytes(bytes);
    }

    /// Adds a line to the written trace, when somebody asked for one.
    pub fn log(&mut self, line: impl FnOnce(&Sim) -> String) {
        if self.lines.is_none() {
            return;
        }
        let text = format!("{} {}", self.now, line(self));
        if let Some(lines) = &mut self.lines {
            lines.push(text);
        }
    }

    pub(crate) fn name(&self, host: HostId) -> &str {
        self.hosts.get(&host).map_or("?", |state| state.name.as_str())
    }

    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }

    /// Ends an open request. False when it was answered, cancelled or timed out before.
    pub(crate) fn close_request(&mut self, device: HostId, life: u64, number: u64) -> bool {
        self.open_requests.remove(&(device, life, number))
    }

    pub(crate) fn send_back(&mut self, to: ReplyTo, payload: Payload) {
        self.send(Message { from: to.server, to: to.device, life: to.life, request: to.request, payload });
    }

    /// Plans an event on its own behalf.
    pub(crate) fn plan(&mut self, after_ms: u64, event: Event) {
        self.queue.push(self.now.plus_ms(after_ms), event);
    }

    pub(crate) fn begin_event(&mut self, at: SimTime, event: &Event) {
        self.now = at;
        let (kind, host) = event.facts();
        self.trace.fold(at.0);
        self.trace.fold(kind << 32 | u64::from(host.0));
    }

    /// The hash over all that happened, disk writes included.
    pub(crate) fn trace_hash(&self) -> u64 {
        let mut trace = self.trace;
        trace.fold(self.disk.trace());
        trace.value()
    }

    pub(crate) fn end_event(&mut self) {
        let disk = self.disk.trace();
        self.trace.fold(disk);
    }

    fn timer(&mut self, host: HostId, at: SimTime, timer: u64) {
        if let Some(state) = self.hosts.get(&host) {
            let life = state.life;
            self.queue.push(at, Event::Timer { host, life, timer });
        }
    }

    fn send(&mut self, message: Message) {
        message.fold_into(&mut self.trace);
        for at in self.net.arrivals(&message, self.now, &mut self.rng) {
            self.queue.push(at, Event::Arrive(message.clone()));
        }
    }
}
