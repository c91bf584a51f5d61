//! A seller: makes labels for what is paid, prints them, and sees the money come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use souk_device::facade::requests::MakeLabelRequest;
use souk_device::facade::views::OrderRow;
use souk_device::runtime::Device;
use souk_domain::id::{AccountId, OrderId};
use souk_protocol::views::OrderWord;
use souk_testkit::market::Seeded;

use super::super::door;
use super::super::report::Told;
use super::{Person, Stage, has_parcel, is_ended, orders_request, unless_refused};
use crate::failure::Failure;
use crate::people;

/// Looks at a paid order before a label is asked for once more: the first wish may have been refused.
const LABEL_AGAIN_LOOKS: u32 = 8;

struct Seller {
    stage: Arc<Stage>,
    device: Device,
    who: String,
    seen: BTreeMap<OrderId, OrderWord>,
    /// Looks at orders that wait for their label.
    labelled: BTreeMap<OrderId, u32>,
    printed: BTreeSet<OrderId>,
}

/// Lives until the demo stops.
pub(in super::super) async fn run(stage: Arc<Stage>, contact: String, seed: u64) -> Result<(), Failure> {
    let name = contact.split('@').next().unwrap_or("seller").to_owned();
    let device = stage.device(&Person { contact, name, is_courier: false }).await?;
    let mut random = Seeded::new(seed);
    let shop = loop {
        match device.call(|host, now| host.me(now)).await {
            Ok(me) if me.shop.is_some() => break me.shop.map(|shop| shop.name).unwrap_or_default(),
            Ok(_) | Err(_) if stage.rest(&mut random).await => {}
            Ok(_) | Err(_) => return Ok(device.close().await?),
        }
    };
    let who = format!("shop {shop}");
    let mut bot = Seller {
        stage,
        device,
        who,
        seen: BTreeMap::new(),
        labelled: BTreeMap::new(),
        printed: BTreeSet::new(),
    };
    while bot.stage.rest(&mut random).await {
        let page = bot.device.call(|host, now| host.shop_orders(orders_request(), now)).await?;
        for row in page.rows {
            bot.look(&row, &mut random).await?;
        }
    }
    Ok(bot.device.close().await?)
}

impl Seller {
    async fn look(&mut self, row: &OrderRow, random: &mut Seeded) -> Result<(), Failure> {
        let former = self.seen.insert(row.id, row.word);
        if former != Some(row.word) {
            let is_old = former.is_none() && row.rank < self.stage.started.micros();
            match (is_old, is_ended(row.word)) {
                (false, _) => self.tell_word(row).await?,
                (true, false) => {
                    let what = format!("{}: goes on from the last run", row.total);
                    self.stage.tell(row.id, &self.who, row.word.name(), what);
                }
                (true, true) => {}
            }
        }
        if row.pending.is_some() {
            return Ok(());
        }
        match row.word {
            OrderWord::Paid => self.make_label(row.id, random).await,
            OrderWord::Returned if former != Some(row.word) => self.refund(row).await,
            word if has_parcel(word) && !self.printed.contains(&row.id) => self.print(row).await,
            _ => Ok(()),
        }
    }

    async fn make_label(&mut self, order: OrderId, random: &mut Seeded) -> Result<(), Failure> {
        let looks = self.labelled.entry(order).or_default();
        *looks += 1;
        let is_first = *looks == 1;
        if !is_first && *looks != LABEL_AGAIN_LOOKS {
            return Ok(());
        }
        let courier = if is_first { self.courier_by_hand() } else { None };
        let request = MakeLabelRequest { order, weight_g: 300 + random.below(2_000) as u32, courier };
        let made = self.device.call(move |host, now| host.make_label(request, now)).await;
        let what = match (unless_refused(made)?, courier) {
            (Ok(_), Some(courier)) => format!("makes the label, for the courier {courier}"),
            (Ok(_), None) => "makes the label".to_owned(),
            (Err(code), _) => format!("cannot make the label: {code}"),
        };
        self.stage.tell(order, &self.who, OrderWord::Paid.name(), what);
        Ok(())
    }

    /// A courier at a terminal who asks for a parcel. One file is one parcel.
    fn courier_by_hand(&self) -> Option<AccountId> {
        let path = self.stage.guide.next_courier();
        let text = fs::read_to_string(&path).ok()?;
        let account = text.trim().parse().ok()?;
        // Of two shops that see it, the one that takes the file away has the courier.
        fs::remove_file(&path).ok()?;
        Some(account)
    }

    async fn print(&mut self, row: &OrderRow) -> Result<(), Failure> {
        let order = row.id;
        let prints = self.device.call(move |host, now| host.labels(order, now)).await;
        // The order may be here before its parcel is.
        let Ok(prints) = unless_refused(prints)? else { return Ok(()) };
        for print in &prints {
            let _ = self.stage.told.send(Told::Carries { order, parcel: print.number.clone() });
            let path = self.stage.doors.label(&print.number);
            if path.exists() {
                continue;
            }
            door::show(&path, &people::label_png(print)?)?;
            let what = format!("prints the label of parcel {}", print.number);
            self.stage.tell(order, &self.who, row.word.name(), what);
        }
        self.printed.insert(order);
        Ok(())
    }

    async fn refund(&mut self, row: &OrderRow) -> Result<(), Failure> {
        let order = row.id;
        let refunded = self.device.call(move |host, now| host.refund_order(order, now)).await;
        let what = match unless_refused(refunded)? {
            Ok(_) => "the parcel is back, gives the money back".to_owned(),
            Err(code) => format!("cannot give the money back: {code}"),
        };
        self.stage.tell(order, &self.who, row.word.name(), what);
        Ok(())
    }

    /// One line for a new state; the end of a trade with its money.
    async fn tell_word(&self, row: &OrderRow) -> Result<(), Failure> {
        let order = row.id;
        let detail = self.device.call(move |host, now| host.shop_order(order, now)).await?;
        let what = match row.word {
            OrderWord::Released => {
                let Some(split) = detail.split else { return Ok(()) };
                let _ = self.stage.told.send(Told::Released {
                    order,
                    total: detail.released,
                    seller: split.seller,
                    fees: split.fees,
                    courier: split.courier,
                });
                return Ok(());
            }
            OrderWord::Refunded => {
                let _ = self.stage.told.send(Told::Refunded { order, amount: detail.refunded });
                return Ok(());
            }
            OrderWord::AwaitingPayment => format!("{}: the order is in, stock is held", row.total),
            OrderWord::Cancelled => "the order has ended, stock is free again".to_owned(),
            _ => format!("{} in escrow", detail.held),
        };
        self.stage.tell(order, &self.who, row.word.name(), what);
        Ok(())
    }
}
