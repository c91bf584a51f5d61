use expect_test::{Expect, expect};
use serde::de::DeserializeOwned;
use souk_domain::money::Currency;

use super::*;
use crate::outcome::OutcomeView;
use crate::sync::PushState;
use crate::views::samples::{ID, OFFER, address, id};

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, expect: Expect) {
    let text = serde_json::to_string(value).unwrap();
    expect.assert_eq(&text);
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
}

fn text() -> SignedText {
    SignedText { text: "{}".into(), bin: vec![], sig: None }
}

#[test]
fn forms_on_the_wire() {
    let krw = |minor| Money::new(minor, Currency::KRW);
    let line = CheckoutLineView { offer: id(OFFER), q: 2 };
    check(
        &CheckoutRequest { lines: vec![line] },
        expect![[r#"{"lines":[{"offer":"000000000000000001a1000000000042","q":2}]}"#]],
    );
    assert_eq!(CheckoutLineView::from(CheckoutLine::from(line)), line);
    check(
        &DeliveryRequest { address: (&address()).into() },
        expect![[
            r#"{"address":{"name":"김구매","lines":["동교로 146","302호"],"city":"서울","postcode":"03991","country":"KR","phone":"010-1234-5678","place":[375665000,1269780000]}}"#
        ]],
    );
    let response = CheckoutResponse {
        id: id(ID),
        now: Time::from_secs(1),
        shops: vec![ShopTotalsView {
            shop: id(ID),
            name: "서울 상점".into(),
            lines: vec![PricedLineView {
                offer: id(OFFER),
                title: "김치".into(),
                q: 2,
                unit: krw(12_900),
                amount: krw(25_800),
            }],
            goods: krw(25_800),
            shipping: krw(3_000),
            tax: krw(2_345),
            total: krw(28_800),
        }],
        problems: vec![LineProblemView { offer: id(OFFER), code: "stock.short".into() }],
        has_address: true,
    };
    check(
        &response,
        expect![[
            r#"{"id":"01a20320a20076858b22334455667788","now":1000000,"shops":[{"shop":"01a20320a20076858b22334455667788","name":"서울 상점","lines":[{"offer":"000000000000000001a1000000000042","title":"김치","q":2,"unit":{"minor":12900,"currency":"KRW"},"amount":{"minor":25800,"currency":"KRW"}}],"goods":{"minor":25800,"currency":"KRW"},"shipping":{"minor":3000,"currency":"KRW"},"tax":{"minor":2345,"currency":"KRW"},"total":{"minor":28800,"currency":"KRW"}}],"problems":[{"offer":"000000000000000001a1000000000042","code":"stock.short"}],"has_address":true}"#
        ]],
    );
    check(&PlaceRequest { orders: vec![text()], pay: vec![] }, expect![[r#"{"orders":[{"text":"{}"}]}"#]]);
    let outcome = OutcomeView::Accepted { at: Time::from_secs(1), data: serde_json::Map::new() };
    let result = PushResult { id: Some(id(ID)), state: PushState::Decided { outcome } };
    let placed =
        PlaceResponse { now: Time::from_secs(1), orders: vec![result.clone()], pay: vec![], touch: vec![] };
    check(
        &placed,
        expect![[
            r#"{"now":1000000,"orders":[{"id":"01a20320a20076858b22334455667788","state":"decided","outcome":{"is":"accepted","at":1000000}}]}"#
        ]],
    );
    let answer = IntentResponse { generation: 7, now: Time::from_secs(1), result, touch: vec![] };
    check(
        &answer,
        expect![[
            r#"{"gen":7,"now":1000000,"id":"01a20320a20076858b22334455667788","state":"decided","outcome":{"is":"accepted","at":1000000}}"#
        ]],
    );
}

#[test]
fn limits_at_the_edge() {
    let lines = |n: usize| CheckoutRequest { lines: vec![CheckoutLineView { offer: id(OFFER), q: 1 }; n] };
    assert_eq!(lines(LINES_MAX).check(), Ok(()));
    assert_eq!(lines(LINES_MAX + 1).check().map_err(|refusal| refusal.code), Err("order.lines"));
    assert_eq!(lines(0).check().map_err(|refusal| refusal.code), Err("order.lines"));
    let place = |orders: usize, pay: usize| {
        PlaceRequest { orders: vec![text(); orders], pay: vec![text(); pay] }.check().map_err(|r| r.code)
    };
    assert_eq!(place(PLACE_ORDERS_MAX, PLACE_ORDERS_MAX), Ok(()));
    assert_eq!(place(PLACE_ORDERS_MAX + 1, 0), Err("request.too_large"));
    assert_eq!(place(1, PLACE_ORDERS_MAX + 1), Err("request.too_large"));
    assert_eq!(place(0, 1), Err("request.form"));
}
