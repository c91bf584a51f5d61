//! What was tapped is on the screen at once, and prediction = outcome where no rival is.

use proptest::prelude::*;
use souk_device::facade::requests::{
    LineRequest, MakeLabelRequest, OpenShopRequest, OrdersRequest, PayRequest, PlaceOrderRequest,
    PutProductRequest, SearchRequest,
};
use souk_device::facade::views::{LinkState, PendingState, WayOut};
use souk_device::outbox::Confidence;
use souk_device::sync::Event;
use souk_domain::intent::Body;
use souk_domain::order::{OrderState, PayMethod};
use souk_protocol::views::{AddressView, OrderWord, ShippingView};

use crate::bench::Bench;
use crate::server::{Server, krw};

fn market() -> Server {
    Server::with_shop(&[
        ("tea", "Green tea", 12_900, 30),
        ("cup", "Tea cup", 4_000, 9),
        ("pot", "찻주전자 백자", 22_000, 3),
    ])
}

pub(crate) fn seoul() -> AddressView {
    AddressView {
        name: "Kim Minji".to_owned(),
        lines: vec!["1 Sejong-daero".to_owned()],
        city: "Seoul".to_owned(),
        postcode: "04524".to_owned(),
        country: "KR".to_owned(),
        phone: "+821012345678".to_owned(),
        place: Some((375_665_000, 1_269_780_000).into()),
    }
}

fn order_of(server: &Server, lines: &[(&str, u32)]) -> PlaceOrderRequest {
    PlaceOrderRequest {
        lines: lines
            .iter()
            .map(|(sku, quantity)| LineRequest { offer: server.offer(sku), quantity: *quantity })
            .collect(),
        address: Some(seoul()),
        ..PlaceOrderRequest::default()
    }
}

#[test]
fn airplane_start() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    while device.host().idle(now).unwrap() {}
    device.kill();
    device.start();
    device.wire.clear();
    device.pass(200_000);
    let now = device.now;
    let find = |device: &mut Bench, text: &str| {
        let request = SearchRequest { text: text.to_owned(), ..SearchRequest::default() };
        let page = device.host().search(&request).unwrap();
        page.rows.iter().map(|row| row.title.clone()).collect::<Vec<_>>()
    };
    assert_eq!(find(&mut device, "tea").len(), 2);
    assert_eq!(find(&mut device, "주전자"), ["찻주전자 백자"]);
    assert_eq!(find(&mut device, "").len(), 3);
    let placed = device.host().place_order(&order_of(&server, &[("pot", 1)]), now).unwrap();
    let orders = device.host().orders(OrdersRequest::default(), now).unwrap();
    assert_eq!(orders.rows.len(), 1);
    assert_eq!(
        (orders.rows[0].id, orders.rows[0].word),
        (placed.orders[0].order, OrderWord::AwaitingPayment)
    );
    assert_eq!(orders.rows[0].total, krw(25_000));
    assert!(orders.rows[0].pending.is_some());
    let status = device.host().status(now).unwrap();
    assert_eq!((status.pending, status.products), (1, 3));
    assert_eq!(status.link, LinkState::Offline, "nothing was heard since the restart");
}

#[test]
fn a_trade_on_one_phone_without_a_network() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    let tea = server.offer("tea");
    device.host().set_cart_line(LineRequest { offer: tea, quantity: 2 }, now).unwrap();
    let cart = device.host().cart(now).unwrap();
    assert_eq!(cart.shops[0].goods, Some(krw(25_800)));
    assert_eq!(cart.shops[0].name, "Morning Market");
    let request = order_of(&server, &[("tea", 2)]);
    let quote = device.host().quote(&request, now).unwrap();
    assert_eq!((quote.shops[0].total, quote.shops[0].sure), (Some(krw(28_800)), Confidence::Likely));
    let placed = device.host().place_order(&request, now).unwrap();
    let order = placed.orders[0].order;
    assert!(device.host().cart(now).unwrap().shops.is_empty(), "what was ordered is out of the cart");
    let detail = device.host().order(order, now).unwrap();
    let enabled: Vec<&str> =
        detail.actions.iter().filter(|a| a.is_enabled).map(|a| a.what.as_str()).collect();
    assert_eq!(enabled, ["pay", "cancel"]);
    device.host().pay(PayRequest { order, method: PayMethod::Mandate }, now).unwrap();
    // A second payment of the same order is refused at once, by the rules: the first one is pending.
    let acts = device.host().pending_acts(now).unwrap();
    assert_eq!(acts.len(), 4);
    assert!(acts.iter().all(|act| matches!(act.state, PendingState::Queued | PendingState::Sent)));
    assert!(device.host().overlay_equals_recompute(now).unwrap());
    device.drain();
    device.heal(&mut server);
    let now = device.now;
    let detail = device.host().order(order, now).unwrap();
    assert_eq!((detail.row.word, detail.held), (OrderWord::Paid, krw(28_800)));
    assert_eq!(detail.row.pending, None);
    assert_eq!(server.order(order).unwrap().state, OrderState::Open);
}

#[test]
fn a_sure_refusal_is_shown_and_nothing_is_queued() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    let paid = device.host().place_order(&order_of(&server, &[("tea", 1)]), now).unwrap().orders[0].order;
    device.host().pay(PayRequest { order: paid, method: PayMethod::Mandate }, now).unwrap();
    device.drain();
    device.heal(&mut server);
    let now = device.now;
    let error = device.host().cancel_order(paid, now).unwrap_err();
    assert_eq!(error.code, "order.state", "it is paid: exact rows say so");
    assert_eq!(device.host().undecided().unwrap(), 0);
    // A likely refusal is a warning: the band says that few are left.
    let placed = device.host().place_order(&order_of(&server, &[("pot", 3)]), now).unwrap();
    assert_eq!(placed.orders[0].warning.as_deref(), Some("stock.short"));
    device.drain();
    device.heal(&mut server);
    let now = device.now;
    let order = device.host().order(placed.orders[0].order, now).unwrap();
    assert_eq!((order.row.word, order.row.pending), (OrderWord::AwaitingPayment, None));
}

#[test]
fn a_refused_act_says_why_and_how_to_go_on() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    let placed = device.host().place_order(&order_of(&server, &[("tea", 1)]), now).unwrap();
    let tea = server.offer("tea");
    server.seller_acts(Body::SetPrice { offer: tea, price: krw(13_900) });
    device.drain();
    device.heal(&mut server);
    let now = device.now;
    let acts = device.host().pending_acts(now).unwrap();
    assert_eq!(acts.len(), 1);
    let act = &acts[0];
    assert_eq!((act.state, act.code.as_deref()), (PendingState::Rejected, Some("price.changed")));
    assert_eq!((act.title.as_str(), act.ways.as_slice()), ("Green tea", &[WayOut::Dismiss][..]));
    assert_eq!(act.changed[0].predicted, "accepted");
    assert!(device.host().order(placed.orders[0].order, now).is_err(), "it never came to be");
    assert_eq!(device.host().status(now).unwrap().rejected, 1);
    device.host().dismiss(act.id).unwrap();
    assert!(device.host().pending_acts(now).unwrap().is_empty());
}

#[test]
fn a_price_that_fell_is_taken_and_told() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    let placed = device.host().place_order(&order_of(&server, &[("tea", 1)]), now).unwrap();
    let tea = server.offer("tea");
    server.seller_acts(Body::SetPrice { offer: tea, price: krw(9_900) });
    device.drain();
    device.heal(&mut server);
    let now = device.now;
    let order = device.host().order(placed.orders[0].order, now).unwrap();
    assert_eq!(order.row.total, krw(12_900));
    let changed: Vec<_> = order.changed.iter().map(|c| (c.field.as_str(), c.actual.as_str())).collect();
    assert_eq!(changed, [("total", "12900 KRW")]);
}

#[test]
fn a_shop_is_run_from_a_device() {
    let mut server = market();
    let mut buyer = Bench::joined(1, "kim@example.org", &mut server);
    let mut seller = Bench::joined(9, "seller@example.org", &mut server);
    let now = seller.now;
    let products = seller.host().own_products(OrdersRequest::default(), now).unwrap();
    assert_eq!(products.len(), 3);
    let tea = products.iter().find(|row| row.sku == "tea").unwrap();
    // Own rows are exact: the prediction is sure, and a conflict is told at once.
    let saved = seller.host().set_stock(tea.offer, 50, Some(tea.stock_revision), now).unwrap();
    assert_eq!(saved.sure, Confidence::Sure);
    let error = seller.host().set_stock(tea.offer, 9, Some(tea.stock_revision), now).unwrap_err();
    assert_eq!((error.code.as_str(), error.facts.int("theirs")), ("edit.conflict", Some(50)));
    let pot = seller.host().put_product(
        &PutProductRequest {
            sku: "jar".to_owned(),
            title: "Tea jar".to_owned(),
            titles: Vec::new(),
            category: "home".to_owned(),
            brand: String::new(),
            description: String::new(),
            price: krw(8_000),
            tax_ppm: 100_000,
            stock: Some(4),
            weight_g: 300,
        },
        now,
    );
    assert!(pot.is_ok());
    let shown = seller.host().own_products(OrdersRequest::default(), now).unwrap();
    assert_eq!(shown.len(), 4);
    assert_eq!(shown.iter().filter(|row| row.pending.is_some()).count(), 2);
    seller.drain();
    seller.heal(&mut server);
    // An order arrives; the label is the platform's to sign, so it is pending until the server has decided.
    let now = buyer.now;
    let placed = buyer.host().place_order(&order_of(&server, &[("tea", 1)]), now).unwrap();
    let order = placed.orders[0].order;
    buyer.host().pay(PayRequest { order, method: PayMethod::Mandate }, now).unwrap();
    buyer.drain();
    buyer.heal(&mut server);
    seller.event(Event::SyncNow);
    seller.heal(&mut server);
    let now = seller.now;
    let orders = seller.host().shop_orders(OrdersRequest::default(), now).unwrap();
    assert_eq!((orders.rows[0].id, orders.rows[0].word), (order, OrderWord::Paid));
    let saved =
        seller.host().make_label(MakeLabelRequest { order, weight_g: 500, courier: None }, now).unwrap();
    assert_eq!(saved.sure, Confidence::Unknown);
    let detail = seller.host().shop_order(order, now).unwrap();
    assert_eq!(detail.row.pending.map(|mark| mark.sure), Some(Confidence::Unknown));
    assert_eq!(seller.host().labels(order, now).unwrap_err().code, "label.unknown");
    seller.drain();
    seller.heal(&mut server);
    let now = seller.now;
    let labels = seller.host().labels(order, now).unwrap();
    assert_eq!((labels.len(), labels[0].label.len()), (1, 100));
    assert!(labels[0].text.starts_with("SK1:"));
    assert_eq!(seller.host().shop_order(order, now).unwrap().row.word, OrderWord::LabelMade);
}

#[test]
fn a_shop_is_opened_without_a_network() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    assert_eq!(device.host().my_shop(now).unwrap_err().code, "role.none");
    let request = OpenShopRequest {
        name: "Evening Market".to_owned(),
        city: "Busan".to_owned(),
        country: "KR".to_owned(),
        currency: krw(0).currency,
        shipping: ShippingView { flat: krw(2_500), free_from: None },
        courier: None,
    };
    let saved = device.host().open_shop(&request, now).unwrap();
    let shop = device.host().my_shop(now).unwrap();
    assert_eq!(shop.bytes(), saved.id.bytes(), "the shop is there at once, pending");
    device.drain();
    device.heal(&mut server);
    let now = device.now;
    let me = device.host().me(now).unwrap();
    assert_eq!(me.shop.map(|shop| shop.name), Some("Evening Market".to_owned()));
    assert_eq!(device.host().own_products(OrdersRequest::default(), now).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Metamorphic: a seller sees all of its rows; with no rival a sure prediction is the outcome, and the overlay
    /// built act by act is the one replayed from nothing.
    #[test]
    fn sure_predictions_are_outcomes(acts in proptest::collection::vec((0u8..4, 0u32..40, 0usize..3), 1..12)) {
        let mut server = market();
        let mut seller = Bench::joined(9, "seller@example.org", &mut server);
        let now = seller.now;
        let mut tapped = Vec::new();
        for (what, number, which) in acts {
            let offer = server.offer(["tea", "cup", "pot"][which]);
            let host = seller.host();
            let saved = match what {
                0 => host.set_stock(offer, number, None, now),
                1 => host.set_price(offer, krw(i64::from(number) * 100), now),
                2 => host.set_offer_live(offer, number % 2 == 0, now),
                _ => host.set_stock(offer, number, Some(number % 3), now),
            };
            if let Ok(saved) = saved {
                prop_assert_eq!(saved.sure, Confidence::Sure);
                tapped.push(saved.id);
            }
            prop_assert!(seller.host().overlay_equals_recompute(now).unwrap());
        }
        let before = seller.host().own_products(OrdersRequest::default(), now).unwrap();
        seller.drain();
        seller.heal(&mut server);
        for id in tapped {
            prop_assert!(seller.outcome(id).unwrap().is_accepted());
        }
        let now = seller.now;
        let after = seller.host().own_products(OrdersRequest::default(), now).unwrap();
        let plain = |rows: Vec<souk_device::facade::views::OwnProductRow>| {
            let mut rows: Vec<_> = rows.into_iter().map(|row| (row.sku, row.price, row.on_hand, row.is_live)).collect();
            rows.sort_by(|a, b| a.0.cmp(&b.0));
            rows
        };
        prop_assert_eq!(plain(before), plain(after));
        prop_assert_eq!(seller.host().counts().get("prediction_miss"), None);
    }
}
