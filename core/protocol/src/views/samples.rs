//! One row of every kind that a scope shows, for the tests of views and feed.

use souk_crypto::sign::{Ed25519Key, Signer as _};
use souk_domain::catalogue::{Card, Offer, OfferState, Product, QuantityRule, ShopCard, TaxRule, Variant};
use souk_domain::context::{FeePlan, PlatformKey, Policies, Reference};
use souk_domain::id::Waybill;
use souk_domain::money::{Bp, Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{
    AddressText, Case, CaseState, Fees, Line, LineKind, Order, OrderState, ReleaseClock, Settlement,
    ShipmentState,
};
use souk_domain::parcel::{Level, Link, Parcel, ParcelState, Scan, Shift, ShiftReport, Stop};
use souk_domain::party::{
    Account, AccountRoles, CartLine, DeviceKey, Member, Shipping, Shop, ShopRole, ShopState, TokenHash,
};
use souk_domain::stock::{Band, Stock};
use souk_domain::time::Time;

pub(crate) const ID: &str = "01a20320a20076858b22334455667788";
pub(crate) const BUYER: &str = "018f3c2a5b007abc8def0123456789ab";
pub(crate) const OFFER: &str = "000000000000000001a1000000000042";

pub(crate) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn at(secs: i64) -> Time {
    Time::from_secs(1_795_348_800 + secs)
}

pub(crate) fn key() -> DeviceKey {
    DeviceKey::new(Ed25519Key::from_seed([7; 32]).public_key())
}

pub(crate) fn tax() -> TaxRule {
    TaxRule { rate: Ppm(100_000), inclusive: true, rounding: Rounding::HalfUp }
}

pub(crate) fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

pub(crate) fn shipping() -> Shipping {
    Shipping { flat: krw(3_000), free_from: None }
}

pub(crate) fn address() -> AddressText {
    AddressText {
        name: "김구매".into(),
        lines: vec!["동교로 146".into(), "302호".into()],
        city: "서울".into(),
        postcode: "03991".into(),
        country: "KR".into(),
        phone: "010-1234-5678".into(),
        place: Some((375_665_000, 1_269_780_000)),
    }
}

/// A released order with everything that a seller sees.
pub(crate) fn order() -> Order {
    let line = |kind, title: &str, amount: i64, tax_minor| Line {
        kind,
        title: title.into(),
        quantity: 1,
        unit: amount,
        amount,
        tax: tax_minor,
        tax_rule: tax(),
        paid: amount,
        released: amount,
        refunded: 0,
        commission: 100,
        commission_tax: 10,
    };
    Order {
        id: id(ID),
        shop: id(ID),
        shop_name: "서울 상점".into(),
        buyer: id(BUYER),
        buyer_key: key(),
        placed_at: at(0),
        updated_at: at(9),
        currency: Currency::KRW,
        lines: vec![
            line(LineKind::Goods { offer: id(OFFER), product: id(OFFER) }, "김치 1kg", 12_900, 1_173),
            line(LineKind::Shipping, "", 3_000, 0),
        ],
        total: krw(15_900),
        tax: krw(1_173),
        state: OrderState::Completed,
        shipment: ShipmentState::Delivered,
        paid: 15_900,
        released: 15_900,
        refunded: 0,
        unapplied: 0,
        fees: Fees {
            plan_version: 3,
            commission: Bp(78),
            commission_tax: Ppm(100_000),
            courier: Some(id(BUYER)),
        },
        policy_version: 2,
        pay_by: at(1_800),
        pay_generation: 1,
        ship_by: Some(at(259_200)),
        overdue: false,
        payment: Some(id(ID)),
        paid_at: Some(at(60)),
        parcels: vec![id(ID)],
        salt: [0xa5; 16],
        clock: ReleaseClock::Done,
        case: Some(Case {
            id: id(ID),
            state: CaseState::Closed,
            reason: "late".into(),
            opened_at: at(2),
            answer_by: at(3),
            generation: 1,
        }),
        refunds: vec![],
        settlement: Some(Settlement::Pending { until: at(604_800), amount: 12_790 }),
        note: "문 앞에".into(),
    }
}

pub(crate) fn parcel() -> Parcel {
    Parcel {
        id: id(ID),
        waybill: Waybill::from_number(0x3684_0000_0000_0007),
        order: id(ID),
        shop: id(ID),
        buyer: id(BUYER),
        courier: id(BUYER),
        state: ParcelState::Delivered,
        on_hold: false,
        damaged: false,
        weight_g: 1_520,
        label: vec![1; 10],
        buyer_key: key(),
        place: Some((375_665_000, 1_269_780_000)),
        chain_tip: [3; 32],
        chain_index: 2,
        holder: [4; 8],
        level: Level::E4,
        delivered_at: Some(at(8)),
        attempts: 0,
        links: vec![Link {
            index: Some(0),
            id: TokenHash([3; 32]),
            prev: TokenHash([2; 32]),
            kind: 7,
            reason: 0,
            at: at(8),
            level: Level::E4,
            damaged: false,
            stale: false,
        }],
        scans: vec![Scan { kind: 7, reason: 0, at: at(8), state: ParcelState::Delivered }],
        anomalies: vec!["gap".into()],
        updated_at: at(8),
    }
}

pub(crate) fn account() -> Account {
    Account {
        id: id(BUYER),
        name: "김구매".into(),
        roles: AccountRoles { courier: true, operator: false },
        opened_at: at(0),
        shop: Some(id(ID)),
    }
}

pub(crate) fn shop() -> Shop {
    Shop {
        id: id(ID),
        owner: id(BUYER),
        name: "서울 상점".into(),
        city: "서울".into(),
        country: "KR".into(),
        currency: Currency::KRW,
        shipping: Shipping { free_from: Some(krw(50_000)), ..shipping() },
        staff: vec![Member { account: id(BUYER), role: ShopRole::Owner }],
        state: ShopState::Open,
        courier: Some(id(BUYER)),
    }
}

pub(crate) fn cart_line() -> CartLine {
    CartLine { account: id(BUYER), offer: id(OFFER), quantity: 2, seen: krw(12_900), at: at(0) }
}

pub(crate) fn product() -> Product {
    Product {
        id: id(OFFER),
        shop: id(ID),
        category: "food".into(),
        brand: "Souk".into(),
        mpn: String::new(),
        title: "김치 1kg".into(),
        titles: vec![("en".into(), "Kimchi".into())],
        description: "맵다".into(),
        attributes: vec![("origin".into(), "KR".into())],
        image: Some(TokenHash([5; 32])),
        variants: vec![Variant {
            id: id(OFFER),
            options: vec![("size".into(), "1kg".into())],
            gtins: vec!["04006381333931".into()],
            weight_g: 1_020,
        }],
        updated_at: at(0),
    }
}

pub(crate) fn offer() -> Offer {
    Offer {
        id: id(OFFER),
        shop: id(ID),
        sku: "KIM-1".into(),
        product: id(OFFER),
        variant: id(OFFER),
        title: "김치 1kg".into(),
        price: krw(12_900),
        tax: tax(),
        quantity: QuantityRule::ANY,
        state: OfferState::Live,
        revision: 4,
    }
}

pub(crate) fn stock() -> Stock {
    Stock {
        on_hand: 40,
        reserved: 2,
        committed: 3,
        safety: 1,
        sold: 60,
        received: 100,
        revision: 2,
        ..Stock::empty(id(OFFER), id(ID))
    }
}

pub(crate) fn card() -> Card {
    Card {
        product: id(OFFER),
        rid: 42,
        category: "food".into(),
        brand: "Souk".into(),
        title: "김치 1kg".into(),
        titles: vec![],
        image: None,
        offer: id(OFFER),
        variant: id(OFFER),
        shop: id(ID),
        price: krw(12_900),
        tax: tax(),
        quantity: QuantityRule::ANY,
        band: Band::Many,
        state: OfferState::Live,
        revision: 4,
    }
}

pub(crate) fn shop_card() -> ShopCard {
    ShopCard {
        id: id(ID),
        name: "서울 상점".into(),
        city: "서울".into(),
        country: "KR".into(),
        currency: Currency::KRW,
        shipping: shipping(),
        state: ShopState::Open,
    }
}

pub(crate) fn stop() -> Stop {
    Stop {
        courier: id(BUYER),
        parcel: id(ID),
        waybill: Waybill::from_number(0x3684_0000_0000_0007),
        order: id(ID),
        label: vec![1; 10],
        buyer_key: key(),
        from: "서울 상점".into(),
        to: AddressText { phone: "010-****-5678".into(), ..address() },
        state: ParcelState::Ready,
        chain_index: 0,
        chain_tip: [3; 32],
        updated_at: at(8),
    }
}

pub(crate) fn shift() -> Shift {
    Shift {
        id: id(ID),
        courier: id(BUYER),
        device: id(BUYER),
        certificate: vec![6; 10],
        opened_at: at(0),
        ends_at: at(36_000),
        closed_at: Some(at(9)),
        report: Some(ShiftReport { planned: 3, delivered: 2, attempted: 1, returned: 0, absent: 0 }),
    }
}

pub(crate) fn reference() -> Reference {
    Reference {
        version: 2,
        policies: Policies::DEFAULT,
        fee_plan: FeePlan { version: 3, commission: Bp(300), commission_tax: Ppm(100_000) },
        platform_keys: vec![PlatformKey { id: 1, public: [9; 32] }],
        emv_guid: "kr.example".into(),
    }
}
