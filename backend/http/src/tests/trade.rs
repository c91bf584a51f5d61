//! A trade over the routes: open a shop, put a product, order, pay, read.

use serde_json::{Value, json};
use souk_domain::bookkeeping::Lane;
use souk_domain::catalogue::put_product::{CheckedProduct, ProductFacts};
use souk_domain::catalogue::{QuantityRule, TaxRule};
use souk_domain::id::{IntentId, OfferId, OrderId, ShopId};
use souk_domain::intent::{Body, OpenShop, PlaceOrder, PutProduct, ShortPolicy, WantedLine};
use souk_domain::money::{Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{PayMethod, RailId};
use souk_domain::party::Shipping;
use souk_protocol::views::{AddressView, address_bin};

use super::bed::{Bed, Person};

pub(super) fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

/// A shop with one product.
pub(super) struct Stall {
    pub(super) seller: Person,
    pub(super) shop: ShopId,
    pub(super) offer: OfferId,
}

impl Bed {
    /// Pushes one act; its outcome.
    pub(super) async fn act(&self, who: &mut Person, id: IntentId, body: &Body, bin: &[u8]) -> Value {
        let signed = who.text(id, body, bin, None, self.now());
        let item = who.item(body.lane(), id.bucket(), &signed);
        let reply = self.post("/v1/sync/push", who.token(), &who.push(vec![item])).await;
        assert_eq!(reply.said(), "200", "{reply:?}");
        assert_eq!(reply.json["results"][0]["state"], json!("decided"), "{reply:?}");
        reply.json["results"][0]["outcome"].clone()
    }

    pub(super) async fn open_shop(&self, mut seller: Person) -> (Person, ShopId) {
        let id = seller.mint(seller.account.bucket(), self.now());
        let open = Body::OpenShop(OpenShop {
            name: "아침 시장".to_owned(),
            city: "Seoul".to_owned(),
            country: "KR".to_owned(),
            currency: Currency::KRW,
            shipping: Shipping { flat: krw(3_000), free_from: Some(krw(50_000)) },
            courier: None,
        });
        accepted(&self.act(&mut seller, id, &open, &[]).await);
        (seller, ShopId::from_bytes(*id.bytes()).unwrap())
    }

    pub(super) async fn put_product(
        &self,
        seller: &mut Person,
        shop: ShopId,
        sku: &str,
        stock: u32,
    ) -> OfferId {
        let id = seller.mint(shop.bucket(), self.now());
        let put = Body::PutProduct(Box::new(PutProduct {
            shop,
            sku: sku.to_owned(),
            product: CheckedProduct::new(ProductFacts {
                title: format!("Thing {sku}"),
                category: "things".to_owned(),
                ..ProductFacts::default()
            })
            .unwrap(),
            price: krw(12_900),
            tax: TaxRule { rate: Ppm(100_000), inclusive: true, rounding: Rounding::HalfUp },
            quantity: QuantityRule::ANY,
            stock: Some(stock),
        }));
        let outcome = self.act(seller, id, &put, &[]).await;
        accepted(&outcome);
        outcome["data"]["offer"].as_str().unwrap().parse().unwrap()
    }

    pub(super) async fn stall(&self) -> Stall {
        self.stall_of("seller@example.com").await
    }

    pub(super) async fn stall_of(&self, contact: &str) -> Stall {
        let seller = self.sign_up(contact).await;
        let (mut seller, shop) = self.open_shop(seller).await;
        let offer = self.put_product(&mut seller, shop, "A-1", 5).await;
        Stall { seller, shop, offer }
    }

    /// An order of so many units, placed by push.
    pub(super) async fn place(&self, buyer: &mut Person, stall: &Stall, quantity: u32) -> OrderId {
        let id = buyer.mint(stall.shop.bucket(), self.now());
        accepted(&self.act(buyer, id, &place_order(stall, quantity), &address()).await);
        OrderId::from_bytes(*id.bytes()).unwrap()
    }
}

pub(super) fn place_order(stall: &Stall, quantity: u32) -> Body {
    Body::PlaceOrder(PlaceOrder {
        shop: stall.shop,
        lines: vec![WantedLine { offer: stall.offer, quantity, seen: 12_900 }],
        policy: ShortPolicy::AllOrNothing,
        note: String::new(),
    })
}

pub(super) fn pay_start(order: OrderId) -> Body {
    let rail = RailId::new(RailId::SANDBOX).unwrap();
    Body::PayStart { order, rail, method: PayMethod::Mandate }
}

pub(super) fn address_view() -> AddressView {
    AddressView {
        name: "김".to_owned(),
        lines: vec!["1 Main Street".to_owned()],
        city: "Seoul".to_owned(),
        country: "KR".to_owned(),
        ..AddressView::default()
    }
}

pub(super) fn address() -> Vec<u8> {
    address_bin([7; 16], &address_view()).unwrap()
}

#[track_caller]
pub(super) fn accepted(outcome: &Value) {
    assert_eq!(outcome["is"], json!("accepted"), "{outcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_and_pull_by_raw_json() {
    let bed = Bed::new().await;
    let stall = bed.stall().await;
    let mut buyer = bed.sign_up("buyer@example.com").await;
    // The same push again: the same outcome, nothing twice.
    let id = buyer.mint(stall.shop.bucket(), bed.now());
    let signed = buyer.text(id, &place_order(&stall, 1), &address(), None, bed.now());
    let item = buyer.item(Lane::Order, stall.shop.bucket(), &signed);
    let push = buyer.push(vec![item]);
    let first = bed.post("/v1/sync/push", buyer.token(), &push).await;
    let again = bed.post("/v1/sync/push", buyer.token(), &push).await;
    accepted(&first.json["results"][0]["outcome"]);
    assert_eq!(first.json["results"], again.json["results"]);

    // A new part is found by what the push has touched.
    let scopes =
        json!([{ "id": format!("acct/{}", buyer.account) }, { "id": "cat/all" }, { "id": "ref/main" }]);
    let asked = json!({
        "v": 1, "schema": 1, "app": "test/1", "epoch": 1, "gen": 1, "scopes": scopes, "touch": first.json["touch"],
    });
    let reply = bed.post("/v1/sync/pull", buyer.token(), &asked).await;
    assert_eq!(reply.said(), "200");
    let kinds: Vec<&Value> =
        reply.json["scopes"].as_array().unwrap().iter().map(|scope| &scope["kind"]).collect();
    assert_eq!(kinds, ["rows", "rows", "rows"], "{}", reply.json);
    let own = reply.json["scopes"][0].to_string();
    assert!(own.contains(&id.to_string()) && own.contains("\"applied\":[[1,"), "{own}");

    // A guest sees what is public, the same rows, and nothing of anybody's.
    let guest = bed.post("/v1/sync/pull", None, &asked).await;
    assert_eq!(guest.said(), "200");
    let of_guest = guest.json["scopes"].as_array().unwrap();
    assert_eq!(of_guest[0]["kind"], json!("gone"), "{}", guest.json);
    for (mine, theirs) in of_guest.iter().zip(reply.json["scopes"].as_array().unwrap()).skip(1) {
        assert_eq!((&mine["blocks"], &mine["sum"]), (&theirs["blocks"], &theirs["sum"]));
    }

    let mut forged = push.clone();
    forged["items"][0]["sig"]["s"] = json!("A".repeat(86));
    forged["items"][0]["text"] = json!(signed.text.replace("\"q\":1", "\"q\":3"));
    let reply = bed.post("/v1/sync/push", buyer.token(), &forged).await;
    assert_eq!(reply.json["results"][0]["state"], json!("conflict"), "{}", reply.json);

    let mut behind = push;
    behind["epoch"] = json!(0);
    let reply = bed.post("/v1/sync/push", buyer.token(), &behind).await;
    assert_eq!((reply.said().as_str(), &reply.json["error"]["epoch"]), ("409 device.epoch", &json!(1)));
}

/// Twenty buyers, five in stock: at once, and one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_not_sold() {
    let bed = Bed::new().await;
    for at_once in [true, false] {
        let sku = format!("{at_once}");
        let mut stall = bed.stall_of(&format!("seller-{at_once}@example.com")).await;
        stall.offer = bed.put_product(&mut stall.seller, stall.shop, &sku, 5).await;
        let mut buyers = Vec::new();
        for n in 0..20 {
            buyers.push(bed.sign_up(&format!("{at_once}{n}@example.com")).await);
        }
        let tries = buyers.iter_mut().map(async |buyer: &mut Person| {
            let id = buyer.mint(stall.shop.bucket(), bed.now());
            bed.act(buyer, id, &place_order(&stall, 1), &address()).await
        });
        let outcomes = if at_once {
            futures::future::join_all(tries).await
        } else {
            let mut outcomes = Vec::new();
            for tried in tries {
                outcomes.push(tried.await);
            }
            outcomes
        };
        let sold = outcomes.iter().filter(|outcome| outcome["is"] == json!("accepted")).count();
        let short = outcomes.iter().filter(|outcome| outcome["code"] == json!("stock.short")).count();
        assert_eq!((sold, short), (5, 15), "{at_once}");
    }
}
