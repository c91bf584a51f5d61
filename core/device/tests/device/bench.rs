//! One device and its server, with a network in between that a test rules.

use souk_crypto::rowsum::mix64;
use souk_device::clock::Now;
use souk_device::host::{DeviceHost, Entropy, HostConfig, HttpAnswer, Output, SignerSource, Tapped};
use souk_device::outbox::Tap;
use souk_device::sync::{Event, Join, Notice, ReqId, View};
use souk_domain::id::{IntentId, OfferId};
use souk_domain::intent::{Body, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::money::Money;
use souk_domain::time::{Span, Time};

use crate::server::{START, Server};

/// Seeded randomness.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix64(self.0)
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), souk_crypto::random::RandomUnavailable> {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next().to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It arrives, and so does its answer.
    Good,
    /// It is lost.
    Lost,
    /// It arrives, and its answer is lost.
    AnswerLost,
    /// It arrives twice.
    Twice,
}

pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) host: Option<DeviceHost>,
    pub(crate) now: Now,
    pub(crate) notices: Vec<Notice>,
    pub(crate) views: Vec<View>,
    /// Requests on their way.
    pub(crate) wire: Vec<(ReqId, souk_device::host::HttpRequest)>,
    seed: u64,
    pub(crate) requests: usize,
    config: HostConfig,
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Bench {
        Bench::at(seed, START)
    }

    /// A device whose clock is that of the server.
    fn at(seed: u64, wall: Time) -> Bench {
        // In memory where there is such a place: the tests are about what is written, not about how fast.
        let shm = std::path::Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let mono_ms = u64::try_from(wall.since(START).millis()).unwrap() + 1_000;
        let mut config = HostConfig::in_dir(dir.path(), "test/1");
        config.live = false;
        let mut bench = Bench {
            dir,
            host: None,
            now: Now { mono_ms, boot: 1, wall },
            notices: Vec::new(),
            views: Vec::new(),
            wire: Vec::new(),
            seed,
            requests: 0,
            config,
        };
        bench.start();
        bench
    }

    pub(crate) fn with_config(seed: u64, change: impl FnOnce(&mut HostConfig)) -> Bench {
        let mut bench = Bench::new(seed);
        bench.kill();
        change(&mut bench.config);
        bench.start();
        bench
    }

    /// A signed-in device whose scopes are fresh.
    pub(crate) fn joined(seed: u64, contact: &str, server: &mut Server) -> Bench {
        let mut bench = Bench::at(seed, server.now);
        bench.join(contact, server);
        bench.settle(server);
        bench
    }

    pub(crate) fn join(&mut self, contact: &str, server: &mut Server) {
        let join = Join {
            contact: contact.to_owned(),
            code: "123456".to_owned(),
            name: contact.to_owned(),
            platform: "linux".to_owned(),
            model: "test".to_owned(),
            as_courier: false,
        };
        self.event(Event::Join(join));
        self.settle(server);
        assert!(self.notices.contains(&Notice::Joined), "{:?}", self.notices);
    }

    pub(crate) fn start(&mut self) {
        self.seed = self.seed.wrapping_add(1);
        let entropy = Box::new(Seeded(self.seed));
        let host = DeviceHost::open(self.config.clone(), SignerSource::Software, entropy, self.now).unwrap();
        self.host = Some(host);
        self.drain();
    }

    /// The process ends without a word.
    pub(crate) fn kill(&mut self) {
        self.host = None;
        self.wire.clear();
    }

    pub(crate) fn host(&mut self) -> &mut DeviceHost {
        self.host.as_mut().unwrap()
    }

    pub(crate) fn event(&mut self, event: Event) {
        let now = self.now;
        self.host().event(event, now);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        for output in self.host.as_mut().unwrap().take_outputs() {
            match output {
                Output::Http { req, request } => {
                    self.requests += 1;
                    self.wire.push((req, request));
                }
                Output::Live { .. } => panic!("no live stream here"),
                Output::Cancel(req) => self.wire.retain(|(of, _)| *of != req),
                Output::Views(views) => self.views.extend(views),
                Output::Notice(notice) => self.notices.push(notice),
            }
        }
    }

    /// Time goes on; timers fire.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        let now = self.now;
        self.host().wake(now);
        self.drain();
    }

    /// The request that left first meets its fate.
    pub(crate) fn deliver(&mut self, server: &mut Server, fate: Fate) {
        let (req, request) = self.wire.remove(0);
        self.pass(20);
        server.now = server.now.max(START.plus(Span::from_millis(self.now.mono_ms as i64)));
        let answer = match fate {
            Fate::Good => server.handle(&request),
            Fate::Lost => HttpAnswer::Failed,
            Fate::AnswerLost => {
                server.handle(&request);
                HttpAnswer::Failed
            }
            Fate::Twice => {
                server.handle(&request);
                server.handle(&request)
            }
        };
        self.pass(20);
        let now = self.now;
        self.host().http(req, answer, now);
        self.drain();
    }

    /// Delivers until nothing is on its way.
    pub(crate) fn settle(&mut self, server: &mut Server) {
        for _ in 0..200 {
            if self.wire.is_empty() {
                return;
            }
            self.deliver(server, Fate::Good);
        }
        panic!("the device never comes to rest");
    }

    /// Lets timers fire and delivers, until the outbox is decided and everything is fresh.
    pub(crate) fn heal(&mut self, server: &mut Server) {
        for _ in 0..400 {
            self.settle(server);
            if self.host().undecided().unwrap() == 0 && self.host().is_quiet() && self.wire.is_empty() {
                return;
            }
            let next = self.host().next_timer();
            let wait = next.map_or(1_000, |at| at.saturating_sub(self.now.mono_ms).max(1));
            self.pass(wait);
        }
        panic!("undecided: {:?}, {:?}", self.host().undecided(), self.host());
    }

    pub(crate) fn tap(&mut self, tap: Tap) -> Result<Tapped, souk_device::error::SoukError> {
        let now = self.now;
        let tapped = self.host().tap(tap, now);
        self.drain();
        tapped
    }

    pub(crate) fn place(&mut self, server: &Server, lines: &[(OfferId, u32, i64)]) -> Tapped {
        self.tap(place_order(server, lines, None)).unwrap()
    }

    pub(crate) fn outcome(&mut self, id: IntentId) -> Option<souk_domain::outcome::Outcome> {
        let saved = self.host().saved().unwrap();
        saved.into_iter().find(|(of, _)| *of == id).unwrap().1
    }
}

pub(crate) fn place_order(server: &Server, lines: &[(OfferId, u32, i64)], max_total: Option<Money>) -> Tap {
    let place = PlaceOrder {
        shop: server.shop.unwrap(),
        lines: lines
            .iter()
            .map(|(offer, quantity, seen)| WantedLine { offer: *offer, quantity: *quantity, seen: *seen })
            .collect(),
        policy: ShortPolicy::AllOrNothing,
        note: String::new(),
    };
    Tap { max_total, ..Tap::of(Body::PlaceOrder(place)) }
}
