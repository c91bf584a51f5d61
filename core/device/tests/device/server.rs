//! A server of plain maps: the same `decide`, streams, outcomes for ever, one feed a scope. It speaks the wire types
//! and nothing of a store, so that a test can clone it, turn it back and look into it.

use std::collections::{BTreeMap, BTreeSet};

use souk_crypto::hash::{digest, first};
use souk_crypto::rowsum;
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_device::host::{HttpAnswer, HttpRequest};
use souk_domain::bookkeeping::{Lane, Message, Outbox, Owner};
use souk_domain::catalogue::put_product::{CheckedProduct, ProductFacts};
use souk_domain::catalogue::{QuantityRule, TaxRule};
use souk_domain::context::{Actor, Context, FeePlan, PlatformKey, Policies, Reference, Seal};
use souk_domain::decide::{Step, decide};
use souk_domain::id::{
    AccountId, Bucket, DerivedId, DeviceId, IntentId, OfferId, OrderId, ShopId, form_d, form_u,
};
use souk_domain::intent::{Body, EnrolDevice, Fact, Intent, OpenShop, PutProduct, RailFact, ServerAct};
use souk_domain::ledger::JournalHead;
use souk_domain::money::{Bp, Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{Order, RailOp, RailOpKind};
use souk_domain::outcome::{Outcome, Refusal};
use souk_domain::party::{Account, AccountRoles, Device, DeviceKey, DeviceState, Shipping};
use souk_domain::rows::{Entity, Key, Row, RowKind, Rows};
use souk_domain::scope::{EntityKind, Scope};
use souk_domain::time::{Span, Time};
use souk_protocol::auth::{
    ChallengeRequest, ChallengeResponse, EpochRequest, EpochResponse, RegisterRequest, RegisterResponse,
    ServerKey, TokenRequest, TokenResponse,
};
use souk_protocol::codes::{ErrorBody, status_of};
use souk_protocol::feed::{entity_view, reference_view};
use souk_protocol::intent::{IntentText, hash};
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::{
    Applied, PullRequest, PullResponse, PushItem, PushRequest, PushResponse, PushResult, PushState, Put,
    Removed, ResetWhy, RowsOf, RowsPage, ScopeKind, ScopePulled, Sum, Touch, blocks,
};

/// 2026-11-22T12:00Z.
pub(crate) const START: Time = Time::from_secs(1_795_348_800);

pub(crate) fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("KRW").unwrap())
}

struct Platform(Ed25519Key);

impl Seal for Platform {
    fn key_id(&self) -> u8 {
        1
    }
    fn sign(&self, d: &[u8; 32]) -> [u8; 64] {
        self.0.sign_deterministic(d)
    }
}

fn platform() -> Platform {
    Platform(Ed25519Key::from_seed(std::array::from_fn(|i| i as u8)))
}

/// Device, epoch, bucket, lane.
type Stream = (DeviceId, u32, Bucket, Lane);

#[derive(Clone, Default)]
struct Feed {
    seq: u64,
    items: BTreeMap<(u8, [u8; 16]), (u64, bool)>,
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) now: Time,
    pub(crate) generation: u32,
    pub(crate) reference: Reference,
    /// Rows of one page.
    pub(crate) page_rows: usize,
    /// A rail that captures at once.
    pub(crate) pays: bool,
    rows: BTreeMap<Key, (u64, Row)>,
    pub(crate) known: BTreeMap<(AccountId, IntentId), ([u8; 32], Outcome)>,
    pub(crate) streams: BTreeMap<Stream, (u64, u64, u64)>,
    feeds: BTreeMap<Scope, Feed>,
    access: BTreeMap<String, (AccountId, DeviceId, Time)>,
    refresh: BTreeMap<String, (AccountId, DeviceId)>,
    couriers: BTreeSet<AccountId>,
    minted: u64,
    pub(crate) decided: u64,
    pub(crate) shop: Option<ShopId>,
}

impl Server {
    pub(crate) fn new() -> Server {
        let public: [u8; 32] = platform().0.public_key().bytes().try_into().unwrap();
        let mut server = Server {
            now: START,
            generation: 7,
            reference: Reference {
                version: 1,
                policies: Policies::DEFAULT,
                fee_plan: FeePlan { version: 1, commission: Bp(500), commission_tax: Ppm(100_000) },
                platform_keys: vec![PlatformKey { id: 1, public }],
                emv_guid: "org.souk.pay".to_owned(),
            },
            page_rows: 1_000,
            pays: true,
            rows: BTreeMap::new(),
            known: BTreeMap::new(),
            streams: BTreeMap::new(),
            feeds: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            couriers: BTreeSet::new(),
            minted: 0,
            decided: 0,
            shop: None,
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
            server.rows.insert(row.key(), (1, row));
        }
        let (kind, id, _) = reference_view(&server.reference).unwrap();
        server.change(Scope::Reference, kind, id, true);
        server
    }

    /// A server with one shop and some products, each `(sku, title, price, stock)`.
    pub(crate) fn with_shop(products: &[(&str, &str, i64, u32)]) -> Server {
        let mut server = Server::new();
        let seller = server.account_of("seller@example.org");
        let courier = server.account_of("courier@example.org");
        server.couriers.insert(courier);
        let device = DeviceId::from_bytes([0xee; 16]).unwrap();
        let key = DeviceKey::new(Ed25519Key::from_seed([0xee; 32]).public_key());
        server.enrol(seller, device, key.clone(), "Seller");
        let actor = Actor::User { account: seller, device, key, roles: AccountRoles::default() };
        let open = Body::OpenShop(OpenShop {
            name: "Morning Market".to_owned(),
            city: "Seoul".to_owned(),
            country: "KR".to_owned(),
            currency: krw(0).currency,
            shipping: Shipping { flat: krw(3_000), free_from: Some(krw(50_000)) },
            courier: Some(courier),
        });
        let (id, outcome) = server.act(&actor, seller.bucket(), open);
        assert!(outcome.is_accepted(), "{outcome:?}");
        let shop = ShopId::from_bytes(*id.bytes()).unwrap();
        server.shop = Some(shop);
        for (sku, title, price, stock) in products {
            let put = Body::PutProduct(Box::new(PutProduct {
                shop,
                sku: (*sku).to_owned(),
                product: CheckedProduct::new(ProductFacts {
                    title: (*title).to_owned(),
                    category: "home".to_owned(),
                    ..ProductFacts::default()
                })
                .unwrap(),
                price: krw(*price),
                tax: TaxRule { rate: Ppm(100_000), inclusive: true, rounding: Rounding::HalfUp },
                quantity: QuantityRule::ANY,
                stock: Some(*stock),
            }));
            let (_, outcome) = server.act(&actor, shop.bucket(), put);
            assert!(outcome.is_accepted(), "{outcome:?}");
        }
        server
    }

    /// Acts as the seller, without a device.
    pub(crate) fn seller_acts(&mut self, body: Body) -> Outcome {
        let account = self.account_of("seller@example.org");
        let device = DeviceId::from_bytes([0xee; 16]).unwrap();
        let key = DeviceKey::new(Ed25519Key::from_seed([0xee; 32]).public_key());
        let actor = Actor::User { account, device, key, roles: AccountRoles::default() };
        self.act(&actor, self.shop.unwrap().bucket(), body).1
    }

    fn act(&mut self, actor: &Actor, bucket: Bucket, body: Body) -> (IntentId, Outcome) {
        let id = IntentId::from_bytes(self.mint(bucket)).unwrap();
        let intent = Intent {
            id: id.into(),
            made_at: self.now,
            not_after: self.now.plus(Span::from_days(1)),
            max_total: None,
            body,
            bin: Vec::new(),
        };
        (id, self.run(&intent, actor))
    }

    /// The account of a contact; always the same one.
    pub(crate) fn account_of(&self, contact: &str) -> AccountId {
        let hash = digest("test/account/", &[contact.as_bytes()]);
        let bucket = Bucket::new(u16::from_be_bytes([hash[0] & 3, hash[1]])).unwrap();
        AccountId::from_bytes(form_u(1, bucket, first(&hash))).unwrap()
    }

    fn mint(&mut self, bucket: Bucket) -> [u8; 16] {
        self.minted += 1;
        let mut random = [0xaa; 9];
        random[..8].copy_from_slice(&self.minted.to_be_bytes());
        form_u(self.now.millis() as u64, bucket, random)
    }

    // ---- rows

    pub(crate) fn one<T: Entity>(&self, key: &Key) -> Option<T> {
        self.rows.get(key).and_then(|(_, row)| T::from_row(row).cloned())
    }

    pub(crate) fn all<T: Entity>(&self) -> Vec<T> {
        let kind: RowKind = T::KIND;
        let rows = self.rows.iter().filter(|(key, _)| key.kind == kind);
        rows.filter_map(|(_, (_, row))| T::from_row(row).cloned()).collect()
    }

    pub(crate) fn order(&self, id: OrderId) -> Option<Order> {
        self.one(&Key::order(id))
    }

    pub(crate) fn offer(&self, sku: &str) -> OfferId {
        let offers = self.all::<souk_domain::catalogue::Offer>();
        offers.iter().find(|offer| offer.sku == sku).unwrap().id
    }

    fn run(&mut self, intent: &Intent, actor: &Actor) -> Outcome {
        self.decided += 1;
        let mut rows = Rows::new();
        let reference = self.reference.clone();
        let seal = platform();
        let ctx = Context {
            now: self.now,
            actor,
            reference: &reference,
            random: digest("test/random/", &[intent.id.bytes()]),
            seal: Some(&seal),
        };
        let outcome = loop {
            match decide(intent, &ctx, &mut rows) {
                Step::Done(outcome) => break outcome,
                Step::Missing(keys) => {
                    for key in keys {
                        let found = self.rows.get(&key).cloned();
                        let version = found.as_ref().map_or(0, |(version, _)| *version);
                        rows.load(key, version, found.map(|(_, row)| row));
                    }
                }
                Step::Unknown => panic!("the server knows everything"),
            }
        };
        for (before, after) in rows.staged_changes() {
            self.feed(before.as_ref(), after.as_ref());
        }
        rows.keep();
        for write in rows.take_writes().0 {
            let version = self.rows.get(&write.key).map_or(0, |(version, _)| *version);
            assert_eq!(version, write.expected, "{:?}", write.key);
            match write.row {
                Some(row) => self.rows.insert(write.key, (version + 1, row)),
                None => self.rows.remove(&write.key),
            };
        }
        self.relay();
        outcome
    }

    fn feed(&mut self, before: Option<&Row>, after: Option<&Row>) {
        let before = before.map(Row::scopes).unwrap_or_default();
        let after = after.map(Row::scopes).unwrap_or_default();
        for (scope, kind, id) in before.iter().filter(|place| !after.contains(place)) {
            self.change(scope.clone(), *kind, *id, false);
        }
        for (scope, kind, id) in after {
            self.change(scope, kind, id, true);
        }
    }

    fn change(&mut self, scope: Scope, kind: EntityKind, id: [u8; 16], live: bool) {
        let feed = self.feeds.entry(scope).or_default();
        feed.seq += 1;
        feed.items.insert((kind.number(), id), (feed.seq, live));
    }

    /// What must leave, leaves at once: hand-offs, and the rail if it pays.
    fn relay(&mut self) {
        for outbox in self.all::<Outbox>() {
            if outbox.done {
                continue;
            }
            let key = Key::outbox(outbox.bucket, outbox.seq);
            if let Some((_, Row::Outbox(row))) = self.rows.get_mut(&key) {
                row.done = true;
            }
            match outbox.message {
                Message::Bucket { bucket, handoff } => {
                    let (from, seq) = (outbox.bucket, outbox.seq);
                    self.server_act(ServerAct::HandedOff { to: bucket, from, seq, handoff: *handoff });
                }
                Message::Rail { op } if self.pays => self.capture(op),
                Message::Rail { .. } | Message::Event { .. } => {}
            }
        }
    }

    fn capture(&mut self, op: DerivedId) {
        let op: RailOp = self.one(&Key::rail_op(op)).unwrap();
        let fact = match op.kind {
            RailOpKind::Begin => Fact::Captured { capture: format!("cap-{}", op.id), amount: op.amount },
            RailOpKind::Refund => Fact::Refunded { op: op.id },
        };
        let fact =
            RailFact { rail: op.rail, payment: op.payment, rail_ref: format!("ref-{}", op.payment), fact };
        self.server_act(ServerAct::RailFact(fact));
    }

    fn server_act(&mut self, act: ServerAct) -> Outcome {
        self.minted += 1;
        let hash = digest("test/server/", &[&self.minted.to_be_bytes()]);
        let intent = Intent {
            id: DerivedId::from_bytes(form_d(act.bucket(), &hash)).unwrap().into(),
            made_at: self.now,
            not_after: self.now.plus(Span::from_days(1)),
            max_total: None,
            body: Body::Server(Box::new(act)),
            bin: Vec::new(),
        };
        self.run(&intent, &Actor::Server)
    }

    fn enrol(&mut self, account: AccountId, device: DeviceId, key: DeviceKey, name: &str) {
        let enrol = EnrolDevice {
            account,
            name: name.to_owned(),
            roles: AccountRoles { courier: self.couriers.contains(&account), operator: false },
            device,
            key,
            label: "test".to_owned(),
            replaces: None,
        };
        let outcome = self.server_act(ServerAct::EnrolDevice(enrol));
        assert!(outcome.is_accepted(), "{outcome:?}");
    }

    /// Cuts all devices of an account off.
    pub(crate) fn revoke(&mut self, account: AccountId) {
        for device in self.all::<Device>().into_iter().filter(|device| device.account == account) {
            self.server_act(ServerAct::RevokeDevice { account, device: device.id });
        }
    }

    /// Ends access tokens, but those given in the last ten seconds.
    pub(crate) fn expire_tokens(&mut self) {
        let young = self.now.plus(Span::from_minutes(15)).minus(Span::from_secs(10));
        self.access.retain(|_, (.., until)| *until > young);
    }

    pub(crate) fn forget_refresh_tokens(&mut self) {
        self.refresh.clear();
    }

    /// SEQ: every position was used once, and none was left out.
    pub(crate) fn assert_streams(&self) {
        for (stream, (last, reused, count)) in &self.streams {
            assert_eq!(*last, reused + count, "{stream:?}");
        }
    }

    // ---- the wire

    pub(crate) fn handle(&mut self, request: &HttpRequest) -> HttpAnswer {
        let answer = match request.path.as_str() {
            "/v1/devices/challenge" => self.challenge(request),
            "/v1/devices" => self.register(request),
            "/v1/auth/token" => self.token(request),
            "/v1/devices/me/epoch" => self.epoch(request),
            "/v1/sync/push" => self.push(request),
            "/v1/sync/pull" => self.pull(request),
            other => panic!("no route {other}"),
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(refusal) => {
                let body = serde_json::to_vec(&ErrorBody::of(&refusal, "")).unwrap();
                (status_of(refusal.code), body)
            }
        };
        HttpAnswer::Said { status, retry_after_s: None, body }
    }

    fn who(&self, request: &HttpRequest) -> Result<(AccountId, Device), Refusal> {
        let bearer = request.bearer.as_deref().unwrap_or_default();
        let (account, device, until) = self.access.get(bearer).ok_or(Refusal::new("token.unknown"))?;
        let device: Device =
            self.one(&Key::device(*account, *device)).ok_or(Refusal::new("token.unknown"))?;
        if device.state == DeviceState::Revoked {
            return Err(Refusal::new("device.revoked"));
        }
        if self.now > *until {
            return Err(Refusal::new("token.expired"));
        }
        Ok((*account, device))
    }

    fn challenge(&mut self, request: &HttpRequest) -> Result<Vec<u8>, Refusal> {
        let _: ChallengeRequest = read(request);
        let expires_at = self.now.plus(Span::from_secs(120));
        Ok(json(&ChallengeResponse { challenge: [0xcc; 32], expires_at, now: self.now }))
    }

    fn register(&mut self, request: &HttpRequest) -> Result<Vec<u8>, Refusal> {
        let register: RegisterRequest = read(request);
        register.check()?;
        assert_eq!(register.challenge, [0xcc; 32]);
        if register.code != "123456" {
            return Err(Refusal::new("auth.code"));
        }
        let account = self.account_of(&register.contact);
        let device = DeviceId::from_bytes(first(&register.key.id32())).unwrap();
        self.enrol(account, device, register.key.clone(), &register.name);
        let row: Device = self.one(&Key::device(account, device)).unwrap();
        let public = self.reference.platform_keys[0].public;
        Ok(json(&RegisterResponse {
            account,
            device,
            epoch: row.epoch,
            tokens: self.tokens(account, device),
            generation: self.generation,
            shop: self.one::<Account>(&Key::account(account)).and_then(|row| row.shop),
            server_keys: vec![ServerKey { id: 1, public }],
        }))
    }

    fn tokens(&mut self, account: AccountId, device: DeviceId) -> TokenResponse {
        self.minted += 1;
        let (access, refresh) = (format!("A{}", self.minted), format!("R{}", self.minted));
        let access_until = self.now.plus(Span::from_minutes(15));
        self.access.insert(access.clone(), (account, device, access_until));
        self.refresh.insert(refresh.clone(), (account, device));
        let refresh_until = self.now.plus(Span::from_days(90));
        TokenResponse { access, access_until, refresh, refresh_until, now: self.now }
    }

    fn token(&mut self, request: &HttpRequest) -> Result<Vec<u8>, Refusal> {
        let request: TokenRequest = read(request);
        let (account, device) = *self.refresh.get(&request.refresh).ok_or(Refusal::new("token.unknown"))?;
        Ok(json(&self.tokens(account, device)))
    }

    fn epoch(&mut self, request: &HttpRequest) -> Result<Vec<u8>, Refusal> {
        let (account, device) = self.who(request)?;
        let EpochRequest { have } = read(request);
        self.server_act(ServerAct::RaiseEpoch { account, device: device.id, have });
        let epoch = self.one::<Device>(&Key::device(account, device.id)).unwrap().epoch;
        Ok(json(&EpochResponse { epoch, generation: self.generation, now: self.now }))
    }

    fn push(&mut self, request: &HttpRequest) -> Result<Vec<u8>, Refusal> {
        let (account, device) = self.who(request)?;
        let push: PushRequest = read(request);
        push.check(request.body.len())?;
        if push.epoch < device.epoch {
            return Err(Refusal::new("device.epoch").with("epoch", device.epoch));
        }
        if push.epoch > device.epoch
            && let Some((_, Row::Device(row))) = self.rows.get_mut(&Key::device(account, device.id))
        {
            row.epoch = push.epoch;
        }
        let mut forks = BTreeMap::new();
        let results =
            push.items.iter().map(|item| self.item(account, &device, push.epoch, item, &mut forks)).collect();
        let touch = vec![Touch { bucket: account.bucket(), seq: 1 }];
        Ok(json(&PushResponse {
            generation: self.generation,
            now: self.now,
            results,
            slow: Vec::new(),
            touch,
        }))
    }

    fn item(
        &mut self,
        account: AccountId,
        device: &Device,
        epoch: u32,
        item: &PushItem,
        forks: &mut BTreeMap<(Bucket, Lane), u64>,
    ) -> PushResult {
        let (lane, bucket, pos, id, item_hash) = match item {
            PushItem::Intent(item) => {
                let text = IntentText::parse(&item.signed.text).unwrap();
                (item.lane, item.bucket, item.pos, text.mint.id, hash(&item.signed.text))
            }
            PushItem::Void(item) => (item.lane, item.bucket, item.pos, item.id, item.hash),
            PushItem::Malformed(_) => panic!("a device sends no such item"),
        };
        let answer = |state| PushResult { id: Some(id), state };
        if let Some(last) = forks.get(&(bucket, lane)) {
            return answer(PushState::Fork { last: *last });
        }
        let stream = (device.id, epoch, bucket, lane);
        let (last, ..) = *self.streams.entry(stream).or_default();
        if let Some((known, outcome)) = self.known.get(&(account, id)).cloned() {
            if pos == last + 1 {
                let stream = self.streams.get_mut(&stream).unwrap();
                (stream.0, stream.1) = (stream.0 + 1, stream.1 + 1);
            }
            let is_same = known == item_hash || matches!(item, PushItem::Void(_));
            return answer(if is_same {
                PushState::Decided { outcome: OutcomeView::from(&outcome) }
            } else {
                PushState::Conflict
            });
        }
        if pos != last + 1 {
            forks.insert((bucket, lane), last);
            return answer(PushState::Fork { last });
        }
        let outcome = match item {
            PushItem::Intent(item) => self.judge(account, device, item),
            PushItem::Void(_) | PushItem::Malformed(_) => Outcome::Withdrawn,
        };
        let stream = self.streams.get_mut(&stream).unwrap();
        (stream.0, stream.2) = (stream.0 + 1, stream.2 + 1);
        self.known.insert((account, id), (item_hash, outcome.clone()));
        answer(PushState::Decided { outcome: OutcomeView::from(&outcome) })
    }

    fn judge(
        &mut self,
        account: AccountId,
        device: &Device,
        item: &souk_protocol::sync::IntentItem,
    ) -> Outcome {
        let text = IntentText::parse(&item.signed.text).unwrap();
        assert_eq!((text.mint.account, text.mint.device), (account, device.id));
        assert_eq!((text.mint.id.bucket(), item.bucket), (item.bucket, text.mint.id.bucket()));
        let intent = match text.intent(item.signed.bin.clone()) {
            Ok(intent) => intent,
            Err(refusal) => return refusal.into_outcome(),
        };
        assert_eq!(intent.body.lane(), item.lane);
        if intent.body.needs_signature() {
            let d = text.signed_digest(&item.signed.text);
            let signed = item.signed.sig.as_ref().is_some_and(|sig| sig.verify(device.key.public_key(), &d));
            if !signed {
                return Refusal::new("intent.signature").into_outcome();
            }
        }
        let roles = self.one::<Account>(&Key::account(account)).map(|row| row.roles).unwrap_or_default();
        let actor = Actor::User { account, device: device.id, key: device.key.clone(), roles };
        self.run(&intent, &actor)
    }

    fn pull(&mut self, request: &HttpRequest) -> Result<Vec<u8>, Refusal> {
        let pull: PullRequest = read(request);
        pull.check()?;
        let who = match &request.bearer {
            Some(_) => Some(self.who(request)?),
            None => None,
        };
        let mut scopes = Vec::new();
        for asked in &pull.scopes {
            let scope: Scope = asked.id.parse().unwrap();
            let what = match &who {
                _ if scope.is_public() => self.page(&scope, asked.c.as_deref(), None),
                Some((account, device)) if self.may_read(&scope, *account) => {
                    self.page(&scope, asked.c.as_deref(), Some(device.id))
                }
                Some(_) => ScopeKind::Gone,
                None => return Err(Refusal::new("token.unknown")),
            };
            scopes.push(ScopePulled { id: asked.id.clone(), what });
        }
        Ok(json(&PullResponse { generation: self.generation, now: self.now, scopes }))
    }

    fn may_read(&self, scope: &Scope, account: AccountId) -> bool {
        match scope {
            Scope::Account(id) | Scope::Route(id) => *id == account,
            Scope::Seller(shop) => self
                .one::<souk_domain::party::Shop>(&Key::shop(*shop))
                .is_some_and(|shop| shop.role_of(account).is_some()),
            Scope::Reference | Scope::Catalogue => true,
        }
    }

    fn page(&self, scope: &Scope, cursor: Option<&str>, device: Option<DeviceId>) -> ScopeKind {
        let since = match cursor.map(|text| text.split_once('.').unwrap()) {
            None => 0,
            Some((generation, seq)) if generation == self.generation.to_string() => seq.parse().unwrap(),
            Some(_) => return ScopeKind::Reset { why: ResetWhy::Gen },
        };
        let empty = Feed::default();
        let feed = self.feeds.get(scope).unwrap_or(&empty);
        let mut due: Vec<_> = feed.items.iter().filter(|(_, (seq, _))| *seq > since).collect();
        due.sort_by_key(|(_, (seq, _))| *seq);
        let more = due.len() > self.page_rows;
        due.truncate(self.page_rows);
        let upto = due.last().map_or(feed.seq.max(since), |(_, (seq, _))| *seq);
        let mut rows = RowsOf::default();
        for ((entity, id), (ver, live)) in due {
            let entity = EntityKind::from_number(*entity).unwrap();
            match live.then(|| self.view(scope, entity, id)) {
                Some(row) => rows.puts.push(Put { entity, id: *id, ver: *ver, row }),
                None => rows.removed.push(Removed { entity, id: *id, ver: *ver }),
            }
        }
        let live = feed.items.iter().filter(|(_, (_, live))| *live);
        let sum = live.clone().fold(0u64, |sum, ((entity, id), (seq, _))| {
            sum.wrapping_add(rowsum::h(u64::from(*entity), id, *seq))
        });
        let applied = self.streams.iter().filter(|((of, ..), _)| Some(*of) == device).map(
            |((_, epoch, bucket, lane), (last, ..))| Applied {
                epoch: *epoch,
                bucket: *bucket,
                lane: *lane,
                last: *last,
            },
        );
        ScopeKind::Rows(RowsPage {
            c: format!("{}.{}", self.generation, upto),
            more,
            blocks: blocks(&rows),
            applied: applied.collect(),
            sum: (!more).then_some(Sum(sum)),
            n: (!more).then_some(live.count() as u64),
        })
    }

    fn view(
        &self,
        scope: &Scope,
        kind: EntityKind,
        id: &[u8; 16],
    ) -> serde_json::Map<String, serde_json::Value> {
        if kind == EntityKind::Reference {
            return reference_view(&self.reference).unwrap().2;
        }
        let rows = self.rows.values().map(|(_, row)| row);
        let place = (scope.clone(), kind, *id);
        let row = rows.into_iter().find(|row| row.scopes().contains(&place)).expect("a live row is there");
        entity_view(row, scope).unwrap().unwrap().2
    }

    /// Checksum of a scope, as the last page of a pull carries it.
    pub(crate) fn sum(&self, scope: &Scope) -> (u64, u64) {
        let whole = Server { page_rows: usize::MAX, ..self.clone() };
        match whole.page(scope, None, None) {
            ScopeKind::Rows(page) => (page.sum.unwrap().0, page.n.unwrap()),
            other => panic!("{other:?}"),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(request: &HttpRequest) -> T {
    serde_json::from_slice(&request.body).unwrap()
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}
