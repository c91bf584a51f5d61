//! Hostile numbers: quantities, prices, rates, times and sizes at and beyond their ends. Nothing panics or wraps, a
//! refusal has a code, and the books stay right.

use proptest::prelude::*;
use souk_codes::proof::EventKind;
use souk_domain::bookkeeping::{Timer, TimerKind};
use souk_domain::catalogue::{QuantityRule, TaxRule};
use souk_domain::id::OrderId;
use souk_domain::intent::{Body, PutProduct, ServerAct, ShortPolicy};
use souk_domain::money::{Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{LINE_QUANTITY_MAX, RailOpState};
use souk_domain::party::Shipping;
use souk_domain::time::{Span, Time};

use super::labelled;
use super::world::{BUYER, COURIER, SELLER, START, Told, World, krw};

fn wild_u32() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(2),
        Just(LINE_QUANTITY_MAX),
        Just(LINE_QUANTITY_MAX + 1),
        Just(u32::MAX - 1),
        Just(u32::MAX),
        any::<u32>(),
    ]
}

fn wild_i64() -> impl Strategy<Value = i64> {
    const MAX: i64 = (1 << 53) - 1;
    prop_oneof![
        Just(i64::MIN),
        Just(-1),
        Just(0),
        Just(1),
        Just(MAX / 100_000),
        Just(MAX / 100_000 + 1),
        Just(MAX),
        Just(MAX + 1),
        Just(i64::MAX),
        any::<i64>(),
        0..1_000_000i64,
    ]
}

fn wild_time() -> impl Strategy<Value = Time> {
    prop_oneof![
        Just(Time::from_micros(i64::MIN)),
        Just(Time::from_micros(-1)),
        Just(Time::from_micros(0)),
        Just(START),
        Just(Time::from_secs(i64::from(u32::MAX))),
        Just(Time::from_secs(i64::from(u32::MAX) + 1)),
        Just(Time::from_micros(i64::MAX - 1)),
        Just(Time::from_micros(i64::MAX)),
        any::<i64>().prop_map(Time::from_micros),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Offers and orders of any numbers: what is accepted adds up, in every currency unit, up to the last step.
    #[test]
    fn offers_and_orders(
        price in prop_oneof![2 => wild_i64(), 1 => 1..100_000i64],
        rate in prop_oneof![1 => wild_i64(), 2 => 0..=1_000_000i64],
        inclusive in any::<bool>(),
        rule in (wild_u32(), wild_u32(), wild_u32()),
        any_rule in any::<bool>(),
        on_hand in wild_u32(),
        lines in prop::collection::vec((wild_u32(), wild_i64()), 1..5),
        max in prop::option::of(wild_i64()),
        flat in prop_oneof![2 => 0..9_000i64, 1 => wild_i64()],
        partial in any::<bool>(),
    ) {
        let mut world = World::new(1);
        let mut shop: souk_domain::party::Shop = world.all().remove(0);
        if (0..1 << 53).contains(&flat) {
            shop.shipping = Shipping { flat: krw(flat), free_from: None };
            world.set(shop);
        }
        let product = PutProduct {
            price: krw(price),
            tax: TaxRule { rate: Ppm(rate), inclusive, rounding: Rounding::HalfEven },
            quantity: if any_rule { QuantityRule::ANY } else { QuantityRule { min: rule.0, step: rule.1, max: rule.2 } },
            stock: Some(on_hand),
            ..world.product("W-1", 1, 1)
        };
        let outcome = world.act(SELLER, Body::PutProduct(Box::new(product))).1;
        let souk_domain::outcome::Outcome::Accepted { data, .. } = outcome else {
            prop_assert!(outcome.code().is_some());
            return Ok(());
        };
        let offer = data.text("offer").unwrap().parse().unwrap();
        let lines: Vec<_> = lines.iter().map(|(quantity, seen)| (offer, *quantity, *seen)).collect();
        let policy = if partial { ShortPolicy::Partial } else { ShortPolicy::AllOrNothing };
        let (order, outcome) = world.place_with(BUYER, &lines, policy, max.map(krw));
        world.check();
        if !outcome.is_accepted() {
            return Ok(());
        }
        let total = world.order(order).total;
        prop_assert!(total.minor > 0 && total.in_range().is_ok());
        prop_assert!(world.order(order).lines.iter().all(|line| line.quantity <= LINE_QUANTITY_MAX));
        prop_assert!(world.pay_start(BUYER, order).is_accepted());
        prop_assert!(world.capture(order, total.minor).unwrap().is_accepted());
        for (who, body) in [(SELLER, Body::Ship { order }), (BUYER, Body::Confirm { order })] {
            let outcome = world.act(who, body).1;
            prop_assert!(outcome.is_accepted(), "{:?}", outcome);
        }
        world.check();
        world.now = world.now.plus(Span::from_days(15));
        world.fire_timers();
        world.check();
        world.check_rest();
    }

    /// Acts at any time and with any number: no panic, and the books stay right.
    #[test]
    fn acts_at_any_time(
        now in wild_time(),
        told in wild_time(),
        number in wild_u32(),
        amount in wild_i64(),
        hours in any::<u8>(),
        steps in prop::collection::vec(0..14usize, 1..12),
    ) {
        let mut world = World::new(1);
        let (order, parcel) = labelled(&mut world);
        world.relay();
        let (shift, certificate) = world.open_shift(COURIER);
        let (offer, _) = world.order(order).units()[0];
        let (fresh, _) = world.place(BUYER, &[(offer, 1, 12_900)]);
        for step in steps {
            match step {
                0 => { world.pay_start(BUYER, fresh); }
                1 => { world.capture_as(fresh, krw(amount), number); }
                2 => { world.capture_as(order, Money::new(amount, Currency::USD), number); }
                3 => { world.act(BUYER, Body::OpenCase { order, reason: String::new() }); }
                4 => { world.act(SELLER, Body::SetStock { offer, on_hand: number, base_revision: None }); }
                5 => { world.act(SELLER, Body::MakeLabels { order: fresh, weight_g: number, courier: None }); }
                6 => {
                    let id = world.mint(world.people[COURIER].account.bucket());
                    world.decide(COURIER, id, Body::OpenShift { hours });
                }
                7 => { world.close_shift(COURIER, shift); }
                8 => {
                    let proof = world.handover_with(BUYER, &parcel, |_| super::world::HandoverFields {
                        at: Some(told),
                        ..super::world::HandoverFields::default()
                    });
                    world.word(BUYER, &parcel, &proof);
                }
                9 | 10 => {
                    let proof = world.handover(BUYER, &parcel, souk_codes::proof::Verdict::Accept);
                    let event = world.told(number as u16, [number as u8; 32], EventKind::Delivered);
                    let place = Some((i32::MIN + 1, i32::MAX));
                    let bound = souk_codes::proof::EvidenceType::HandoverBound;
                    let event = Told { at: Some(told), proof: bound, evidence: proof, place, ..event };
                    let upload = world.sign(&parcel, &event);
                    world.upload(&parcel, &upload, &certificate);
                }
                11 => {
                    for op in world.all::<souk_domain::order::RailOp>() {
                        world.server(ServerAct::RailProgress {
                            op: op.id,
                            state: RailOpState::Unknown,
                            rail_ref: String::new(),
                            next_try: told,
                        });
                    }
                }
                12 => {
                    for (kind, of) in TimerKind::ALL.into_iter().zip([order, fresh].into_iter().cycle()) {
                        let entity = *OrderId::bytes(&of);
                        let timer = Timer { bucket: of.bucket(), due: told, entity, kind, generation: number };
                        world.server(ServerAct::Timeout(timer));
                    }
                }
                _ => world.now = now,
            }
        }
        // Deadlines at the end of time cannot be told apart, so only what does not depend on them is looked at.
        world.check_sums();
    }
}
