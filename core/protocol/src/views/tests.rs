use expect_test::{Expect, expect};
use proptest::prelude::*;
use souk_domain::id::{AccountId, Bucket};
use souk_domain::money::{Bp, Ppm};
use souk_domain::order::{
    AddressText, Case, CaseState, Fees, Fund, Line, Order, OrderState, Refund, RefundCause, RefundState,
    ReleaseClock, Settlement, ShipmentState,
};
use souk_domain::parcel::{Parcel, ParcelState};

use super::samples::{
    BUYER, ID, account, address, at, card, cart_line, id, krw, offer, order, parcel, product, reference,
    shift, shop, shop_card, stock, stop,
};
use super::*;
use crate::limits::{
    ADDRESS_LINE_CHARS_MAX, ADDRESS_LINES_MAX, ADDRESS_NAME_CHARS_MAX, ADDRESS_SHORT_CHARS_MAX,
};

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(view: &T, expect: Expect) {
    let text = serde_json::to_string(view).unwrap();
    expect.assert_eq(&text);
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), view);
}

#[test]
fn order_for_its_shop() {
    let view = OrderView::of(&order(), Side::Seller);
    check(
        &view,
        expect![[
            r#"{"id":"01a20320a20076858b22334455667788","shop":"01a20320a20076858b22334455667788","shop_name":"서울 상점","buyer":"018f3c2a5b007abc8def0123456789ab","buyer_key":"ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c","word":"released","state":"COMPLETED","fund":"RELEASED","shipment":"DELIVERED","lines":[{"is":"goods","offer":"000000000000000001a1000000000042","product":"000000000000000001a1000000000042","title":"김치 1kg","q":1,"unit":{"minor":12900,"currency":"KRW"},"amount":{"minor":12900,"currency":"KRW"},"tax":{"minor":1173,"currency":"KRW"},"tax_rule":{"ppm":100000,"inclusive":true,"rounding":"half_up"},"paid":{"minor":12900,"currency":"KRW"},"released":{"minor":12900,"currency":"KRW"},"refunded":{"minor":0,"currency":"KRW"},"commission":{"minor":100,"currency":"KRW"},"commission_tax":{"minor":10,"currency":"KRW"}},{"is":"shipping","title":"","q":1,"unit":{"minor":3000,"currency":"KRW"},"amount":{"minor":3000,"currency":"KRW"},"tax":{"minor":0,"currency":"KRW"},"tax_rule":{"ppm":100000,"inclusive":true,"rounding":"half_up"},"paid":{"minor":3000,"currency":"KRW"},"released":{"minor":3000,"currency":"KRW"},"refunded":{"minor":0,"currency":"KRW"},"commission":{"minor":100,"currency":"KRW"},"commission_tax":{"minor":10,"currency":"KRW"}}],"total":{"minor":15900,"currency":"KRW"},"tax":{"minor":1173,"currency":"KRW"},"paid":{"minor":15900,"currency":"KRW"},"released":{"minor":15900,"currency":"KRW"},"refunded":{"minor":0,"currency":"KRW"},"unapplied":{"minor":0,"currency":"KRW"},"placed_at":1795348800000000,"updated_at":1795348809000000,"pay_by":1795350600000000,"pay_generation":1,"ship_by":1795608000000000,"payment":"01a20320a20076858b22334455667788","paid_at":1795348860000000,"parcels":["01a20320a20076858b22334455667788"],"salt":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","clock":{"is":"done"},"case":{"id":"01a20320a20076858b22334455667788","state":"CLOSED","reason":"late","opened_at":1795348802000000,"answer_by":1795348803000000,"generation":1},"policy_version":2,"note":"문 앞에","fees":{"plan_version":3,"commission_bp":78,"commission_tax_ppm":100000,"courier":"018f3c2a5b007abc8def0123456789ab"},"settlement":{"is":"pending","until":1795953600000000,"amount":{"minor":12790,"currency":"KRW"}}}"#
        ]],
    );
    assert_eq!(Order::try_from(view), Ok(order()));
}

#[test]
fn order_for_its_buyer() {
    let view = OrderView::of(&order(), Side::Buyer);
    let text = serde_json::to_string(&view).unwrap();
    for hidden in ["commission", "settlement", "fees", "address"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    let mut neutral = order();
    neutral.fees = Fees { plan_version: 0, commission: Bp(0), commission_tax: Ppm(0), courier: None };
    neutral.settlement = None;
    for line in &mut neutral.lines {
        (line.commission, line.commission_tax) = (0, 0);
    }
    assert_eq!(Order::try_from(view), Ok(neutral));
}

#[test]
fn order_axes_with_data() {
    let refund = |state, cause| Refund { id: id(ID), amount: 5, foreign: None, state, cause };
    for clock in [
        ReleaseClock::Idle,
        ReleaseClock::Running { due: at(5), generation: 2 },
        ReleaseClock::Frozen { left_us: 7, generation: 3 },
    ] {
        for settlement in [None, Some(Settlement::Available { amount: 9 })] {
            let order = Order {
                clock,
                settlement,
                case: None,
                refunds: vec![
                    refund(RefundState::Pending, RefundCause::Unapplied),
                    refund(RefundState::Stuck, RefundCause::AfterRelease),
                    Refund {
                        foreign: Some(Currency::EUR),
                        ..refund(RefundState::Done, RefundCause::Unapplied)
                    },
                ],
                ..order()
            };
            let view = OrderView::of(&order, Side::Seller);
            let text = serde_json::to_string(&view).unwrap();
            assert_eq!(Order::try_from(serde_json::from_str::<OrderView>(&text).unwrap()), Ok(order));
        }
    }
}

/// A view that contradicts itself is no row.
#[test]
fn unsound_orders_are_refused() {
    let field = |change: fn(&mut OrderView)| {
        let mut view = OrderView::of(&order(), Side::Seller);
        change(&mut view);
        Order::try_from(view).map(|_| ()).map_err(|refusal| refusal.facts.text("field").map(str::to_owned))
    };
    let bad = |name: &str| Err(Some(name.to_owned()));
    let eur = |minor| Money::new(minor, Currency::EUR);
    assert_eq!(field(|_| ()), Ok(()));
    assert_eq!(field(|view| view.total = krw(15_901)), bad("amounts"));
    assert_eq!(field(|view| view.lines[0].released = krw(12_901)), bad("amounts"));
    assert_eq!(field(|view| view.paid = krw(1)), bad("amounts"));
    assert_eq!(field(|view| view.tax = Money::new(1_173, Currency::EUR)), bad("amounts"));
    assert_eq!(field(|view| view.paid = Money::new(15_900, Currency::EUR)), bad("paid"));
    assert_eq!(field(|view| view.lines[0].unit = Money::new(1, Currency::EUR)), bad("lines.unit"));
    assert_eq!(eur(1).currency, Currency::EUR);
}

#[test]
fn parcel_for_its_sides() {
    let view = ParcelView::of(&parcel(), Side::Buyer);
    check(
        &view,
        expect![[
            r#"{"id":"01a20320a20076858b22334455667788","waybill":"3684000000000007","order":"01a20320a20076858b22334455667788","shop":"01a20320a20076858b22334455667788","buyer":"018f3c2a5b007abc8def0123456789ab","courier":"018f3c2a5b007abc8def0123456789ab","state":"DELIVERED","weight_g":1520,"label":"AQEBAQEBAQEBAQ","buyer_key":"ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c","place":[375665000,1269780000],"chain_tip":"0303030303030303030303030303030303030303030303030303030303030303","chain_index":2,"holder":"0404040404040404","level":"E4","delivered_at":1795348808000000,"links":[{"index":0,"id":"0303030303030303030303030303030303030303030303030303030303030303","prev":"0202020202020202020202020202020202020202020202020202020202020202","kind":7,"at":1795348808000000,"level":"E4"}],"scans":[{"kind":7,"at":1795348808000000,"state":"DELIVERED"}],"anomalies":["gap"],"updated_at":1795348808000000}"#
        ]],
    );
    assert_eq!(Parcel::from(view), parcel());
    let seller = ParcelView::of(&parcel(), Side::Seller);
    assert_eq!(Parcel::from(seller), Parcel { place: None, ..parcel() });
}

#[test]
fn parties() {
    check(
        &AccountView::from(&account()),
        expect![[
            r#"{"id":"018f3c2a5b007abc8def0123456789ab","name":"김구매","roles":{"courier":true},"opened_at":1795348800000000,"shop":"01a20320a20076858b22334455667788"}"#
        ]],
    );
    check(
        &ShopView::from(&shop()),
        expect![[
            r#"{"id":"01a20320a20076858b22334455667788","owner":"018f3c2a5b007abc8def0123456789ab","name":"서울 상점","city":"서울","country":"KR","currency":"KRW","shipping":{"flat":{"minor":3000,"currency":"KRW"},"free_from":{"minor":50000,"currency":"KRW"}},"staff":[{"account":"018f3c2a5b007abc8def0123456789ab","role":"owner"}],"state":"open","courier":"018f3c2a5b007abc8def0123456789ab"}"#
        ]],
    );
    check(
        &CartLineView::from(&cart_line()),
        expect![[
            r#"{"id":"000000000000000001a1000000000042","account":"018f3c2a5b007abc8def0123456789ab","q":2,"seen":{"minor":12900,"currency":"KRW"},"at":1795348800000000}"#
        ]],
    );
}

#[test]
fn catalogue_forms() {
    check(
        &ProductView::from(&product()),
        expect![[
            r#"{"id":"000000000000000001a1000000000042","shop":"01a20320a20076858b22334455667788","category":"food","brand":"Souk","title":"김치 1kg","titles":[["en","Kimchi"]],"description":"맵다","attributes":[["origin","KR"]],"image":"0505050505050505050505050505050505050505050505050505050505050505","variants":[{"id":"000000000000000001a1000000000042","options":[["size","1kg"]],"gtins":["04006381333931"],"weight_g":1020}],"updated_at":1795348800000000}"#
        ]],
    );
    check(
        &OfferView::from(&offer()),
        expect![[
            r#"{"id":"000000000000000001a1000000000042","shop":"01a20320a20076858b22334455667788","sku":"KIM-1","product":"000000000000000001a1000000000042","variant":"000000000000000001a1000000000042","title":"김치 1kg","price":{"minor":12900,"currency":"KRW"},"tax":{"ppm":100000,"inclusive":true,"rounding":"half_up"},"quantity":{"min":1,"step":1,"max":100000},"state":"live","revision":4}"#
        ]],
    );
    check(
        &StockView::from(&stock()),
        expect![[
            r#"{"id":"000000000000000001a1000000000042","shop":"01a20320a20076858b22334455667788","on_hand":40,"reserved":2,"committed":3,"safety":1,"available":34,"sold":60,"received":100,"revision":2}"#
        ]],
    );
    check(
        &CardView::from(&card()),
        expect![[
            r#"{"id":"000000000000000001a1000000000042","rid":42,"category":"food","brand":"Souk","title":"김치 1kg","offer":"000000000000000001a1000000000042","variant":"000000000000000001a1000000000042","shop":"01a20320a20076858b22334455667788","price":{"minor":12900,"currency":"KRW"},"tax":{"ppm":100000,"inclusive":true,"rounding":"half_up"},"quantity":{"min":1,"step":1,"max":100000},"band":"many","state":"live","revision":4}"#
        ]],
    );
    check(
        &ShopCardView::from(&shop_card()),
        expect![[
            r#"{"id":"01a20320a20076858b22334455667788","name":"서울 상점","city":"서울","country":"KR","currency":"KRW","shipping":{"flat":{"minor":3000,"currency":"KRW"}},"state":"open"}"#
        ]],
    );
}

#[test]
fn courier_forms() {
    check(
        &StopView::from(&stop()),
        expect![[
            r#"{"id":"01a20320a20076858b22334455667788","courier":"018f3c2a5b007abc8def0123456789ab","waybill":"3684000000000007","order":"01a20320a20076858b22334455667788","label":"AQEBAQEBAQEBAQ","buyer_key":"ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c","from":"서울 상점","to":{"name":"김구매","lines":["동교로 146","302호"],"city":"서울","postcode":"03991","country":"KR","phone":"010-****-5678","place":[375665000,1269780000]},"state":"READY","chain_index":0,"chain_tip":"0303030303030303030303030303030303030303030303030303030303030303","updated_at":1795348808000000}"#
        ]],
    );
    check(
        &ShiftView::from(&shift()),
        expect![[
            r#"{"id":"01a20320a20076858b22334455667788","courier":"018f3c2a5b007abc8def0123456789ab","device":"018f3c2a5b007abc8def0123456789ab","certificate":"BgYGBgYGBgYGBg","opened_at":1795348800000000,"ends_at":1795384800000000,"closed_at":1795348809000000,"report":{"planned":3,"delivered":2,"attempted":1,"returned":0,"absent":0}}"#
        ]],
    );
    check(
        &ReferenceView::from(&reference()),
        expect![[
            r#"{"version":2,"policies":{"pay_window_us":1800000000,"pay_extend_us":600000000,"ship_deadline_us":259200000000,"ship_auto_cancel_us":1209600000000,"cancel_free_us":1800000000,"case_silence_us":86400000000,"release_e2_us":86400000000,"release_e1_us":604800000000,"release_ec_us":864000000000,"reserve_us":604800000000,"rail_unknown_us":900000000},"fee_plan":{"version":3,"commission_bp":300,"commission_tax_ppm":100000},"platform_keys":[{"id":1,"public":"0909090909090909090909090909090909090909090909090909090909090909"}],"emv_guid":"kr.example"}"#
        ]],
    );
}

#[test]
fn addresses() {
    let view = AddressView::from(&address());
    check(
        &view,
        expect![[
            r#"{"name":"김구매","lines":["동교로 146","302호"],"city":"서울","postcode":"03991","country":"KR","phone":"010-1234-5678","place":[375665000,1269780000]}"#
        ]],
    );
    let bin = address_bin([8; 16], &view).unwrap();
    assert_eq!(address_of_bin(&bin), Ok(view.clone()));
    // The rules read the same bytes.
    assert_eq!(serde_json::from_slice::<AddressText>(&bin[16..]).unwrap(), address());
    assert!(bin.len() < crate::limits::BIN_BYTES_MAX);
    assert_eq!(format!("{view:?}"), r#"AddressView { country: "KR", .. }"#);
    for (phone, masked) in [
        ("010-1234-5678", "010-****-5678"),
        ("+821012345678", "+821*****5678"),
        ("12345678", "********"),
        ("123456789", "123**6789"),
        ("", ""),
    ] {
        assert_eq!(AddressView { phone: phone.into(), ..view.clone() }.masked().phone, masked);
    }
}

#[test]
fn address_limits_at_the_edge() {
    let field = |change: &dyn Fn(&mut AddressView)| {
        let mut view = AddressView::from(&address());
        change(&mut view);
        view.check().map_err(|refusal| refusal.facts.text("field").unwrap_or_default().to_owned())
    };
    let bad = |name: &str| Err(name.to_owned());
    let text = |chars: usize| "가".repeat(chars);
    assert_eq!(field(&|view| view.name = text(ADDRESS_NAME_CHARS_MAX)), Ok(()));
    assert_eq!(field(&|view| view.name = text(ADDRESS_NAME_CHARS_MAX + 1)), bad("name"));
    assert_eq!(field(&|view| view.name = " ".into()), bad("name"));
    assert_eq!(field(&|view| view.name = "a\nb".into()), bad("name"));
    assert_eq!(field(&|view| view.lines = vec![text(ADDRESS_LINE_CHARS_MAX); ADDRESS_LINES_MAX]), Ok(()));
    assert_eq!(field(&|view| view.lines = vec![text(1); ADDRESS_LINES_MAX + 1]), bad("lines"));
    assert_eq!(field(&|view| view.lines = vec![]), bad("lines"));
    assert_eq!(field(&|view| view.lines = vec![text(ADDRESS_LINE_CHARS_MAX + 1)]), bad("lines"));
    assert_eq!(field(&|view| view.city = text(ADDRESS_LINE_CHARS_MAX + 1)), bad("city"));
    assert_eq!(field(&|view| view.postcode = text(ADDRESS_SHORT_CHARS_MAX)), Ok(()));
    assert_eq!(field(&|view| view.postcode = text(ADDRESS_SHORT_CHARS_MAX + 1)), bad("postcode"));
    assert_eq!(field(&|view| view.phone = text(ADDRESS_SHORT_CHARS_MAX + 1)), bad("phone"));
    assert_eq!(field(&|view| view.country = "kr".into()), bad("country"));
    let place = |lat_e7, lng_e7| field(&|view| view.place = Some(PlaceView { lat_e7, lng_e7 }));
    assert_eq!(place(900_000_000, -1_800_000_000), Ok(()));
    assert_eq!(place(900_000_001, 0), bad("place"));
    assert_eq!(place(i32::MIN, i32::MIN), bad("place"));
    // The largest address fits beside an intent.
    let largest = AddressView {
        name: text(ADDRESS_NAME_CHARS_MAX),
        lines: vec![text(ADDRESS_LINE_CHARS_MAX); ADDRESS_LINES_MAX],
        city: text(ADDRESS_LINE_CHARS_MAX),
        postcode: text(ADDRESS_SHORT_CHARS_MAX),
        country: "KR".into(),
        phone: text(ADDRESS_SHORT_CHARS_MAX),
        place: Some(PlaceView { lat_e7: -900_000_000, lng_e7: -1_800_000_000 }),
    };
    assert!(address_bin([0; 16], &largest).unwrap().len() <= crate::limits::BIN_BYTES_MAX);
}

/// Every combination of axes that a rule can make, with its word.
#[test]
fn words_for_people() {
    let base = Order { state: OrderState::Open, paid: 0, released: 0, refunded: 0, case: None, ..order() };
    let mut shown = String::new();
    let mut row = |name: &str, order: &Order, parcels: &[&Parcel]| {
        shown += &format!("{name:32} {}\n", order_word(order, parcels).name());
    };
    let held = Order { paid: 15_900, parcels: vec![], shipment: ShipmentState::None, ..base.clone() };
    let created = Order { state: OrderState::Created, ..held.clone() };
    row("created", &Order { paid: 0, ..created.clone() }, &[]);
    row("created, part paid", &Order { paid: 0, unapplied: 5, ..created }, &[]);
    row("cancelled", &Order { state: OrderState::Cancelled, ..base.clone() }, &[]);
    row("open", &held, &[]);
    let asked = Case { state: CaseState::RefundAsked, ..order().case.unwrap() };
    row("open, refund asked", &Order { case: Some(asked), ..held.clone() }, &[]);
    row("open, case closed", &Order { case: order().case, ..held.clone() }, &[]);
    row("open, label", &Order { parcels: order().parcels, ..held.clone() }, &[]);
    let shipped = Order { shipment: ShipmentState::Shipped, ..held.clone() };
    row("shipped, no parcel at hand", &shipped, &[]);
    for state in ParcelState::ALL {
        let parcel = Parcel { state, ..parcel() };
        row(&format!("shipped, {state:?}"), &shipped, &[&parcel]);
    }
    for shipment in
        [ShipmentState::Delivered, ShipmentState::Returning, ShipmentState::Returned, ShipmentState::Lost]
    {
        row(&format!("{shipment:?}"), &Order { shipment, ..held.clone() }, &[]);
    }
    let completed = Order { state: OrderState::Completed, ..held };
    row("completed, released", &Order { released: 15_900, ..completed.clone() }, &[]);
    row("completed, part refunded", &Order { released: 15_000, refunded: 900, ..completed.clone() }, &[]);
    let refunded = Order { refunded: 15_900, ..completed };
    let with = |state| Order {
        refunds: vec![Refund {
            id: id(ID),
            amount: 15_900,
            foreign: None,
            state,
            cause: RefundCause::NotShipped,
        }],
        ..refunded.clone()
    };
    row("completed, refund done", &with(RefundState::Done), &[]);
    row("completed, refund pending", &with(RefundState::Pending), &[]);
    row("completed, refund stuck", &with(RefundState::Stuck), &[]);
    expect![[r#"
        created                          awaiting_payment
        created, part paid               part_paid
        cancelled                        cancelled
        open                             paid
        open, refund asked               refund_asked
        open, case closed                paid
        open, label                      label_made
        shipped, no parcel at hand       shipped
        shipped, Created                 shipped
        shipped, Ready                   shipped
        shipped, PickedUp                shipped
        shipped, AtHub                   shipped
        shipped, InTransit               shipped
        shipped, Customs                 shipped
        shipped, OutForDelivery          out_for_delivery
        shipped, Attempted               attempted
        shipped, AtPickupPoint           ready_for_collection
        shipped, Delivered               shipped
        shipped, Refused                 shipped
        shipped, Returning               shipped
        shipped, Returned                shipped
        shipped, Lost                    shipped
        shipped, Cancelled               shipped
        Delivered                        delivered
        Returning                        returning
        Returned                         returned
        Lost                             lost
        completed, released              released
        completed, part refunded         part_refunded
        completed, refund done           refunded
        completed, refund pending        refunding
        completed, refund stuck          refunding
    "#]]
    .assert_eq(&shown);
    for word in OrderWord::ALL {
        assert_eq!(serde_json::to_value(word).unwrap(), word.name());
    }
    assert_eq!(refunded.fund(), Fund::Refunded);
}

fn orders() -> impl Strategy<Value = Order> {
    let line = (0i64..1 << 40, 0i64..=100, 0i64..=100, 1u32..1_000, any::<u32>());
    (prop::collection::vec(line, 1..6), any::<[u8; 16]>(), 0usize..4, "[a-z가-힣 ]{0,20}").prop_map(
        |(lines, salt, state, note)| {
            let lines: Vec<Line> = lines
                .into_iter()
                .map(|(amount, paid, released, quantity, unit)| {
                    let paid = amount / 100 * paid;
                    let released = paid / 100 * released;
                    Line {
                        quantity,
                        unit: unit.into(),
                        amount,
                        paid,
                        released,
                        refunded: (paid - released) / 2,
                        ..order().lines[0].clone()
                    }
                })
                .collect();
            let sum = |of: fn(&Line) -> i64| lines.iter().map(of).sum::<i64>();
            Order {
                total: krw(sum(|line| line.amount)),
                paid: sum(|line| line.paid),
                released: sum(|line| line.released),
                refunded: sum(|line| line.refunded),
                lines,
                salt,
                note,
                state: [OrderState::Created, OrderState::Open, OrderState::Completed, OrderState::Cancelled]
                    [state],
                ..order()
            }
        },
    )
}

proptest! {
    #[test]
    fn orders_round_trip(order in orders()) {
        let view = OrderView::of(&order, Side::Seller);
        let text = serde_json::to_string(&view).unwrap();
        prop_assert_eq!(&serde_json::from_str::<OrderView>(&text).unwrap(), &view);
        prop_assert_eq!(Order::try_from(view), Ok(order));
    }

    #[test]
    fn garbage_addresses_never_panic(bin in prop::collection::vec(any::<u8>(), 0..100), text in ".{0,60}") {
        let _ = address_of_bin(&bin);
        let view = AddressView { phone: text.clone(), name: text, ..AddressView::from(&address()) };
        let _ = view.check();
        let _ = view.masked();
    }
}

#[test]
fn ids_of_the_samples_lie_where_they_should() {
    assert_eq!(id::<AccountId>(BUYER).bucket(), Bucket::new(687).unwrap());
    assert_eq!(order().id.bucket(), Bucket::new(417).unwrap());
}
