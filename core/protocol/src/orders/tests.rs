use expect_test::expect;
use souk_domain::order::{Blocker, RailId};
use souk_domain::parcel::ParcelState;

use super::*;
use crate::views::Side;
use crate::views::samples::{BUYER, ID, address, at, id, krw, order, parcel};

#[test]
fn order_with_all_around_it() {
    let payment = Payment {
        id: id(ID),
        order: id(ID),
        buyer: id(BUYER),
        rail: RailId::new("sandbox").unwrap(),
        method: PayMethod::Payer,
        amount: krw(15_900),
        state: PaymentState::Paid,
        rail_ref: "secret-of-the-rail".into(),
        captures: vec!["c1".into()],
        parts: Vec::new(),
        captured: 15_900,
        refusal: String::new(),
        at: at(1),
    };
    let blocker = Blocker { order: id(ID), kind: BlockerKind::Reserve, next_due: at(9) };
    let mut shipped = order();
    shipped.state = souk_domain::order::OrderState::Open;
    shipped.shipment = souk_domain::order::ShipmentState::Shipped;
    let parcels = [Parcel { state: ParcelState::OutForDelivery, ..parcel() }];
    let response = OrderResponse {
        address: Some((&address()).into()),
        payment: Some((&payment).into()),
        blocker: Some((&blocker).into()),
        ..OrderResponse::of(&shipped, &parcels, Side::Seller, at(9))
    };
    assert_eq!((response.word, response.order.word), (OrderWord::OutForDelivery, OrderWord::Shipped));
    let text = serde_json::to_string(&response).unwrap();
    assert!(!text.contains("secret-of-the-rail"));
    assert_eq!(serde_json::from_str::<OrderResponse>(&text).unwrap(), response);
    let show = |value: &dyn Fn() -> serde_json::Result<String>| value().unwrap();
    expect![[r#"[{"id":"01a20320a20076858b22334455667788","rail":"sandbox","method":"payer","amount":{"minor":15900,"currency":"KRW"},"state":"paid","at":1795348801000000},{"kind":"reserve","due":1795348809000000}]"#]].assert_eq(&show(&|| serde_json::to_string(&(response.payment.as_ref(), response.blocker))));
    let code = PayCodeResponse {
        now: at(0),
        order: id(ID),
        amount: krw(15_900),
        code: "000201…".into(),
        expires_at: at(900),
    };
    expect![[r#"{"now":1795348800000000,"order":"01a20320a20076858b22334455667788","amount":{"minor":15900,"currency":"KRW"},"code":"000201…","expires_at":1795349700000000}"#]].assert_eq(&show(&|| serde_json::to_string(&code)));
    let page = OrdersResponse { now: at(0), orders: vec![], next: Some("AQ".into()) };
    expect![[r#"{"now":1795348800000000,"orders":[],"next":"AQ"}"#]]
        .assert_eq(&show(&|| serde_json::to_string(&page)));
}

#[test]
fn pages_have_limits() {
    let rows = |after: Option<usize>, limit| {
        PageQuery { after: after.map(|chars| "c".repeat(chars)), limit }
            .rows()
            .map_err(|refusal| refusal.code)
    };
    assert_eq!(rows(None, None), Ok(PAGE_ROWS_DEFAULT));
    assert_eq!(rows(Some(CURSOR_CHARS_MAX), Some(PAGE_ROWS_MAX)), Ok(PAGE_ROWS_MAX));
    assert_eq!(rows(None, Some(PAGE_ROWS_MAX + 1)), Err("request.too_large"));
    assert_eq!(rows(Some(CURSOR_CHARS_MAX + 1), None), Err("request.too_large"));
    assert_eq!(rows(None, Some(0)), Err("request.form"));
    assert_eq!(crate::catalogue::snapshot_rows(None), crate::limits::SNAPSHOT_ROWS_MAX);
    assert_eq!(crate::catalogue::snapshot_rows(Some(usize::MAX)), crate::limits::SNAPSHOT_ROWS_MAX);
    assert_eq!(crate::catalogue::snapshot_rows(Some(0)), 1);
}

#[test]
fn snapshot_form() {
    let page = crate::sync::RowsPage {
        c: "AQ".into(),
        more: true,
        blocks: vec![],
        applied: vec![],
        sum: None,
        n: None,
    };
    let response =
        crate::catalogue::SnapshotResponse { generation: 7, now: at(0), scope: "cat/all".into(), page };
    let text = serde_json::to_string(&response).unwrap();
    expect![[r#"{"gen":7,"now":1795348800000000,"scope":"cat/all","c":"AQ","more":true,"blocks":[]}"#]]
        .assert_eq(&text);
    assert_eq!(serde_json::from_str::<crate::catalogue::SnapshotResponse>(&text).unwrap(), response);
}
