//! A courier: opens a shift, fetches what is labelled, drives, rings, scans.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use souk_device::error::SoukError;
use souk_device::facade::requests::{AttemptRequest, DeliverRequest, FixRequest};
use souk_device::facade::views::{ScanSavedView, StopRow};
use souk_device::runtime::Device;
use souk_domain::id::Waybill;
use souk_domain::parcel::ParcelState;
use souk_protocol::views::OrderWord;
use souk_testkit::market::Seeded;
use tokio::time::Instant;

use super::super::report::Told;
use super::super::{door, start};
use super::buyer::is_bot;
use super::{Person, Stage, unless_refused};
use crate::failure::Failure;
use crate::people;

/// Hours of a courier's shift.
const SHIFT_HOURS: u8 = 12;
/// A courier stands so long at a door that somebody usually opens at once; bots look every few seconds.
const STAND: Duration = Duration::from_secs(10);
/// How often it looks meanwhile.
const STAND_LOOK: Duration = Duration::from_millis(20);
/// So long after ringing an attempt has failed; meanwhile the courier rings elsewhere and comes by again.
const PATIENCE: Duration = Duration::from_secs(60);
/// So long after a failed attempt the courier rings again.
const AWAY: Duration = Duration::from_secs(20);
/// After so many attempts in vain the courier waits until a code lies at the door.
const ATTEMPTS_MAX: u32 = 3;

/// A parcel that was rung for.
#[derive(Debug, Default)]
struct Visit {
    number: String,
    /// When it was rung for, while the courier waits.
    rang_at: Option<Instant>,
    /// When the last attempt failed.
    left_at: Option<Instant>,
    attempts: u32,
}

struct Courier {
    stage: Arc<Stage>,
    device: Device,
    who: String,
    visits: BTreeMap<Waybill, Visit>,
    /// Labels that lie under names of their own, by the parcel's number.
    found: BTreeMap<String, PathBuf>,
    /// Pictures that were looked at, each as it was then.
    looked_at: BTreeSet<(PathBuf, SystemTime)>,
    /// What was refused and told, so that it is told once.
    refused: BTreeSet<(Waybill, String)>,
}

/// Lives until the demo stops.
pub(in super::super) async fn run(stage: Arc<Stage>, number: usize, seed: u64) -> Result<(), Failure> {
    let contact = start::courier_contact(number);
    let name = start::courier_name(number);
    let device = stage.device(&Person { contact, name: name.clone(), is_courier: true }).await?;
    let mut random = Seeded::new(seed);
    let mut bot = Courier {
        who: name.to_lowercase(),
        stage,
        device,
        visits: BTreeMap::new(),
        found: BTreeMap::new(),
        looked_at: BTreeSet::new(),
        refused: BTreeSet::new(),
    };
    let mut asked_for_shift = false;
    let mut is_introduced = false;
    while bot.stage.rest(&mut random).await {
        let shift = bot.device.call(|host, now| host.shift(now)).await?;
        if !shift.is_some_and(|shift| shift.is_open) {
            if !asked_for_shift {
                bot.device.call(|host, now| host.open_shift(SHIFT_HOURS, now)).await?;
                asked_for_shift = true;
            }
            continue;
        }
        asked_for_shift = false;
        if !is_introduced {
            is_introduced = bot.introduce().await?;
        }
        let stops = bot.device.call(|host, now| host.stops(now)).await?;
        bot.forget_gone(&stops);
        bot.round(&stops, &mut random).await?;
    }
    Ok(bot.device.close().await?)
}

impl Courier {
    async fn introduce(&mut self) -> Result<bool, Failure> {
        let me = unless_refused(self.device.call(|host, now| host.me(now)).await)?;
        let Ok(me) = me else { return Ok(false) };
        let what = format!("on shift, account {}", me.account.id);
        let _ = self.stage.told.send(Told::Note { who: self.who.clone(), what });
        Ok(true)
    }

    /// One act for each stop, the one that waits longest first; who shows a code meanwhile is served at once.
    async fn round(&mut self, stops: &[StopRow], random: &mut Seeded) -> Result<(), Failure> {
        let mut served = BTreeSet::new();
        for stop in stops.iter().rev() {
            for waiting in stops.iter().filter(|waiting| waiting.state == ParcelState::OutForDelivery) {
                if self.is_answered(waiting) && served.insert(waiting.waybill) {
                    self.at_door(waiting).await?;
                }
            }
            if self.stage.is_over() {
                break;
            }
            if served.insert(stop.waybill) && self.attend(stop).await? && !self.stage.rest(random).await {
                break;
            }
        }
        Ok(())
    }

    fn is_answered(&self, stop: &StopRow) -> bool {
        let is_waiting = self.visits.get(&stop.waybill).is_some_and(|visit| visit.rang_at.is_some());
        is_waiting && self.stage.doors.code(&stop.number).exists()
    }

    fn tell(&self, stop: &StopRow, state: OrderWord, what: impl Into<String>) {
        self.stage.tell(stop.number.as_str(), &self.who, state.name(), what);
    }

    /// Does what a stop asks for; false if that is nothing.
    async fn attend(&mut self, stop: &StopRow) -> Result<bool, Failure> {
        let number = stop.number.clone();
        match stop.state {
            ParcelState::Ready => {
                let Some(path) = self.label(stop).await? else { return Ok(false) };
                let Some(Ok(label)) = door::scan(&path) else { return Ok(false) };
                let done = self.device.call(move |host, now| host.load_parcel(&label, None, now)).await;
                let what = format!("scans the label at {}: picked up", stop.from);
                self.recorded(stop, done, OrderWord::Shipped, what)
            }
            ParcelState::PickedUp => self.set_out(stop).await,
            ParcelState::Attempted if self.is_to_ring_again(stop) => self.set_out(stop).await,
            ParcelState::OutForDelivery => self.at_door(stop).await,
            ParcelState::Refused => {
                let done = self.device.call(move |host, now| host.scan_back(&number, false, None, now)).await;
                self.recorded(
                    stop,
                    done,
                    OrderWord::Returning,
                    "takes the parcel back to the shop".to_owned(),
                )
            }
            ParcelState::Returning => {
                let done = self.device.call(move |host, now| host.scan_back(&number, true, None, now)).await;
                self.recorded(stop, done, OrderWord::Returned, format!("brings it back to {}", stop.from))
            }
            _ => Ok(false),
        }
    }

    /// Tells a scan, or why it was refused.
    fn recorded(
        &mut self,
        stop: &StopRow,
        done: Result<ScanSavedView, SoukError>,
        state: OrderWord,
        what: String,
    ) -> Result<bool, Failure> {
        match unless_refused(done)? {
            Ok(saved) if saved.again => Ok(false),
            Ok(_) => {
                self.tell(stop, state, what);
                Ok(true)
            }
            Err(code) => {
                if self.refused.insert((stop.waybill, code.clone())) {
                    self.tell(stop, state, format!("the scan is refused: {code}"));
                }
                Ok(false)
            }
        }
    }

    /// Picture of a stop's label: under the parcel's number, or under a name that a person has given it.
    async fn label(&mut self, stop: &StopRow) -> Result<Option<PathBuf>, Failure> {
        let path = self.stage.doors.label(&stop.number);
        if path.exists() {
            return Ok(Some(path));
        }
        for entry in fs::read_dir(&self.stage.doors.labels)? {
            let entry = entry?;
            let Ok(changed) = entry.metadata().and_then(|data| data.modified()) else { continue };
            let path = entry.path();
            let is_picture = path.extension().is_some_and(|extension| extension == "png");
            if !is_picture || !self.looked_at.insert((path.clone(), changed)) {
                continue;
            }
            let Some(Ok(text)) = door::scan(&path) else { continue };
            let read = self.device.call(move |host, now| host.scan_parcel(&text, now)).await;
            if let Ok(label) = unless_refused(read)? {
                self.found.insert(label.number, path);
            }
        }
        Ok(self.found.get(&stop.number).cloned())
    }

    async fn set_out(&mut self, stop: &StopRow) -> Result<bool, Failure> {
        let number = stop.number.clone();
        let done = self.device.call(move |host, now| host.out_for_delivery(&number, None, now)).await;
        let what = format!("drives to {}, {}", stop.to.name, stop.to.city);
        self.recorded(stop, done, OrderWord::OutForDelivery, what)
    }

    fn is_to_ring_again(&self, stop: &StopRow) -> bool {
        let Some(visit) = self.visits.get(&stop.waybill) else { return true };
        let is_rested = visit.left_at.is_none_or(|left| left.elapsed() >= AWAY);
        visit.attempts < ATTEMPTS_MAX && is_rested || self.stage.doors.code(&stop.number).exists()
    }

    /// Rings, waits for the taker's code, hands over; after a while it notes an attempt.
    async fn at_door(&mut self, stop: &StopRow) -> Result<bool, Failure> {
        let rang_at = match self.visits.get(&stop.waybill).and_then(|visit| visit.rang_at) {
            Some(rang_at) => rang_at,
            None => {
                if !self.ring(stop).await? {
                    return Ok(false);
                }
                let now = Instant::now();
                let visit = self.visits.entry(stop.waybill).or_default();
                visit.number.clone_from(&stop.number);
                visit.rang_at = Some(now);
                now
            }
        };
        let code = self.stage.doors.code(&stop.number);
        while is_bot(&stop.to.name) && rang_at.elapsed() < STAND && !code.exists() && !self.stage.is_over() {
            tokio::time::sleep(STAND_LOOK).await;
        }
        match door::scan(&code) {
            Some(Ok(text)) => self.deliver(stop, text).await,
            // A picture without a code may still be written.
            Some(Err(_)) | None if rang_at.elapsed() < PATIENCE => Ok(false),
            Some(Err(_)) | None => self.attempt(stop).await,
        }
    }

    /// Shows the label at the door.
    async fn ring(&mut self, stop: &StopRow) -> Result<bool, Failure> {
        let Some(label) = self.label(stop).await? else { return Ok(false) };
        let Ok(png) = fs::read(&label) else { return Ok(false) };
        let doors = &self.stage.doors;
        door::show(&doors.bell(&stop.number), &png)?;
        self.tell(
            stop,
            OrderWord::OutForDelivery,
            format!("rings at {}'s door, shows the label", stop.to.name),
        );
        if !is_bot(&stop.to.name) {
            let open = self.stage.guide.open_door(doors, &stop.number);
            self.tell(stop, OrderWord::OutForDelivery, format!("waits {} s for: {open}", PATIENCE.as_secs()));
        }
        Ok(true)
    }

    async fn deliver(&mut self, stop: &StopRow, handover: String) -> Result<bool, Failure> {
        let fix = stop.to.place.map(<(i32, i32)>::from).map(|(lat_e7, lng_e7)| FixRequest {
            lat_e7,
            lng_e7,
            accuracy_m: Some(12),
            age_s: 3,
        });
        let request = DeliverRequest { parcel: stop.number.clone(), handover, fix };
        let saved = self.device.call(move |host, now| host.deliver(&request, now)).await;
        match unless_refused(saved)? {
            Ok(saved) => {
                self.leave(&stop.number);
                self.visits.remove(&stop.waybill);
                if let Some(ack) = saved.ack {
                    door::show(&self.stage.doors.ack(&stop.number), &people::message_png(&ack)?)?;
                }
                if saved.kind == OrderWord::Delivered.name() {
                    self.tell(
                        stop,
                        OrderWord::Delivered,
                        "scans the code: delivered, shows the acknowledgement",
                    );
                } else {
                    self.tell(stop, OrderWord::Attempted, format!("scans the code: {}", saved.kind));
                }
            }
            // The next look at the round says why.
            Err(code) if code == "handover.not_on_manifest" => {}
            Err(code) => {
                door::take_away(&self.stage.doors.code(&stop.number));
                self.tell(stop, OrderWord::OutForDelivery, format!("does not take this code: {code}"));
            }
        }
        Ok(true)
    }

    /// Nobody has opened. The picture of the label stays, as a note on the door.
    async fn attempt(&mut self, stop: &StopRow) -> Result<bool, Failure> {
        let visit = self.visits.entry(stop.waybill).or_default();
        visit.rang_at = None;
        visit.left_at = Some(Instant::now());
        visit.attempts += 1;
        let attempts = visit.attempts;
        let request = AttemptRequest {
            parcel: stop.number.clone(),
            reason: "consignee_not_home".to_owned(),
            fix: None,
        };
        let done = self.device.call(move |host, now| host.record_attempt(&request, now)).await;
        let next = if attempts < ATTEMPTS_MAX {
            format!("rings again in {} s", AWAY.as_secs())
        } else {
            let open = self.stage.guide.open_door(&self.stage.doors, &stop.number);
            format!("comes back for: {open}")
        };
        let what = format!("nobody opens: attempt {attempts} failed, {next}");
        self.recorded(stop, done, OrderWord::Attempted, what)
    }

    /// A parcel that is off the round while its code was waited for: the taker's phone has told the backend first.
    fn forget_gone(&mut self, stops: &[StopRow]) {
        let is_gone = |waybill: &Waybill| {
            let stop = stops.iter().find(|stop| stop.waybill == *waybill);
            stop.is_none_or(|stop| stop.state == ParcelState::Delivered)
        };
        let gone: Vec<Waybill> = self.visits.keys().copied().filter(is_gone).collect();
        for waybill in gone {
            let Some(visit) = self.visits.remove(&waybill) else { continue };
            self.leave(&visit.number);
            let what = "off the round: the taker's phone was the first to tell the backend";
            self.stage.tell(visit.number.as_str(), &self.who, OrderWord::Delivered.name(), what);
        }
    }

    /// Takes the pictures of a visit away from the door.
    fn leave(&self, number: &str) {
        door::take_away(&self.stage.doors.bell(number));
        door::take_away(&self.stage.doors.code(number));
    }
}
