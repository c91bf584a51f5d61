//! The working set of a decision: typed rows by key, with versions and dirty tracking (design.md 3).
//!
//! Not for: storage. A key that is needed and not loaded gives [`Stop::Missing`]; the caller loads it and decides
//! again. Always: what a refused intent wrote is taken back, and rows come out in the order of their keys.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::bookkeeping::{
    Change, Inbox, IntentRow, Message, Minted, Outbox, Owner, ScopeOf, ScopePart, Stream, Timer,
};
use crate::catalogue::{Card, Offer, Product, ShopCard, Sku};
use crate::id::Bucket;
use crate::ledger::{self, Transfer};
use crate::order::{Address, Blocker, Order, Payment, RailOp};
use crate::outcome::Refusal;
use crate::parcel::{CustodyEvent, HandoverSeen, Parcel, Route, Shift, Stop as RouteStop, WaybillClaim};
use crate::party::{Account, CartLine, Checkout, ContactClaim, Device, Shop, Token};
use crate::scope::{EntityKind, Scope};
use crate::stock::Stock;

/// Declares the kinds of rows: number, type, how a key is read off a row.
macro_rules! row_kinds {
    ($($(#[$doc:meta])* $name:ident($type:ty) = $number:literal, $row:ident => $bucket:expr, $id:expr;)*) => {
        /// The kind of a row; the numbers stand in stores and never change.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum RowKind {
            $($(#[$doc])* $name = $number,)*
        }

        impl RowKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [RowKind] = &[$(RowKind::$name,)*];
        }

        /// A row of any kind.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Row {
            $($(#[$doc])* $name($type),)*
        }

        impl Row {
            /// Its kind.
            pub fn kind(&self) -> RowKind {
                match self {
                    $(Row::$name(_) => RowKind::$name,)*
                }
            }

            /// The key it stands under.
            pub fn key(&self) -> Key {
                match self {
                    $(Row::$name($row) => Key { bucket: $bucket, kind: RowKind::$name, id: $id },)*
                }
            }
        }

        $(impl Entity for $type {
            const KIND: RowKind = RowKind::$name;
            fn into_row(self) -> Row {
                Row::$name(self)
            }
            fn from_row(row: &Row) -> Option<&$type> {
                match row {
                    Row::$name(row) => Some(row),
                    _ => None,
                }
            }
        })*
    };
}

/// A row type that can stand in a working set.
pub trait Entity: Clone + Sized {
    /// Its kind.
    const KIND: RowKind;
    /// Wraps it.
    fn into_row(self) -> Row;
    /// Unwraps it.
    fn from_row(row: &Row) -> Option<&Self>;
}

row_kinds! {
    /// An account.
    Account(Account) = 1, row => row.id.bucket(), key::id(row.id.bytes());
    /// A registered device.
    Device(Device) = 2, row => row.account.bucket(), key::two(row.account.bytes(), row.id.bytes());
    /// Which account proved a contact.
    ContactClaim(ContactClaim) = 3, row => key::contact_bucket(&row.contact_hash), row.contact_hash.to_vec();
    /// A token.
    Token(Token) = 4, row => row.account.bucket(), row.hash.to_vec();
    /// A shop.
    Shop(Shop) = 5, row => row.id.bucket(), key::id(row.id.bytes());
    /// A product.
    Product(Product) = 6, row => row.id.bucket(), key::id(row.id.bytes());
    /// An offer.
    Offer(Offer) = 7, row => row.id.bucket(), key::id(row.id.bytes());
    /// Which offer a SKU names.
    Sku(Sku) = 8, row => row.shop.bucket(), key::sku(row.shop, &row.sku);
    /// Stock of an offer.
    Stock(Stock) = 9, row => row.offer.bucket(), key::id(row.offer.bytes());
    /// A cart line.
    CartLine(CartLine) = 10, row => row.account.bucket(), key::two(row.account.bytes(), row.offer.bytes());
    /// A checkout.
    Checkout(Checkout) = 11, row => row.account.bucket(), key::two(row.account.bytes(), row.id.bytes());
    /// An order.
    Order(Order) = 12, row => row.id.bucket(), key::id(row.id.bytes());
    /// Where an order goes.
    Address(Address) = 13, row => row.order.bucket(), key::id(row.order.bytes());
    /// A payment attempt.
    Payment(Payment) = 14, row => row.id.bucket(), key::id(row.id.bytes());
    /// An operation at a rail.
    RailOp(RailOp) = 15, row => row.id.bucket(), key::id(row.id.bytes());
    /// Why an order is not settled.
    Blocker(Blocker) = 16, row => row.order.bucket(), key::id(row.order.bytes());
    /// A parcel.
    Parcel(Parcel) = 17, row => row.id.bucket(), key::id(row.id.bytes());
    /// Which parcel a number names.
    WaybillClaim(WaybillClaim) = 18, row => row.parcel.bucket(), row.waybill.number().to_be_bytes().to_vec();
    /// A custody event.
    CustodyEvent(CustodyEvent) = 19, row => row.parcel.bucket(), key::custody(row.parcel, &row.id.0);
    /// A used hand-over counter.
    HandoverSeen(HandoverSeen) = 20, row => row.bucket, key::seen(&row.key.0, row.counter);
    /// A courier's stop.
    Stop(RouteStop) = 21, row => row.courier.bucket(), key::two(row.courier.bytes(), row.parcel.bytes());
    /// A courier's shift.
    Shift(Shift) = 22, row => row.id.bucket(), key::id(row.id.bytes());
    /// What a courier has to do.
    Route(Route) = 23, row => row.courier.bucket(), key::id(row.courier.bytes());
    /// A product of the public catalogue.
    Card(Card) = 24, row => Bucket::PUBLIC, key::id(row.product.bytes());
    /// A shop of the public catalogue.
    ShopCard(ShopCard) = 25, row => Bucket::PUBLIC, key::id(row.id.bytes());
    /// A ledger account.
    LedgerAccount(ledger::Account) = 26, row => row.id.bucket(), key::id(row.id.bytes());
    /// The owner row of a bucket.
    Owner(Owner) = 40, row => row.bucket, Vec::new();
    /// A stored intent.
    Intent(IntentRow) = 41, row => row.bucket, key::intent(row.account, &row.id);
    /// The count of a stream.
    Stream(Stream) = 42, row => row.bucket, key::stream(row.device, row.epoch, row.lane);
    /// A minted number.
    Minted(Minted) = 43, row => row.bucket, key::minted(row.device, row.epoch, row.dev_seq);
    /// The counter of a part.
    ScopePart(ScopePart) = 44, row => row.bucket, row.scope.to_string().into_bytes();
    /// A change row.
    Change(Change) = 45, row => row.bucket, key::change(&row.scope, row.entity, &row.id);
    /// A bucket that holds a part of a scope.
    ScopeOf(ScopeOf) = 46, row => row.scope.home(), key::scope_of(&row.scope, row.part);
    /// A time-out to come.
    Timer(Timer) = 47, row => row.bucket, key::timer(row);
    /// Something that must leave.
    Outbox(Outbox) = 48, row => row.bucket, row.seq.to_be_bytes().to_vec();
    /// A hand-off that was decided.
    Inbox(Inbox) = 49, row => row.bucket, key::inbox(row.from, row.seq);
}

/// The key of a row: its bucket first, its kind, and the rest of the key as bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// The bucket.
    pub bucket: Bucket,
    /// The kind.
    pub kind: RowKind,
    /// The rest, in an encoding of its own per kind (module [`key`]).
    pub id: Vec<u8>,
}

pub mod key {
    //! Keys by kind: the one place that lays out their bytes.

    use souk_crypto::hash::sha256;

    use super::{Key, RowKind};
    use crate::bookkeeping::{Lane, Timer};
    use crate::id::{
        AccountId, AnyIntentId, Bucket, DerivedId, DeviceId, IntentId, OfferId, OrderId, ParcelId, PaymentId,
        ProductId, ShiftId, ShopId, Waybill,
    };
    use crate::scope::Scope;

    pub(super) fn id(bytes: &[u8; 16]) -> Vec<u8> {
        bytes.to_vec()
    }
    pub(super) fn two(a: &[u8; 16], b: &[u8; 16]) -> Vec<u8> {
        [a.as_slice(), b.as_slice()].concat()
    }
    pub(super) fn sku(shop: ShopId, sku: &str) -> Vec<u8> {
        [shop.bytes().as_slice(), sku.as_bytes()].concat()
    }
    pub(super) fn custody(parcel: ParcelId, event: &[u8; 32]) -> Vec<u8> {
        [parcel.bytes().as_slice(), event].concat()
    }
    pub(super) fn seen(key_id: &[u8; 32], counter: u32) -> Vec<u8> {
        [key_id.as_slice(), &counter.to_be_bytes()].concat()
    }
    pub(super) fn intent(account: Option<AccountId>, id: &[u8; 16]) -> Vec<u8> {
        let account = account.map_or([0; 16], |account| *account.bytes());
        two(&account, id)
    }
    pub(super) fn stream(device: DeviceId, epoch: u32, lane: Lane) -> Vec<u8> {
        [device.bytes().as_slice(), &epoch.to_be_bytes(), &[lane.number()]].concat()
    }
    pub(super) fn minted(device: DeviceId, epoch: u32, dev_seq: u64) -> Vec<u8> {
        [device.bytes().as_slice(), &epoch.to_be_bytes(), &dev_seq.to_be_bytes()].concat()
    }
    pub(super) fn change(scope: &Scope, entity: u8, id: &[u8; 16]) -> Vec<u8> {
        [scope.to_string().as_bytes(), &[0, entity], id.as_slice()].concat()
    }
    pub(super) fn scope_of(scope: &Scope, part: Bucket) -> Vec<u8> {
        [scope.to_string().as_bytes(), &[0], &part.number().to_be_bytes()].concat()
    }
    pub(super) fn timer(timer: &Timer) -> Vec<u8> {
        [
            timer.due.micros().to_be_bytes().as_slice(),
            &timer.entity,
            &[timer.kind.number()],
            &timer.generation.to_be_bytes(),
        ]
        .concat()
    }
    pub(super) fn inbox(from: Bucket, seq: u64) -> Vec<u8> {
        [from.number().to_be_bytes().as_slice(), &seq.to_be_bytes()].concat()
    }

    /// Bucket of a contact's look-up row.
    pub fn contact_bucket(contact_hash: &[u8; 32]) -> Bucket {
        // The first ten bits of a hash are as even as a CRC of the contact, and need no second function.
        let number = u16::from_be_bytes([contact_hash[0], contact_hash[1]]) >> 6;
        Bucket::new(number).unwrap_or(Bucket::PUBLIC)
    }

    /// SHA-256 of a canonical contact (lower case, no blanks around).
    pub fn contact_hash(contact: &str) -> [u8; 32] {
        sha256(format!("souk/contact/v1/{}", contact.trim().to_lowercase()).as_bytes())
    }

    macro_rules! keys {
        ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) = $kind:ident, $bucket:expr, $id:expr;)*) => {
            impl Key {
                $($(#[$doc])*
                pub fn $name($($arg: $type),*) -> Key {
                    Key { bucket: $bucket, kind: RowKind::$kind, id: $id }
                })*
            }
        };
    }

    keys! {
        /// An account.
        account(of: AccountId) = Account, of.bucket(), id(of.bytes());
        /// A device of an account.
        device(of: AccountId, device: DeviceId) = Device, of.bucket(), two(of.bytes(), device.bytes());
        /// A contact's claim.
        contact_claim(hash: &[u8; 32]) = ContactClaim, contact_bucket(hash), hash.to_vec();
        /// A token by its hash; the bucket is the prefix of its text.
        token(bucket: Bucket, hash: &[u8; 32]) = Token, bucket, hash.to_vec();
        /// A shop.
        shop(of: ShopId) = Shop, of.bucket(), id(of.bytes());
        /// A product.
        product(of: ProductId) = Product, of.bucket(), id(of.bytes());
        /// An offer.
        offer(of: OfferId) = Offer, of.bucket(), id(of.bytes());
        /// A SKU of a shop.
        sku_of(shop: ShopId, name: &str) = Sku, shop.bucket(), sku(shop, name);
        /// Stock of an offer.
        stock(of: OfferId) = Stock, of.bucket(), id(of.bytes());
        /// A cart line.
        cart_line(of: AccountId, offer: OfferId) = CartLine, of.bucket(), two(of.bytes(), offer.bytes());
        /// A checkout.
        checkout(of: AccountId, checkout: IntentId) = Checkout, of.bucket(), two(of.bytes(), checkout.bytes());
        /// An order.
        order(of: OrderId) = Order, of.bucket(), id(of.bytes());
        /// Where an order goes.
        address(of: OrderId) = Address, of.bucket(), id(of.bytes());
        /// A payment.
        payment(of: PaymentId) = Payment, of.bucket(), id(of.bytes());
        /// A rail operation.
        rail_op(of: DerivedId) = RailOp, of.bucket(), id(of.bytes());
        /// The blocker of an order.
        blocker(of: OrderId) = Blocker, of.bucket(), id(of.bytes());
        /// A parcel.
        parcel(of: ParcelId) = Parcel, of.bucket(), id(of.bytes());
        /// A waybill number in a bucket.
        waybill(bucket: Bucket, of: Waybill) = WaybillClaim, bucket, of.number().to_be_bytes().to_vec();
        /// A custody event.
        custody_event(parcel: ParcelId, event: &[u8; 32]) = CustodyEvent, parcel.bucket(), custody(parcel, event);
        /// A used hand-over counter.
        handover_seen(bucket: Bucket, key_id: &[u8; 32], counter: u32) = HandoverSeen, bucket, seen(key_id, counter);
        /// A courier's stop.
        stop(courier: AccountId, parcel: ParcelId) = Stop, courier.bucket(), two(courier.bytes(), parcel.bytes());
        /// A shift.
        shift(of: ShiftId) = Shift, of.bucket(), id(of.bytes());
        /// A courier's route.
        route(courier: AccountId) = Route, courier.bucket(), id(courier.bytes());
        /// A card of the public catalogue.
        card(product: ProductId) = Card, Bucket::PUBLIC, id(product.bytes());
        /// A shop's card.
        shop_card(shop: ShopId) = ShopCard, Bucket::PUBLIC, id(shop.bytes());
        /// A ledger account.
        ledger_account(of: DerivedId) = LedgerAccount, of.bucket(), id(of.bytes());
        /// The owner row of a bucket.
        owner(bucket: Bucket) = Owner, bucket, Vec::new();
        /// A stored intent.
        intent_row(account: Option<AccountId>, of: AnyIntentId) = Intent, of.bucket(), intent(account, of.bytes());
        /// A stream.
        stream_of(bucket: Bucket, device: DeviceId, epoch: u32, lane: Lane) = Stream, bucket, stream(device, epoch, lane);
        /// A minted number.
        minted_of(bucket: Bucket, device: DeviceId, epoch: u32, dev_seq: u64) = Minted, bucket, minted(device, epoch, dev_seq);
        /// The counter of a part.
        scope_part(bucket: Bucket, scope: &Scope) = ScopePart, bucket, scope.to_string().into_bytes();
        /// A change row.
        change_of(bucket: Bucket, scope: &Scope, entity: u8, of: &[u8; 16]) = Change, bucket, change(scope, entity, of);
        /// A part of a scope.
        scope_of_part(scope: &Scope, part: Bucket) = ScopeOf, scope.home(), scope_of(scope, part);
        /// A timer.
        timer_of(of: &Timer) = Timer, of.bucket, timer(of);
        /// An outbox row.
        outbox(bucket: Bucket, seq: u64) = Outbox, bucket, seq.to_be_bytes().to_vec();
        /// An inbox row.
        inbox_of(bucket: Bucket, from: Bucket, seq: u64) = Inbox, bucket, inbox(from, seq);
    }
}

/// Why a rule stops before its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Rows are needed that are not loaded.
    Missing(Vec<Key>),
    /// The rule says no.
    Refuse(Refusal),
    /// This machine cannot know the outcome: it needs the platform's seal or rows that it may not see.
    Unknown,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refuse(refusal)
    }
}

/// A loaded row with the version it had in the store; 0 = it was not there.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Slot {
    stored: bool,
    version: u64,
    row: Option<Row>,
}

/// The working set.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    slots: BTreeMap<Key, Slot>,
    /// Slots that were written and not taken yet; a working set that is kept between batches is mostly clean.
    dirty: BTreeSet<Key>,
    transfers: Vec<Transfer>,
    staged: BTreeMap<Key, Option<Row>>,
    staged_transfers: Vec<Transfer>,
}

/// One write of a decision, with the version that the row must still have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// Which row.
    pub key: Key,
    /// The version that was read; 0 = the row must not exist.
    pub expected: u64,
    /// The new row; none = it is deleted.
    pub row: Option<Row>,
}

impl Rows {
    /// An empty working set.
    pub fn new() -> Rows {
        Rows::default()
    }

    /// Adds a row as the store has it: version 0 and `None` for a row that is not there. A row that is loaded
    /// already stays as it is.
    pub fn load(&mut self, key: Key, version: u64, row: Option<Row>) {
        self.slots.entry(key).or_insert(Slot { stored: version > 0, version, row });
    }

    /// Whether a key is loaded.
    pub fn is_loaded(&self, key: &Key) -> bool {
        self.staged.contains_key(key) || self.slots.contains_key(key)
    }

    /// The row of a key as it stands now.
    pub fn row(&self, key: &Key) -> Result<Option<&Row>, Stop> {
        if let Some(staged) = self.staged.get(key) {
            return Ok(staged.as_ref());
        }
        match self.slots.get(key) {
            Some(slot) => Ok(slot.row.as_ref()),
            None => Err(Stop::Missing(vec![key.clone()])),
        }
    }

    /// A typed row, if there is one.
    pub fn find<T: Entity>(&self, key: &Key) -> Result<Option<&T>, Stop> {
        Ok(self.row(key)?.and_then(T::from_row))
    }

    /// A typed row that must be there, or else a refusal with this code.
    pub fn get<T: Entity>(&self, key: &Key, code: &'static str) -> Result<&T, Stop> {
        self.find(key)?.ok_or_else(|| Refusal::new(code).into())
    }

    /// Asks for many rows at once, so that they are loaded in one go, each once.
    pub fn need<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Result<(), Stop> {
        let mut missing: Vec<Key> = keys.into_iter().filter(|key| !self.is_loaded(key)).cloned().collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() { Ok(()) } else { Err(Stop::Missing(missing)) }
    }

    /// Writes a row. Its key must be loaded, because a write carries the version that was read.
    pub fn put<T: Entity>(&mut self, row: T) -> Result<(), Stop> {
        let row = row.into_row();
        let key = row.key();
        self.need([&key])?;
        self.staged.insert(key, Some(row));
        Ok(())
    }

    /// Writes a row that cannot exist yet, because its key holds a fresh number of its bucket.
    pub fn put_new<T: Entity>(&mut self, row: T) {
        let row = row.into_row();
        let key = row.key();
        if !self.is_loaded(&key) {
            self.load(key.clone(), 0, None);
        }
        self.staged.insert(key, Some(row));
    }

    /// Deletes a row.
    pub fn delete(&mut self, key: &Key) -> Result<(), Stop> {
        self.need([key])?;
        self.staged.insert(key.clone(), None);
        Ok(())
    }

    /// Adds a ledger transfer.
    pub(crate) fn transfer(&mut self, transfer: Transfer) {
        self.staged_transfers.push(transfer);
    }

    /// Puts a message into the outbox of a bucket, under the bucket's next number. Trade events are done when written.
    pub fn emit(&mut self, bucket: Bucket, message: Message, at: crate::time::Time) -> Result<(), Stop> {
        let key = Key::owner(bucket);
        let mut owner: Owner = self.get::<Owner>(&key, "store.owner")?.clone();
        owner.outbox_seq += 1;
        let done = matches!(message, Message::Event { .. });
        self.put_new(Outbox { bucket, seq: owner.outbox_seq, message, done, at });
        self.put(owner)
    }

    /// Sets a timer.
    pub fn set_timer(&mut self, timer: Timer) -> Result<(), Stop> {
        self.put(timer)
    }

    /// Keeps what the current intent wrote.
    pub fn keep(&mut self) {
        for (key, row) in std::mem::take(&mut self.staged) {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.row = row;
                self.dirty.insert(key);
            }
        }
        self.transfers.append(&mut self.staged_transfers);
    }

    /// Takes back what the current intent wrote.
    pub fn discard(&mut self) {
        self.staged.clear();
        self.staged_transfers.clear();
    }

    /// What the current intent has written so far: (before, after) per key, in order of keys.
    pub fn staged_changes(&self) -> Vec<(Option<Row>, Option<Row>)> {
        self.staged
            .iter()
            .map(|(key, after)| (self.slots.get(key).and_then(|slot| slot.row.clone()), after.clone()))
            .collect()
    }

    /// All kept writes in the order of their keys, and the transfers in the order of posting. Rows that were made
    /// and deleted again leave no write. The working set counts as clean afterwards, at the versions that the
    /// store will give.
    pub fn take_writes(&mut self) -> (Vec<Write>, Vec<Transfer>) {
        let mut writes = Vec::new();
        for key in std::mem::take(&mut self.dirty) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if !slot.stored && slot.row.is_none() {
                continue;
            }
            writes.push(Write { key, expected: slot.version, row: slot.row.clone() });
            slot.version = if slot.row.is_some() { slot.version + 1 } else { 0 };
            slot.stored = slot.row.is_some();
        }
        (writes, std::mem::take(&mut self.transfers))
    }

    /// All rows that are loaded and there, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.slots.iter().filter_map(|(key, slot)| slot.row.as_ref().map(|row| (key, row)))
    }

    /// Forgets everything; used when a commit lost its race.
    pub fn clear(&mut self) {
        *self = Rows::default();
    }
}

impl Row {
    /// The scopes that this row appears in, with the kind and id under which it does.
    /// A test walks all kinds, so that none is forgotten.
    pub fn scopes(&self) -> Vec<(Scope, EntityKind, [u8; 16])> {
        match self {
            Row::Account(row) => vec![(Scope::Account(row.id), EntityKind::Account, *row.id.bytes())],
            Row::Shop(row) => vec![(Scope::Seller(row.id), EntityKind::Shop, *row.id.bytes())],
            Row::Product(row) => vec![(Scope::Seller(row.shop), EntityKind::Product, *row.id.bytes())],
            Row::Offer(row) => vec![(Scope::Seller(row.shop), EntityKind::Offer, *row.id.bytes())],
            Row::Stock(row) => vec![(Scope::Seller(row.shop), EntityKind::Stock, *row.offer.bytes())],
            Row::CartLine(row) if row.quantity > 0 => {
                vec![(Scope::Account(row.account), EntityKind::CartLine, *row.offer.bytes())]
            }
            Row::Order(row) => vec![
                (Scope::Account(row.buyer), EntityKind::Order, *row.id.bytes()),
                (Scope::Seller(row.shop), EntityKind::Order, *row.id.bytes()),
            ],
            Row::Parcel(row) => vec![
                (Scope::Account(row.buyer), EntityKind::Parcel, *row.id.bytes()),
                (Scope::Seller(row.shop), EntityKind::Parcel, *row.id.bytes()),
            ],
            Row::Stop(row) if !row.state.is_final() => {
                vec![(Scope::Route(row.courier), EntityKind::Stop, *row.parcel.bytes())]
            }
            Row::Shift(row) => vec![(Scope::Route(row.courier), EntityKind::Shift, *row.id.bytes())],
            Row::Card(row) => vec![(Scope::Catalogue, EntityKind::Card, *row.product.bytes())],
            Row::ShopCard(row) => vec![(Scope::Catalogue, EntityKind::ShopCard, *row.id.bytes())],
            Row::CartLine(_)
            | Row::Stop(_)
            | Row::Device(_)
            | Row::ContactClaim(_)
            | Row::Token(_)
            | Row::Sku(_)
            | Row::Checkout(_)
            | Row::Address(_)
            | Row::Payment(_)
            | Row::RailOp(_)
            | Row::Blocker(_)
            | Row::WaybillClaim(_)
            | Row::CustodyEvent(_)
            | Row::HandoverSeen(_)
            | Row::Route(_)
            | Row::LedgerAccount(_)
            | Row::Owner(_)
            | Row::Intent(_)
            | Row::Stream(_)
            | Row::Minted(_)
            | Row::ScopePart(_)
            | Row::Change(_)
            | Row::ScopeOf(_)
            | Row::Timer(_)
            | Row::Outbox(_)
            | Row::Inbox(_) => Vec::new(),
        }
    }
}
