//! The toy as a [`World`]: connects devices, server and oracle with the run.

use std::collections::BTreeMap;

use super::device::Device;
use super::server::Server;
use super::truth::{Tap, Truth};
use super::wire::{Intent, Pull, PullAnswer, PushAnswer, PushItem, from_bytes, to_bytes};
use super::{Mutant, PRODUCTS, SERVER};
use crate::disk::HostId;
use crate::faults::FaultKind;
use crate::net::{Answer, Request};
use crate::sim::Sim;
use crate::world::{Checked, HostSpec, Reply, ReplyTo, Role, Started, Violation, World};

const REQUEST_TIME_OUT_MS: u64 = 10_000;

/// How often a device pushes and pulls without being asked.
const SYNC_EVERY_MS: u64 = 20_000;
const SYNC_TIMER: u64 = 1;

const RESTOCK_EVERY_MS: (u64, u64) = (5_000, 65_000);
const RESTOCK_TIMER: u64 = 2;

const FAULTS: [FaultKind; 8] = [
    FaultKind::DeviceFuse,
    FaultKind::DeviceCrash,
    FaultKind::ServerFuse,
    FaultKind::ServerCrash,
    FaultKind::Partition,
    FaultKind::PushBlackhole,
    FaultKind::DiskFailure,
    FaultKind::ClockJump,
];

pub(super) struct ToyWorld {
    mutant: Option<Mutant>,
    server: Option<Server>,
    devices: BTreeMap<HostId, Option<Device>>,
    truth: Truth,
}

impl ToyWorld {
    pub(super) fn new(devices: u32, mutant: Option<Mutant>) -> ToyWorld {
        let devices = (1..=devices).map(|number| (HostId(number), None)).collect();
        ToyWorld { mutant, server: None, devices, truth: Truth::default() }
    }

    fn device(&mut self, host: HostId) -> Option<&mut Device> {
        self.devices.get_mut(&host)?.as_mut()
    }

    fn start_server(&mut self, sim: &mut Sim) -> Result<Started, Violation> {
        let Ok(server) = Server::start(sim.disk(), self.mutant)? else { return Ok(Started::Down) };
        if let Ok(intents) = server.intents() {
            self.truth.check_outcomes(|id| {
                intents.iter().find(|(_, intent, _)| intent.id == id).map(|(_, _, accepted)| *accepted)
            })?;
            for (device, intent, accepted) in &intents {
                self.truth.decided(*device, intent, *accepted)?; // whatever is read may be answered from now on
            }
        }
        self.server = Some(server);
        plan_restock(sim);
        Ok(Started::Up)
    }

    fn start_device(&mut self, host: HostId, sim: &mut Sim) -> Result<Started, Violation> {
        let Ok(device) = Device::start(sim.disk(), host, self.mutant)? else { return Ok(Started::Down) };
        let Ok(outbox) = device.outbox() else { return Ok(Started::Down) };
        for (id, _) in &outbox {
            self.truth.shown(*id);
        }
        self.truth.check_saved(host, |id| outbox.iter().any(|(there, _)| *there == id))?;
        self.devices.insert(host, Some(device));
        sim.timer_after(host, 0, SYNC_TIMER);
        Ok(Started::Up)
    }

    /// Sends what is undecided, one push at a time.
    fn push(&mut self, host: HostId, sim: &mut Sim) {
        let Some(device) = self.device(host) else { return };
        if device.push_in_flight.is_some() {
            return;
        }
        // After an error the rows stay as they are; the next timer tries again.
        let Ok(items) = device.take_for_push(sim.rng()) else { return };
        if items.is_empty() {
            return;
        }
        device.push_in_flight = Some(send(host, device, "POST /push", to_bytes(&items), sim));
    }

    /// Asks for what changed, one pull at a time.
    fn pull(&mut self, host: HostId, sim: &mut Sim) {
        let Some(device) = self.device(host) else { return };
        if device.pull_in_flight.is_some() {
            return;
        }
        let Ok(after) = device.cursor() else { return };
        device.pull_in_flight = Some(send(host, device, "POST /pull", to_bytes(&Pull { after }), sim));
    }

    fn on_pushed(&mut self, host: HostId, answer: &Answer, sim: &mut Sim) -> Checked {
        let Some(pushed) = from_bytes::<PushAnswer>(&answer.body) else { return Ok(()) };
        if let Some(last) = pushed.fork {
            let text = format!("{host}: the server knows {last} positions, and nobody was restored");
            return Err(Violation::new("syn08", text));
        }
        let Some(device) = self.device(host) else { return Ok(()) };
        if device.decided(&pushed).is_ok() {
            for _ in &pushed.decided {
                sim.count("decided");
            }
            self.push(host, sim);
        }
        Ok(())
    }

    fn on_pulled(&mut self, host: HostId, answer: &Answer, sim: &mut Sim) {
        let Some(page) = from_bytes::<PullAnswer>(&answer.body) else { return };
        let Some(device) = self.device(host) else { return };
        if device.apply(&page).is_ok() && page.more {
            self.pull(host, sim);
        }
    }

    fn check_device(&self, host: HostId, device: &Device, server: &Server) -> Checked {
        let broken = |error: rusqlite::Error| Violation::new("open", format!("{host}: {error}"));
        let outbox: BTreeMap<u64, Option<bool>> = device.outbox().map_err(broken)?.into_iter().collect();
        self.truth.check_saved(host, |id| outbox.contains_key(&id))?;
        let (mine, theirs) = (device.view().map_err(broken)?, server.view(host).map_err(broken)?);
        if let Some(row) = theirs.iter().find(|row| !mine.contains(row)) {
            return Err(Violation::new("syn11", format!("{host} has not {row:?} as the server has it")));
        }
        if let Some(row) = mine.iter().find(|row| !theirs.contains(row)) {
            return Err(Violation::new("syn11", format!("{host} has {row:?}, which the server has not")));
        }
        let intents = server.intents().map_err(broken)?;
        for (id, accepted) in outbox {
            let decided =
                intents.iter().find(|(_, intent, _)| intent.id == id).map(|(_, _, accepted)| *accepted);
            if decided != accepted || decided.is_none() {
                let text = format!("LOST {id:016x}: {host} knows {accepted:?}, the server {decided:?}");
                return Err(Violation::new("syn01", text));
            }
        }
        Ok(())
    }
}

fn send(host: HostId, device: &mut Device, line: &str, body: Vec<u8>, sim: &mut Sim) -> u64 {
    let number = device.next_request;
    device.next_request += 1;
    let request = Request { line: line.to_owned(), headers: Vec::new(), body };
    sim.request(host, SERVER, number, REQUEST_TIME_OUT_MS, request);
    number
}

fn plan_restock(sim: &mut Sim) {
    let after_ms = sim.rng().between(RESTOCK_EVERY_MS.0, RESTOCK_EVERY_MS.1);
    sim.timer_after(SERVER, after_ms, RESTOCK_TIMER);
}

impl World for ToyWorld {
    fn hosts(&self) -> Vec<HostSpec> {
        let spec = |id, role, name: String| HostSpec { id, role, name, public_files: Vec::new() };
        let server = spec(SERVER, Role::Server, "server".to_owned());
        let devices = self.devices.keys().map(|id| spec(*id, Role::Device, format!("phone {}", id.0)));
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
            self.devices.insert(host, None);
        }
    }

    fn on_request(&mut self, to: ReplyTo, request: Request, sim: &mut Sim) -> Checked {
        let Some(server) = &self.server else { return Ok(()) };
        let body = if let Some(items) = from_bytes::<Vec<PushItem>>(&request.body) {
            let Ok(answer) = server.push(to.device, &items) else {
                sim.count("unknown_commits");
                return Ok(()); // nobody can say whether it stands: the device asks again
            };
            for (item, decided) in items.iter().zip(&answer.decided) {
                self.truth.decided(to.device, &item.intent, decided.accepted)?;
            }
            server.check()?;
            to_bytes(&answer)
        } else if let Some(pull) = from_bytes::<Pull>(&request.body) {
            let Ok(page) = server.pull(to.device, &pull) else { return Ok(()) };
            to_bytes(&page)
        } else {
            return Err(Violation::new("syn03", format!("{} cannot be read", request.line)));
        };
        sim.answer(to, Answer { status: 200, headers: Vec::new(), body });
        Ok(())
    }

    fn on_reply(&mut self, host: HostId, request: u64, reply: Reply, sim: &mut Sim) -> Checked {
        let Some(device) = self.device(host) else { return Ok(()) };
        if device.push_in_flight == Some(request) {
            device.push_in_flight = None;
            if let Reply::Answer(answer) = reply {
                return self.on_pushed(host, &answer, sim);
            }
        } else if device.pull_in_flight == Some(request) {
            device.pull_in_flight = None;
            if let Reply::Answer(answer) = reply {
                self.on_pulled(host, &answer, sim);
            }
        }
        Ok(())
    }

    fn on_timer(&mut self, host: HostId, timer: u64, sim: &mut Sim) -> Checked {
        match timer {
            SYNC_TIMER => {
                self.push(host, sim);
                self.pull(host, sim);
                sim.timer_after(host, SYNC_EVERY_MS, SYNC_TIMER);
            }
            RESTOCK_TIMER if !sim.is_calm() => {
                let product = 1 + sim.rng().below(PRODUCTS as u64) as i64;
                let more = sim.rng().between(1, 4) as i64;
                if let Some(server) = &self.server
                    && server.restock(product, more).is_err()
                {
                    sim.count("unknown_commits"); // had and free move together, so the books stay right either way
                }
                plan_restock(sim);
            }
            _ => {}
        }
        Ok(())
    }

    fn on_tap(&mut self, host: HostId, sim: &mut Sim) -> Checked {
        let Some(device) = self.device(host) else { return Ok(()) };
        let Ok(dev_seq) = device.next_dev_seq() else { return Ok(()) };
        let intent = Intent {
            id: sim.rng().next_u64() >> 1,
            dev_seq,
            product: 1 + sim.rng().below(PRODUCTS as u64) as i64,
            quantity: sim.rng().between(1, 3) as i64,
        };
        let is_saved = device.enqueue(&intent).is_ok();
        let tap = Tap { device: host, intent };
        if is_saved {
            sim.count("orders");
            self.truth.saved.insert(tap.intent.id, tap);
            self.push(host, sim);
        } else {
            self.truth.unsure.insert(tap.intent.id, tap);
        }
        Ok(())
    }

    fn at_rest(&mut self, _: &mut Sim) -> Result<(), String> {
        let Some(server) = &self.server else { return Err("the server is down".to_owned()) };
        for (host, device) in &self.devices {
            let Some(device) = device else { return Err(format!("{host} is down")) };
            let outbox = device.outbox().map_err(|error| error.to_string())?;
            if let Some((id, _)) = outbox.iter().find(|(_, accepted)| accepted.is_none()) {
                return Err(format!("{host} has not heard of {id:016x}"));
            }
            let cursor = device.cursor().map_err(|error| error.to_string())?;
            let page = server.pull(*host, &Pull { after: cursor }).map_err(|error| error.to_string())?;
            if !page.rows.is_empty() {
                return Err(format!("{host} has not pulled to the end"));
            }
        }
        Ok(())
    }

    fn check_end(&mut self, _: &mut Sim) -> Checked {
        let Some(server) = &self.server else { return Err(Violation::new("syn15", "the server is down")) };
        server.check()?;
        for (host, device) in &self.devices {
            let Some(device) = device else { return Err(Violation::new("syn15", format!("{host} is down"))) };
            self.check_device(*host, device, server)?;
        }
        Ok(())
    }
}
