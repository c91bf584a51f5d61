//! A buyer: searches, orders, pays by scanning the order's code, opens the door to whoever shows the parcel's label.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use souk_device::facade::requests::{
    HandOverRequest, LineRequest, PlaceOrderRequest, SearchRequest, TakeVerdict,
};
use souk_device::facade::views::OrderRow;
use souk_device::runtime::Device;
use souk_domain::id::OrderId;
use souk_protocol::views::OrderWord;
use souk_testkit::market::Seeded;

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

const NAMES: [&str; 8] =
    ["Kim Minji", "Lee Jun", "Park Seo", "Anna Weber", "Choi Woo", "Maria Silva", "Han Bit", "Omar Said"];

/// Whether somebody of this name opens the door without being told how.
pub(super) fn is_bot(name: &str) -> bool {
    NAMES.contains(&name)
}

struct Buyer {
    stage: Arc<Stage>,
    device: Device,
    who: String,
    name: &'static str,
    seen: BTreeMap<OrderId, OrderWord>,
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
    let device = stage.device(&Person { contact, name: name.to_owned(), is_courier: false }).await?;
    let mut bot = Buyer {
        stage,
        device,
        who: format!("buyer {name}"),
        name,
        seen: BTreeMap::new(),
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
        Ok(under_way)
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
        // Sold out or taken down meanwhile: the device knows and refuses at once.
        let placed =
            unless_refused(self.device.call(move |host, now| host.place_order(&request, now)).await)?;
        for order in placed.map(|placed| placed.orders).unwrap_or_default() {
            let total = order.total.map(|total| total.to_string()).unwrap_or_default();
            let what = format!(
                "{total}: finds \"{word}\", orders {quantity} x {} at {}",
                product.title, product.shop_name
            );
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

    /// Where somebody shows the label of an own parcel: scans it, and shows the signed hand-over code.
    async fn open_door(&mut self, row: &OrderRow) -> Result<(), Failure> {
        let id = row.id;
        let detail = self.device.call(move |host, now| host.order(id, now)).await?;
        for parcel in detail.parcels {
            let number = parcel.number;
            let _ = self.stage.told.send(Told::Carries { order: id, parcel: number.clone() });
            let (bell, code) = (self.stage.doors.bell(&number), self.stage.doors.code(&number));
            if code.exists() {
                continue;
            }
            // A picture without a code is still being written, or nobody's label.
            let Some(Ok(label)) = door::scan(&bell) else { continue };
            let request = HandOverRequest { label, verdict: TakeVerdict::Accept, cod_agreed: false };
            let shown = self.device.call(move |host, now| host.show_handover(&request, now)).await;
            match unless_refused(shown)? {
                Ok(signed) => {
                    door::show(&code, &people::message_png(&signed.text)?)?;
                    self.shown.insert(number, id);
                    self.stage.tell(
                        id,
                        &self.who,
                        row.word.name(),
                        "scans the label, shows the hand-over code",
                    );
                }
                Err(refusal) => {
                    door::take_away(&bell);
                    let what = format!("does not open for this label: {refusal}");
                    self.stage.tell(id, &self.who, row.word.name(), what);
                }
            }
        }
        Ok(())
    }

    /// Keeps the acknowledgements that couriers show, as evidence.
    async fn keep_acks(&mut self) -> Result<(), Failure> {
        let doors = self.stage.doors.clone();
        for (number, order) in self.shown.clone() {
            let Some(Ok(ack)) = door::scan(&doors.ack(&number)) else { continue };
            let kept = self.device.call(move |host, now| host.keep_ack(&ack, now)).await;
            if let Err(refusal) = unless_refused(kept)? {
                let what = format!("does not keep the acknowledgement: {refusal}");
                self.stage.tell(order, &self.who, OrderWord::Delivered.name(), what);
            }
            self.shown.remove(&number);
            for picture in [doors.ack(&number), doors.bell(&number), doors.code(&number)] {
                door::take_away(&picture);
            }
        }
        Ok(())
    }
}
