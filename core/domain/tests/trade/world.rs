//! A world of plain maps round `decide`: rows, versions, journal, and everything that must hold after each step.

use std::collections::BTreeMap;

use souk_codes::proof::{
    Algorithm, CustodyC, CustodyFlags, EventKind, EvidenceType, Fix, HandoverFlags, HandoverH, Reason,
    Verdict,
};
use souk_crypto::hash::{digest, h8, sha256};
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::bookkeeping::{Message, Outbox, Owner, Timer};
use souk_domain::catalogue::put_product::{CheckedProduct, ProductFacts};
use souk_domain::catalogue::{QuantityRule, TaxRule};
use souk_domain::context::{Actor, Context, FeePlan, PlatformKey, Policies, Reference, Seal};
use souk_domain::decide::{Step, decide};
use souk_domain::id::{
    AccountId, Bucket, DerivedId, DeviceId, IntentId, OfferId, OrderId, ParcelId, ShopId, form_d, form_u,
};
use souk_domain::intent::{
    Body, EnrolDevice, Fact, Intent, OpenShop, PlaceOrder, PutProduct, RailFact, ServerAct, ShortPolicy,
    WantedLine,
};
use souk_domain::ledger::{Account as LedgerAccount, AccountCode, JournalHead, Transfer};
use souk_domain::money::{Bp, Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{
    AddressText, Order, OrderState, PayMethod, RailId, RailOp, RailOpKind, RefundState, ShipmentState,
};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::proof::{CustodyBin, digest_of, event_id, evidence_hash, party_of};
use souk_domain::parcel::{Parcel, Shift};
use souk_domain::party::{AccountRoles, DeviceKey, Shipping};
use souk_domain::rows::{Entity, Key, Row, RowKind, Rows};
use souk_domain::stock::Stock;
use souk_domain::time::{Span, Time};

/// 2026-11-22T12:00Z.
pub(crate) const START: Time = Time::from_secs(1_795_348_800);
/// Where the buyers live, 1e-7 degrees.
pub(crate) const HOME: (i32, i32) = (375_665_000, 1_269_780_000);

pub(crate) struct Platform(Ed25519Key);

impl Seal for Platform {
    fn key_id(&self) -> u8 {
        1
    }
    fn sign(&self, d: &[u8; 32]) -> [u8; 64] {
        self.0.sign_deterministic(d)
    }
}

/// A person with one device.
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) key: Ed25519Key,
    pub(crate) roles: AccountRoles,
    pub(crate) counter: u32,
}

impl Person {
    pub(crate) fn actor(&self) -> Actor {
        Actor::User {
            account: self.account,
            device: self.device,
            key: DeviceKey::new(self.key.public_key()),
            roles: self.roles,
        }
    }
}

pub(crate) struct World {
    pub(crate) now: Time,
    rows: BTreeMap<Key, (u64, Row)>,
    pub(crate) transfers: Vec<Transfer>,
    reference: Reference,
    platform: Platform,
    minted: u64,
    pub(crate) people: Vec<Person>,
    pub(crate) shop: Option<ShopId>,
    captures: u32,
}

/// Who is who in `people`.
pub(crate) const SELLER: usize = 0;
pub(crate) const COURIER: usize = 1;
pub(crate) const BUYER: usize = 2;

pub(crate) fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("KRW").unwrap())
}

impl World {
    /// A seller with a shop, a courier and some buyers; commission 5 % with 10 % tax on it.
    pub(crate) fn new(buyers: usize) -> World {
        let platform = Platform(Ed25519Key::from_seed(std::array::from_fn(|i| i as u8)));
        let public: [u8; 32] = platform.0.public_key().bytes().try_into().unwrap();
        let mut world = World {
            now: START,
            rows: BTreeMap::new(),
            transfers: Vec::new(),
            reference: Reference {
                version: 1,
                policies: Policies::DEFAULT,
                fee_plan: FeePlan { version: 1, commission: Bp(500), commission_tax: Ppm(100_000) },
                platform_keys: vec![PlatformKey { id: 1, public }],
                emv_guid: "org.souk.pay".to_owned(),
            },
            platform,
            minted: 0,
            people: Vec::new(),
            shop: None,
            captures: 0,
        };
        for number in 0..1024 {
            let bucket = Bucket::new(number).unwrap();
            let owner = Owner {
                bucket,
                epoch: 1,
                journal: JournalHead::empty(bucket),
                outbox_seq: 0,
                catalogue_seq: 0,
                waybill_seq: 0,
            };
            let row = owner.into_row();
            world.rows.insert(row.key(), (1, row));
        }
        for number in 0..buyers + 2 {
            world.enrol(number);
        }
        let courier = world.people[COURIER].account;
        let open = OpenShop {
            name: "Morning Market".to_owned(),
            city: "Seoul".to_owned(),
            country: "KR".to_owned(),
            currency: Currency::from_code("KRW").unwrap(),
            shipping: Shipping { flat: krw(3000), free_from: Some(krw(50_000)) },
            courier: Some(courier),
        };
        let bucket = world.people[SELLER].account.bucket();
        let id = world.mint(bucket);
        let outcome = world.decide(SELLER, id, Body::OpenShop(open));
        assert!(outcome.is_accepted(), "{outcome:?}");
        world.shop = Some(ShopId::from_bytes(*id.bytes()).unwrap());
        world
    }

    fn enrol(&mut self, number: usize) {
        let bucket = Bucket::new(100 + number as u16).unwrap();
        let account = AccountId::from_bytes(form_u(1, bucket, [number as u8; 9])).unwrap();
        let person = Person {
            account,
            device: DeviceId::from_bytes([number as u8 + 1; 16]).unwrap(),
            key: Ed25519Key::from_seed([number as u8 + 1; 32]),
            roles: AccountRoles { courier: number == COURIER, operator: false },
            counter: 0,
        };
        let act = ServerAct::EnrolDevice(EnrolDevice {
            account,
            name: format!("Person {number}"),
            roles: person.roles,
            device: person.device,
            key: DeviceKey::new(person.key.public_key()),
            label: "test".to_owned(),
            replaces: None,
        });
        self.people.push(person);
        assert!(self.server(act).is_accepted());
    }

    /// An id of form U that no other has.
    pub(crate) fn mint(&mut self, bucket: Bucket) -> IntentId {
        self.minted += 1;
        let mut random = [0; 9];
        random[..8].copy_from_slice(&self.minted.to_le_bytes());
        IntentId::from_bytes(form_u(self.now.millis() as u64, bucket, random)).unwrap()
    }

    /// An act of a person, under an id.
    pub(crate) fn decide(&mut self, who: usize, id: IntentId, body: Body) -> Outcome {
        self.decide_bin(who, id, body, Vec::new())
    }

    pub(crate) fn decide_bin(&mut self, who: usize, id: IntentId, body: Body, bin: Vec<u8>) -> Outcome {
        let actor = self.people[who].actor();
        let intent = Intent {
            id: id.into(),
            made_at: self.now,
            not_after: self.now.plus(Span::from_days(7)),
            max_total: None,
            body,
            bin,
        };
        self.run(&intent, &actor)
    }

    /// An act of a person in the shop's bucket.
    pub(crate) fn act(&mut self, who: usize, body: Body) -> (IntentId, Outcome) {
        let id = self.mint(self.shop.unwrap().bucket());
        let outcome = self.decide(who, id, body);
        (id, outcome)
    }

    /// An act of the server.
    pub(crate) fn server(&mut self, act: ServerAct) -> Outcome {
        self.minted += 1;
        let hash = digest("test/server/", &[&self.minted.to_be_bytes()]);
        let id = DerivedId::from_bytes(form_d(act.bucket(), &hash)).unwrap();
        let intent = Intent {
            id: id.into(),
            made_at: self.now,
            not_after: self.now.plus(Span::from_days(1)),
            max_total: None,
            body: Body::Server(Box::new(act)),
            bin: Vec::new(),
        };
        self.run(&intent, &Actor::Server)
    }

    /// Decides, loads what is missing, and keeps what was written; a refusal must have written nothing.
    pub(crate) fn run(&mut self, intent: &Intent, actor: &Actor) -> Outcome {
        let mut rows = Rows::new();
        let ctx = Context {
            now: self.now,
            actor,
            reference: &self.reference,
            random: digest("test/random/", &[intent.id.bytes()]),
            seal: Some(&self.platform),
        };
        loop {
            match decide(intent, &ctx, &mut rows) {
                Step::Done(outcome) => {
                    if !outcome.is_accepted() {
                        assert!(rows.staged_changes().is_empty(), "a refusal has staged rows");
                    }
                    rows.keep();
                    self.apply(rows);
                    return outcome;
                }
                Step::Missing(keys) => {
                    for key in keys {
                        assert!(!rows.is_loaded(&key), "asked twice for {key:?}");
                        let (version, row) = match self.rows.get(&key) {
                            Some((version, row)) => (*version, Some(row.clone())),
                            None => (0, None),
                        };
                        rows.load(key, version, row);
                    }
                }
                Step::Unknown => panic!("the server knows everything"),
            }
        }
    }

    fn apply(&mut self, mut rows: Rows) {
        let (writes, transfers) = rows.take_writes();
        for write in writes {
            let version = self.rows.get(&write.key).map_or(0, |(version, _)| *version);
            assert_eq!(version, write.expected, "{:?}", write.key);
            match write.row {
                Some(row) => {
                    assert_eq!(row.key(), write.key);
                    self.rows.insert(write.key, (version + 1, row));
                }
                None => {
                    self.rows.remove(&write.key);
                }
            }
        }
        self.transfers.extend(transfers);
    }

    /// All rows of a type.
    pub(crate) fn all<T: Entity>(&self) -> Vec<T> {
        self.rows
            .range(Key { bucket: Bucket::PUBLIC, kind: RowKind::Account, id: Vec::new() }..)
            .filter(|(key, _)| key.kind == T::KIND)
            .filter_map(|(_, (_, row))| T::from_row(row).cloned())
            .collect()
    }

    pub(crate) fn one<T: Entity>(&self, key: &Key) -> Option<T> {
        self.rows.get(key).and_then(|(_, row)| T::from_row(row).cloned())
    }

    pub(crate) fn order(&self, id: OrderId) -> Order {
        self.one(&Key::order(id)).unwrap()
    }

    // ---- what people do

    pub(crate) fn put_product(&mut self, sku: &str, price: i64, stock: u32) -> OfferId {
        let body = Body::PutProduct(Box::new(PutProduct {
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
        }));
        let (_, outcome) = self.act(SELLER, body);
        let Outcome::Accepted { data, .. } = outcome else { panic!("{outcome:?}") };
        data.text("offer").unwrap().parse().unwrap()
    }

    pub(crate) fn place(&mut self, who: usize, lines: &[(OfferId, u32, i64)]) -> (OrderId, Outcome) {
        let place = PlaceOrder {
            shop: self.shop.unwrap(),
            lines: lines
                .iter()
                .map(|(offer, quantity, seen)| WantedLine { offer: *offer, quantity: *quantity, seen: *seen })
                .collect(),
            policy: ShortPolicy::AllOrNothing,
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
        let outcome = self.decide_bin(who, id, Body::PlaceOrder(place), bin);
        (OrderId::from_bytes(*id.bytes()).unwrap(), outcome)
    }

    pub(crate) fn pay_start(&mut self, who: usize, order: OrderId) -> Outcome {
        let rail = RailId::new(RailId::SANDBOX).unwrap();
        self.act(who, Body::PayStart { order, rail, method: PayMethod::Mandate }).1
    }

    /// The rail has captured an amount for the order's payment.
    pub(crate) fn capture(&mut self, order: OrderId, amount: i64) -> Option<Outcome> {
        self.captures += 1;
        let number = self.captures;
        self.capture_as(order, amount, number)
    }

    pub(crate) fn capture_as(&mut self, order: OrderId, amount: i64, number: u32) -> Option<Outcome> {
        let payment = self.order(order).payment?;
        Some(self.server(ServerAct::RailFact(RailFact {
            rail: RailId::new(RailId::SANDBOX).unwrap(),
            payment,
            rail_ref: "pay_1".to_owned(),
            fact: Fact::Captured { capture: format!("cap_{number}"), amount: krw(amount) },
        })))
    }

    /// The rail confirms every refund that is asked of it.
    pub(crate) fn confirm_refunds(&mut self) {
        for op in self.all::<RailOp>() {
            if op.kind == RailOpKind::Refund {
                let fact = RailFact {
                    rail: op.rail.clone(),
                    payment: op.payment,
                    rail_ref: "pay_1".to_owned(),
                    fact: Fact::Refunded { op: op.id },
                };
                let outcome = self.server(ServerAct::RailFact(fact));
                assert!(outcome.is_accepted(), "{outcome:?}");
            }
        }
    }

    pub(crate) fn make_label(&mut self, order: OrderId) -> (ParcelId, Outcome) {
        let (id, outcome) = self.act(SELLER, Body::MakeLabels { order, weight_g: 1520, courier: None });
        (ParcelId::from_bytes(*id.bytes()).unwrap(), outcome)
    }

    pub(crate) fn open_shift(&mut self) -> Vec<u8> {
        let id = self.mint(self.people[COURIER].account.bucket());
        let outcome = self.decide(COURIER, id, Body::OpenShift { hours: 12 });
        assert!(outcome.is_accepted(), "{outcome:?}");
        self.all::<Shift>().pop().unwrap().certificate
    }

    /// The buyer's phone signs a hand-over for the parcel.
    pub(crate) fn handover(&mut self, who: usize, parcel: &Parcel, verdict: Verdict) -> Vec<u8> {
        let person = &mut self.people[who];
        person.counter += 1;
        let handover = HandoverH {
            algorithm: Algorithm::Ed25519,
            verdict,
            key_id: person.key.public_key().key_id()[..4].try_into().unwrap(),
            waybill: parcel.waybill.number(),
            time_s: self.now.secs() as u32,
            validity: 4,
            flags: HandoverFlags::NONE,
            counter: person.counter,
            bound_h8: h8(&parcel.label),
        };
        let d = digest_of(HandoverH::LETTER, &handover.body());
        handover.encode(&person.key.sign_deterministic(&d))
    }

    /// The courier signs an event; `step` is its place in the chain behind `prev`.
    pub(crate) fn event(
        &self,
        parcel: &Parcel,
        index: u16,
        prev: [u8; 32],
        kind: EventKind,
        evidence: &[u8],
    ) -> ([u8; 32], Vec<u8>) {
        let courier = &self.people[COURIER];
        let event = CustodyC {
            algorithm: Algorithm::Ed25519,
            kind,
            flags: CustodyFlags::NONE,
            waybill: parcel.waybill.number(),
            index,
            reason: (kind == EventKind::Attempted).then_some(Reason::ConsigneeNotHome),
            evidence: if evidence.is_empty() { EvidenceType::None } else { EvidenceType::HandoverBound },
            giver_party: [0; 8],
            taker_party: party_of(courier.account),
            signer_key_id: courier.key.public_key().key_id(),
            device_epoch: 1,
            attempt: 0,
            device_seq: u32::from(index) + 1,
            wall_time_us: self.now.micros() as u64,
            boot_ms: 1000,
            boot_id: 1,
            latitude_e7: 0,
            longitude_e7: 0,
            accuracy_m: 0,
            fix_age_s: 0,
            server_time_us: self.now.micros() as u64,
            node: [0; 8],
            evidence_hash: evidence_hash(evidence),
            prev,
        }
        .with_fix(Some(Fix {
            latitude_e7: HOME.0,
            longitude_e7: HOME.1,
            accuracy_m: Some(20),
            age_s: 5,
        }));
        let signature = courier.key.sign_deterministic(&digest_of(CustodyC::LETTER, &event.body()));
        (event_id(&event.body()), event.encode(&signature))
    }

    pub(crate) fn upload(
        &mut self,
        parcel: &Parcel,
        event: Vec<u8>,
        certificate: &[u8],
        evidence: &[u8],
    ) -> Outcome {
        let bin =
            CustodyBin { event, certificate: certificate.to_vec(), evidence: evidence.to_vec() }.encode();
        let id = self.mint(parcel.id.bucket());
        self.decide_bin(COURIER, id, Body::AppendCustody { waybill: parcel.waybill }, bin)
    }

    /// The whole way of a parcel, first scan to hand-over, as (event, evidence) in the order of the chain.
    pub(crate) fn journey(&mut self, who: usize, parcel: &Parcel) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (first, picked_up) = self.event(parcel, 0, sha256(&parcel.label), EventKind::PickedUp, &[]);
        let (second, out) = self.event(parcel, 1, first, EventKind::OutForDelivery, &[]);
        let proof = self.handover(who, parcel, Verdict::Accept);
        let (_, delivered) = self.event(parcel, 2, second, EventKind::Delivered, &proof);
        vec![(picked_up, Vec::new()), (out, Vec::new()), (delivered, proof)]
    }

    /// Hand-offs travel: each outbox row that is not done arrives.
    pub(crate) fn relay(&mut self) {
        for row in self.all::<Outbox>() {
            if row.done {
                continue;
            }
            let Message::Bucket { bucket, handoff } = row.message.clone() else { continue };
            let act = ServerAct::HandedOff { to: bucket, from: row.bucket, seq: row.seq, handoff: *handoff };
            if self.server(act).is_accepted() {
                let done = ServerAct::OutboxDone { bucket: row.bucket, seqs: vec![row.seq] };
                assert!(self.server(done).is_accepted());
            }
        }
    }

    /// Fires every timer that is due, in order.
    pub(crate) fn fire_timers(&mut self) -> Vec<Timer> {
        let mut due: Vec<Timer> =
            self.all::<Timer>().into_iter().filter(|timer| timer.due <= self.now).collect();
        due.sort();
        for timer in &due {
            let outcome = self.server(ServerAct::Timeout(*timer));
            assert!(outcome.is_accepted(), "{outcome:?}");
        }
        due
    }

    // ---- what must hold

    /// Everything that must hold after each step.
    pub(crate) fn check(&self) {
        self.check_books();
        self.check_orders();
        self.check_stock();
    }

    /// inv01, inv02, and the journal replays to the same balances.
    fn check_books(&self) {
        let accounts: Vec<LedgerAccount> = self.all();
        let debits: i128 = accounts.iter().map(|account| i128::from(account.debits_posted)).sum();
        let credits: i128 = accounts.iter().map(|account| i128::from(account.credits_posted)).sum();
        assert_eq!(debits, credits, "inv01");
        assert!(accounts.iter().all(LedgerAccount::keeps_flags), "inv02");
        let moved: i128 = self.transfers.iter().map(|transfer| i128::from(transfer.amount)).sum();
        assert_eq!(moved, debits, "journal and balances differ");
    }

    /// inv03, inv04: amounts of orders and what stands on their accounts agree.
    fn check_orders(&self) {
        for order in self.all::<Order>() {
            assert!(order.is_sound(), "inv04 {order:?}");
            let held = self.balance(AccountCode::OrderEscrow, *order.id.bytes());
            assert_eq!(held, order.held(), "escrow of {:?}", order.id);
            if matches!(order.state, OrderState::Completed | OrderState::Cancelled) {
                assert_eq!(order.held(), 0, "inv03");
                assert_eq!(order.unapplied, 0, "inv03");
            }
            for refund in &order.refunds {
                let transit = self.balance(AccountCode::RefundTransit, *refund.id.bytes());
                let expected = if refund.state == RefundState::Done { 0 } else { refund.amount };
                assert_eq!(transit, expected, "refund {:?}", refund.id);
            }
        }
    }

    /// I1-I5 of spec/market.md 4.2.
    fn check_stock(&self) {
        let orders: Vec<Order> = self.all();
        for stock in self.all::<Stock>() {
            assert!(stock.is_sound(), "{stock:?}");
            let units = |wanted: &dyn Fn(&Order) -> bool| -> u32 {
                orders
                    .iter()
                    .filter(|order| wanted(order))
                    .flat_map(Order::units)
                    .filter(|(offer, _)| *offer == stock.offer)
                    .map(|(_, quantity)| quantity)
                    .sum()
            };
            assert_eq!(stock.reserved, units(&|order| order.state == OrderState::Created), "I3 reserved");
            let is_waiting =
                |order: &Order| order.state == OrderState::Open && order.shipment == ShipmentState::None;
            assert_eq!(stock.committed, units(&is_waiting), "I3 committed");
            let paid = units(&|order| order.paid > order.refunded || order.released > 0);
            assert!(u64::from(paid) <= stock.received, "I5");
        }
    }

    /// Balance of an account in the shop's bucket.
    pub(crate) fn balance(&self, code: AccountCode, owner: [u8; 16]) -> i64 {
        let bucket = self.shop.unwrap().bucket();
        let of = souk_domain::ledger::AccountRef::new(code, owner, bucket, krw(0).currency);
        self.one::<LedgerAccount>(&Key::ledger_account(of.id())).map_or(0, |account| account.balance().minor)
    }

    /// All rows and the journal, for comparing two ends.
    pub(crate) fn snapshot(&self) -> String {
        let mut text = String::new();
        for order in self.all::<Order>() {
            text += &format!(
                "{} {:?} {:?} {} {} {}\n",
                order.id, order.state, order.shipment, order.paid, order.released, order.refunded
            );
        }
        for parcel in self.all::<Parcel>() {
            text += &format!("{} {:?} {:?}\n", parcel.id, parcel.state, parcel.level);
        }
        for account in self.all::<LedgerAccount>() {
            text += &format!("{} {}\n", account.id, account.balance().minor);
        }
        for stock in self.all::<Stock>() {
            text += &format!(
                "{} {} {} {} {}\n",
                stock.offer, stock.on_hand, stock.reserved, stock.committed, stock.sold
            );
        }
        text
    }
}
