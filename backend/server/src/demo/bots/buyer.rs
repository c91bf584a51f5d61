//! A buyer: searches, orders, pays by scanning the order's code, opens the door to whoever shows the parcel's label.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use souk_device::facade::requests::{
    HandOverRequest, LineRequest, PlaceOrderRequest, SearchRequest, TakeVerdict,
};
use souk_device::facade::views::{OrderRow, PendingState};
use souk_device::runtime::Device;
use souk_domain::id::OrderId;
use souk_domain::stock::Band;
use souk_protocol::views::OrderWord;
use souk_testkit::market::Seeded;
use tokio::time::Instant;

use super::super::report::Told;
use super::super::{door, guide};
use super::{Person, Stage, has_parcel, is_ended, orders_request, unless_refused};
use crate::failure::Failure;
use crate::people;

/// Orders that a buyer has under way at most.
const OPEN_ORDERS_MAX: usize = 2;
/// Of a thousand looks at the shelf so many end with an order.
const ORDERS_PER_MILLE: u64 = 700;
/// Of a thousand searches so many are for what people at a terminal sell.
const BY_HAND_PER_MILLE: u64 = 250;

/// A buyer stays so long at the door with the code, for the courier to scan it; a person types meanwhile.
const STAY: Duration = Duration::from_secs(60);
/// How often it looks for the courier's acknowledgement meanwhile.
const STAY_LOOK: Duration = Duration::from_millis(100);

const NAMES: [&str; 8] =
    ["Kim Minji", "Lee Jun", "Park Seo", "Anna Weber", "Choi Woo", "Maria Silva", "Han Bit", "Omar Said"];

/// Whether somebody of this name opens the door without being told how.
pub(super) fn is_bot(name: &str) -> bool {
    NAMES.contains(&name)
}

struct Buyer {
    stage: Arc<Stage>,
    device: Device,
    person: Person,
    who: String,
    name: &'static str,
    seen: BTreeMap<OrderId, OrderWord>,
    /// Orders of this run that the backend has not decided yet.
    undecided: BTreeSet<OrderId>,
    paying: BTreeSet<OrderId>,
    /// Parcels whose hand-over code was shown: what is still to come is the acknowledgement.
    shown: BTreeMap<String, OrderId>,
}

/// Lives until the demo stops.
pub(in super::super) async fn run(
    stage: Arc<Stage>,
    number: usize,
    words: Vec<String>,
    seed: u64,
) -> Result<(), Failure> {
    let name = NAMES[number % NAMES.len()];
    let contact = format!("buyer{number}@demo.souk.invalid");
    let person = Person { contact, name: name.to_owned(), is_courier: false };
    let mut bot = Buyer {
        device: stage.device(&person).await?,
        stage,
        person,
        who: format!("buyer {name}"),
        name,
        seen: BTreeMap::new(),
        undecided: BTreeSet::new(),
        paying: BTreeSet::new(),
        shown: BTreeMap::new(),
    };
    let mut random = Seeded::new(seed);
    while bot.stage.rest(&mut random).await {
        let under_way = bot.look().await?;
        bot.keep_acks().await?;
        if under_way < OPEN_ORDERS_MAX && random.chance(ORDERS_PER_MILLE) {
            let by_hand = random.chance(BY_HAND_PER_MILLE);
            let word = if by_hand { guide::WORD_BY_HAND.to_owned() } else { random.pick(&words).clone() };
            bot.order(word, &mut random).await?;
        }
    }
    Ok(bot.device.close().await?)
}

impl Buyer {
    /// Looks after the orders; answers how many are under way.
    async fn look(&mut self) -> Result<usize, Failure> {
        let page = self.device.call(|host, now| host.orders(orders_request(), now)).await?;
        let mut under_way = 0;
        for row in &page.rows {
            let former = self.seen.insert(row.id, row.word);
            if row.pending.is_none() {
                self.undecided.remove(&row.id);
            }
            if !is_ended(row.word) {
                under_way += 1;
            }
            if row.word == OrderWord::AwaitingPayment && row.pending.is_none() && self.paying.insert(row.id) {
                self.pay(row).await?;
            }
            if has_parcel(row.word) {
                self.open_door(row).await?;
            }
            // A bot's shop tells of its own money.
            let is_news = former.is_some_and(|former| former != row.word);
            if is_news && row.word == OrderWord::Released && !self.stage.shops.contains(&row.shop_name) {
                let what = format!("{} released to {}", row.total, row.shop_name);
                self.stage.tell(row.id, &self.who, row.word.name(), what);
            }
        }
        if !self.undecided.is_empty() {
            self.tell_refusals().await?;
        }
        Ok(under_way)
    }

    /// Orders that the backend has decided otherwise than this device had predicted.
    async fn tell_refusals(&mut self) -> Result<(), Failure> {
        for act in self.device.call(|host, now| host.pending_acts(now)).await? {
            let is_refused = matches!(act.state, PendingState::Rejected | PendingState::Expired);
            // An order has the id of the act that places it.
            let Ok(order) = act.id.to_string().parse::<OrderId>() else { continue };
            if is_refused && self.undecided.remove(&order) {
                let what = format!("the order is refused: {}", act.code.unwrap_or_default());
                self.stage.tell(order, &self.who, "refused", what);
            }
        }
        Ok(())
    }

    async fn order(&mut self, word: String, random: &mut Seeded) -> Result<(), Failure> {
        let request = SearchRequest { text: word.clone(), limit: 20, ..SearchRequest::default() };
        let page = self.device.call(move |host, _| host.search(&request)).await?;
        let live: Vec<_> =
            page.rows.into_iter().filter(|row| row.is_live && row.band != Band::None).collect();
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
        // Sold out or taken down meanwhile: the device knows and refuses at once.
        let placed =
            unless_refused(self.device.call(move |host, now| host.place_order(&request, now)).await)?;
        for order in placed.map(|placed| placed.orders).unwrap_or_default() {
            let total = order.total.map_or("total unknown yet".to_owned(), |total| total.to_string());
            let what = format!(
                "{total}: finds \"{word}\", orders {quantity} x {} at {}",
                product.title, product.shop_name
            );
            self.undecided.insert(order.order);
            self.stage.tell(order.order, &self.who, "pending", what);
        }
        Ok(())
    }

    /// Scans the code that the order's page shows, checks who is paid, and pays.
    async fn pay(&mut self, row: &OrderRow) -> Result<(), Failure> {
        let state = row.word.name();
        let code = match self.device.pay_code(row.id).await {
            Ok(code) => code,
            Err(error) => {
                self.paying.remove(&row.id);
                let what = format!("cannot fetch the payment code: {}", error.code);
                self.stage.tell(row.id, &self.who, state, what);
                return Ok(());
            }
        };
        let text = people::read_png(&people::pay_code_png(&code.code)?)?;
        let paid = self.device.call(move |host, now| host.pay_by_code(&text, now)).await;
        let what = match unless_refused(paid)? {
            Ok(_) => format!("{}: scans the payment code and pays", row.total),
            Err(code) => format!("does not pay: {code}"),
        };
        self.stage.tell(row.id, &self.who, state, what);
        Ok(())
    }

    /// Where somebody shows the label of an own parcel: goes to the door, where there is no network.
    async fn open_door(&mut self, row: &OrderRow) -> Result<(), Failure> {
        let id = row.id;
        let detail = self.device.call(move |host, now| host.order(id, now)).await?;
        for parcel in detail.parcels {
            let number = parcel.number;
            let _ = self.stage.told.send(Told::Carries { order: id, parcel: number.clone() });
            if self.stage.doors.code(&number).exists() {
                continue;
            }
            // A picture without a code is still being written, or nobody's label.
            let Some(Ok(label)) = door::scan(&self.stage.doors.bell(&number)) else { continue };
            self.device.close().await?;
            self.device = self.stage.device_offline(&self.person).await?;
            self.hand_over(row, &number, label).await?;
            self.device.close().await?;
            self.device = self.stage.device(&self.person).await?;
        }
        Ok(())
    }

    /// Scans the label, shows the signed hand-over code, and waits for the courier's acknowledgement.
    async fn hand_over(&mut self, row: &OrderRow, number: &str, label: String) -> Result<(), Failure> {
        let doors = self.stage.doors.clone();
        let request = HandOverRequest { label, verdict: TakeVerdict::Accept, cod_agreed: false };
        let shown = self.device.call(move |host, now| host.show_handover(&request, now)).await;
        match unless_refused(shown)? {
            Ok(signed) => {
                let what = "offline: scans the label, shows the hand-over code";
                self.stage.tell(row.id, &self.who, row.word.name(), what);
                self.shown.insert(number.to_owned(), row.id);
                door::show(&doors.code(number), &people::message_png(&signed.text)?)?;
            }
            Err(refusal) => {
                door::take_away(&doors.bell(number));
                let what = format!("does not open for this label: {refusal}");
                self.stage.tell(row.id, &self.who, row.word.name(), what);
                return Ok(());
            }
        }
        let opened = Instant::now();
        while self.shown.contains_key(number) && opened.elapsed() < STAY && !self.stage.is_over() {
            tokio::time::sleep(STAY_LOOK).await;
            self.keep_acks().await?;
        }
        Ok(())
    }

    /// Keeps the acknowledgements that couriers show, as evidence.
    async fn keep_acks(&mut self) -> Result<(), Failure> {
        let doors = self.stage.doors.clone();
        for (number, order) in self.shown.clone() {
            let Some(Ok(ack)) = door::scan(&doors.ack(&number)) else { continue };
            let kept = self.device.call(move |host, now| host.keep_ack(&ack, now)).await;
            let what = match unless_refused(kept)? {
                Ok(()) => "keeps the courier's acknowledgement".to_owned(),
                Err(refusal) => format!("does not keep the acknowledgement: {refusal}"),
            };
            self.stage.tell(order, &self.who, OrderWord::Delivered.name(), what);
            self.shown.remove(&number);
            for picture in [doors.ack(&number), doors.bell(&number), doors.code(&number)] {
                door::take_away(&picture);
            }
        }
        Ok(())
    }
}
