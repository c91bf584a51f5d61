//! Samples: a row of every kind with every field filled, and what is needed to make more of them.
//!
//! Nothing is random: the same call gives the same row. The rows do not belong to one consistent trade; they are
//! for encodings, stores and screens. A row kind without a sample does not compile.

#![allow(clippy::expect_used, reason = "constants of tests: one that is not well-formed shall stop the test")]

mod books;
mod parties;
mod trade;

use souk_crypto::hash::sha256;
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::id::{
    AccountId, Bucket, CaseId, DerivedId, DeviceId, IntentId, OfferId, OrderId, ParcelId, PaymentId,
    ProductId, ShiftId, ShopId, VariantId, form_c, form_u,
};
use souk_domain::money::{Currency, Money};
use souk_domain::party::{DeviceKey, TokenHash};
use souk_domain::rows::{Row, RowKind};
use souk_domain::time::{Span, Time};

pub use books::{Journal, owner};

/// The bucket of all sample rows that are not public: 417 of the vectors in spec/scale.md 2.
pub fn bucket() -> Bucket {
    numbered(417)
}

/// A bucket by its number, 0..1023.
pub fn numbered(number: u16) -> Bucket {
    Bucket::new(number).expect("a bucket number")
}

/// A time in 2026, a number of seconds on.
pub fn time(seconds: i64) -> Time {
    Time::from_secs(1_795_348_800).plus(Span::from_secs(seconds))
}

/// An amount of US dollars in cents.
pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// Bytes of an id of form U: the same number gives the same id.
fn minted(bucket: Bucket, number: u64) -> [u8; 16] {
    let hash = sha256(&number.to_be_bytes());
    let random = std::array::from_fn(|at| hash[at]);
    form_u(1_795_348_800_000 + number, bucket, random)
}

macro_rules! minted_ids {
    ($($(#[$doc:meta])* $name:ident -> $type:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(bucket: Bucket, number: u64) -> $type {
            $type::from_bytes(minted(bucket, number)).expect("an id of form U")
        })*
    };
}

minted_ids! {
    /// The n-th account of a bucket.
    account_id -> AccountId;
    /// The n-th shop of a bucket.
    shop_id -> ShopId;
    /// The n-th intent of a bucket.
    intent_id -> IntentId;
    /// The n-th order of a bucket.
    order_id -> OrderId;
    /// The n-th parcel of a bucket.
    parcel_id -> ParcelId;
    /// The n-th shift of a bucket.
    shift_id -> ShiftId;
    /// The n-th case of a bucket.
    case_id -> CaseId;
    /// The n-th payment of a bucket.
    payment_id -> PaymentId;
}

macro_rules! catalogue_ids {
    ($($(#[$doc:meta])* $name:ident -> $type:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(bucket: Bucket, number: u64) -> $type {
            $type::from_bytes(form_c(bucket, number)).expect("an id of form C")
        })*
    };
}

catalogue_ids! {
    /// The n-th product of a bucket.
    product_id -> ProductId;
    /// The n-th variant of a bucket.
    variant_id -> VariantId;
    /// The n-th offer of a bucket.
    offer_id -> OfferId;
}

/// The n-th derived id of a bucket.
pub fn derived_id(bucket: Bucket, number: u64) -> DerivedId {
    DerivedId::derived(bucket, &sha256(&number.to_be_bytes()))
}

/// The n-th device.
pub fn device_id(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16]).expect("any 16 bytes")
}

/// The n-th signing key of a device.
pub fn device_signer(number: u8) -> Ed25519Key {
    Ed25519Key::from_seed([number; 32])
}

/// The public half of [`device_signer`].
pub fn device_key(number: u8) -> DeviceKey {
    DeviceKey::new(device_signer(number).public_key())
}

/// The n-th hash.
pub fn hash(number: u8) -> TokenHash {
    TokenHash(sha256(&[number]))
}

/// A row of every kind, in the order of the kinds.
pub fn rows() -> Vec<Row> {
    RowKind::ALL.iter().map(|kind| row(*kind)).collect()
}

/// A row of a kind, with every field filled.
pub fn row(kind: RowKind) -> Row {
    match kind {
        RowKind::Account => Row::Account(parties::account()),
        RowKind::Device => Row::Device(parties::device()),
        RowKind::ContactClaim => Row::ContactClaim(parties::contact_claim()),
        RowKind::Token => Row::Token(parties::token()),
        RowKind::Shop => Row::Shop(parties::shop()),
        RowKind::Product => Row::Product(trade::product()),
        RowKind::Offer => Row::Offer(trade::offer()),
        RowKind::Sku => Row::Sku(trade::sku()),
        RowKind::Stock => Row::Stock(trade::stock()),
        RowKind::CartLine => Row::CartLine(parties::cart_line()),
        RowKind::Checkout => Row::Checkout(parties::checkout()),
        RowKind::Order => Row::Order(trade::order(order_id(bucket(), 1), time(0))),
        RowKind::Address => Row::Address(trade::address()),
        RowKind::Payment => Row::Payment(trade::payment()),
        RowKind::RailOp => Row::RailOp(trade::rail_op()),
        RowKind::Blocker => Row::Blocker(trade::blocker()),
        RowKind::Parcel => Row::Parcel(trade::parcel()),
        RowKind::WaybillClaim => Row::WaybillClaim(trade::waybill_claim()),
        RowKind::CustodyEvent => Row::CustodyEvent(trade::custody_event()),
        RowKind::HandoverSeen => Row::HandoverSeen(trade::handover_seen()),
        RowKind::Stop => Row::Stop(trade::stop()),
        RowKind::Shift => Row::Shift(trade::shift()),
        RowKind::Route => Row::Route(trade::route()),
        RowKind::Card => Row::Card(trade::card()),
        RowKind::ShopCard => Row::ShopCard(parties::shop_card()),
        RowKind::LedgerAccount => Row::LedgerAccount(books::ledger_account()),
        RowKind::Owner => Row::Owner(owner(bucket())),
        RowKind::Intent => Row::Intent(books::intent()),
        RowKind::Stream => Row::Stream(books::stream()),
        RowKind::Minted => Row::Minted(books::minted()),
        RowKind::ScopePart => Row::ScopePart(books::scope_part()),
        RowKind::Change => Row::Change(books::change()),
        RowKind::ScopeOf => Row::ScopeOf(books::scope_of()),
        RowKind::Timer => Row::Timer(books::timer()),
        RowKind::Outbox => Row::Outbox(books::outbox()),
        RowKind::Inbox => Row::Inbox(books::inbox()),
    }
}

/// An order of the sample shop and buyer, placed at a time, with every field filled.
pub fn order(id: OrderId, placed_at: Time) -> souk_domain::order::Order {
    trade::order(id, placed_at)
}

/// The sample buyer.
pub fn buyer() -> AccountId {
    account_id(bucket(), 1)
}

/// The sample shop.
pub fn shop() -> ShopId {
    shop_id(bucket(), 2)
}

/// The sample courier.
pub fn courier() -> AccountId {
    account_id(bucket(), 3)
}
