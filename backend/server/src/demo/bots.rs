//! The bots: each holds a real device core and acts on nothing but what that core shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use souk_device::facade::requests::{
    DeliverRequest, FixRequest, HandOverRequest, LineRequest, MakeLabelRequest, OrdersRequest,
    PlaceOrderRequest, SearchRequest, TakeVerdict,
};
use souk_device::runtime::Device;
use souk_domain::id::OrderId;
use souk_domain::money::Money;
use souk_domain::parcel::ParcelState;
use souk_protocol::views::OrderWord;
use souk_testkit::market::Seeded;
use tokio::sync::{mpsc, oneshot, watch};

use super::door::{Doors, Ring};
use super::report::Told;
use crate::failure::Failure;
use crate::people;

/// Shortest rest between two acts at a human pace.
const REST_MIN_MS: u64 = 700;
/// What is added to it by chance.
const REST_MORE_MS: u64 = 1_800;
/// Orders that a buyer has under way at most.
const OPEN_ORDERS_MAX: usize = 2;
/// Orders that a bot looks at.
const ORDERS_SEEN: usize = 100;
/// A courier waits for somebody to open at most this long.
const DOOR_WAIT: Duration = Duration::from_secs(20);
/// Hours of a courier's shift.
const SHIFT_HOURS: u8 = 12;

const NAMES: [&str; 8] =
    ["Kim Minji", "Lee Jun", "Park Seo", "Anna Weber", "Choi Woo", "Maria Silva", "Han Bit", "Omar Said"];

/// What all bots share.
pub(super) struct Stage {
    pub(super) url: String,
    pub(super) folder: PathBuf,
    pub(super) doors: Doors,
    pub(super) told: mpsc::UnboundedSender<Told>,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) pace: u32,
}

impl Stage {
    fn tell(&self, order: OrderId, who: &str, what: impl Into<String>) {
        let _ = self.told.send(Told::Step { order, who: who.to_owned(), what: what.into() });
    }

    fn is_over(&self) -> bool {
        *self.stopped.borrow()
    }

    /// A rest of some seconds at pace 1; false once the demo stops.
    async fn rest(&self, random: &mut Seeded) -> bool {
        let rest = Duration::from_millis((REST_MIN_MS + random.below(REST_MORE_MS)) / u64::from(self.pace));
        let mut stopped = self.stopped.clone();
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => false,
            () = tokio::time::sleep(rest) => true,
        }
    }

    async fn device(&self, folder: &str, contact: &str, name: &str) -> Result<Device, Failure> {
        let device = people::open(&self.folder.join(folder), Some(&self.url)).await?;
        if !people::is_signed_in(&device).await? {
            people::sign_in(&device, contact, name, false).await?;
        }
        device.set_foreground(true).await?;
        Ok(device)
    }
}

/// A buyer: searches, orders, pays by scanning the order's code, opens the door.
pub(super) async fn buyer(
    stage: Arc<Stage>,
    number: usize,
    words: Vec<String>,
    seed: u64,
) -> Result<(), Failure> {
    let name = NAMES[number % NAMES.len()];
    let contact = format!("buyer{number}@demo.souk.invalid");
    let device = stage.device(&format!("buyer{number}"), &contact, name).await?;
    let (bell, mut rings) = mpsc::unbounded_channel();
    let mut bot = Buyer { stage, device, who: format!("buyer {name}"), name, bell, paying: BTreeSet::new() };
    let mut random = Seeded::new(seed);
    while bot.stage.rest(&mut random).await {
        while let Ok(ring) = rings.try_recv() {
            bot.open_door(ring).await?;
        }
        bot.look(&words, &mut random).await?;
        let until = tokio::time::Instant::now() + Duration::from_millis(REST_MIN_MS);
        while let Ok(Some(ring)) = tokio::time::timeout_at(until, rings.recv()).await {
            bot.open_door(ring).await?;
        }
    }
    Ok(bot.device.close().await?)
}

struct Buyer {
    stage: Arc<Stage>,
    device: Device,
    who: String,
    name: &'static str,
    bell: mpsc::UnboundedSender<Ring>,
    paying: BTreeSet<OrderId>,
}

impl Buyer {
    async fn look(&mut self, words: &[String], random: &mut Seeded) -> Result<(), Failure> {
        let page = self.device.call(|host, now| host.orders(orders_request(), now)).await?;
        let mut under_way = 0;
        for row in &page.rows {
            if !is_ended(row.word) {
                under_way += 1;
            }
            if row.word == OrderWord::AwaitingPayment && row.pending.is_none() && self.paying.insert(row.id) {
                self.pay(row.id, row.total).await?;
            }
            if matches!(row.word, OrderWord::LabelMade | OrderWord::Shipped | OrderWord::OutForDelivery) {
                let id = row.id;
                let detail = self.device.call(move |host, now| host.order(id, now)).await?;
                for parcel in detail.parcels {
                    self.stage.doors.watch(parcel.waybill, self.bell.clone());
                }
            }
        }
        if under_way < OPEN_ORDERS_MAX && random.chance(700) {
            self.order(random.pick(words).clone(), random).await?;
        }
        Ok(())
    }

    async fn order(&mut self, word: String, random: &mut Seeded) -> Result<(), Failure> {
        let request = SearchRequest { text: word.clone(), limit: 20, ..SearchRequest::default() };
        let page = self.device.call(move |host, _| host.search(&request)).await?;
        let live: Vec<_> = page.rows.into_iter().filter(|row| row.is_live).collect();
        if live.is_empty() {
            return Ok(());
        }
        let product = random.pick(&live).clone();
        let quantity = 1 + random.below(2) as u32;
        let request = PlaceOrderRequest {
            lines: vec![LineRequest { offer: product.offer, quantity }],
            address: Some(people::example_address(self.name)),
            ..PlaceOrderRequest::default()
        };
        match self.device.call(move |host, now| host.place_order(&request, now)).await {
            Ok(placed) => {
                for order in placed.orders {
                    let total = order.total.map(|total| total.to_string()).unwrap_or_default();
                    let what = format!(
                        "finds \"{word}\", orders {quantity} x {} at {}: {total}, pending",
                        product.title, product.shop_name
                    );
                    self.stage.tell(order.order, &self.who, what);
                }
                Ok(())
            }
            // Sold out or taken down meanwhile: the device knows and refuses at once.
            Err(error) if error.code.starts_with("stock.") || error.code.starts_with("offer.") => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Scans the code that the order's page shows, checks who is paid, and pays.
    async fn pay(&mut self, order: OrderId, total: Money) -> Result<(), Failure> {
        let code = match self.device.pay_code(order).await {
            Ok(code) => code,
            Err(error) => {
                self.paying.remove(&order);
                self.stage.tell(order, &self.who, format!("cannot fetch the payment code: {}", error.code));
                return Ok(());
            }
        };
        let text = people::read_png(&people::pay_code_png(&code.code)?)?;
        match self.device.call(move |host, now| host.pay_by_code(&text, now)).await {
            Ok(_) => self.stage.tell(order, &self.who, format!("scans the payment code, pays {total}")),
            Err(error) => self.stage.tell(order, &self.who, format!("does not pay: {}", error.code)),
        }
        Ok(())
    }

    /// Scans the parcel's label, shows the signed hand-over, keeps the courier's acknowledgement.
    async fn open_door(&mut self, ring: Ring) -> Result<(), Failure> {
        let label = people::read_png(&ring.label_png)?;
        let text = label.clone();
        let read = self.device.call(move |host, now| host.read_label(&text, now)).await;
        let order = match read {
            Ok(view) => view.order,
            Err(error) => return Err(error.into()),
        };
        let request = HandOverRequest { label, verdict: TakeVerdict::Accept, cod_agreed: false };
        let code = self.device.call(move |host, now| host.show_handover(&request, now)).await?;
        if let Some(order) = order {
            self.stage.tell(order, &self.who, "scans the parcel, shows the hand-over code");
        }
        if ring.handover_png.send(people::message_png(&code.text)?).is_err() {
            return Ok(());
        }
        if let Ok(Ok(png)) = tokio::time::timeout(DOOR_WAIT, ring.ack_png).await {
            let text = people::read_png(&png)?;
            self.device.call(move |host, now| host.keep_ack(&text, now)).await?;
        }
        Ok(())
    }
}

/// A seller: makes labels for what is paid, prints them, and sees the money come.
pub(super) async fn seller(stage: Arc<Stage>, contact: String, seed: u64) -> Result<(), Failure> {
    let folder = contact.split('@').next().unwrap_or("seller").to_owned();
    let device = stage.device(&folder, &contact, &folder).await?;
    let mut random = Seeded::new(seed);
    let mut seen: BTreeMap<OrderId, OrderWord> = BTreeMap::new();
    let mut is_first = true;
    let shop = loop {
        match device.call(|host, now| host.me(now)).await {
            Ok(me) if me.shop.is_some() => break me.shop.map(|shop| shop.name).unwrap_or_default(),
            Ok(_) | Err(_) if stage.rest(&mut random).await => {}
            Ok(_) | Err(_) => return Ok(device.close().await?),
        }
    };
    let who = format!("shop {shop}");
    while stage.rest(&mut random).await {
        let page = device.call(|host, now| host.shop_orders(orders_request(), now)).await?;
        for row in page.rows {
            let former = seen.insert(row.id, row.word);
            if former == Some(row.word) {
                continue;
            }
            let is_old = is_first && is_ended(row.word);
            if !is_old {
                tell_word(&stage, &device, &who, row.id, row.word, row.total).await?;
            }
            if row.word == OrderWord::Paid && row.pending.is_none() {
                let request = MakeLabelRequest {
                    order: row.id,
                    weight_g: 300 + random.below(2_000) as u32,
                    courier: None,
                };
                device.call(move |host, now| host.make_label(request, now)).await?;
            }
        }
        is_first = false;
    }
    Ok(device.close().await?)
}

/// One line for a new state; the end of a trade with its money.
async fn tell_word(
    stage: &Stage,
    device: &Device,
    who: &str,
    order: OrderId,
    word: OrderWord,
    total: Money,
) -> Result<(), Failure> {
    let detail = device.call(move |host, now| host.shop_order(order, now)).await?;
    match word {
        OrderWord::Released => {
            let Some(split) = detail.split else { return Ok(()) };
            let _ = stage.told.send(Told::Released {
                order,
                total: detail.released,
                seller: split.seller,
                fees: split.fees,
                courier: split.courier,
            });
        }
        OrderWord::Refunded => {
            let _ = stage.told.send(Told::Refunded { order, amount: detail.refunded });
        }
        OrderWord::Paid => {
            stage.tell(order, who, format!("paid: {} stands in escrow, makes the label", detail.held))
        }
        OrderWord::AwaitingPayment => {
            stage.tell(order, who, format!("order over {total} is in, stock is held"))
        }
        OrderWord::LabelMade => {
            let prints = device.call(move |host, now| host.labels(order, now)).await?;
            let folder = stage.folder.join("labels");
            std::fs::create_dir_all(&folder)?;
            for print in &prints {
                let path = folder.join(format!("{}.png", print.number));
                std::fs::write(&path, people::label_png(print)?)?;
                stage.tell(order, who, format!("label {} is printed", print.number));
            }
        }
        other => stage.tell(order, who, other.name()),
    }
    Ok(())
}

/// A courier: opens a shift, fetches, drives, rings, scans.
pub(super) async fn courier(stage: Arc<Stage>, contact: String, seed: u64) -> Result<(), Failure> {
    let folder = contact.split('@').next().unwrap_or("courier").to_owned();
    let device = stage.device(&folder, &contact, &folder).await?;
    let mut random = Seeded::new(seed);
    let mut asked_for_shift = false;
    while stage.rest(&mut random).await {
        let shift = device.call(|host, now| host.shift(now)).await?;
        if !shift.is_some_and(|shift| shift.is_open) {
            if !asked_for_shift {
                device.call(|host, now| host.open_shift(SHIFT_HOURS, now)).await?;
                asked_for_shift = true;
            }
            continue;
        }
        asked_for_shift = false;
        for stop in device.call(|host, now| host.stops(now)).await? {
            if stage.is_over() {
                break;
            }
            let path = stage.folder.join("labels").join(format!("{}.png", stop.number));
            let Ok(label_png) = std::fs::read(&path) else { continue };
            match stop.state {
                ParcelState::Ready => {
                    let label = people::read_png(&label_png)?;
                    device.call(move |host, now| host.load_parcel(&label, None, now)).await?;
                }
                ParcelState::PickedUp | ParcelState::Attempted => {
                    let number = stop.number.clone();
                    device.call(move |host, now| host.out_for_delivery(&number, None, now)).await?;
                }
                ParcelState::OutForDelivery => {
                    let (handover_png, shown) = oneshot::channel();
                    let (ack, ack_png) = oneshot::channel();
                    if !stage.doors.ring(stop.waybill, Ring { label_png, handover_png, ack_png }) {
                        continue;
                    }
                    let Ok(Ok(png)) = tokio::time::timeout(DOOR_WAIT, shown).await else { continue };
                    let place = stop.to.place.map(<(i32, i32)>::from);
                    let fix = place.map(|(lat_e7, lng_e7)| FixRequest {
                        lat_e7,
                        lng_e7,
                        accuracy_m: Some(12),
                        age_s: 3,
                    });
                    let request = DeliverRequest {
                        parcel: stop.number.clone(),
                        handover: people::read_png(&png)?,
                        fix,
                    };
                    let saved = device.call(move |host, now| host.deliver(&request, now)).await?;
                    if let Some(text) = saved.ack {
                        let _ = ack.send(people::message_png(&text)?);
                    }
                }
                _ => {}
            }
            if !stage.rest(&mut random).await {
                break;
            }
        }
    }
    Ok(device.close().await?)
}

fn orders_request() -> OrdersRequest {
    OrdersRequest { offset: 0, limit: ORDERS_SEEN }
}

fn is_ended(word: OrderWord) -> bool {
    matches!(
        word,
        OrderWord::Released
            | OrderWord::Refunded
            | OrderWord::Cancelled
            | OrderWord::Refunding
            | OrderWord::PartRefunded
    )
}
