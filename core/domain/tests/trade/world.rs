//! A world of plain maps round `decide`: rows, versions, journal. What people do in it stands in `acts`, what couriers
//! and buyers sign in `signed`, and what must hold after each step in `check`.

mod acts;
mod check;
mod signed;

use std::collections::BTreeMap;

use souk_crypto::hash::digest;
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::bookkeeping::Owner;
use souk_domain::context::{Actor, Context, FeePlan, PlatformKey, Policies, Reference, Seal};
use souk_domain::decide::{Step, decide};
use souk_domain::id::{
    AccountId, Bucket, DerivedId, DeviceId, IntentId, OfferId, OrderId, ParcelId, ShopId, form_d, form_u,
};
use souk_domain::intent::{Body, EnrolDevice, Intent, OpenShop, ServerAct};
use souk_domain::ledger::{JournalHead, Transfer};
use souk_domain::money::{Bp, Currency, Money, Ppm};
use souk_domain::order::Order;
use souk_domain::outcome::Outcome;
use souk_domain::party::{AccountRoles, DeviceKey, Shipping};
use souk_domain::rows::{Entity, Key, Row, RowKind, Rows};
use souk_domain::time::{Span, Time};

pub(crate) use acts::sandbox;
pub(crate) use signed::{HandoverFields, Told, Upload};

/// 2026-11-22T12:00Z.
pub(crate) const START: Time = Time::from_secs(1_795_348_800);
/// Where the buyers live, 1e-7 degrees.
pub(crate) const HOME: (i32, i32) = (375_665_000, 1_269_780_000);

pub(crate) struct Platform(pub(crate) Ed25519Key);

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
    pub(crate) reference: Reference,
    pub(crate) platform: Platform,
    minted: u64,
    pub(crate) people: Vec<Person>,
    pub(crate) shop: Option<ShopId>,
    captures: u32,
    /// What each parcel's courier would scan next: index and event before.
    chains: BTreeMap<ParcelId, (u16, [u8; 32])>,
}

/// Who is who in `people`.
pub(crate) const SELLER: usize = 0;
pub(crate) const COURIER: usize = 1;
/// A courier whom no parcel is given to.
pub(crate) const RIVAL: usize = 2;
pub(crate) const BUYER: usize = 3;

pub(crate) fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

impl World {
    /// A seller with a shop, two couriers and some buyers; commission 5 % with 10 % tax on it.
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
            chains: BTreeMap::new(),
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
        for number in 0..buyers + BUYER {
            world.enrol(number);
        }
        let open = world.shop_to_open();
        let id = world.mint(world.people[SELLER].account.bucket());
        let outcome = world.decide(SELLER, id, Body::OpenShop(open));
        assert!(outcome.is_accepted(), "{outcome:?}");
        world.shop = Some(ShopId::from_bytes(*id.bytes()).unwrap());
        world
    }

    pub(crate) fn shop_to_open(&self) -> OpenShop {
        OpenShop {
            name: "Morning Market".to_owned(),
            city: "Seoul".to_owned(),
            country: "KR".to_owned(),
            currency: Currency::KRW,
            shipping: Shipping { flat: krw(3000), free_from: Some(krw(50_000)) },
            courier: Some(self.people[COURIER].account),
        }
    }

    fn enrol(&mut self, number: usize) {
        let bucket = Bucket::new(100 + number as u16).unwrap();
        let account = AccountId::from_bytes(form_u(1, bucket, [number as u8; 9])).unwrap();
        let person = Person {
            account,
            device: DeviceId::from_bytes([number as u8 + 1; 16]).unwrap(),
            key: Ed25519Key::from_seed([number as u8 + 1; 32]),
            roles: AccountRoles { courier: [COURIER, RIVAL].contains(&number), operator: false },
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
        random[..8].copy_from_slice(&self.minted.to_be_bytes());
        IntentId::from_bytes(form_u(self.now.millis() as u64, bucket, random)).unwrap()
    }

    /// An act of a person, under an id.
    pub(crate) fn decide(&mut self, who: usize, id: IntentId, body: Body) -> Outcome {
        self.decide_with(who, id, body, Vec::new(), None)
    }

    /// An act of a person with bytes beside it, who agrees to pay so much.
    pub(crate) fn decide_with(
        &mut self,
        who: usize,
        id: IntentId,
        body: Body,
        bin: Vec<u8>,
        max_total: Option<Money>,
    ) -> Outcome {
        let actor = self.people[who].actor();
        let intent = Intent {
            id: id.into(),
            made_at: self.now,
            not_after: self.now.plus(Span::from_days(7)),
            max_total,
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

    /// Decides and keeps what was written. A refusal must have written nothing; the same decision made again must be
    /// the same; and a device with all rows, which has other random bytes and no seal, must predict it.
    pub(crate) fn run(&mut self, intent: &Intent, actor: &Actor) -> Outcome {
        let ctx = Context {
            now: self.now,
            actor,
            reference: &self.reference,
            random: digest("test/random/", &[intent.id.bytes()]),
            seal: Some(&self.platform),
        };
        let (mut rows, step) = self.step(intent, &ctx);
        let (again, step_again) = self.step(intent, &ctx);
        assert_eq!(step, step_again);
        assert_eq!(rows.staged_changes(), again.staged_changes(), "the same decision writes the same");
        let Step::Done(outcome) = step else { panic!("the server knows everything: {intent:?}") };
        if actor.account().is_some() {
            let device = Context { random: [0x77; 32], seal: None, ..ctx };
            match self.step(intent, &device).1 {
                Step::Unknown => {
                    let is_sealed = matches!(intent.body, Body::MakeLabels { .. } | Body::OpenShift { .. });
                    assert!(is_sealed && outcome.is_accepted(), "{intent:?}");
                }
                predicted => assert_eq!(predicted, Step::Done(outcome.clone()), "{intent:?}"),
            }
        }
        if !outcome.is_accepted() {
            assert!(rows.staged_changes().is_empty(), "a refusal has staged rows");
        }
        rows.keep();
        self.apply(rows);
        outcome
    }

    /// Decides, loading what is missing.
    fn step(&self, intent: &Intent, ctx: &Context) -> (Rows, Step) {
        let mut rows = Rows::new();
        loop {
            match decide(intent, ctx, &mut rows) {
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
                step => return (rows, step),
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

    /// A row as a test wants it.
    pub(crate) fn set<T: Entity>(&mut self, row: T) {
        let row = row.into_row();
        let version = self.rows.get(&row.key()).map_or(0, |(version, _)| *version);
        self.rows.insert(row.key(), (version + 1, row));
    }

    pub(crate) fn order(&self, id: OrderId) -> Order {
        self.one(&Key::order(id)).unwrap()
    }

    /// Stock of an offer.
    pub(crate) fn stock(&self, offer: OfferId) -> souk_domain::stock::Stock {
        self.one(&Key::stock(offer)).unwrap()
    }
}
