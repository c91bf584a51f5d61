//! The network of a run: messages are lost, doubled, late, and cut off per direction; order is not kept.
//!
//! Requests and answers are messages of their own, so an answer can be lost whose effect stands (spec/sync.md 10.1).
//! Not for: time-outs and dead processes, which the run knows ([`crate::sim`]).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::SimTime;
use crate::disk::HostId;
use crate::rng::Rng;
use crate::trace::TraceHash;

/// A copy arrives up to this many times later than the longest delay.
const COPY_DELAY_FACTOR: u64 = 4;

/// An HTTP request as the client hands it to its transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Method and path with query, `POST /v1/sync/push`.
    pub line: String,
    /// Header names and values that either side looks at.
    pub headers: Vec<(String, String)>,
    /// Body bytes.
    pub body: Vec<u8>,
}

/// An HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header names and values that either side looks at.
    pub headers: Vec<(String, String)>,
    /// Body bytes.
    pub body: Vec<u8>,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// From a device to the server.
    Request(Request),
    /// From the server back to the device.
    Answer(Answer),
    /// The server's machine says that nobody listens.
    Refused,
    /// A line of an open event stream, from the server to a device.
    Hint(Vec<u8>),
}

/// One message under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it.
    pub from: HostId,
    /// Who gets it.
    pub to: HostId,
    /// The life of the device's process that asked; an answer to a former life reaches nobody.
    pub life: u64,
    /// The device's number of the request; 0 for hints.
    pub request: u64,
    /// What it says.
    pub payload: Payload,
}

impl Message {
    pub(crate) fn fold_into(&self, trace: &mut TraceHash) {
        trace.fold(u64::from(self.from.0) << 32 | u64::from(self.to.0));
        trace.fold(self.request);
        let (number, text, headers, body): (u64, &str, &[(String, String)], &[u8]) = match &self.payload {
            Payload::Request(request) => (1 << 16, &request.line, &request.headers, &request.body),
            Payload::Answer(answer) => {
                (2 << 16 | u64::from(answer.status), "", &answer.headers, &answer.body)
            }
            Payload::Refused => (3 << 16, "", &[], &[]),
            Payload::Hint(line) => (4 << 16, "", &[], line),
        };
        trace.fold(number);
        trace.fold_bytes(text.as_bytes());
        for (name, value) in headers {
            trace.fold_bytes(name.as_bytes());
            trace.fold_bytes(value.as_bytes());
        }
        trace.fold_bytes(body);
    }
}

/// How bad the network of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Chance that a message is lost.
    pub loss_permille: u64,
    /// Chance that a message arrives twice.
    pub copy_permille: u64,
    /// Longest delay of a message.
    pub delay_ms_max: u64,
}

impl Weather {
    /// A good network: what a run ends with.
    pub const CALM: Weather = Weather { loss_permille: 0, copy_permille: 0, delay_ms_max: 80 };
}

/// What the network did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetCounters {
    /// Messages handed in.
    pub sent: u64,
    /// Lost at random.
    pub lost: u64,
    /// Delivered a second time.
    pub copied: u64,
    /// Stopped by a partition.
    pub cut: u64,
    /// Requests that a blackhole took.
    pub blackholed: u64,
}

/// The network between all hosts.
#[derive(Debug)]
pub struct Net {
    weather: Weather,
    cuts: BTreeMap<(HostId, HostId), SimTime>,
    blackholes: BTreeMap<HostId, (String, SimTime)>,
    counters: NetCounters,
}

impl Net {
    /// A whole network in this weather.
    pub fn new(weather: Weather) -> Net {
        Net { weather, cuts: BTreeMap::new(), blackholes: BTreeMap::new(), counters: NetCounters::default() }
    }

    /// Stops messages of one direction until a moment.
    pub fn cut(&mut self, from: HostId, to: HostId, until: SimTime) {
        let end = self.cuts.entry((from, to)).or_default();
        *end = until.max(*end);
    }

    /// Swallows requests of a host whose line contains `text`, until a moment: an upload path that is dead while all else works.
    pub fn blackhole(&mut self, from: HostId, text: &str, until: SimTime) {
        self.blackholes.insert(from, (text.to_owned(), until));
    }

    /// Ends all partitions and blackholes and makes the weather calm.
    pub fn heal(&mut self) {
        self.cuts.clear();
        self.blackholes.clear();
        self.weather = Weather::CALM;
    }

    /// Is this direction open?
    pub fn is_open(&self, from: HostId, to: HostId, now: SimTime) -> bool {
        self.cuts.get(&(from, to)).is_none_or(|until| *until <= now)
    }

    /// Draws when a message arrives: never, once or twice.
    pub fn arrivals(&mut self, message: &Message, now: SimTime, rng: &mut Rng) -> Vec<SimTime> {
        self.counters.sent += 1;
        if !self.is_open(message.from, message.to, now) {
            self.counters.cut += 1;
            return Vec::new();
        }
        if self.is_swallowed(message, now) {
            self.counters.blackholed += 1;
            return Vec::new();
        }
        let longest_us = self.weather.delay_ms_max * 1000;
        let mut arrivals = Vec::with_capacity(2);
        if rng.chance(self.weather.loss_permille) {
            self.counters.lost += 1;
        } else {
            arrivals.push(now.plus_us(rng.between(1000, longest_us)));
        }
        if rng.chance(self.weather.copy_permille) {
            self.counters.copied += 1;
            arrivals.push(now.plus_us(rng.between(1000, longest_us * COPY_DELAY_FACTOR)));
        }
        arrivals
    }

    /// Counts a message that a partition stopped on its way.
    pub fn count_cut(&mut self) {
        self.counters.cut += 1;
    }

    /// What happened so far.
    pub fn counters(&self) -> NetCounters {
        self.counters
    }

    fn is_swallowed(&self, message: &Message, now: SimTime) -> bool {
        match (&message.payload, self.blackholes.get(&message.from)) {
            (Payload::Request(request), Some((text, until))) => now < *until && request.line.contains(text),
            (Payload::Request(_) | Payload::Answer(_) | Payload::Refused | Payload::Hint(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: HostId = HostId(1);
    const SERVER: HostId = HostId(0);

    fn request(line: &str) -> Message {
        let request = Request { line: line.into(), ..Request::default() };
        Message { from: DEVICE, to: SERVER, life: 0, request: 1, payload: Payload::Request(request) }
    }

    #[test]
    fn weather_decides_how_often_a_message_arrives() {
        let table = [
            (0, 0, [0, 1000, 0]),
            (1000, 0, [1000, 0, 0]),
            (0, 1000, [0, 0, 1000]),
            (1000, 1000, [0, 1000, 0]),
        ];
        for (loss_permille, copy_permille, expected) in table {
            let mut net = Net::new(Weather { loss_permille, copy_permille, delay_ms_max: 80 });
            let mut rng = Rng::from_seed(1);
            let mut times_arrived = [0; 3];
            for _ in 0..1000 {
                times_arrived[net.arrivals(&request("GET /"), SimTime(0), &mut rng).len()] += 1;
            }
            assert_eq!(times_arrived, expected, "loss {loss_permille}, copies {copy_permille}");
        }
    }

    #[test]
    fn a_later_message_may_arrive_first() {
        let mut net = Net::new(Weather { loss_permille: 0, copy_permille: 0, delay_ms_max: 800 });
        let mut rng = Rng::from_seed(2);
        let mut arrival = |at| net.arrivals(&request("GET /"), SimTime(at), &mut rng)[0];
        assert!((0..50).any(|_| arrival(0) > arrival(100_000)));
    }

    #[test]
    fn partitions_have_a_direction_and_an_end() {
        let mut net = Net::new(Weather::CALM);
        net.cut(DEVICE, SERVER, SimTime(10));
        net.cut(DEVICE, SERVER, SimTime(5));
        let open = [(DEVICE, SERVER, 9, false), (DEVICE, SERVER, 10, true), (SERVER, DEVICE, 9, true)];
        for (from, to, at, is_open) in open {
            assert_eq!(net.is_open(from, to, SimTime(at)), is_open, "{from} to {to} at {at}");
        }
        let mut rng = Rng::from_seed(3);
        assert!(net.arrivals(&request("GET /"), SimTime(0), &mut rng).is_empty());
        net.heal();
        assert_eq!(net.arrivals(&request("GET /"), SimTime(0), &mut rng).len(), 1);
        assert_eq!(net.counters(), NetCounters { sent: 2, cut: 1, ..NetCounters::default() });
    }

    #[test]
    fn a_blackhole_takes_its_requests_only() {
        let mut net = Net::new(Weather::CALM);
        let mut rng = Rng::from_seed(4);
        net.blackhole(DEVICE, "/push", SimTime(10));
        assert!(net.arrivals(&request("POST /v1/sync/push"), SimTime(9), &mut rng).is_empty());
        assert_eq!(net.arrivals(&request("POST /v1/sync/pull"), SimTime(9), &mut rng).len(), 1);
        assert_eq!(net.arrivals(&request("POST /v1/sync/push"), SimTime(10), &mut rng).len(), 1);
    }
}
