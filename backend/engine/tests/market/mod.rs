//! A small market on the real engine and the real SQLite store: people with keys, streams and texts as devices make
//! them, and everything that must hold after each step.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod faulty;

use std::collections::BTreeMap;
use std::sync::Arc;

use faulty::{Faults, Faulty};
use futures::executor::block_on;
use souk_codes::proof::{
    Algorithm, CustodyC, CustodyFlags, EventKind, EvidenceType, Fix, HandoverFlags, HandoverH, Verdict,
};
use souk_crypto::hash::h8;
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::bookkeeping::Lane;
use souk_domain::catalogue::put_product::{CheckedProduct, ProductFacts};
use souk_domain::catalogue::{QuantityRule, TaxRule};
use souk_domain::context::{Actor, FeePlan, Policies, Reference};
use souk_domain::id::{
    AccountId, Bucket, DeviceId, IntentId, OfferId, OrderId, ParcelId, ShiftId, ShopId, form_u,
};
use souk_domain::intent::{Body, OpenShop, PlaceOrder, PutProduct, ShortPolicy, WantedLine};
use souk_domain::ledger::{Account as LedgerAccount, AccountCode, AccountRef};
use souk_domain::money::{Bp, Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{AddressText, Order, OrderState, PayMethod, RailId};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::proof::{CustodyBin, digest_of, event_id, evidence_hash, party_of};
use souk_domain::parcel::{Parcel, Shift};
use souk_domain::party::{AccountRoles, DeviceKey, Shipping};
use souk_domain::rows::{Entity, Key};
use souk_domain::time::{Span, Time};
use souk_engine::rail::{PaymentStatus, RailAsk, RailCall, RailReply};
use souk_engine::sign_in::Registration;
use souk_engine::{Answer, Ask, Engine, EngineConfig, Mutants, Reader};
use souk_protocol::intent::{IntentText, Mint, life};
use souk_protocol::sync::{IntentItem, PushItem, PushResult, PushState, Sig, SignedText, VoidItem, VoidMark};
use souk_store::Store;
use souk_store::sqlite::{SqliteConfig, SqliteStore};

/// 2026-11-22T12:00Z.
pub(crate) const START: Time = Time::from_secs(1_795_348_800);
/// Where the buyers live, 1e-7 degrees.
pub(crate) const HOME: (i32, i32) = (375_665_000, 1_269_780_000);

/// Who is who in `people`.
pub(crate) const SELLER: usize = 0;
pub(crate) const COURIER: usize = 1;
pub(crate) const BUYER: usize = 2;

pub(crate) fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("KRW").unwrap())
}

/// A person with one device.
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) key: Ed25519Key,
    pub(crate) roles: AccountRoles,
    pub(crate) epoch: u32,
    pub(crate) dev_seq: u64,
    /// Last position sent, by stream.
    pub(crate) sent: BTreeMap<(Bucket, Lane), u64>,
    handovers: u32,
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

    /// A text with the device's next number, signed.
    pub(crate) fn text(&mut self, id: IntentId, body: &Body, bin: &[u8], now: Time) -> SignedText {
        self.text_with(id, body, bin, now, None)
    }

    pub(crate) fn text_with(
        &mut self,
        id: IntentId,
        body: &Body,
        bin: &[u8],
        now: Time,
        max_total: Option<Money>,
    ) -> SignedText {
        self.dev_seq += 1;
        let mint = Mint {
            id,
            account: self.account,
            device: self.device,
            epoch: self.epoch,
            dev_seq: self.dev_seq,
            made_at: now,
            made_err_ms: 80,
            not_after: now.plus(life(body).default),
            max_total,
        };
        self.sign(&IntentText::of(mint, body, bin).unwrap(), bin)
    }

    pub(crate) fn sign(&self, text: &IntentText, bin: &[u8]) -> SignedText {
        let composed = text.compose().unwrap();
        let d = text.signed_digest(&composed);
        let sig = Sig::of(&self.key.public_key(), self.key.sign_deterministic(&d));
        SignedText { text: composed, bin: bin.to_vec(), sig: Some(sig) }
    }

    /// The item at the next position of its stream.
    pub(crate) fn item(&mut self, lane: Lane, bucket: Bucket, signed: SignedText) -> PushItem {
        let pos = self.sent.entry((bucket, lane)).or_default();
        *pos += 1;
        PushItem::Intent(IntentItem { lane, bucket, pos: *pos, signed })
    }

    pub(crate) fn void(&mut self, lane: Lane, id: IntentId, hash: [u8; 32]) -> PushItem {
        let bucket = id.bucket();
        let pos = self.sent.entry((bucket, lane)).or_default();
        *pos += 1;
        PushItem::Void(VoidItem { lane, bucket, pos: *pos, id, hash, void: VoidMark })
    }
}

pub(crate) struct Market {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) engine: Engine,
    pub(crate) reader: Reader,
    pub(crate) now: Time,
    pub(crate) people: Vec<Person>,
    pub(crate) shop: Option<ShopId>,
    shift: Option<ShiftId>,
    minted: u64,
    captures: u32,
}

pub(crate) fn config(mutants: Mutants) -> EngineConfig {
    EngineConfig {
        reference: Reference {
            version: 0,
            policies: Policies::DEFAULT,
            fee_plan: FeePlan { version: 1, commission: Bp(500), commission_tax: Ppm(100_000) },
            platform_keys: Vec::new(),
            emv_guid: "org.souk.pay".to_owned(),
        },
        seed: [9; 32],
        mutants,
    }
}

pub(crate) fn open(dir: &tempfile::TempDir, mutants: Mutants) -> Engine {
    let store = SqliteStore::open(SqliteConfig::new(dir.path().join("souk.db"))).unwrap();
    block_on(Engine::open(Arc::new(store), config(mutants))).unwrap()
}

impl Market {
    /// A seller, a courier and some buyers; no shop yet. Commission 5 % with 10 % tax on it.
    pub(crate) fn new(buyers: usize) -> Market {
        Market::with(buyers, Mutants::NONE)
    }

    pub(crate) fn with(buyers: usize, mutants: Mutants) -> Market {
        let dir = tempfile::tempdir().unwrap();
        let engine = open(&dir, mutants);
        Market::on(dir, engine, buyers)
    }

    /// On a store that fails on demand.
    pub(crate) fn faulty(buyers: usize) -> (Market, Arc<Faults>) {
        let dir = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::default());
        let inner = SqliteStore::open(SqliteConfig::new(dir.path().join("souk.db"))).unwrap();
        let store = Arc::new(Faulty { inner, faults: faults.clone() });
        let engine = block_on(Engine::open(store, config(Mutants::NONE))).unwrap();
        (Market::on(dir, engine, buyers), faults)
    }

    fn on(dir: tempfile::TempDir, engine: Engine, buyers: usize) -> Market {
        let reader = engine.reader();
        let mut market = Market {
            dir,
            engine,
            reader,
            now: START,
            people: Vec::new(),
            shop: None,
            shift: None,
            minted: 0,
            captures: 0,
        };
        for number in 0..buyers + 2 {
            market.enrol(number);
        }
        market
    }

    /// With an open shop.
    pub(crate) fn open_shop(buyers: usize) -> Market {
        let mut market = Market::new(buyers);
        market.make_shop();
        market
    }

    pub(crate) fn make_shop(&mut self) -> ShopId {
        let open = OpenShop {
            name: "Morning Market".to_owned(),
            city: "Seoul".to_owned(),
            country: "KR".to_owned(),
            currency: Currency::from_code("KRW").unwrap(),
            shipping: Shipping { flat: krw(3000), free_from: Some(krw(50_000)) },
            courier: Some(self.people[COURIER].account),
        };
        let id = self.mint(self.people[SELLER].account.bucket());
        accepted(&self.send(SELLER, id, Body::OpenShop(open), &[]));
        let shop = ShopId::from_bytes(*id.bytes()).unwrap();
        self.shop = Some(shop);
        self.relay();
        shop
    }

    fn enrol(&mut self, number: usize) {
        let bucket = Bucket::new(100 + number as u16).unwrap();
        let account = AccountId::from_bytes(form_u(1, bucket, [number as u8; 9])).unwrap();
        let person = Person {
            account,
            device: DeviceId::from_bytes([number as u8 + 1; 16]).unwrap(),
            key: Ed25519Key::from_seed([number as u8 + 1; 32]),
            roles: AccountRoles { courier: number == COURIER, operator: false },
            epoch: 1,
            dev_seq: 0,
            sent: BTreeMap::new(),
            handovers: 0,
        };
        let key = DeviceKey::new(person.key.public_key());
        let name = format!("Person {number}");
        let registration = Registration::trusted(account, person.device, key, &name, person.roles);
        let outcome = self.server(registration.enrol());
        assert_eq!(registration.enrolled(&outcome), Ok(1));
        self.people.push(person);
    }

    /// An id of form U that no other has.
    pub(crate) fn mint(&mut self, bucket: Bucket) -> IntentId {
        self.minted += 1;
        let mut random = [0; 9];
        random[..8].copy_from_slice(&self.minted.to_be_bytes());
        IntentId::from_bytes(form_u(self.now.millis() as u64, bucket, random)).unwrap()
    }

    pub(crate) fn shop_bucket(&self) -> Bucket {
        self.shop.unwrap().bucket()
    }

    /// The engine starts anew on the same file, as after a kill.
    pub(crate) fn restart(&mut self) {
        self.replace(None);
    }

    /// The file is put back to what a backup holds, and nobody says so.
    pub(crate) fn replace_file(&mut self, backup: &[u8]) {
        self.replace(Some(backup));
    }

    fn replace(&mut self, backup: Option<&[u8]>) {
        let path = self.dir.path().join("souk.db");
        let placeholder = tempfile::tempdir().unwrap();
        // The file is held by one process alone, so the former engine goes before the next one opens.
        let idle = open(&placeholder, Mutants::NONE);
        self.reader = idle.reader();
        drop(std::mem::replace(&mut self.engine, idle));
        if let Some(backup) = backup {
            for beside in ["souk.db-wal", "souk.db-shm"] {
                let _ = std::fs::remove_file(self.dir.path().join(beside));
            }
            std::fs::write(&path, backup).unwrap();
        }
        let store = SqliteStore::open(SqliteConfig::new(path)).unwrap();
        self.engine = block_on(Engine::open(Arc::new(store), config(Mutants::NONE))).unwrap();
        self.reader = self.engine.reader();
    }

    // ---- sending

    pub(crate) fn push(&mut self, who: usize, items: Vec<PushItem>) -> Answer {
        let person = &self.people[who];
        let ask = Ask::push(person.actor(), person.epoch, items);
        block_on(self.engine.decide_one(ask, self.now))
    }

    pub(crate) fn push_results(&mut self, who: usize, items: Vec<PushItem>) -> Vec<PushResult> {
        match self.push(who, items) {
            Answer::Items { results, .. } => results,
            other => panic!("{other:?}"),
        }
    }

    /// One intent through its stream; its stored outcome.
    pub(crate) fn send(&mut self, who: usize, id: IntentId, body: Body, bin: &[u8]) -> Outcome {
        self.send_max(who, id, body, bin, None)
    }

    pub(crate) fn send_max(
        &mut self,
        who: usize,
        id: IntentId,
        body: Body,
        bin: &[u8],
        max_total: Option<Money>,
    ) -> Outcome {
        let now = self.now;
        let person = &mut self.people[who];
        let signed = person.text_with(id, &body, bin, now, max_total);
        let item = person.item(body.lane(), id.bucket(), signed);
        let mut results = self.push_results(who, vec![item]);
        match results.pop().unwrap().state {
            PushState::Decided { outcome } => outcome.into(),
            other => panic!("{other:?}"),
        }
    }

    /// One intent in the shop's bucket.
    pub(crate) fn act(&mut self, who: usize, body: Body) -> (IntentId, Outcome) {
        let id = self.mint(self.shop_bucket());
        let outcome = self.send(who, id, body, &[]);
        (id, outcome)
    }

    pub(crate) fn server(&mut self, ask: Ask) -> Outcome {
        match block_on(self.engine.decide_one(ask, self.now)) {
            Answer::Server(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn relay(&mut self) -> usize {
        block_on(self.engine.relay(self.now)).unwrap()
    }

    pub(crate) fn fire(&mut self) -> usize {
        block_on(self.engine.fire_due(self.now)).unwrap()
    }

    pub(crate) fn wait(&mut self, span: Span) {
        self.now = self.now.plus(span);
    }

    // ---- reading

    pub(crate) fn store(&self) -> &dyn Store {
        self.reader.store()
    }

    pub(crate) fn one<T: Entity>(&self, key: Key) -> T {
        block_on(self.reader.row(key)).unwrap().unwrap()
    }

    pub(crate) fn order(&self, id: OrderId) -> Order {
        self.one(Key::order(id))
    }

    /// Balance of an account in the shop's bucket.
    pub(crate) fn balance(&self, code: AccountCode, owner: [u8; 16]) -> i64 {
        let of = AccountRef::new(code, owner, self.shop_bucket(), krw(0).currency);
        let row: Option<LedgerAccount> = block_on(self.reader.row(Key::ledger_account(of.id()))).unwrap();
        row.map_or(0, |account| account.balance().minor)
    }

    // ---- what people do

    pub(crate) fn put_product(&mut self, sku: &str, price: i64, stock: u32) -> OfferId {
        let body = Body::PutProduct(Box::new(PutProduct {
            shop: self.shop.unwrap(),
            sku: sku.to_owned(),
            product: CheckedProduct::new(ProductFacts {
                title: format!("Thing {sku}"),
                category: "things".to_owned(),
                ..ProductFacts::default()
            })
            .unwrap(),
            price: krw(price),
            tax: TaxRule { rate: Ppm(100_000), inclusive: true, rounding: Rounding::HalfUp },
            quantity: QuantityRule::ANY,
            stock: Some(stock),
        }));
        let (_, outcome) = self.act(SELLER, body);
        accepted(&outcome);
        let Outcome::Accepted { data, .. } = outcome else { panic!("accepted above") };
        data.text("offer").unwrap().parse().unwrap()
    }

    pub(crate) fn place_body(&self, lines: &[(OfferId, u32, i64)]) -> Body {
        Body::PlaceOrder(PlaceOrder {
            shop: self.shop.unwrap(),
            lines: lines
                .iter()
                .map(|(offer, quantity, seen)| WantedLine { offer: *offer, quantity: *quantity, seen: *seen })
                .collect(),
            policy: ShortPolicy::AllOrNothing,
            note: String::new(),
        })
    }

    pub(crate) fn place(&mut self, who: usize, lines: &[(OfferId, u32, i64)]) -> (OrderId, Outcome) {
        let id = self.mint(self.shop_bucket());
        let outcome = self.send(who, id, self.place_body(lines), &address());
        (OrderId::from_bytes(*id.bytes()).unwrap(), outcome)
    }

    pub(crate) fn pay_start(&mut self, who: usize, order: OrderId) -> Outcome {
        let rail = RailId::new(RailId::SANDBOX).unwrap();
        self.act(who, Body::PayStart { order, rail, method: PayMethod::Mandate }).1
    }

    /// The call that a rail would get now.
    pub(crate) fn rail_call(&mut self) -> RailCall {
        let mut calls = block_on(self.engine.rail_due(self.now, 10)).unwrap();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.pop().unwrap()
    }

    /// A rail captures what it is asked for.
    pub(crate) fn capture(&mut self) {
        let call = self.rail_call();
        assert_eq!(call.ask, RailAsk::Begin);
        self.captures += 1;
        let reply = RailReply::Payment {
            rail_ref: format!("pay_{}", self.captures),
            status: PaymentStatus::Paid,
            captures: vec![(format!("cap_{}", self.captures), call.op.amount)],
        };
        for answer in block_on(self.engine.rail_answer(&call, &reply, self.now, 7)) {
            accepted(answer.outcome().unwrap());
        }
    }

    /// A placed and paid order.
    pub(crate) fn paid(&mut self, who: usize, lines: &[(OfferId, u32, i64)]) -> OrderId {
        let (order, outcome) = self.place(who, lines);
        accepted(&outcome);
        accepted(&self.pay_start(who, order));
        self.capture();
        assert_eq!(self.order(order).state, OrderState::Open);
        order
    }

    pub(crate) fn label(&mut self, order: OrderId) -> Parcel {
        let (id, outcome) = self.act(SELLER, Body::MakeLabels { order, weight_g: 1520, courier: None });
        accepted(&outcome);
        self.one(Key::parcel(ParcelId::from_bytes(*id.bytes()).unwrap()))
    }

    pub(crate) fn close_shift(&mut self) -> Outcome {
        let id = self.mint(self.people[COURIER].account.bucket());
        let shift = self.shift.take().unwrap();
        self.send(COURIER, id, Body::CloseShift { shift }, &[])
    }

    /// The courier's certificate of the day.
    pub(crate) fn open_shift(&mut self) -> Vec<u8> {
        let id = self.mint(self.people[COURIER].account.bucket());
        accepted(&self.send(COURIER, id, Body::OpenShift { hours: 12 }, &[]));
        self.shift = ShiftId::from_bytes(*id.bytes()).ok();
        self.one::<Shift>(Key::shift(ShiftId::from_bytes(*id.bytes()).unwrap())).certificate
    }

    /// Label, scans and hand-over of a paid order, which releases it.
    pub(crate) fn deliver(&mut self, who: usize, order: OrderId) {
        let parcel = self.label(order);
        self.relay();
        let certificate = self.open_shift();
        for kind in [EventKind::PickedUp, EventKind::OutForDelivery] {
            accepted(&self.scan(parcel.id, kind, &certificate, &[]));
        }
        let proof = self.handover(who, &parcel);
        accepted(&self.scan(parcel.id, EventKind::Delivered, &certificate, &proof));
        assert_eq!(self.order(order).state, OrderState::Completed);
    }

    /// The buyer's phone signs a hand-over for the parcel.
    pub(crate) fn handover(&mut self, who: usize, parcel: &Parcel) -> Vec<u8> {
        let time_s = self.now.secs() as u32;
        let person = &mut self.people[who];
        person.handovers += 1;
        let handover = HandoverH {
            algorithm: Algorithm::Ed25519,
            verdict: Verdict::Accept,
            key_id: person.key.public_key().key_id()[..4].try_into().unwrap(),
            waybill: parcel.waybill.number(),
            time_s,
            validity: 4,
            flags: HandoverFlags::NONE,
            counter: person.handovers,
            bound_h8: h8(&parcel.label),
        };
        let d = digest_of(HandoverH::LETTER, &handover.body());
        handover.encode(&person.key.sign_deterministic(&d))
    }

    /// The courier signs an event behind the chain's tip and uploads it.
    pub(crate) fn scan(
        &mut self,
        parcel: ParcelId,
        kind: EventKind,
        certificate: &[u8],
        evidence: &[u8],
    ) -> Outcome {
        let parcel: Parcel = self.one(Key::parcel(parcel));
        let event = self.event(&parcel, kind, evidence);
        let bin = CustodyBin { event, certificate: certificate.to_vec(), evidence: evidence.to_vec() };
        let id = self.mint(parcel.id.bucket());
        self.send(COURIER, id, Body::AppendCustody { waybill: parcel.waybill }, &bin.encode())
    }

    fn event(&self, parcel: &Parcel, kind: EventKind, evidence: &[u8]) -> Vec<u8> {
        let courier = &self.people[COURIER];
        let now_us = self.now.micros() as u64;
        let event = CustodyC {
            algorithm: Algorithm::Ed25519,
            kind,
            flags: CustodyFlags::NONE,
            waybill: parcel.waybill.number(),
            index: parcel.chain_index,
            reason: None,
            evidence: if evidence.is_empty() { EvidenceType::None } else { EvidenceType::HandoverBound },
            giver_party: [0; 8],
            taker_party: party_of(courier.account),
            signer_key_id: courier.key.public_key().key_id(),
            device_epoch: 1,
            attempt: 0,
            device_seq: u32::from(parcel.chain_index) + 1,
            wall_time_us: now_us,
            boot_ms: 1000,
            boot_id: 1,
            latitude_e7: 0,
            longitude_e7: 0,
            accuracy_m: 0,
            fix_age_s: 0,
            server_time_us: now_us,
            node: [0; 8],
            evidence_hash: evidence_hash(evidence),
            prev: parcel.chain_tip,
        }
        .with_fix(Some(Fix {
            latitude_e7: HOME.0,
            longitude_e7: HOME.1,
            accuracy_m: Some(20),
            age_s: 5,
        }));
        let d = digest_of(CustodyC::LETTER, &event.body());
        assert_eq!(event_id(&event.body()).len(), 32);
        event.encode(&courier.key.sign_deterministic(&d))
    }

    // ---- what must hold

    /// Every bucket's books replay to the same balances, debits equal credits, and each order's escrow is what it
    /// says.
    pub(crate) fn check(&self) {
        for bucket in block_on(self.store().buckets_in_use()).unwrap() {
            let owner: souk_domain::bookkeeping::Owner = self.one(Key::owner(bucket));
            let accounts = block_on(self.store().ledger_accounts(bucket)).unwrap();
            let transfers = block_on(self.store().transfers(bucket, 0, 1_000_000)).unwrap();
            let summary = souk_domain::ledger::verify::verify(accounts, transfers, &owner.journal).unwrap();
            assert!(summary.sum_minor.values().all(|sum| *sum == 0), "inv01 {summary:?}");
            for intent in block_on(self.store().intents(bucket, 1_000_000)).unwrap() {
                let Some(order) = OrderId::from_bytes(intent.id).ok() else { continue };
                let order: Option<Order> = block_on(self.reader.row(Key::order(order))).unwrap();
                let Some(order) = order else { continue };
                assert!(order.is_sound(), "inv04 {order:?}");
                let held = self.balance(AccountCode::OrderEscrow, *order.id.bytes());
                assert_eq!(held, order.held(), "escrow of {:?}", order.id);
            }
        }
    }
}

/// The bytes beside a PlaceOrder.
pub(crate) fn address() -> Vec<u8> {
    let address = AddressText {
        name: "Kim".to_owned(),
        lines: vec!["110 Sejong-daero".to_owned()],
        city: "Seoul".to_owned(),
        postcode: "04524".to_owned(),
        country: "KR".to_owned(),
        place: Some(HOME),
        ..AddressText::default()
    };
    [vec![7; 16], serde_json::to_vec(&address).unwrap()].concat()
}

#[track_caller]
pub(crate) fn accepted(outcome: &Outcome) {
    assert!(outcome.is_accepted(), "{outcome:?}");
}

#[track_caller]
pub(crate) fn refused(outcome: &Outcome, code: &str) {
    assert_eq!(outcome.code(), Some(code), "{outcome:?}");
}
