//! Sample products, orders, payments and parcels.

use souk_domain::catalogue::{Card, Offer, Product, QuantityRule, Sku, TaxRule, Variant};
use souk_domain::id::{OrderId, Waybill};
use souk_domain::money::{Bp, Currency, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{
    Address, AddressText, Blocker, BlockerKind, Case, CaseState, Fees, Line, LineKind, Order, OrderState,
    Part, PayMethod, Payment, PaymentState, RailId, RailOp, RailOpKind, RailOpState, Refund, RefundCause,
    RefundState, ReleaseClock, Settlement, ShipmentState,
};
use souk_domain::parcel::{
    CustodyEvent, HandoverSeen, Level, Link, Parcel, ParcelState, Route, Scan, Shift, ShiftReport, Stop,
    WaybillClaim,
};
use souk_domain::stock::{Band, Stock};
use souk_domain::time::Time;

use super::parties::offer_state;
use super::{
    bucket, buyer, case_id, courier, derived_id, device_id, device_key, hash, offer_id, order_id, parcel_id,
    payment_id, product_id, shift_id, shop, time, usd, variant_id,
};

const TAX: TaxRule = TaxRule { rate: Ppm(88_750), inclusive: false, rounding: Rounding::HalfEven };

pub(super) fn product() -> Product {
    Product {
        id: product_id(bucket(), 64),
        shop: shop(),
        category: "toys/kites".into(),
        brand: "Aero".into(),
        mpn: "K-7".into(),
        title: "Kite, 2 lines".into(),
        titles: vec![("ko".into(), "연 2줄".into())],
        description: "Flies.\nEven in rain.".into(),
        attributes: vec![("colour".into(), "blue".into()), ("span_mm".into(), "1200".into())],
        image: Some(hash(3)),
        variants: vec![Variant {
            id: variant_id(bucket(), 65),
            options: vec![("size".into(), "XL".into())],
            gtins: vec!["04006381333931".into()],
            weight_g: 340,
        }],
        updated_at: time(10),
    }
}

pub(super) fn offer() -> Offer {
    Offer {
        id: offer_id(bucket(), 66),
        shop: shop(),
        sku: "KITE-XL".into(),
        product: product_id(bucket(), 64),
        variant: variant_id(bucket(), 65),
        title: "Kite, 2 lines".into(),
        price: usd(1_250),
        tax: TAX,
        quantity: QuantityRule { min: 1, step: 1, max: 50 },
        state: offer_state(true),
        revision: 7,
    }
}

pub(super) fn sku() -> Sku {
    Sku { shop: shop(), sku: "KITE-XL".into(), offer: offer_id(bucket(), 66) }
}

pub(super) fn stock() -> Stock {
    Stock {
        offer: offer_id(bucket(), 66),
        shop: shop(),
        on_hand: 40,
        reserved: 3,
        committed: 2,
        allotted: 1,
        safety: 4,
        sold: 55,
        received: 100,
        returned: 2,
        lost: 7,
        revision: 9,
    }
}

pub(super) fn card() -> Card {
    Card {
        product: product_id(bucket(), 64),
        rid: -3,
        category: "toys/kites".into(),
        brand: "Aero".into(),
        title: "Kite, 2 lines".into(),
        titles: vec![("ko".into(), "연 2줄".into())],
        image: None,
        offer: offer_id(bucket(), 66),
        variant: variant_id(bucket(), 65),
        shop: shop(),
        price: usd(1_250),
        tax: TAX,
        quantity: QuantityRule::ANY,
        band: Band::Many,
        state: offer_state(false),
        revision: 7,
    }
}

pub(super) fn order(id: OrderId, placed_at: Time) -> Order {
    Order {
        id,
        shop: shop(),
        shop_name: "Blue \"Kite\" & Söhne".into(),
        buyer: buyer(),
        buyer_key: device_key(1),
        placed_at,
        updated_at: time(20),
        currency: Currency::USD,
        lines: vec![
            line(LineKind::Goods { offer: offer_id(bucket(), 66), product: product_id(bucket(), 64) }, 2_722),
            line(LineKind::Shipping, 499),
        ],
        total: usd(3_221),
        tax: usd(222),
        state: OrderState::Open,
        shipment: ShipmentState::Shipped,
        paid: 3_221,
        released: 0,
        refunded: 0,
        unapplied: 5,
        fees: Fees {
            plan_version: 1,
            commission: Bp(800),
            commission_tax: Ppm(100_000),
            courier: Some(courier()),
        },
        policy_version: 1,
        pay_by: time(1_800),
        pay_generation: 1,
        ship_by: Some(time(172_800)),
        overdue: true,
        payment: Some(payment_id(bucket(), 6)),
        paid_at: Some(time(30)),
        parcels: vec![parcel_id(bucket(), 7)],
        salt: [9; 16],
        clock: ReleaseClock::Frozen { left_us: 12_345_678, generation: 2 },
        case: Some(Case {
            id: case_id(bucket(), 8),
            state: CaseState::RefundAsked,
            reason: "wrong colour".into(),
            opened_at: time(40),
            answer_by: time(41),
            generation: 3,
        }),
        refunds: vec![Refund {
            id: derived_id(bucket(), 9),
            amount: 5,
            foreign: Some(Currency::USD),
            state: RefundState::Pending,
            cause: RefundCause::Unapplied,
        }],
        settlement: Some(Settlement::Pending { until: time(50), amount: 2_900 }),
        note: "ring twice 🔔".into(),
    }
}

fn line(kind: LineKind, amount: i64) -> Line {
    Line {
        kind,
        title: "Kite, 2 lines".into(),
        quantity: 2,
        unit: 1_250,
        amount,
        tax: 222,
        tax_rule: TAX,
        paid: amount,
        released: 0,
        refunded: 0,
        commission: 200,
        commission_tax: 20,
    }
}

fn address_text() -> AddressText {
    AddressText {
        name: "Kim Min-ji".into(),
        lines: vec!["12-3 Haeundae-ro".into(), "4F".into()],
        city: "Busan".into(),
        postcode: "48094".into(),
        country: "KR".into(),
        phone: "+82515550100".into(),
        place: Some((351_630_000, -1_291_630_000)),
    }
}

pub(super) fn address() -> Address {
    Address { order: order_id(bucket(), 1), to: address_text() }
}

pub(super) fn payment() -> Payment {
    Payment {
        id: payment_id(bucket(), 6),
        order: order_id(bucket(), 1),
        buyer: buyer(),
        rail: rail(),
        method: PayMethod::Payer,
        amount: usd(3_221),
        state: PaymentState::Pending,
        rail_ref: "pay_0001".into(),
        captures: vec!["cap_1".into(), "cap_2".into()],
        captured: 3_226,
        parts: vec![Part { event: derived_id(bucket(), 13), amount: 5 }],
        refusal: "card.declined".into(),
        at: time(25),
    }
}

fn rail() -> RailId {
    RailId::new(RailId::SANDBOX).expect("the name of a rail")
}

pub(super) fn rail_op() -> RailOp {
    RailOp {
        id: derived_id(bucket(), 9),
        rail: rail(),
        kind: RailOpKind::Refund,
        payment: payment_id(bucket(), 6),
        order: order_id(bucket(), 1),
        amount: usd(5),
        state: RailOpState::Unknown,
        attempts: 4,
        next_try: time(60),
        made_at: time(26),
    }
}

pub(super) fn blocker() -> Blocker {
    Blocker { order: order_id(bucket(), 1), kind: BlockerKind::EvidenceE0, next_due: time(70) }
}

fn waybill() -> Waybill {
    Waybill::souk(bucket(), 7)
}

pub(super) fn parcel() -> Parcel {
    Parcel {
        id: parcel_id(bucket(), 7),
        waybill: waybill(),
        order: order_id(bucket(), 1),
        shop: shop(),
        buyer: buyer(),
        courier: courier(),
        state: ParcelState::OutForDelivery,
        on_hold: true,
        damaged: true,
        weight_g: 340,
        label: vec![0xab; 100],
        buyer_key: device_key(1),
        place: Some((351_630_000, 1_291_630_000)),
        chain_tip: hash(4).0,
        chain_index: 3,
        holder: [1, 2, 3, 4, 5, 6, 7, 8],
        level: Level::EC,
        delivered_at: Some(time(80)),
        attempts: 1,
        links: vec![Link {
            index: Some(0),
            id: hash(5),
            prev: hash(6),
            kind: 2,
            reason: 0,
            at: time(81),
            level: Level::E1,
            damaged: false,
            stale: true,
        }],
        scans: vec![Scan { kind: 2, reason: 1, at: time(81), state: ParcelState::PickedUp }],
        anomalies: vec!["gap".into()],
        updated_at: time(82),
    }
}

pub(super) fn waybill_claim() -> WaybillClaim {
    WaybillClaim { waybill: waybill(), parcel: parcel_id(bucket(), 7) }
}

pub(super) fn custody_event() -> CustodyEvent {
    CustodyEvent {
        parcel: parcel_id(bucket(), 7),
        id: hash(5),
        bytes: vec![0xc0; 224],
        evidence: vec![1, 2, 3],
        anomalies: vec!["illegal_step".into()],
        received_at: time(83),
    }
}

pub(super) fn handover_seen() -> HandoverSeen {
    HandoverSeen { bucket: bucket(), key: hash(7), counter: u32::MAX, body: hash(8) }
}

pub(super) fn stop() -> Stop {
    Stop {
        courier: courier(),
        parcel: parcel_id(bucket(), 7),
        waybill: waybill(),
        order: order_id(bucket(), 1),
        label: vec![0xab; 100],
        buyer_key: device_key(1),
        from: "Blue Kite".into(),
        to: address_text(),
        state: ParcelState::OutForDelivery,
        chain_index: 3,
        chain_tip: hash(4).0,
        updated_at: time(84),
    }
}

pub(super) fn shift() -> Shift {
    Shift {
        id: shift_id(bucket(), 10),
        courier: courier(),
        device: device_id(2),
        certificate: vec![0xce; 143],
        opened_at: time(90),
        ends_at: time(91),
        closed_at: Some(time(92)),
        report: Some(ShiftReport { planned: 10, delivered: 6, attempted: 2, returned: 1, absent: 1 }),
    }
}

pub(super) fn route() -> Route {
    Route {
        courier: courier(),
        open: vec![parcel_id(bucket(), 7)],
        ended: vec![parcel_id(bucket(), 11)],
        shift: Some(shift_id(bucket(), 10)),
    }
}
