//! A checkout on the web, orders, the shop's money, payment codes (spec/market.md 5.6, spec/money.md 2.5).

use axum::body::Body as HttpBody;
use expect_test::expect;
use serde_json::{Value, json};
use souk_codes::paycode::{PayCode, SIGNING_PREFIX};
use souk_crypto::hash::sha256;
use souk_crypto::sign::{Alg, PublicKey};
use souk_domain::id::{IntentId, OrderId};
use souk_domain::intent::Body;
use souk_domain::time::Span;
use souk_protocol::sync::SignedText;

use super::bed::{Bed, Person, request};
use super::trade::{accepted, address, address_view, pay_start, place_order};

impl Bed {
    pub(super) async fn intent(
        &self,
        who: &Person,
        kind: &str,
        id: IntentId,
        signed: &SignedText,
    ) -> (String, Value) {
        let ask = request("POST", &format!("/v1/intents/{kind}"), who.token());
        let ask = ask.header("idempotency-key", id.to_string());
        let body = serde_json::to_string(signed).unwrap();
        let reply = self.ask(ask.body(HttpBody::from(body)).unwrap()).await;
        (reply.said(), reply.json)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_intent_by_itself() {
    let bed = Bed::new().await;
    let stall = bed.stall().await;
    let mut buyer = bed.sign_up("buyer@example.com").await;
    let id = buyer.mint(stall.shop.bucket(), bed.now());
    let signed = buyer.text(id, &place_order(&stall, 2), &address(), None, bed.now());
    let (said, first) = bed.intent(&buyer, "PlaceOrder", id, &signed).await;
    assert_eq!(said, "200");
    accepted(&first["outcome"]);
    let (said, again) = bed.intent(&buyer, "PlaceOrder", id, &signed).await;
    assert_eq!((said.as_str(), &again["outcome"]), ("200", &first["outcome"]), "a repeat gets the same");

    let other = buyer.text(id, &place_order(&stall, 3), &address(), None, bed.now());
    assert_eq!(bed.intent(&buyer, "PlaceOrder", id, &other).await.0, "422 intent.conflict");
    let another = buyer.mint(stall.shop.bucket(), bed.now());
    assert_eq!(bed.intent(&buyer, "PlaceOrder", another, &signed).await.0, "400 request.form");
    assert_eq!(bed.intent(&buyer, "Confirm", id, &signed).await.0, "400 request.form");
    let unkeyed = bed.post("/v1/intents/PlaceOrder", buyer.token(), &json!(signed)).await;
    assert_eq!(
        (unkeyed.said().as_str(), &unkeyed.json["error"]["field"]),
        ("400 request.form", &json!("idempotency-key"))
    );
    let unknown = bed.post("/v1/intents/Steal", buyer.token(), &json!({})).await;
    assert_eq!(
        (unknown.said().as_str(), &unknown.json["error"]["kind"]),
        ("422 intent.kind", &json!("Steal"))
    );
    let stranger = bed.sign_up("stranger@example.com").await;
    assert_eq!(bed.intent(&stranger, "PlaceOrder", id, &signed).await.0, "403 intent.actor");
    let garbage = SignedText { text: "{}".to_owned(), bin: Vec::new(), sig: None };
    assert_eq!(bed.intent(&buyer, "PlaceOrder", id, &garbage).await.0, "422 intent.form");

    // A rule's refusal is an outcome, and 200.
    let many = buyer.text(another, &place_order(&stall, 99), &address(), None, bed.now());
    let (said, refused) = bed.intent(&buyer, "PlaceOrder", another, &many).await;
    assert_eq!((said.as_str(), &refused["outcome"]["code"]), ("200", &json!("stock.short")));
    let id = buyer.mint(stall.shop.bucket(), bed.now());
    let signed = buyer.text(id, &place_order(&stall, 1), &address(), None, bed.now());
    let unsigned = SignedText { sig: None, ..signed };
    let (said, refused) = bed.intent(&buyer, "PlaceOrder", id, &unsigned).await;
    assert_eq!((said.as_str(), &refused["outcome"]["code"]), ("200", &json!("intent.signature_missing")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_calls_of_a_checkout() {
    let bed = Bed::new().await;
    let mut stall = bed.stall().await;
    let second = bed.put_product(&mut stall.seller, stall.shop, "A-2", 1).await;
    let mut buyer = bed.sign_up("buyer@example.com").await;
    let checkout = buyer.mint(buyer.account.bucket(), bed.now());
    let path = format!("/v1/checkouts/{checkout}");
    let token = buyer.access.clone();
    let token = Some(token.as_str());

    // Before its lines there is nothing to deliver.
    let address_body = json!({ "address": address_view() });
    let reply = bed.send("PUT", &format!("{path}/delivery"), token, &address_body).await;
    assert_eq!(reply.said(), "404 checkout.unknown");
    let gone = "000000000000000001a1000000000042";
    let lines = json!({ "lines": [
        { "offer": stall.offer, "q": 2 }, { "offer": second, "q": 2 }, { "offer": gone, "q": 1 },
    ] });
    let reply = bed.send("PUT", &path, token, &lines).await;
    assert_eq!(reply.said(), "200");
    let mut view = reply.json.clone();
    for member in ["id", "now"] {
        view.as_object_mut().unwrap().remove(member);
    }
    let text =
        view.to_string().replace(&stall.offer.to_string(), "FIRST").replace(&second.to_string(), "SECOND");
    let text = text.replace(&stall.shop.to_string(), "SHOP");
    expect![[r#"{"has_address":false,"problems":[{"code":"offer.gone","offer":"000000000000000001a1000000000042"},{"code":"stock.short","offer":"SECOND"}],"shops":[{"goods":{"currency":"KRW","minor":25800},"lines":[{"amount":{"currency":"KRW","minor":25800},"offer":"FIRST","q":2,"title":"Thing A-1","unit":{"currency":"KRW","minor":12900}}],"name":"아침 시장","shipping":{"currency":"KRW","minor":3000},"shop":"SHOP","tax":{"currency":"KRW","minor":2345},"total":{"currency":"KRW","minor":28800}}]}"#]]
        .assert_eq(&text);
    let again = bed.send("PUT", &path, token, &lines).await;
    assert_eq!(again.json["shops"], reply.json["shops"], "twice is once");
    let reply = bed.send("PUT", &format!("{path}/delivery"), token, &address_body).await;
    assert_eq!((reply.said().as_str(), &reply.json["has_address"]), ("200", &json!(true)));

    let stranger = bed.sign_up("stranger@example.com").await;
    assert_eq!(
        bed.send("PUT", &format!("{path}/delivery"), stranger.token(), &address_body).await.said(),
        "422 intent.bucket"
    );
    for (body, expected) in [
        (json!({ "lines": [] }), "422 order.lines"),
        (json!({ "lines": vec![json!({ "offer": second, "q": 1 }); 201] }), "422 order.lines"),
        (json!({ "lines": [{ "offer": "x", "q": 1 }] }), "400 request.form"),
    ] {
        assert_eq!(bed.send("PUT", &path, token, &body).await.said(), expected);
    }
    let bad = json!({ "address": { "name": "", "lines": ["x"], "city": "x", "postcode": "", "country": "KR", "phone": "" } });
    assert_eq!(bed.send("PUT", &format!("{path}/delivery"), token, &bad).await.said(), "422 addr.required");

    let order = buyer.mint(stall.shop.bucket(), bed.now());
    let placed = buyer.text(order, &place_order(&stall, 2), &address(), None, bed.now());
    let order_id = OrderId::from_bytes(*order.bytes()).unwrap();
    let payment = buyer.mint(stall.shop.bucket(), bed.now());
    let paid = buyer.text(payment, &pay_start(order_id), &[], None, bed.now());
    let place = json!({ "orders": [placed], "pay": [paid] });
    let reply = bed.post(&format!("{path}/place"), token, &place).await;
    assert_eq!(reply.said(), "200");
    accepted(&reply.json["orders"][0]["outcome"]);
    accepted(&reply.json["pay"][0]["outcome"]);
    assert_eq!(reply.json["touch"].as_array().unwrap().len(), 1, "one sequence a bucket");
    let again = bed.post(&format!("{path}/place"), token, &place).await;
    assert_eq!(again.json["orders"], reply.json["orders"], "twice is once");
    assert_eq!(
        bed.post(&format!("{path}/place"), token, &json!({ "orders": [] })).await.said(),
        "400 request.form"
    );
    let many = json!({ "orders": vec![json!({ "text": "{}" }); 17] });
    assert_eq!(bed.post(&format!("{path}/place"), token, &many).await.said(), "413 request.too_large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_and_the_shops_money() {
    let bed = Bed::new().await;
    let stall = bed.stall().await;
    let mut buyer = bed.sign_up("buyer@example.com").await;
    let order = bed.place(&mut buyer, &stall, 1).await;
    let path = format!("/v1/orders/{order}");
    let seen = bed.get(&path, buyer.token()).await.json;
    assert_eq!((&seen["word"], &seen["address"]["name"]), (&json!("awaiting_payment"), &json!("김")));
    assert!(seen["order"]["fees"].is_null(), "rates are the shop's alone");
    let seen = bed.get(&path, stall.seller.token()).await.json;
    assert_eq!(seen["order"]["fees"]["commission_bp"], json!(500));

    for _ in 0..2 {
        bed.wait(Span::from_secs(1));
        bed.place(&mut buyer, &stall, 1).await;
    }
    let page = bed.get("/v1/seller/orders?limit=2", stall.seller.token()).await.json;
    assert_eq!(page["orders"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let rest = bed.get(&format!("/v1/seller/orders?limit=2&after={next}"), stall.seller.token()).await.json;
    assert_eq!(rest["orders"][0]["id"], json!(order));
    assert!(rest["next"].is_null());
    for (query, expected) in [
        ("limit=200", "200"),
        ("limit=201", "413 request.too_large"),
        ("limit=0", "400 request.form"),
        ("limit=x", "400 request.form"),
        ("after=x", "400 request.form"),
        ("limit=1&limit=2", "400 request.form"),
    ] {
        let reply = bed.get(&format!("/v1/seller/orders?{query}"), stall.seller.token()).await;
        assert_eq!(reply.said(), expected, "{query}");
    }
    let balance = bed.get("/v1/seller/balance", stall.seller.token()).await.json;
    assert_eq!(balance["available"], json!({ "minor": "0", "currency": "KRW" }));
    let statement = bed.get("/v1/seller/statement", stall.seller.token()).await.json;
    assert_eq!(statement["lines"], json!([]));

    let snapshot = bed.get("/v1/catalogue/snapshot?limit=1", None).await.json;
    assert_eq!(snapshot["scope"], json!("cat/all"));
    let after = snapshot["c"].as_str().unwrap();
    assert_eq!(bed.get(&format!("/v1/catalogue/snapshot?after={after}"), None).await.said(), "200");
    assert_eq!(bed.get("/v1/catalogue/snapshot?after=AAAA", None).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_code_is_signed_by_the_platform() {
    let bed = Bed::new().await;
    let stall = bed.stall().await;
    let key = souk_crypto::sign::Ed25519Key::from_seed([3; 32]);
    let registered =
        bed.post("/v1/devices", None, &bed.registration("buyer@example.com", &key).await).await.json;
    let mut buyer = Person::of(&registered, key);
    let order = bed.place(&mut buyer, &stall, 2).await;
    let path = format!("/v1/orders/{order}/pay-code");
    for who in [&buyer, &stall.seller] {
        let reply = bed.post(&path, who.token(), &Value::Null).await;
        assert_eq!(reply.said(), "200");
        let code = PayCode::read(reply.json["code"].as_str().unwrap()).unwrap();
        let d = sha256(&[SIGNING_PREFIX, code.signing_bytes.as_slice()].concat());
        let server_key = registered["server_keys"].as_array().unwrap().iter();
        let server_key = server_key.clone().find(|key| key["id"] == json!(code.fields.key_id)).unwrap();
        let public = souk_domain::id::unhex(server_key["public"].as_str().unwrap()).unwrap();
        let public = PublicKey::from_bytes(Alg::Ed25519, &public).unwrap();
        assert!(public.verify(&d, &code.signature).is_ok());
        let fields = &code.fields;
        assert_eq!((fields.amount.as_deref(), fields.currency), (Some("28800"), 410));
        assert_eq!(fields.payee, *stall.seller.account.bytes());
        assert_eq!(fields.order.as_ref().unwrap().order, *order.bytes());
        assert_eq!((fields.merchant_name.as_str(), fields.city.as_str()), ("Souk shop", "Seoul"));
        let language = fields.language.as_ref().unwrap();
        assert_eq!((language.language.as_str(), language.name.as_str()), ("ko", "아침 시장"));
        let expires_at = reply.json["expires_at"].as_i64().unwrap();
        let last = i64::from(fields.order.as_ref().unwrap().expiry_minutes);
        assert_eq!(expires_at, (last + 1) * 60_000_000, "good through its minute");
        assert_eq!(expires_at, bed.now().plus(Span::from_minutes(15)).micros());
    }
    // Never longer than the order waits for its money.
    bed.wait(Span::from_minutes(28));
    let (said, new) = {
        let reply = bed.post("/v1/auth/token", None, &json!({ "refresh": buyer.refresh })).await;
        (reply.said(), reply.json)
    };
    assert_eq!(said, "200");
    let access = new["access"].as_str();
    let reply = bed.post(&path, access, &Value::Null).await;
    let pay_by = bed.get(&format!("/v1/orders/{order}"), access).await.json["order"]["pay_by"].as_i64();
    assert_eq!(reply.json["expires_at"].as_i64(), pay_by);

    let id = buyer.mint(stall.shop.bucket(), bed.now());
    let cancel = Body::CancelOrder { order };
    buyer.access = access.unwrap().to_owned();
    accepted(&bed.act(&mut buyer, id, &cancel, &[]).await);
    assert_eq!(bed.post(&path, access, &Value::Null).await.said(), "409 order.closed");
}
