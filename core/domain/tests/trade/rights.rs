//! Who may do what: every act on an order and a shop, by everybody who may not.

use souk_codes::proof::Verdict;
use souk_domain::catalogue::OfferState;
use souk_domain::id::{OrderId, form_u};
use souk_domain::intent::{Body, ServerAct};
use souk_domain::order::PayMethod;
use souk_domain::outcome::Outcome;
use souk_domain::party::{Member, Shop, ShopRole};
use souk_domain::rows::Key;

use super::world::{BUYER, COURIER, RIVAL, SELLER, World, krw, sandbox};
use super::{accepted, labelled, refused};

/// Everything that can be asked of an order.
pub(crate) fn acts_on(order: OrderId) -> [Body; 7] {
    [
        Body::PayStart { order, rail: sandbox(), method: PayMethod::Mandate },
        Body::CancelOrder { order },
        Body::OpenCase { order, reason: String::new() },
        Body::RefundOrder { order },
        Body::Confirm { order },
        Body::MakeLabels { order, weight_g: 1, courier: None },
        Body::Ship { order },
    ]
}

#[test]
fn an_order_by_those_whom_it_is_not() {
    let mut world = World::new(2);
    let (order, parcel) = labelled(&mut world);
    let before = world.snapshot();
    for who in [COURIER, BUYER + 1] {
        for body in acts_on(order) {
            refused(&world.act(who, body).1, "order.not_party");
        }
    }
    // The buyer may not do the shop's part, nor the shop the buyer's.
    for body in [
        Body::RefundOrder { order },
        Body::MakeLabels { order, weight_g: 1, courier: None },
        Body::Ship { order },
    ] {
        refused(&world.act(BUYER, body).1, "order.not_party");
    }
    for body in [
        Body::PayStart { order, rail: sandbox(), method: PayMethod::Mandate },
        Body::OpenCase { order, reason: String::new() },
        Body::Confirm { order },
    ] {
        refused(&world.act(SELLER, body).1, "order.not_party");
    }
    // One that is not there.
    let nobodys = OrderId::from_bytes(form_u(1, order.bucket(), [9; 9])).unwrap();
    for body in acts_on(nobodys) {
        refused(&world.act(BUYER, body).1, "order.unknown");
    }
    refused(&world.act(SELLER, Body::Ship { order }).1, "ship.scan_expected");
    refused(&world.act(SELLER, Body::MakeLabels { order, weight_g: 1, courier: None }).1, "label.state");
    let id = world.mint(world.people[BUYER].account.bucket());
    refused(&world.decide(BUYER, id, Body::OpenShift { hours: 8 }), "auth.forbidden");
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    refused(&world.word(BUYER + 1, &parcel, &proof), "label.not_mine");
    assert_eq!(before, world.snapshot());
    world.check();
}

/// An id that another account's order, shop or payment has is never taken over.
#[test]
fn ids_of_others() {
    let mut world = World::new(2);
    let offer = world.put_product("A-1", 10_000, 9);
    let (order, _) = world.place(BUYER, &[(offer, 1, 10_000)]);
    let taken = souk_domain::id::IntentId::from_bytes(*order.bytes()).unwrap();
    let place = souk_domain::intent::PlaceOrder {
        shop: world.shop.unwrap(),
        lines: vec![souk_domain::intent::WantedLine { offer, quantity: 2, seen: 10_000 }],
        policy: Default::default(),
        note: String::new(),
    };
    refused(&world.decide(BUYER + 1, taken, Body::PlaceOrder(place)), "intent.id_taken");
    assert_eq!(world.order(order).lines[0].quantity, 1);
    // A payment under the id of another one would take its money.
    accepted(world.pay_start(BUYER, order));
    let (other, _) = world.place(BUYER + 1, &[(offer, 1, 10_000)]);
    let payment = world.order(order).payment.unwrap();
    let taken = souk_domain::id::IntentId::from_bytes(*payment.bytes()).unwrap();
    let start = Body::PayStart { order: other, rail: sandbox(), method: PayMethod::Mandate };
    refused(&world.decide(BUYER + 1, taken, start), "intent.id_taken");
    accepted(world.capture_of(payment, krw(13_000), 1));
    assert_eq!((world.order(order).paid, world.order(other).paid), (13_000, 0));
    // So would a label or a shift.
    let (parcel, outcome) = world.make_label(order);
    accepted(outcome);
    accepted(world.pay_start(BUYER + 1, other));
    accepted(world.capture(other, 13_000).unwrap());
    let taken = souk_domain::id::IntentId::from_bytes(*parcel.bytes()).unwrap();
    let label = Body::MakeLabels { order: other, weight_g: 1, courier: None };
    refused(&world.decide(SELLER, taken, label), "intent.id_taken");
    assert_eq!(world.parcel(parcel).order, order);
    let (shift, _) = world.open_shift(COURIER);
    let taken = souk_domain::id::IntentId::from_bytes(*shift.bytes()).unwrap();
    refused(&world.decide(RIVAL, taken, Body::OpenShift { hours: 1 }), "intent.id_taken");
    let shop = souk_domain::id::IntentId::from_bytes(*world.shop.unwrap().bytes()).unwrap();
    let open = world.shop_to_open();
    refused(&world.decide(BUYER, shop, Body::OpenShop(open)), "shop.exists");
    world.check();
}

#[test]
fn a_shop_by_its_roles() {
    let mut world = World::new(3);
    let offer = world.put_product("A-1", 10_000, 9);
    let shop: Shop = world.one(&Key::shop(world.shop.unwrap())).unwrap();
    let roles = [
        ShopRole::Owner,
        ShopRole::Manager,
        ShopRole::Catalogue,
        ShopRole::Packer,
        ShopRole::Support,
        ShopRole::Finance,
        ShopRole::Viewer,
    ];
    let member = BUYER + 2;
    let mut text = String::new();
    for role in roles.into_iter().map(Some).chain([None]) {
        let staff = role.map(|role| Member { account: world.people[member].account, role });
        world.set(Shop { staff: shop.staff.iter().copied().chain(staff).collect(), ..shop.clone() });
        let order = world.paid(BUYER, &[(offer, 1, 10_000)]);
        let (unpaid, _) = world.place(BUYER, &[(offer, 1, 10_000)]);
        let product = world.product("A-1", 10_000, 9);
        text += &format!("{:9}", role.map_or("stranger".to_owned(), |role| format!("{role:?}")));
        for body in [
            Body::SetPrice { offer, price: krw(10_000) },
            Body::SetOfferState { offer, state: OfferState::Live },
            Body::PutProduct(Box::new(souk_domain::intent::PutProduct { stock: None, ..product })),
            Body::SetStock { offer, on_hand: 9, base_revision: None },
            Body::CancelOrder { order: unpaid },
            Body::MakeLabels { order, weight_g: 1, courier: None },
            Body::RefundOrder { order },
        ] {
            let outcome: Outcome = world.act(member, body).1;
            text += match outcome.code() {
                None => " y",
                Some("auth.forbidden") => " .",
                Some("order.not_party") => " -",
                Some(_) => panic!("{outcome:?}"),
            };
        }
        text += "\n";
        world.act(SELLER, Body::RefundOrder { order });
        world.act(SELLER, Body::CancelOrder { order: unpaid });
        world.check();
    }
    // price, state, product, stock, cancel, label, refund
    expect_test::expect![[r#"
        Owner     y y y y y y y
        Manager   y y y y y y y
        Catalogue y y y y . . .
        Packer    . . . . . y .
        Support   . . . . y . y
        Finance   . . . . . . .
        Viewer    . . . . . . .
        stranger  - - - - - - -
    "#]]
    .assert_eq(&text);
}

/// Acts of the server are refused from everybody else.
#[test]
fn nobody_plays_the_server() {
    let mut world = World::new(1);
    let (order, _) = labelled(&mut world);
    let timers: Vec<souk_domain::bookkeeping::Timer> = world.all();
    for act in [
        ServerAct::Timeout(timers[0]),
        ServerAct::OutboxDone { bucket: order.bucket(), seqs: vec![1] },
        ServerAct::RevokeDevice { account: world.people[BUYER].account, device: world.people[BUYER].device },
    ] {
        for who in [SELLER, COURIER, BUYER] {
            refused(&world.act(who, Body::Server(Box::new(act.clone()))).1, "intent.kind");
        }
    }
    world.check();
}
