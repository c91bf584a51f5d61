//! What people, rails, timers and the relay do.

use souk_domain::bookkeeping::{Message, Outbox, Timer};
use souk_domain::catalogue::put_product::{CheckedProduct, ProductFacts};
use souk_domain::catalogue::{QuantityRule, TaxRule};
use souk_domain::id::{OfferId, OrderId, ParcelId, PaymentId, ShiftId};
use souk_domain::intent::{Body, Fact, PlaceOrder, PutProduct, RailFact, ServerAct, ShortPolicy, WantedLine};
use souk_domain::money::{Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{AddressText, PayMethod, RailId, RailOp, RailOpKind};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::Shift;
use souk_domain::rows::Key;

use super::{HOME, SELLER, World, krw};

/// The rail of the tests.
pub(crate) fn sandbox() -> RailId {
    RailId::new(RailId::SANDBOX).unwrap()
}

impl World {
    /// A product as the seller puts it.
    pub(crate) fn product(&self, sku: &str, price: i64, stock: u32) -> PutProduct {
        PutProduct {
            shop: self.shop.unwrap(),
            sku: sku.to_owned(),
            product: CheckedProduct::new(ProductFacts {
                title: format!("Thing {sku}"),
                ..ProductFacts::default()
            })
            .unwrap(),
            price: krw(price),
            tax: TaxRule { rate: Ppm(100_000), inclusive: true, rounding: Rounding::HalfUp },
            quantity: QuantityRule::ANY,
            stock: Some(stock),
        }
    }

    pub(crate) fn put(&mut self, product: PutProduct) -> OfferId {
        let (_, outcome) = self.act(SELLER, Body::PutProduct(Box::new(product)));
        let Outcome::Accepted { data, .. } = outcome else { panic!("{outcome:?}") };
        data.text("offer").unwrap().parse().unwrap()
    }

    pub(crate) fn put_product(&mut self, sku: &str, price: i64, stock: u32) -> OfferId {
        self.put(self.product(sku, price, stock))
    }

    pub(crate) fn place(&mut self, who: usize, lines: &[(OfferId, u32, i64)]) -> (OrderId, Outcome) {
        self.place_with(who, lines, ShortPolicy::AllOrNothing, None)
    }

    pub(crate) fn place_with(
        &mut self,
        who: usize,
        lines: &[(OfferId, u32, i64)],
        policy: ShortPolicy,
        max_total: Option<Money>,
    ) -> (OrderId, Outcome) {
        let place = PlaceOrder {
            shop: self.shop.unwrap(),
            lines: lines
                .iter()
                .map(|(offer, quantity, seen)| WantedLine { offer: *offer, quantity: *quantity, seen: *seen })
                .collect(),
            policy,
            note: String::new(),
        };
        let id = self.mint(self.shop.unwrap().bucket());
        let address = AddressText {
            name: "Kim".to_owned(),
            city: "Seoul".to_owned(),
            place: Some(HOME),
            ..AddressText::default()
        };
        let bin = [vec![7; 16], serde_json::to_vec(&address).unwrap()].concat();
        let outcome = self.decide_with(who, id, Body::PlaceOrder(place), bin, max_total);
        (OrderId::from_bytes(*id.bytes()).unwrap(), outcome)
    }

    pub(crate) fn pay_start(&mut self, who: usize, order: OrderId) -> Outcome {
        self.act(who, Body::PayStart { order, rail: sandbox(), method: PayMethod::Mandate }).1
    }

    /// The rail tells something about a payment.
    pub(crate) fn rail(&mut self, payment: PaymentId, fact: Fact) -> Outcome {
        let rail_ref = "pay_1".to_owned();
        self.server(ServerAct::RailFact(RailFact { rail: sandbox(), payment, rail_ref, fact }))
    }

    /// The rail has captured an amount for the order's payment.
    pub(crate) fn capture(&mut self, order: OrderId, amount: i64) -> Option<Outcome> {
        self.captures += 1;
        let number = self.captures;
        self.capture_as(order, krw(amount), number)
    }

    pub(crate) fn capture_as(&mut self, order: OrderId, amount: Money, number: u32) -> Option<Outcome> {
        let payment = self.order(order).payment?;
        Some(self.capture_of(payment, amount, number))
    }

    pub(crate) fn capture_of(&mut self, payment: PaymentId, amount: Money, number: u32) -> Outcome {
        self.rail(payment, Fact::Captured { capture: format!("cap_{number}"), amount })
    }

    /// An order that is paid.
    pub(crate) fn paid(&mut self, who: usize, lines: &[(OfferId, u32, i64)]) -> OrderId {
        let (order, outcome) = self.place(who, lines);
        assert!(outcome.is_accepted(), "{outcome:?}");
        assert!(self.pay_start(who, order).is_accepted());
        let total = self.order(order).total.minor;
        assert!(self.capture(order, total).unwrap().is_accepted());
        order
    }

    /// What the rail is asked for.
    pub(crate) fn ops(&self, kind: RailOpKind) -> Vec<RailOp> {
        self.all::<RailOp>().into_iter().filter(|op| op.kind == kind).collect()
    }

    /// The rail confirms every refund that is asked of it.
    pub(crate) fn confirm_refunds(&mut self) {
        for op in self.ops(RailOpKind::Refund) {
            let outcome = self.rail(op.payment, Fact::Refunded { op: op.id });
            assert!(outcome.is_accepted(), "{outcome:?}");
        }
    }

    pub(crate) fn make_label(&mut self, order: OrderId) -> (ParcelId, Outcome) {
        let (id, outcome) = self.act(SELLER, Body::MakeLabels { order, weight_g: 1520, courier: None });
        (ParcelId::from_bytes(*id.bytes()).unwrap(), outcome)
    }

    /// Opens a shift; gives its id and the certificate of the day.
    pub(crate) fn open_shift(&mut self, who: usize) -> (ShiftId, Vec<u8>) {
        let id = self.mint(self.people[who].account.bucket());
        let outcome = self.decide(who, id, Body::OpenShift { hours: 12 });
        assert!(outcome.is_accepted(), "{outcome:?}");
        let id = ShiftId::from_bytes(*id.bytes()).unwrap();
        (id, self.one::<Shift>(&Key::shift(id)).unwrap().certificate)
    }

    pub(crate) fn close_shift(&mut self, who: usize, shift: ShiftId) -> Outcome {
        let id = self.mint(shift.bucket());
        self.decide(who, id, Body::CloseShift { shift })
    }

    /// What waits to reach another bucket.
    pub(crate) fn waiting(&self) -> Vec<Outbox> {
        let is_waiting = |row: &Outbox| !row.done && matches!(row.message, Message::Bucket { .. });
        self.all::<Outbox>().into_iter().filter(is_waiting).collect()
    }

    /// A hand-off arrives; it is done if it was taken.
    pub(crate) fn deliver(&mut self, row: &Outbox) -> Outcome {
        let Message::Bucket { bucket, handoff } = row.message.clone() else { panic!("{row:?}") };
        let act = ServerAct::HandedOff { to: bucket, from: row.bucket, seq: row.seq, handoff: *handoff };
        let outcome = self.server(act);
        if outcome.is_accepted() {
            let done = ServerAct::OutboxDone { bucket: row.bucket, seqs: vec![row.seq] };
            assert!(self.server(done).is_accepted());
        }
        outcome
    }

    /// Hand-offs travel: each outbox row that is not done arrives.
    pub(crate) fn relay(&mut self) {
        for row in self.waiting() {
            self.deliver(&row);
        }
    }

    /// Fires every timer that is due, in order, and those that it sets.
    pub(crate) fn fire_timers(&mut self) -> Vec<Timer> {
        let mut fired = Vec::new();
        loop {
            let mut due: Vec<Timer> =
                self.all::<Timer>().into_iter().filter(|timer| timer.due <= self.now).collect();
            due.sort();
            let Some(timer) = due.first().copied() else { return fired };
            let outcome = self.server(ServerAct::Timeout(timer));
            assert!(outcome.is_accepted(), "{outcome:?}");
            fired.push(timer);
        }
    }
}
