//! The oracle: the market in plain maps, without buckets, storage, ledger or feed (spec/sync.md 10.4).
//!
//! It shares no rule with the product: it is fed the same acts in the order of decision with the same `now`, and must
//! come to the same outcomes, amounts and states. What a chain of custody folds to is taken from the product, which
//! tests that elsewhere; what the fold does to money and stock is reckoned here.

use std::collections::{BTreeMap, BTreeSet};

use souk_domain::catalogue::OfferState;
use souk_domain::id::{AccountId, AnyIntentId, DerivedId, OfferId, OrderId, ParcelId, PaymentId};
use souk_domain::intent::{Body, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::ledger::AccountCode;
use souk_domain::order::{OrderState, PaymentState, ShipmentState};
use souk_domain::parcel::Level;
use souk_domain::time::Time;

use super::market::{FREE_FROM, POLICIES, SHIPPING};

mod money;

/// What an act comes to: the number that its outcome names, if it names one, or the code of its refusal.
pub(super) type Verdict = Result<Option<i64>, &'static str>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) price: i64,
    pub(super) is_live: bool,
    pub(super) on_hand: u32,
    pub(super) reserved: u32,
    pub(super) committed: u32,
    pub(super) sold: u64,
    pub(super) revision: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Idle,
    Running(Time, u32),
    Frozen(u32),
    Done,
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) buyer: AccountId,
    /// Offer, units, minor units.
    lines: Vec<(OfferId, u32, i64)>,
    shipping: i64,
    pub(super) total: i64,
    pub(super) state: OrderState,
    pub(super) shipment: ShipmentState,
    pub(super) paid: i64,
    pub(super) released: i64,
    pub(super) refunded: i64,
    pub(super) unapplied: i64,
    payment: Option<PaymentId>,
    pay_by: Time,
    pay_generation: u32,
    paid_at: Time,
    is_overdue: bool,
    pub(super) parcel: Option<ParcelId>,
    /// The shop brings it by its own means: the shipping is the shop's.
    is_own_delivery: bool,
    has_address: bool,
    /// Is it open, and of which generation?
    case: Option<(bool, u32)>,
    clock: Clock,
    delivered_at: Option<Time>,
    /// The seller's share, and whether it is available.
    settled: Option<(i64, bool)>,
}

#[derive(Clone, Debug)]
struct Payment {
    order: OrderId,
    state: PaymentState,
    captures: BTreeSet<String>,
    /// Parts that wait for the rest.
    parts: Vec<i64>,
}

/// A custody event as far as the oracle looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanned<'a> {
    pub(super) order: OrderId,
    /// What the parcel folds to now.
    pub(super) state: &'a str,
    pub(super) level: Level,
    pub(super) on_hold: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    seller: Option<AccountId>,
    pub(super) offers: BTreeMap<OfferId, Offer>,
    pub(super) orders: BTreeMap<OrderId, Order>,
    payments: BTreeMap<PaymentId, Payment>,
    /// Amount, and whether the rail has paid it out.
    refunds: BTreeMap<DerivedId, (OrderId, i64, bool)>,
    /// Balances that no order shows: cash at the rail, courier, commission, tax.
    sums: BTreeMap<AccountCode, i64>,
}

impl Order {
    pub(super) fn held(&self) -> i64 {
        self.paid - self.released - self.refunded
    }

    pub(super) fn offers(&self) -> Vec<OfferId> {
        self.lines.iter().map(|line| line.0).collect()
    }
}

impl Oracle {
    /// A shop before its first order.
    pub(super) fn of(seller: AccountId, offers: BTreeMap<OfferId, Offer>) -> Oracle {
        Oracle { seller: Some(seller), offers, ..Oracle::default() }
    }

    /// An act of a user in the shop's bucket.
    pub(super) fn act(
        &mut self,
        id: AnyIntentId,
        who: AccountId,
        body: &Body,
        max: Option<i64>,
        has_address: bool,
        now: Time,
    ) -> Verdict {
        match body {
            Body::PlaceOrder(place) => self.place(id, who, place, max, has_address, now),
            Body::PayStart { order, .. } => self.pay(id, who, *order, max, now),
            Body::CancelOrder { order } => self.cancel(id, who, *order),
            Body::OpenCase { order, .. } => self.open_case(id, who, *order, now),
            Body::RefundOrder { order } => {
                self.by_seller(who)?;
                if self.order(*order)?.state != OrderState::Open {
                    return Err("order.state");
                }
                self.refund_all(id, *order).map(Some)
            }
            Body::Confirm { order } => self.confirm(who, *order),
            Body::MakeLabels { order, .. } => self.label(id, who, *order),
            Body::Ship { order } => self.ship(who, *order),
            Body::SetStock { offer, on_hand, base_revision } => {
                self.set_stock(who, *offer, *on_hand, *base_revision)
            }
            Body::SetPrice { offer, price } => {
                self.by_seller(who)?;
                self.offer(*offer)?.price = price.minor;
                Ok(None)
            }
            Body::SetOfferState { offer, state } => {
                self.by_seller(who)?;
                self.offer(*offer)?.is_live = *state == OfferState::Live;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn order(&mut self, id: OrderId) -> Result<&mut Order, &'static str> {
        self.orders.get_mut(&id).ok_or("order.unknown")
    }

    fn offer(&mut self, id: OfferId) -> Result<&mut Offer, &'static str> {
        self.offers.get_mut(&id).ok_or("offer.gone")
    }

    fn by_seller(&self, who: AccountId) -> Result<(), &'static str> {
        if self.seller == Some(who) { Ok(()) } else { Err("order.not_party") }
    }

    fn by_buyer(&mut self, who: AccountId, order: OrderId) -> Result<&mut Order, &'static str> {
        let order = self.order(order)?;
        if order.buyer == who { Ok(order) } else { Err("order.not_party") }
    }

    fn place(
        &mut self,
        id: AnyIntentId,
        who: AccountId,
        place: &PlaceOrder,
        max: Option<i64>,
        has_address: bool,
        now: Time,
    ) -> Verdict {
        let order = OrderId::from_bytes(*id.bytes()).map_err(|_| "intent.form")?;
        if place.lines.iter().any(|line| !self.offers.get(&line.offer).is_some_and(|offer| offer.is_live)) {
            return Err("offer.gone");
        }
        let asked = place.lines.iter().map(|line| (self.offers[&line.offer].price, line.quantity));
        let asked = with_shipping(asked.map(|(price, units)| price * i64::from(units)).sum()).0;
        let rose = |line: &WantedLine| self.offers[&line.offer].price > line.seen;
        if max.is_none_or(|max| asked > max) && (place.lines.iter().any(rose) || max.is_some()) {
            return Err("price.changed");
        }
        let mut lines = Vec::new();
        let (mut is_short, mut has_risen) = (false, false);
        let mut taken: BTreeMap<OfferId, u32> = BTreeMap::new();
        for line in &place.lines {
            let offer = self.offers[&line.offer];
            let taken = taken.entry(line.offer).or_default();
            let free = offer.on_hand.saturating_sub(offer.reserved + offer.committed).saturating_sub(*taken);
            let units = line.quantity.min(free);
            *taken += units;
            is_short |= units < line.quantity;
            if units > 0 {
                has_risen |= offer.price > line.seen;
                lines.push((line.offer, units, offer.price * i64::from(units)));
            }
        }
        if is_short && (place.policy == ShortPolicy::AllOrNothing || lines.is_empty()) {
            return Err("stock.short");
        }
        let (total, shipping) = with_shipping(lines.iter().map(|line| line.2).sum());
        if max.is_none_or(|max| total > max) && (has_risen || max.is_some()) {
            return Err("price.changed");
        }
        for (offer, units, _) in &lines {
            self.offer(*offer)?.reserved += units;
        }
        let pay_by = now.plus(POLICIES.pay_window_us);
        self.orders.insert(
            order,
            Order {
                buyer: who,
                lines,
                shipping,
                total,
                state: OrderState::Created,
                shipment: ShipmentState::None,
                paid: 0,
                released: 0,
                refunded: 0,
                unapplied: 0,
                payment: None,
                pay_by,
                pay_generation: 1,
                paid_at: now,
                is_overdue: false,
                parcel: None,
                is_own_delivery: false,
                has_address,
                case: None,
                clock: Clock::Idle,
                delivered_at: None,
                settled: None,
            },
        );
        Ok(Some(total))
    }

    fn pay(
        &mut self,
        id: AnyIntentId,
        who: AccountId,
        order: OrderId,
        max: Option<i64>,
        now: Time,
    ) -> Verdict {
        let payment = PaymentId::from_bytes(*id.bytes()).map_err(|_| "intent.form")?;
        let row = self.by_buyer(who, order)?;
        let (state, former, total, pay_by) = (row.state, row.payment, row.total, row.pay_by);
        match state {
            OrderState::Created if now > pay_by => return Err("order.closed"),
            OrderState::Created => {}
            OrderState::Open | OrderState::Completed => return Err("order.already_paid"),
            OrderState::Cancelled => return Err("order.closed"),
        }
        if max.is_some_and(|max| max < total) {
            return Err("pay.amount_mismatch");
        }
        if former.is_some_and(|former| self.payments[&former].state == PaymentState::Pending) {
            return Err("pay.in_progress");
        }
        let fresh =
            Payment { order, state: PaymentState::Pending, captures: BTreeSet::new(), parts: Vec::new() };
        self.payments.insert(payment, fresh);
        let order = self.order(order)?;
        order.payment = Some(payment);
        let extended = now.plus(POLICIES.pay_extend_us);
        if extended > order.pay_by && order.pay_generation == 1 {
            (order.pay_by, order.pay_generation) = (extended, 2);
        }
        Ok(Some(order.total))
    }

    fn cancel(&mut self, id: AnyIntentId, who: AccountId, order: OrderId) -> Verdict {
        if self.order(order)?.buyer != who {
            self.by_seller(who)?;
        }
        match self.order(order)?.state {
            OrderState::Created => self.end_unpaid(id, order).map(|()| None),
            OrderState::Cancelled => Ok(None),
            OrderState::Open | OrderState::Completed => Err("order.state"),
        }
    }

    fn open_case(&mut self, id: AnyIntentId, who: AccountId, at: OrderId, now: Time) -> Verdict {
        let order = self.by_buyer(who, at)?;
        if order.state != OrderState::Open || order.shipment != ShipmentState::None {
            return Err("order.state");
        }
        if order.case.is_some_and(|(is_open, _)| is_open) {
            return Err("case.open");
        }
        let is_late = order.is_overdue || now > order.paid_at.plus(POLICIES.ship_deadline_us);
        let is_free = order.parcel.is_none() && now <= order.paid_at.plus(POLICIES.cancel_free_us);
        let generation = order.case.map_or(1, |(_, generation)| generation + 1);
        order.case = Some((!is_late && !is_free, generation));
        if is_late || is_free { self.refund_all(id, at).map(Some) } else { Ok(None) }
    }

    fn confirm(&mut self, who: AccountId, at: OrderId) -> Verdict {
        let order = self.by_buyer(who, at)?;
        match (order.state, order.shipment) {
            (OrderState::Completed, _) if order.released > 0 => Ok(Some(order.released)),
            (OrderState::Open, ShipmentState::Shipped | ShipmentState::Delivered) => {
                self.release(at).map(Some)
            }
            _ => Err("order.state"),
        }
    }

    fn label(&mut self, id: AnyIntentId, who: AccountId, order: OrderId) -> Verdict {
        self.order(order)?;
        self.by_seller(who)?;
        let order = self.order(order)?;
        if order.state != OrderState::Open || order.shipment != ShipmentState::None {
            return Err("order.state");
        }
        if order.parcel.is_some() {
            return Err("label.state");
        }
        if !order.has_address {
            return Err("label.field_missing");
        }
        order.parcel = ParcelId::from_bytes(*id.bytes()).ok();
        Ok(None)
    }

    fn ship(&mut self, who: AccountId, at: OrderId) -> Verdict {
        self.order(at)?;
        self.by_seller(who)?;
        let order = self.order(at)?;
        match (order.state, order.shipment) {
            (OrderState::Open, ShipmentState::Shipped) => return Ok(None),
            (OrderState::Open, ShipmentState::None) => {}
            _ => return Err("order.state"),
        }
        if order.parcel.is_some() {
            return Err("ship.scan_expected");
        }
        order.is_own_delivery = true;
        self.shipped(at).map(|()| None)
    }

    fn shipped(&mut self, at: OrderId) -> Result<(), &'static str> {
        let order = self.order(at)?;
        if order.state != OrderState::Open || order.shipment != ShipmentState::None {
            return Ok(());
        }
        order.shipment = ShipmentState::Shipped;
        if let Some(case) = &mut order.case {
            case.0 = false;
        }
        for (offer, units, _) in order.lines.clone() {
            let offer = self.offer(offer)?;
            (offer.on_hand, offer.committed) = (offer.on_hand - units, offer.committed - units);
            offer.sold += u64::from(units);
        }
        Ok(())
    }

    fn set_stock(&mut self, who: AccountId, offer: OfferId, on_hand: u32, base: Option<u32>) -> Verdict {
        self.by_seller(who)?;
        let offer = self.offer(offer)?;
        if base.is_some_and(|base| base != offer.revision) {
            return Err("edit.conflict");
        }
        if on_hand < offer.reserved + offer.committed {
            return Err("stock.range");
        }
        (offer.on_hand, offer.revision) = (on_hand, offer.revision + 1);
        Ok(Some(i64::from(offer.revision)))
    }

    /// A parcel of an order has been told something, and folds to this.
    pub(super) fn scanned(&mut self, scan: &Scanned<'_>, now: Time) -> Result<(), &'static str> {
        let shipment = match scan.state {
            "Created" | "Ready" | "Cancelled" => return Ok(()),
            "Delivered" => ShipmentState::Delivered,
            "Refused" | "Returning" => ShipmentState::Returning,
            "Returned" => ShipmentState::Returned,
            "Lost" => ShipmentState::Lost,
            _ => ShipmentState::Shipped,
        };
        self.shipped(scan.order)?;
        let order = self.order(scan.order)?;
        order.shipment = shipment;
        if shipment == ShipmentState::Delivered {
            order.delivered_at = order.delivered_at.or(Some(now));
        }
        if order.state != OrderState::Open {
            return Ok(());
        }
        if scan.on_hold || !matches!(shipment, ShipmentState::Shipped | ShipmentState::Delivered) {
            order.freeze();
            return Ok(());
        }
        if shipment == ShipmentState::Shipped {
            order.clock = Clock::Idle;
            return Ok(());
        }
        let delay = match scan.level {
            Level::E0 => {
                order.clock = Clock::Idle;
                return Ok(());
            }
            Level::EC => POLICIES.release_ec_us,
            Level::E1 => POLICIES.release_e1_us,
            Level::E2 => POLICIES.release_e2_us,
            Level::E3 | Level::E4 => return self.release(scan.order).map(|_| ()),
        };
        let due = order.delivered_at.unwrap_or(now).plus(delay);
        if due <= now {
            return self.release(scan.order).map(|_| ());
        }
        order.clock = match order.clock {
            Clock::Idle => Clock::Running(due, 1),
            Clock::Running(former, generation) if due < former => Clock::Running(due, generation + 1),
            Clock::Frozen(generation) => Clock::Running(due, generation),
            other => other,
        };
        Ok(())
    }
}

impl Order {
    fn freeze(&mut self) {
        self.clock = match self.clock {
            Clock::Idle => Clock::Frozen(1),
            Clock::Running(_, generation) => Clock::Frozen(generation + 1),
            other => other,
        };
    }
}

/// What goods come to with their shipping, and the shipping.
fn with_shipping(goods: i64) -> (i64, i64) {
    let shipping = if goods >= FREE_FROM { 0 } else { SHIPPING };
    (goods + shipping, shipping)
}
