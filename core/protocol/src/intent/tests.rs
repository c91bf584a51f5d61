use expect_test::expect;
use proptest::prelude::*;
use souk_crypto::sign::Ed25519Key;
use souk_domain::catalogue::put_product::ProductFacts;
use souk_domain::catalogue::{CheckedProduct, OfferState, QuantityRule, TaxRule};
use souk_domain::id::Waybill;
use souk_domain::intent::{OpenShop, PlaceOrder, PutProduct, ServerAct, ShortPolicy, WantedLine};
use souk_domain::money::{Currency, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{PayMethod, RailId};
use souk_domain::party::{CheckoutLine, Shipping};

use super::*;

const ID: &str = "01a20320a20076858b22334455667788";
const OFFER: &str = "000000000000000001a1000000000042";

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

fn mint() -> Mint {
    Mint {
        id: id(ID),
        account: id("018f3c2a5b007abc8def0123456789ab"),
        device: id("019a2f00000071118222333344445555"),
        epoch: 2,
        dev_seq: 31,
        made_at: Time::from_micros(1_795_348_800_123_456),
        made_err_ms: 80,
        not_after: Time::from_micros(1_795_348_800_123_456),
        max_total: None,
    }
}

/// One body of every kind that a user may send.
fn bodies() -> Vec<Body> {
    let (offer, order, account) = (id(OFFER), id(ID), id(ID));
    let waybill = Waybill::from_number(0x3684_0000_0000_0007);
    let facts = ProductFacts {
        title: "김치 1kg".into(),
        titles: vec![("en".into(), "Kimchi".into())],
        category: "food".into(),
        brand: "Souk".into(),
        mpn: "K-1".into(),
        description: "맵다".into(),
        attributes: vec![("origin".into(), "KR".into())],
        gtins: vec!["4006381333931".into()],
        weight_g: 1_020,
        image: Some(souk_domain::party::TokenHash([5; 32])),
    };
    let put = |facts, quantity, stock| {
        Body::PutProduct(Box::new(PutProduct {
            shop: id(ID),
            sku: "KIM-1".into(),
            product: CheckedProduct::new(facts).unwrap(),
            price: krw(12_900),
            tax: TaxRule { rate: Ppm(100_000), inclusive: true, rounding: Rounding::HalfUp },
            quantity,
            stock,
        }))
    };
    let bare = ProductFacts { title: "t".into(), category: "c".into(), ..ProductFacts::default() };
    vec![
        Body::OpenShop(OpenShop {
            name: "서울 상점".into(),
            city: "Seoul".into(),
            country: "KR".into(),
            currency: Currency::KRW,
            shipping: Shipping { flat: krw(3_000), free_from: Some(krw(50_000)) },
            courier: Some(account),
        }),
        put(facts, QuantityRule { min: 2, step: 2, max: 10 }, Some(7)),
        put(bare, QuantityRule::ANY, None),
        Body::SetOfferState { offer, state: OfferState::Paused },
        Body::SetPrice { offer, price: krw(13_900) },
        Body::SetStock { offer, on_hand: 120, base_revision: Some(4) },
        Body::SetCartLine { offer, quantity: 2, seen: krw(12_900) },
        Body::PutCheckout { checkout: id(ID), lines: vec![CheckoutLine { offer, quantity: 2 }] },
        Body::PlaceOrder(PlaceOrder {
            shop: id(ID),
            lines: vec![WantedLine { offer, quantity: 2, seen: 12_900 }],
            policy: ShortPolicy::AllOrNothing,
            note: "문 앞에".into(),
        }),
        Body::PayStart { order, rail: RailId::new("sandbox").unwrap(), method: PayMethod::Mandate },
        Body::CancelOrder { order },
        Body::OpenCase { order, reason: "too late".into() },
        Body::RefundOrder { order },
        Body::Confirm { order },
        Body::MakeLabels { order, weight_g: 1_520, courier: Some(account) },
        Body::Ship { order },
        Body::OpenShift { hours: 10 },
        Body::CloseShift { shift: id(ID) },
        Body::AppendCustody { waybill },
        Body::ConfirmHandOver { waybill, label: vec![1; 100], proof: vec![2; 96], acknowledgement: vec![] },
    ]
}

/// The text of spec/sync.md 3.3: its bytes, hash, D and signature. Its body is older than the member `shop`.
const VECTOR: &str = r#"{"account":"018f3c2a5b007abc8def0123456789ab","body":{"lines":[{"offer":"000000000000000001a1000000000042","q":2,"seen":12900}],"note":"문 앞에","policy":"all_or_nothing"},"dev_seq":31,"device":"019a2f00000071118222333344445555","epoch":2,"id":"01a20320a20076858b22334455667788","kind":"PlaceOrder","made_at":1795348800123456,"made_err_ms":80,"max_total":{"currency":"KRW","minor":25800},"not_after":1795435200000000,"v":1}"#;

#[test]
fn vector_of_the_spec() {
    assert_eq!(VECTOR.len(), 426);
    let text = IntentText::parse(VECTOR).unwrap();
    assert_eq!(text.compose().as_deref(), Ok(VECTOR));
    assert_eq!(text.mint.id.bucket().number(), 417);
    assert_eq!(hex(&hash(VECTOR)), "fdc531ee5bbfd96f71fc378c000a19350b63f2042a54f6c10ac96a3e9f19dba5");
    let d = text.signed_digest(VECTOR);
    assert_eq!(hex(&d), "b775f302512cc76095d0e2234661ec43cf2824f3365235e96ad530d6e4d3ec20");
    let seed = unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
    let key = Ed25519Key::from_seed(seed.try_into().unwrap());
    assert_eq!(
        hex(&key.sign_deterministic(&d)),
        "41e13d65ee7077e66bc6ab9a3b416331294f48b65c29c31d992fc4c0279a6ee1d5ae49e67aca3c689a0d92de585368c175c2a73447f8a58a730033a4466ff40d"
    );
    assert_eq!(
        text.body().map_err(|refusal| refusal.facts.text("field").map(str::to_owned)),
        Err(Some("body.shop".into()))
    );
}

#[test]
fn texts_of_every_kind() {
    let mut shown = String::new();
    for body in bodies() {
        let text = IntentText::of(mint(), &body, &[]).unwrap();
        let composed = text.compose().unwrap();
        assert!(canon::is_canonical(&composed));
        let read = IntentText::parse(&composed).unwrap();
        assert_eq!(read, text);
        assert_eq!(read.body().as_ref(), Ok(&body));
        shown += &format!("{} {}\n", text.kind, canon::canonical(&Value::Object(text.body)).unwrap());
    }
    expect![[r#"
        OpenShop {"city":"Seoul","country":"KR","courier":"01a20320a20076858b22334455667788","currency":"KRW","name":"서울 상점","shipping":{"flat":{"currency":"KRW","minor":3000},"free_from":{"currency":"KRW","minor":50000}}}
        PutProduct {"attributes":[["origin","KR"]],"brand":"Souk","category":"food","description":"맵다","gtins":["04006381333931"],"image":"0505050505050505050505050505050505050505050505050505050505050505","mpn":"K-1","price":{"currency":"KRW","minor":12900},"quantity":{"max":10,"min":2,"step":2},"shop":"01a20320a20076858b22334455667788","sku":"KIM-1","stock":7,"tax":{"inclusive":true,"ppm":100000,"rounding":"half_up"},"title":"김치 1kg","titles":[["en","Kimchi"]],"weight_g":1020}
        PutProduct {"category":"c","price":{"currency":"KRW","minor":12900},"shop":"01a20320a20076858b22334455667788","sku":"KIM-1","tax":{"inclusive":true,"ppm":100000,"rounding":"half_up"},"title":"t"}
        SetOfferState {"offer":"000000000000000001a1000000000042","state":"paused"}
        SetPrice {"offer":"000000000000000001a1000000000042","price":{"currency":"KRW","minor":13900}}
        SetStock {"base":4,"offer":"000000000000000001a1000000000042","on_hand":120}
        SetCartLine {"offer":"000000000000000001a1000000000042","q":2,"seen":{"currency":"KRW","minor":12900}}
        PutCheckout {"checkout":"01a20320a20076858b22334455667788","lines":[{"offer":"000000000000000001a1000000000042","q":2}]}
        PlaceOrder {"lines":[{"offer":"000000000000000001a1000000000042","q":2,"seen":12900}],"note":"문 앞에","policy":"all_or_nothing","shop":"01a20320a20076858b22334455667788"}
        PayStart {"method":"mandate","order":"01a20320a20076858b22334455667788","rail":"sandbox"}
        CancelOrder {"order":"01a20320a20076858b22334455667788"}
        OpenCase {"order":"01a20320a20076858b22334455667788","reason":"too late"}
        RefundOrder {"order":"01a20320a20076858b22334455667788"}
        Confirm {"order":"01a20320a20076858b22334455667788"}
        MakeLabels {"courier":"01a20320a20076858b22334455667788","order":"01a20320a20076858b22334455667788","weight_g":1520}
        Ship {"order":"01a20320a20076858b22334455667788"}
        OpenShift {"hours":10}
        CloseShift {"shift":"01a20320a20076858b22334455667788"}
        AppendCustody {"waybill":"3684000000000007"}
        ConfirmHandOver {"label":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ","proof":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC","waybill":"3684000000000007"}
    "#]].assert_eq(&shown);
}

#[test]
fn kinds_lanes_and_lives() {
    let mut shown = String::new();
    for kind in ["", "Steal", "placeorder", "RailFact"] {
        assert!(!is_kind(kind), "{kind}");
    }
    for body in bodies() {
        assert!(is_kind(body.kind()), "{body:?}");
        let life = life(&body);
        shown += &format!(
            "{:15} {:7} {:>6} {:>6} min{}\n",
            body.kind(),
            body.lane().name(),
            life.default.secs() / 60,
            life.max.secs() / 60,
            if body.needs_signature() { " signed" } else { "" },
        );
        let with = |not_after| IntentText::of(Mint { not_after, ..mint() }, &body, &[]).map(|_| ());
        assert_eq!(with(mint().made_at.plus(life.max)), Ok(()), "{body:?}");
        let late = mint().made_at.plus(life.max).plus(Span::from_micros(1));
        assert_eq!(with(late), Err(form("not_after")), "{body:?}");
        assert_eq!(with(mint().made_at.minus(Span::from_micros(1))), Err(form("not_after")), "{body:?}");
    }
    expect![[r#"
        OpenShop        order     1440  10080 min
        PutProduct      bulk     10080  43200 min
        PutProduct      bulk     10080  43200 min
        SetOfferState   order     1440  10080 min
        SetPrice        order     1440  10080 min
        SetStock        order     1440  10080 min
        SetCartLine     bulk     10080  43200 min
        PutCheckout     bulk     10080  43200 min
        PlaceOrder      order     1440  10080 min signed
        PayStart        money       15   5760 min signed
        CancelOrder     order     1440  10080 min
        OpenCase        money       15   5760 min signed
        RefundOrder     money       15   5760 min signed
        Confirm         money       15  43200 min signed
        MakeLabels      order     1440  10080 min
        Ship            order     1440  10080 min
        OpenShift       courier  43200  43200 min
        CloseShift      courier  43200  43200 min
        AppendCustody   courier  43200  43200 min
        ConfirmHandOver courier  43200  43200 min
    "#]]
    .assert_eq(&shown);
}

/// One change of a good text, and the refusal: code and facts.
#[test]
fn refusals_name_the_field() {
    let body = &bodies()[8];
    let good = IntentText::of(Mint { max_total: Some(krw(25_800)), ..mint() }, body, &[7; 20]).unwrap();
    let good = good.compose().unwrap();
    let check = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        let text = good.replacen(from, to, 1);
        let refusal = IntentText::parse(&text).and_then(|text| text.body().map(|_| ())).unwrap_err();
        let field = refusal.facts.text("field").unwrap_or_default().to_owned();
        let at = refusal.facts.int("at").map(|at| format!(" at {at}")).unwrap_or_default();
        format!("{} -> {}: {} {}{}\n", from, to, refusal.code, field, at)
    };
    let table = [
        (r#""v":1"#, r#""v":2"#),
        (r#""v":1"#, r#""v": 1"#),
        (r#""v":1"#, r#""v":1,"v":1"#),
        (r#""v":1"#, r#""v":1,"w":1"#),
        (r#""v":1"#, r#""v":1.0"#),
        (r#""epoch":2"#, r#""epoch":-2"#),
        (r#""epoch":2"#, r#""epoch":4294967296"#),
        (r#""epoch":2"#, r#""epoch":null"#),
        (r#""made_err_ms":80"#, r#""made_err_ms":-2"#),
        (r#""made_at":1795348800123456"#, r#""made_at":-1"#),
        (r#""dev_seq":31"#, r#""dev_seq":9007199254740992"#),
        (r#""minor":25800"#, r#""minor":-1"#),
        (r#""minor":25800"#, r#""minor":"25800""#),
        (r#""currency":"KRW""#, r#""currency":"KRO""#),
        (r#""id":"01a2"#, r#""id":"01A2"#),
        (r#""id":"01a20320a2007"#, r#""id":"01a20320a2004"#),
        (r#""len":20"#, r#""len":0"#),
        (r#""len":20"#, r#""len":4097"#),
        (r#""len":20"#, r#""len":20,"mime":"x""#),
        (r#""sha256":""#, r#""sha256":"00"#),
        (r#""kind":"PlaceOrder""#, r#""kind":"RailFact""#),
        (r#""kind":"PlaceOrder""#, r#""kind":"Ship""#),
        (r#""q":2"#, r#""q":4294967296"#),
        (r#""q":2"#, r#""q":2,"r":1"#),
        (r#""policy":"all_or_nothing""#, r#""policy":"some""#),
        (r#""offer":"0000"#, r#""offer":"0001"#),
        (r#","shop":"01a20320a20076858b22334455667788""#, ""),
        (r#""shop":"#, r#""ship":"none","shop":"#),
    ];
    let shown: String = table.into_iter().map(|(from, to)| check(from, to)).collect();
    expect![[r#"
        "v":1 -> "v":2: intent.form v
        "v":1 -> "v": 1: intent.form text at 559
        "v":1 -> "v":1,"v":1: intent.form text at 563
        "v":1 -> "v":1,"w":1: intent.form w
        "v":1 -> "v":1.0: intent.form text at 561
        "epoch":2 -> "epoch":-2: intent.form epoch
        "epoch":2 -> "epoch":4294967296: intent.form epoch
        "epoch":2 -> "epoch":null: intent.form text at 378
        "made_err_ms":80 -> "made_err_ms":-2: intent.form made_err_ms
        "made_at":1795348800123456 -> "made_at":-1: intent.form made_at
        "dev_seq":31 -> "dev_seq":9007199254740992: intent.form text at 335
        "minor":25800 -> "minor":-1: intent.form max_total
        "minor":25800 -> "minor":"25800": intent.form max_total
        "currency":"KRW" -> "currency":"KRO": intent.form max_total
        "id":"01a2 -> "id":"01A2: intent.form id
        "id":"01a20320a2007 -> "id":"01a20320a2004: intent.form id
        "len":20 -> "len":0: intent.form bin.len
        "len":20 -> "len":4097: intent.too_large bin
        "len":20 -> "len":20,"mime":"x": intent.form bin.mime
        "sha256":" -> "sha256":"00: intent.form bin.sha256
        "kind":"PlaceOrder" -> "kind":"RailFact": intent.kind 
        "kind":"PlaceOrder" -> "kind":"Ship": intent.form body.order
        "q":2 -> "q":4294967296: intent.form body.lines[0].q
        "q":2 -> "q":2,"r":1: intent.form body.lines[0].r
        "policy":"all_or_nothing" -> "policy":"some": intent.form body.policy
        "offer":"0000 -> "offer":"0001: intent.form body.lines[0].offer
        ,"shop":"01a20320a20076858b22334455667788" -> : intent.form body.shop
        "shop": -> "ship":"none","shop":: intent.form body.ship
    "#]]
    .assert_eq(&shown);
}

#[test]
fn limits_at_the_edge() {
    let case = |reason: usize| {
        let body = Body::OpenCase { order: id(ID), reason: "x".repeat(reason) };
        IntentText::of(mint(), &body, &[]).unwrap().compose().map_err(|refusal| refusal.code)
    };
    let envelope = case(0).unwrap().len();
    let largest = case(TEXT_BYTES_MAX - envelope).unwrap();
    assert_eq!(largest.len(), TEXT_BYTES_MAX);
    assert!(IntentText::parse(&largest).is_ok());
    assert_eq!(case(TEXT_BYTES_MAX - envelope + 1), Err("intent.too_large"));
    let longer = largest.replacen("xx", "xxx", 1);
    assert_eq!(IntentText::parse(&longer).map_err(|refusal| refusal.code), Err("intent.too_large"));

    let order = |note: usize| {
        let Body::PlaceOrder(place) = bodies()[8].clone() else { unreachable!() };
        let body = Body::PlaceOrder(PlaceOrder { note: "x".repeat(note), ..place });
        IntentText::of(mint(), &body, &[]).unwrap().compose().map_err(|refusal| refusal.code)
    };
    let envelope = order(1).unwrap().len() - 1;
    let largest = order(TEXT_LARGE_BYTES_MAX - envelope).unwrap();
    assert_eq!(largest.len(), TEXT_LARGE_BYTES_MAX);
    assert!(IntentText::parse(&largest).is_ok());
    assert_eq!(order(TEXT_LARGE_BYTES_MAX - envelope + 1), Err("intent.too_large"));
    assert_eq!(IntentText::parse(&(largest + " ")).map_err(|refusal| refusal.code), Err("intent.too_large"));

    let bin = |len: usize| BinRef::of(&vec![1; len]).map(|bin| bin.map(|bin| bin.len));
    assert_eq!(bin(0), Ok(None));
    assert_eq!(bin(BIN_BYTES_MAX), Ok(Some(BIN_BYTES_MAX)));
    assert_eq!(bin(BIN_BYTES_MAX + 1).map_err(|refusal| refusal.code), Err("intent.too_large"));
}

/// The same envelope from an account that lives in the id's bucket.
fn local() -> Mint {
    Mint { account: id(ID), ..mint() }
}

#[test]
fn bytes_beside_the_text() {
    let to = crate::views::AddressView::from(&crate::views::samples::address());
    let bin = crate::views::address_bin([7; 16], &to).unwrap();
    let text = IntentText::of(mint(), &bodies()[8], &bin).unwrap();
    assert_eq!(text.intent(bin.clone()).map(|intent| intent.bin), Ok(bin.clone()));
    for wrong in [vec![], bin[1..].to_vec(), vec![8; 40]] {
        assert_eq!(text.intent(wrong), Err(form("bin")));
    }
    let bare = IntentText::of(mint(), &bodies()[8], &[]).unwrap();
    assert_eq!(bare.intent(bin), Err(form("bin")));
    for which in [7, 8] {
        let text = IntentText::of(local(), &bodies()[which], &[9; 40]).unwrap();
        assert_eq!(text.intent(vec![9; 40]).map_err(|refusal| refusal.code), Err("addr.form"));
    }
    let with_bin = |body: &Body| IntentText::of(mint(), body, &[1]).is_ok();
    let kinds: Vec<&str> = bodies().iter().filter(|body| with_bin(body)).map(|body| body.kind()).collect();
    assert_eq!(kinds, ["PutCheckout", "PlaceOrder", "AppendCustody"]);
}

#[test]
fn id_carries_the_bucket_of_its_row() {
    let code = |mint: Mint, body: &Body| {
        IntentText::of(mint, body, &[]).unwrap().intent(vec![]).map(|_| ()).map_err(|refusal| refusal.code)
    };
    let elsewhere: IntentId = id("018f3c2a5b007abc8def0123456789ab");
    let mut at_home = Vec::new();
    for body in bodies() {
        assert_eq!(code(local(), &body), Ok(()), "{body:?}");
        assert_eq!(code(Mint { id: elsewhere, ..local() }, &body), Err("intent.bucket"), "{body:?}");
        // The account of `mint()` lives in another bucket than the rows that the bodies name.
        if code(mint(), &body) != Ok(()) {
            at_home.push(body.kind());
        }
    }
    assert_eq!(at_home, ["OpenShop", "SetCartLine", "PutCheckout", "OpenShift", "CloseShift"]);
    let foreign = Body::CloseShift { shift: id("018f3c2a5b007abc8def0123456789ab") };
    assert_eq!(code(local(), &foreign), Err("intent.bucket"));
    let carrier = Body::AppendCustody { waybill: Waybill::from_number(0x1025_B581_4F42_6F15) };
    assert_eq!(code(local(), &carrier), Err("intent.bucket"));
}

#[test]
fn acts_of_the_server_have_no_text() {
    let act = Body::Server(Box::new(ServerAct::OutboxDone { bucket: mint().id.bucket(), seqs: vec![] }));
    assert_eq!(IntentText::of(mint(), &act, &[]).map_err(|refusal| refusal.code), Err("intent.kind"));
    let seen = Body::SetPrice { offer: id(OFFER), price: krw(1 << 53) };
    assert_eq!(IntentText::of(mint(), &seen, &[]).map_err(|refusal| refusal.code), Err("money.range"));
}

#[test]
fn a_broken_text_still_tells_its_id() {
    assert_eq!(peek_id(VECTOR), Some(mint().id));
    assert_eq!(peek_id(r#"{ "id":"01a20320a20076858b22334455667788","x":1.5}"#), Some(mint().id));
    assert_eq!(peek_id(r#"{"id":7}"#), None);
    assert_eq!(peek_id("{"), None);
}

proptest! {
    #[test]
    fn envelopes_round_trip(
        which in 0..20usize, random: [u8; 9], ms in 0u64..1 << 48, device: [u8; 16], epoch: u32,
        dev_seq in 0u64..1 << 53, at in 0i64..1 << 52, err in -1i64..1 << 40, total in prop::option::of(0i64..1 << 53),
        bin in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let body = &bodies()[which];
        // Of the kinds with bytes beside them, the custody event's are the ones that may be anything here.
        let bin = if matches!(body, Body::AppendCustody { .. }) { bin } else { vec![] };
        let made_at = Time::from_micros(at);
        let minted = souk_domain::id::form_u(ms, mint().id.bucket(), random);
        let mint = Mint {
            id: IntentId::from_bytes(minted).unwrap(),
            account: AccountId::from_bytes(minted).unwrap(),
            device: DeviceId::from_bytes(device).unwrap(),
            epoch,
            dev_seq,
            made_at,
            made_err_ms: err,
            not_after: made_at.plus(life(body).default),
            max_total: total.map(krw),
        };
        let text = IntentText::of(mint, body, &bin).unwrap();
        let composed = text.compose().unwrap();
        let read = IntentText::parse(&composed).unwrap();
        prop_assert_eq!(&read, &text);
        prop_assert_eq!(&read.intent(bin).unwrap().body, body);
        prop_assert_eq!(peek_id(&composed), Some(text.mint.id));
    }

    /// Any JSON of our subset in place of a member is read or refused, never a panic.
    #[test]
    fn garbage_members_never_panic(which in 0..20usize, pick: prop::sample::Index, value in crate::canon::tests::values()) {
        let mut text = IntentText::of(mint(), &bodies()[which], &[]).unwrap();
        let name = pick.get(&text.body.keys().cloned().collect::<Vec<_>>()).clone();
        text.body.insert(name, value);
        if let Ok(body) = text.body() {
            prop_assert_eq!(IntentText::of(mint(), &body, &[]).unwrap().body().unwrap(), body);
        }
    }

    #[test]
    fn cut_texts_never_panic(at in 0..426usize, insert in ".{0,3}") {
        let cut: String = VECTOR.chars().take(at).chain(insert.chars()).collect();
        prop_assert_eq!(IntentText::parse(&cut).is_ok(), cut == VECTOR);
        let _ = peek_id(&cut);
    }
}
