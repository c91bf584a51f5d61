//! The product as a [`World`]: connects server, devices, rail, people and checks with the run.

use std::collections::{BTreeMap, BTreeSet};

use souk_crypto::sign::{Ed25519Key, Signer};
use souk_device::host::StoredRow;
use souk_device::sync::{Event, Join, Notice};
use souk_domain::catalogue::Offer;
use souk_domain::context::Actor;
use souk_domain::id::{AccountId, Bucket, DeviceId, IntentId, ShopId, form_u};
use souk_domain::party::{AccountRoles, DeviceKey};
use souk_domain::stock::Stock;
use souk_protocol::outcome::OutcomeView;

use super::Guards;
use super::books::{self, checked};
use super::install::Template;
use super::market::{DEVICE_FILES, Part, SEATS, SERVER, SERVER_FILE};
use super::oracle::{self, Oracle};
use super::phone::Phone;
use super::rail::Rail;
use super::record::{Count, Record, Stream};
use super::server::{Server, is_of_disk};
use super::truth::Truth;
use super::views::Views;
use crate::disk::HostId;
use crate::faults::FaultKind;
use crate::net::Request;
use crate::sim::Sim;
use crate::world::{Checked, HostEvent, HostSpec, Reply, ReplyTo, Role, Started, Violation, World};

const FAULTS: [FaultKind; 14] = [
    FaultKind::DeviceFuse,
    FaultKind::DeviceCrash,
    FaultKind::ServerFuse,
    FaultKind::ServerCrash,
    FaultKind::Partition,
    FaultKind::PushBlackhole,
    FaultKind::Pause,
    FaultKind::DiskFailure,
    FaultKind::BitRot,
    FaultKind::ClockJump,
    FaultKind::DeviceBackup,
    FaultKind::DeviceRestore,
    FaultKind::ServerBackup,
    FaultKind::ServerRestore,
];

/// Chance that a device keeps a stream of hints open.
const LIVE_PERMILLE: u64 = 600;

/// Somebody with a device.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) host: HostId,
    pub(super) part: Part,
    pub(super) name: &'static str,
    pub(super) account: AccountId,
}

/// What is known at the moment of a backup.
struct Backup {
    /// A device's acts.
    known: BTreeSet<IntentId>,
    /// The server's record.
    record: Option<Record>,
}

pub(super) struct ProductWorld {
    pub(super) guards: Guards,
    pub(super) is_installing: bool,
    pub(super) people: Vec<Person>,
    pub(super) shop: Option<ShopId>,
    pub(super) server: Option<Server>,
    pub(super) phones: BTreeMap<HostId, Option<Phone>>,
    lives: BTreeMap<HostId, bool>,
    pub(super) record: Record,
    pub(super) rail: Rail,
    pub(super) views: Views,
    backups: BTreeMap<HostId, Backup>,
    /// The operator says at the next start that the data was set back.
    restored: bool,
    /// Hand-over proofs that each device has signed.
    pub(super) handovers: BTreeMap<HostId, u32>,
}

impl ProductWorld {
    /// A world over the template's files.
    pub(super) fn of(template: &Template, guards: Guards, sim: &mut Sim) -> ProductWorld {
        let mut world = ProductWorld::empty(guards);
        let fourth = sim.rng().pick(&[None, Some(HostId(4)), Some(HostId(5))]).copied().flatten();
        let takes_part = |host: HostId| host.0 <= 3 || Some(host) == fourth;
        sim.disk().restore(SERVER, &template.images[&SERVER]);
        for person in template.people.iter().filter(|person| takes_part(person.host)) {
            sim.disk().restore(person.host, &template.images[&person.host]);
            world.phones.insert(person.host, None);
            world.lives.insert(person.host, sim.rng().chance(LIVE_PERMILLE));
            world.people.push(person.clone());
        }
        world.shop = Some(template.shop);
        world.record.truth = template.truth.clone();
        world.record.streams = template.streams.clone();
        let offer = |(offer, stock): &(Offer, Stock)| {
            let row = oracle::Offer {
                price: offer.price.minor,
                is_live: true,
                on_hand: stock.on_hand,
                reserved: 0,
                committed: 0,
                sold: 0,
                revision: stock.revision,
            };
            (offer.id, row)
        };
        world.record.oracle = Oracle::of(template.seller, template.offers.iter().map(offer).collect());
        world
    }

    /// A world without anybody, which the run of `install` fills.
    pub(super) fn installing() -> ProductWorld {
        let mut world = ProductWorld::empty(Guards::all());
        world.is_installing = true;
        world.record.is_installing = true;
        for seat in SEATS {
            world.phones.insert(seat.host, None);
            world.lives.insert(seat.host, true);
        }
        world
    }

    fn empty(guards: Guards) -> ProductWorld {
        ProductWorld {
            guards,
            is_installing: false,
            people: Vec::new(),
            shop: None,
            server: None,
            phones: BTreeMap::new(),
            lives: BTreeMap::new(),
            record: Record::default(),
            rail: Rail::default(),
            views: Views::default(),
            backups: BTreeMap::new(),
            restored: false,
            handovers: BTreeMap::new(),
        }
    }

    /// What the truth knows at the end of the making of the files.
    pub(super) fn recorded(&self) -> (Truth, BTreeMap<Stream, Count>) {
        (self.record.truth.clone(), self.record.streams.clone())
    }

    pub(super) fn person(&self, host: HostId) -> Option<&Person> {
        self.people.iter().find(|person| person.host == host)
    }

    pub(super) fn phone(&mut self, host: HostId) -> Option<&mut Phone> {
        self.phones.get_mut(&host)?.as_mut()
    }

    pub(super) fn shop_bucket(&self) -> Bucket {
        self.shop.map_or(Bucket::PUBLIC, |shop| shop.bucket())
    }

    /// Asks the server for a code by mail, and signs in with it.
    pub(super) fn sign_in(&mut self, host: HostId, sim: &mut Sim) {
        let Some(seat) = SEATS.iter().find(|seat| seat.host == host) else { return };
        let Some(server) = &mut self.server else { return };
        let (now, random) = (server.now(sim), sim.rng().next_u64());
        let Ok(Some(code)) = server.desk.issue(&server.reader.clone(), seat.contact, now, random) else {
            return;
        };
        let join = Join {
            contact: seat.contact.to_owned(),
            code,
            name: seat.name.to_owned(),
            platform: "linux".to_owned(),
            model: "simulated".to_owned(),
            as_courier: seat.part == Part::Courier,
        };
        sim.count("sign_ins");
        if let Some(phone) = self.phone(host) {
            phone.event(Event::Join(join), sim);
        }
    }

    fn start_server(&mut self, sim: &mut Sim) -> Result<Started, Violation> {
        let log = log_head(sim, SERVER, SERVER_FILE);
        let restored = std::mem::take(&mut self.restored);
        let started = Server::start(&self.guards, restored, nobody(), self.is_installing, sim);
        let mut server = match started {
            Ok(server) => server,
            Err(error) if is_of_disk(&error) => {
                self.restored = restored; // it is said again at the next start
                return Ok(Started::Down);
            }
            Err(error) => return Err(Violation::new("open", format!("the server: {error}"))),
        };
        check_log(log, sim, SERVER, SERVER_FILE)?;
        if self.record.resolve(&server.reader, true, sim)?.is_ok() && !self.is_installing {
            let shop = self.shop_bucket();
            checked(books::whole(&server.reader, shop, &self.people, &self.record))?;
        }
        server.plan(&self.rail, sim);
        self.server = Some(server);
        Ok(Started::Up)
    }

    fn start_device(&mut self, host: HostId, sim: &mut Sim) -> Result<Started, Violation> {
        let logs = DEVICE_FILES.map(|file| (file, log_head(sim, host, file)));
        let live = self.lives.get(&host).copied().unwrap_or(true);
        let mut phone = match Phone::start(host, live, &self.guards, self.is_installing, sim) {
            Ok(phone) => phone,
            Err(error) if is_of_medium(&error.code) => return Ok(Started::Down),
            Err(error) => return Err(Violation::new("open", format!("{host}: {error}"))),
        };
        for (file, log) in logs {
            check_log(log, sim, host, file)?;
        }
        let Ok(saved) = phone.core.saved() else { return Ok(Started::Down) };
        let saved: BTreeSet<IntentId> = saved.into_iter().map(|(id, _)| id).collect();
        if phone.core.open_report().cache_begun_anew {
            sim.count("caches_begun_anew");
        }
        self.record.truth.started(host, &saved)?;
        phone.idle(sim);
        self.phones.insert(host, Some(phone));
        if self.is_installing {
            sim.timer_after(host, 1, super::install::STEP);
        }
        Ok(Started::Up)
    }

    /// Looks at what has happened on a device.
    pub(super) fn look(&mut self, host: HostId, sim: &mut Sim) -> Checked {
        let Some(phone) = self.phones.get_mut(&host).and_then(Option::as_mut) else { return Ok(()) };
        let news = std::mem::take(&mut phone.news);
        for notice in &news.notices {
            sim.log(|sim| format!("{}: {notice:?}", sim.name(host)));
            match notice {
                Notice::Conflicts(ids) => {
                    return Err(Violation::new("syn03", format!("ALTERED on {host}: {ids:?}")));
                }
                Notice::RequestBroken(which) => {
                    return Err(Violation::new("syn15", format!("{host} cannot make a {which}")));
                }
                Notice::SumDiffers(scope)
                    if !self.record.was_set_back && !self.views.is_rotten(host, scope) =>
                {
                    return Err(Violation::new("syn11", format!("{host}: the sum of {scope} differs")));
                }
                _ => {}
            }
        }
        if phone.core.counts().contains_key("sync_impossible") {
            return Err(Violation::new("syn12", format!("{host}: the machine met an impossible event")));
        }
        if self.is_installing || sim.disk().is_dead(host) {
            return Ok(());
        }
        self.views.check(host, phone, &news, &self.record, sim)
    }

    fn after_server(&mut self, sim: &mut Sim) -> Checked {
        let Some(server) = &mut self.server else { return Ok(()) };
        server.plan(&self.rail, sim);
        if self.is_installing || sim.disk().is_dead(SERVER) || self.record.has_unknown() {
            return Ok(());
        }
        if self.record.touched.is_empty() {
            return Ok(());
        }
        let shop = self.shop.map_or(Bucket::PUBLIC, |shop| shop.bucket());
        checked(books::after_commit(&server.reader, shop, &mut self.record))
    }

    fn is_synced(&mut self, host: HostId, sim: &mut Sim) -> Result<(), String> {
        let Some(person) = self.person(host).cloned() else { return Ok(()) };
        let Some(server) = &self.server else { return Err("the server is down".to_owned()) };
        let Some(phone) = self.phones.get(&host).and_then(Option::as_ref) else {
            return Err(format!("{} is down", person.name));
        };
        let failed = |error: souk_device::error::SoukError| error.to_string();
        let undecided = phone.core.undecided().map_err(failed)?;
        if undecided > 0 {
            let rows = phone.core.outbox_rows().map_err(failed)?;
            let open = rows.iter().find(|row| row.outcome.is_none());
            let what = open.map(|row| format!("{} {:?} {:?}", row.kind, row.state, row.why));
            return Err(format!("{} has {undecided} undecided acts: {what:?}", person.name));
        }
        if !phone.core.is_quiet() {
            return Err(format!("{} is not quiet ({})", person.name, phone.core.link_word()));
        }
        for scope in super::views::scopes_of(&person, self.shop) {
            let sums = phone.core.scope_sums(&scope).map_err(failed)?;
            let of_server = super::views::sum_of(server, &scope).map_err(|error| error.to_string())?;
            let mine = sums.map(|sums| (sums.is_whole, sums.kept, sums.stored));
            if mine != Some((true, of_server, of_server)) {
                return Err(format!("{} has {scope} as {mine:?}, the server as {of_server:?}", person.name));
            }
        }
        let _ = sim;
        Ok(())
    }
}

/// A sender that no server knows: its pushes change nothing.
fn nobody() -> Actor {
    let id = form_u(1, Bucket::PUBLIC, [0; 9]);
    let key = Ed25519Key::from_seed([0; 32]);
    // Both forms hold by construction; a wrong one would show as a sender that is refused, which is what is wanted.
    let account = AccountId::from_bytes(id);
    let device = DeviceId::from_bytes([0; 16]);
    match (account, device) {
        (Ok(account), Ok(device)) => Actor::User {
            account,
            device,
            key: DeviceKey::new(key.public_key()),
            roles: AccountRoles::default(),
        },
        _ => Actor::Server,
    }
}

/// Codes of a device's files that a fault of the medium explains.
pub(super) fn is_of_medium(code: &str) -> bool {
    matches!(code, "store.io" | "store.full" | "store.in_use" | "store.migration" | "store.pragma")
}

/// The head of a file's log: its salts change whenever the log begins anew.
fn log_head(sim: &Sim, host: HostId, file: &str) -> Vec<u8> {
    /// Bytes of a WAL's head up to the end of its salts.
    const HEAD: usize = 24;
    sim.disk().head(host, &format!("{file}-wal"), HEAD)
}

/// Nothing of a former life is left in a log after a start (2.7): what a crash has left unsynced was copied and synced
/// before anybody read it.
fn check_log(before: Vec<u8>, sim: &Sim, host: HostId, file: &str) -> Checked {
    let after = log_head(sim, host, file);
    if !before.is_empty() && before == after && !sim.disk().is_dead(host) {
        let text = format!("{host} has started on the log of a former life of {file}");
        return Err(Violation::new("open", text));
    }
    Ok(())
}

impl World for ProductWorld {
    fn hosts(&self) -> Vec<HostSpec> {
        let spec =
            |id, role, name: &str, public_files| HostSpec { id, role, name: name.to_owned(), public_files };
        let server = spec(SERVER, Role::Server, "server", Vec::new());
        let devices = SEATS.iter().filter(|seat| self.phones.contains_key(&seat.host));
        let devices =
            devices.map(|seat| spec(seat.host, Role::Device, seat.name, vec![DEVICE_FILES[1].to_owned()]));
        std::iter::once(server).chain(devices).collect()
    }

    fn faults(&self) -> &[FaultKind] {
        &FAULTS
    }

    fn start(&mut self, host: HostId, sim: &mut Sim) -> Result<Started, Violation> {
        if host == SERVER { self.start_server(sim) } else { self.start_device(host, sim) }
    }

    fn stop(&mut self, host: HostId) {
        if host == SERVER {
            self.server = None;
        } else {
            self.phones.insert(host, None);
        }
    }

    fn on_request(&mut self, to: ReplyTo, request: Request, sim: &mut Sim) -> Checked {
        if let Some(server) = &mut self.server {
            server.serve(to, &request, &mut self.record, sim)?;
        }
        self.after_server(sim)
    }

    fn on_reply(&mut self, host: HostId, request: u64, reply: Reply, sim: &mut Sim) -> Checked {
        if let Some(phone) = self.phone(host) {
            phone.on_reply(request, reply, sim);
        }
        self.look(host, sim)
    }

    fn on_hint(&mut self, host: HostId, line: &[u8], sim: &mut Sim) -> Checked {
        if let Some(phone) = self.phone(host) {
            phone.on_hint(line, sim);
        }
        self.look(host, sim)
    }

    fn on_timer(&mut self, host: HostId, timer: u64, sim: &mut Sim) -> Checked {
        if host == SERVER {
            if let Some(server) = &mut self.server {
                server.on_timer(timer, &mut self.record, &mut self.rail, sim)?;
            }
            return self.after_server(sim);
        }
        if timer == super::install::STEP {
            return self.install_step(host, sim);
        }
        if let Some(phone) = self.phone(host) {
            phone.on_timer(sim);
        }
        self.look(host, sim)
    }

    fn on_tap(&mut self, host: HostId, sim: &mut Sim) -> Checked {
        self.tap(host, sim)?;
        self.look(host, sim)
    }

    fn on_host_event(&mut self, host: HostId, event: HostEvent, sim: &mut Sim) -> Checked {
        match event {
            HostEvent::Pause => {
                if let Some(phone) = self.phone(host) {
                    phone.pause(sim);
                }
            }
            HostEvent::Resume => {
                let resumed = self.phone(host).map(|phone| phone.resume(sim));
                match resumed {
                    Some(Err(error)) if is_of_medium(&error.code) => sim.disk().cut(host), // the program ends
                    Some(Err(error)) => return Err(Violation::new("open", format!("{host}: {error}"))),
                    Some(Ok(())) | None => {}
                }
            }
            HostEvent::Rotted => {
                self.views.rotted(host);
                return Ok(());
            }
            HostEvent::BackedUp => {
                let record = (host == SERVER).then(|| self.record.clone());
                let known = self.record.truth.of_host(host);
                self.backups.insert(host, Backup { known, record });
                return Ok(());
            }
            HostEvent::Restored { announced } => {
                self.set_back(host, announced);
                return Ok(());
            }
            HostEvent::ClockSet | HostEvent::LyingSync => {}
        }
        self.look(host, sim)
    }

    fn at_rest(&mut self, sim: &mut Sim) -> Result<(), String> {
        if self.record.has_unknown() {
            return Err("nobody knows whether a batch stands".to_owned());
        }
        let Some(server) = &self.server else { return Err("the server is down".to_owned()) };
        if server.has_work(server.now(sim)) {
            return Err("the server has work".to_owned());
        }
        let hosts: Vec<HostId> = self.phones.keys().copied().collect();
        for host in &hosts {
            self.answer_questions(*host, sim).map_err(|violation| violation.to_string())?;
        }
        for host in hosts {
            self.is_synced(host, sim)?;
        }
        Ok(())
    }

    fn stirred(&self) -> u64 {
        self.record.stirred
    }

    fn check_end(&mut self, sim: &mut Sim) -> Checked {
        let Some(server) = &self.server else { return Err(Violation::new("syn15", "the server is down")) };
        checked(books::whole(&server.reader, self.shop_bucket(), &self.people, &self.record))?;
        for person in &self.people {
            let Some(phone) = self.phones.get(&person.host).and_then(Option::as_ref) else {
                return Err(Violation::new("syn15", format!("{} is down", person.name)));
            };
            let failed = |error: souk_device::error::SoukError| Violation::new("open", error.to_string());
            let saved = phone.core.saved().map_err(failed)?;
            let on_disk: BTreeSet<IntentId> = saved.iter().map(|(id, _)| *id).collect();
            self.record.truth.started(person.host, &on_disk)?;
            for (id, outcome) in &saved {
                let mine = outcome.as_ref().map(OutcomeView::from);
                let told = self.record.truth.outcome(id);
                if mine.is_none() || mine.as_ref() != told {
                    let text = format!("LOST {id}: {} knows {mine:?}, the server {told:?}", person.name);
                    return Err(Violation::new("syn01", text));
                }
            }
            for scope in super::views::scopes_of(person, self.shop) {
                // The sums that were compared at rest do not cover what stands inside a row.
                if self.views.is_rotten(person.host, &scope) {
                    continue;
                }
                let rows: Vec<StoredRow> = phone.core.stored_rows(&scope).map_err(failed)?;
                super::views::same_rows(server, person, &scope, rows)?;
            }
        }
        let _ = sim;
        Ok(())
    }
}

impl ProductWorld {
    /// A host's files went back to its last backup; so does what it has told.
    fn set_back(&mut self, host: HostId, announced: bool) {
        let Some(backup) = self.backups.get(&host) else { return };
        self.record.was_set_back = true;
        self.views.forget();
        if host != SERVER {
            self.record.truth.set_back(host, &backup.known);
            return;
        }
        if let Some(record) = &backup.record {
            let taps = std::mem::take(&mut self.record.truth);
            self.record = record.clone();
            self.record.was_set_back = true;
            self.record.truth = taps.with_outcomes_of(&record.truth);
        }
        self.restored = announced;
    }
}
