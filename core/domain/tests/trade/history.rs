//! Whatever happens: random histories of a small market with people who do what they may not, a rail that says
//! anything, scans that come late, and a relay that forgets. All of `check` holds after each step, and all ends.

use proptest::prelude::*;
use souk_codes::proof::{EventKind, EvidenceType, Verdict};
use souk_domain::id::{OfferId, ShiftId};
use souk_domain::intent::{Body, Fact, ServerAct, ShortPolicy};
use souk_domain::money::{Currency, Money};
use souk_domain::order::{Blocker, BlockerKind, Order, RailOpKind, RailOpState, ReleaseClock};
use souk_domain::parcel::Parcel;
use souk_domain::time::Span;

use super::accepted;
use super::rights::acts_on;
use super::world::{BUYER, COURIER, HandoverFields, RIVAL, SELLER, Told, Upload, World, krw};

/// What can happen, at random.
#[derive(Clone, Debug)]
enum Happening {
    Place { who: usize, lines: Vec<(usize, u32)>, cut: bool, max: Max },
    PayStart { order: usize },
    Capture { order: usize, money: Come },
    SameCapture { order: usize },
    PaymentRefused { order: usize },
    Progress { op: usize, state: RailOpState, minutes: i64 },
    RefundWord { op: usize, refused: bool },
    Cancel { order: usize, by_shop: bool },
    Ask { order: usize },
    RefundByShop { order: usize },
    Label { order: usize },
    Ship { order: usize },
    Scan { order: usize, kind: EventKind, proof: Proof, rival: bool, back_hours: i64, late: bool },
    Late { seed: usize },
    Word { order: usize, verdict: Verdict, again: bool },
    Confirm { order: usize },
    SetStock { offer: usize, units: u32 },
    SetPrice { offer: usize, price: i64 },
    Stranger { order: usize, act: usize },
    Refunds,
    Wait { minutes: i64 },
    Relay { skip: usize },
    Shift,
}

#[derive(Clone, Copy, Debug)]
enum Max {
    None,
    Exact,
    Low,
    Foreign,
}

#[derive(Clone, Copy, Debug)]
enum Come {
    Due,
    Part,
    Over,
    Foreign,
    OfFormer,
}

#[derive(Clone, Copy, Debug)]
enum Proof {
    None,
    Photo,
    Hand(Verdict),
    Stale,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    let order = || 0..12usize;
    let verdict = || prop_oneof![6 => Just(Verdict::Accept), 1 => Just(Verdict::AcceptDamaged), 1 => Just(Verdict::Refuse)];
    let kind = prop_oneof![
        6 => Just(EventKind::PickedUp),
        6 => Just(EventKind::OutForDelivery),
        6 => Just(EventKind::Delivered),
        2 => Just(EventKind::Attempted),
        1 => Just(EventKind::Refused),
        1 => Just(EventKind::ReturnStarted),
        1 => Just(EventKind::Returned),
        1 => Just(EventKind::Damaged),
        1 => Just(EventKind::Note),
        1 => Just(EventKind::Departed),
    ];
    let proof = prop_oneof![
        4 => Just(Proof::None),
        2 => Just(Proof::Photo),
        4 => verdict().prop_map(Proof::Hand),
        1 => Just(Proof::Stale),
    ];
    let come = prop_oneof![
        9 => Just(Come::Due),
        2 => Just(Come::Part),
        1 => Just(Come::Over),
        1 => Just(Come::Foreign),
        1 => Just(Come::OfFormer)
    ];
    let max = prop_oneof![6 => Just(Max::None), 2 => Just(Max::Exact), 1 => Just(Max::Low), 1 => Just(Max::Foreign)];
    let state = prop_oneof![
        Just(RailOpState::New),
        Just(RailOpState::Unknown),
        Just(RailOpState::Accepted),
        Just(RailOpState::Succeeded),
        Just(RailOpState::Refused)
    ];
    let minutes = || prop_oneof![Just(5i64), Just(40), Just(60 * 25), Just(60 * 24 * 8)];
    let lines = prop::collection::vec((0..3usize, 1..4u32), 1..4);
    prop_oneof![
        9 => (0..3usize, lines, any::<bool>(), max).prop_map(|(who, lines, cut, max)| H::Place { who, lines, cut, max }),
        9 => order().prop_map(|order| H::PayStart { order }),
        12 => (order(), come).prop_map(|(order, money)| H::Capture { order, money }),
        2 => order().prop_map(|order| H::SameCapture { order }),
        2 => order().prop_map(|order| H::PaymentRefused { order }),
        3 => (order(), state, minutes()).prop_map(|(op, state, minutes)| H::Progress { op, state, minutes }),
        3 => (order(), any::<bool>()).prop_map(|(op, refused)| H::RefundWord { op, refused }),
        2 => (order(), any::<bool>()).prop_map(|(order, by_shop)| H::Cancel { order, by_shop }),
        4 => order().prop_map(|order| H::Ask { order }),
        2 => order().prop_map(|order| H::RefundByShop { order }),
        10 => order().prop_map(|order| H::Label { order }),
        2 => order().prop_map(|order| H::Ship { order }),
        24 => (order(), kind, proof, prop::bool::weighted(0.1), prop_oneof![4 => Just(0i64), 1 => 0..400i64], prop::bool::weighted(0.2))
            .prop_map(|(order, kind, proof, rival, back_hours, late)| H::Scan { order, kind, proof, rival, back_hours, late }),
        4 => (0..99usize).prop_map(|seed| H::Late { seed }),
        4 => (order(), verdict(), any::<bool>()).prop_map(|(order, verdict, again)| H::Word { order, verdict, again }),
        3 => order().prop_map(|order| H::Confirm { order }),
        2 => (0..3usize, 0..8u32).prop_map(|(offer, units)| H::SetStock { offer, units }),
        1 => (0..3usize, 1..20_000i64).prop_map(|(offer, price)| H::SetPrice { offer, price }),
        3 => (order(), 0..7usize).prop_map(|(order, act)| H::Stranger { order, act }),
        3 => Just(H::Refunds),
        6 => minutes().prop_map(|minutes| H::Wait { minutes }),
        3 => (0..4usize).prop_map(|skip| H::Relay { skip }),
        2 => Just(H::Shift),
    ]
}

/// A market under way.
struct Market {
    world: World,
    offers: [OfferId; 3],
    shift: ShiftId,
    certificates: [Vec<u8>; 2],
    /// Scans that have not been uploaded yet.
    late: Vec<(usize, Parcel, Upload, Vec<u8>)>,
    /// Words that were sent, to be sent again.
    words: Vec<(usize, Parcel, Vec<u8>)>,
}

impl Market {
    fn new() -> Market {
        let mut world = World::new(3);
        let offers = [
            world.put_product("A-1", 10_000, 6),
            world.put_product("A-2", 10_000, 3),
            world.put_product("A-3", 30_000, 5),
        ];
        let (shift, own) = world.open_shift(COURIER);
        let (_, rival) = world.open_shift(RIVAL);
        Market { world, offers, shift, certificates: [own, rival], late: Vec::new(), words: Vec::new() }
    }

    fn pick(&self, order: usize) -> Option<Order> {
        let orders: Vec<Order> = self.world.all();
        (!orders.is_empty()).then(|| orders[order % orders.len()].clone())
    }

    fn parcel_of(&self, order: usize) -> Option<(usize, Parcel)> {
        let order = self.pick(order)?;
        let parcel = self.world.parcel(*order.parcels.first()?);
        Some((self.buyer_of(&order), parcel))
    }

    fn buyer_of(&self, order: &Order) -> usize {
        self.world.people.iter().position(|person| person.account == order.buyer).unwrap()
    }

    fn place(&mut self, who: usize, lines: &[(usize, u32)], cut: bool, max: Max) {
        let lines: Vec<_> =
            lines.iter().map(|(offer, units)| (self.offers[*offer], *units, 30_000)).collect();
        let policy = if cut { ShortPolicy::Partial } else { ShortPolicy::AllOrNothing };
        let most = match max {
            Max::None => None,
            Max::Exact => Some(krw(1_000_000)),
            Max::Low => Some(krw(100)),
            Max::Foreign => Some(Money::new(1_000_000, Currency::USD)),
        };
        let (order, outcome) = self.world.place_with(who, &lines, policy, most);
        if outcome.is_accepted() {
            let total = self.world.order(order).total;
            assert!(
                most.is_none_or(|most| most.currency == total.currency && total.minor <= most.minor),
                "P5"
            );
        } else {
            assert!(self.world.one::<Order>(&souk_domain::rows::Key::order(order)).is_none());
        }
    }

    fn capture(&mut self, order: &Order, money: Come) {
        let due = order.total.minor - order.unapplied;
        match money {
            Come::Due => self.world.capture(order.id, due),
            Come::Part => self.world.capture(order.id, (due / 3).max(1)),
            Come::Over => self.world.capture(order.id, due + 1),
            Come::Foreign => self.world.capture_as(order.id, Money::new(due, Currency::USD), 5_000),
            Come::OfFormer => {
                let payments: Vec<souk_domain::order::Payment> = self.world.all();
                let former = payments.iter().find(|payment| payment.order == order.id);
                former.map(|former| self.world.capture_of(former.id, order.total, 6_000))
            }
        };
    }

    fn scan(
        &mut self,
        order: usize,
        kind: EventKind,
        proof: Proof,
        rival: bool,
        back_hours: i64,
        late: bool,
    ) {
        let Some((buyer, parcel)) = self.parcel_of(order) else { return };
        let world = &mut self.world;
        let (proof, evidence) = match proof {
            Proof::None => (EvidenceType::None, Vec::new()),
            Proof::Photo => (EvidenceType::Photo, b"jpeg".to_vec()),
            Proof::Hand(verdict) => (EvidenceType::HandoverBound, world.handover(buyer, &parcel, verdict)),
            Proof::Stale => {
                let at = Some(world.now.minus(Span::from_days(3)));
                let fields = |_| HandoverFields { at, ..HandoverFields::default() };
                (EvidenceType::HandoverBound, world.handover_with(buyer, &parcel, fields))
            }
        };
        let (who, upload) = if rival {
            // On his own chain, out of the blue.
            let told = world.told(3, parcel.chain_tip, kind);
            let at = Some(world.now.minus(Span::from_hours(back_hours)));
            (RIVAL, world.sign(&parcel, &Told { who: RIVAL, proof, evidence, at, ..told }))
        } else {
            (COURIER, world.scan(&parcel, kind, proof, evidence))
        };
        let certificate = self.certificates[usize::from(rival)].clone();
        if late {
            self.late.push((who, parcel, upload, certificate));
        } else {
            accepted(world.upload_as(who, &parcel, &upload, &certificate));
        }
    }

    fn happen(&mut self, what: &Happening) {
        match what {
            Happening::Place { who, lines, cut, max } => self.place(BUYER + who, lines, *cut, *max),
            Happening::Capture { order, money } => {
                if let Some(order) = self.pick(*order) {
                    self.capture(&order, *money);
                }
            }
            Happening::SameCapture { order } => {
                if let Some(order) = self.pick(*order) {
                    self.world.capture_as(order.id, order.total, 1);
                }
            }
            Happening::PaymentRefused { order } => {
                if let Some(payment) = self.pick(*order).and_then(|order| order.payment) {
                    accepted(self.world.rail(payment, Fact::PaymentRefused { reason: "no".to_owned() }));
                }
            }
            Happening::Progress { op, state, minutes } => {
                let ops: Vec<_> = self.world.all::<souk_domain::order::RailOp>();
                if let Some(op) = ops.get(op % ops.len().max(1)) {
                    let next_try = self.world.now.plus(Span::from_minutes(*minutes));
                    let (op, state, rail_ref) = (op.id, *state, "x".to_owned());
                    accepted(self.world.server(ServerAct::RailProgress { op, state, rail_ref, next_try }));
                }
            }
            Happening::RefundWord { op, refused } => {
                let ops = self.world.ops(RailOpKind::Refund);
                if let Some(op) = ops.get(op % ops.len().max(1)) {
                    let reason = "no".to_owned();
                    let fact = if *refused {
                        Fact::RefundRefused { op: op.id, reason }
                    } else {
                        Fact::Refunded { op: op.id }
                    };
                    accepted(self.world.rail(op.payment, fact));
                }
            }
            Happening::Scan { order, kind, proof, rival, back_hours, late } => {
                self.scan(*order, *kind, *proof, *rival, *back_hours, *late);
            }
            Happening::Late { seed } => {
                if !self.late.is_empty() {
                    let (who, parcel, upload, certificate) = self.late.remove(seed % self.late.len());
                    accepted(self.world.upload_as(who, &parcel, &upload, &certificate));
                }
            }
            Happening::Word { order, verdict, again } => self.word(*order, *verdict, *again),
            Happening::Refunds => self.world.confirm_refunds(),
            Happening::Wait { minutes } => self.wait(Span::from_minutes(*minutes)),
            Happening::Relay { skip } => {
                for row in self.world.waiting().into_iter().skip(*skip) {
                    self.world.deliver(&row);
                }
            }
            Happening::Shift => {
                // The round may be open, over, or closed already.
                self.world.close_shift(COURIER, self.shift);
                let id = self.world.mint(self.shift.bucket());
                if self.world.decide(COURIER, id, Body::OpenShift { hours: 12 }).is_accepted() {
                    self.shift = ShiftId::from_bytes(*id.bytes()).unwrap();
                    let key = souk_domain::rows::Key::shift(self.shift);
                    let row: souk_domain::parcel::Shift = self.world.one(&key).unwrap();
                    self.certificates[0] = row.certificate;
                }
            }
            Happening::PayStart { .. }
            | Happening::Cancel { .. }
            | Happening::Ask { .. }
            | Happening::RefundByShop { .. }
            | Happening::Label { .. }
            | Happening::Ship { .. }
            | Happening::Confirm { .. }
            | Happening::SetStock { .. }
            | Happening::SetPrice { .. }
            | Happening::Stranger { .. } => self.tap(what),
        }
    }

    /// What somebody taps; it may well be refused.
    fn tap(&mut self, what: &Happening) {
        let order = |order: &usize| self.pick(*order).map(|order| (self.buyer_of(&order), order.id));
        let tapped = match what {
            Happening::PayStart { order: of } => {
                let Some((buyer, order)) = order(of) else { return };
                self.world.pay_start(buyer, order);
                None
            }
            Happening::Cancel { order: of, by_shop } => order(of)
                .map(|(buyer, order)| (if *by_shop { SELLER } else { buyer }, Body::CancelOrder { order })),
            Happening::Ask { order: of } => {
                order(of).map(|(buyer, order)| (buyer, Body::OpenCase { order, reason: String::new() }))
            }
            Happening::RefundByShop { order: of } => {
                order(of).map(|(_, order)| (SELLER, Body::RefundOrder { order }))
            }
            Happening::Label { order: of } => {
                order(of).map(|(_, order)| (SELLER, Body::MakeLabels { order, weight_g: 1, courier: None }))
            }
            Happening::Ship { order: of } => order(of).map(|(_, order)| (SELLER, Body::Ship { order })),
            Happening::Confirm { order: of } => {
                order(of).map(|(buyer, order)| (buyer, Body::Confirm { order }))
            }
            Happening::SetStock { offer, units } => {
                let (offer, on_hand) = (self.offers[*offer], *units);
                Some((SELLER, Body::SetStock { offer, on_hand, base_revision: None }))
            }
            Happening::SetPrice { offer, price } => {
                Some((SELLER, Body::SetPrice { offer: self.offers[*offer], price: krw(*price) }))
            }
            Happening::Stranger { order: of, act } => {
                let Some((buyer, order)) = order(of) else { return };
                let stranger = if buyer == BUYER { BUYER + 1 } else { BUYER };
                let outcome = self.world.act(stranger, acts_on(order)[*act].clone()).1;
                assert_eq!(outcome.code(), Some("order.not_party"));
                None
            }
            _ => None,
        };
        if let Some((who, body)) = tapped {
            self.world.act(who, body);
        }
    }

    fn word(&mut self, order: usize, verdict: Verdict, again: bool) {
        if again {
            if let Some((who, parcel, proof)) = self.words.last().cloned() {
                self.world.word(who, &parcel, &proof);
            }
            return;
        }
        let Some((buyer, parcel)) = self.parcel_of(order) else { return };
        let proof = self.world.handover(buyer, &parcel, verdict);
        self.world.word(buyer, &parcel, &proof);
        self.words.push((buyer, parcel, proof));
    }

    /// Time passes, and every timer fires in time: nothing that a timer ends is overdue (spec/money.md 4.5).
    fn wait(&mut self, span: Span) {
        self.world.now = self.world.now.plus(span);
        for timer in self.world.fire_timers() {
            // Twice is harmless.
            let before = self.world.snapshot();
            accepted(self.world.server(ServerAct::Timeout(timer)));
            assert_eq!(before, self.world.snapshot());
        }
        for blocker in self.world.all::<Blocker>() {
            let is_timed = matches!(blocker.kind, BlockerKind::Clock | BlockerKind::Reserve);
            assert!(!is_timed || blocker.next_due > self.world.now, "overdue: {blocker:?}");
        }
    }

    /// Nothing comes any more: late scans arrive, time passes, the rail pays, hand-offs travel.
    fn rest(&mut self) {
        for (who, parcel, upload, certificate) in std::mem::take(&mut self.late) {
            accepted(self.world.upload_as(who, &parcel, &upload, &certificate));
            self.world.check();
        }
        for _ in 0..4 {
            self.wait(Span::from_days(15));
            self.world.confirm_refunds();
            self.world.relay();
            self.world.relay();
            self.world.check();
        }
        self.world.check_rest();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Books, escrow, shares, stock, blockers, timers and routes are right after every step of any history, and
    /// everything ends.
    #[test]
    fn whatever_happens(history in prop::collection::vec(happening(), 1..120)) {
        let mut market = Market::new();
        for what in &history {
            let before: Vec<Order> = market.world.all();
            market.happen(what);
            market.world.check();
            for order in before {
                let now = market.world.order(order.id);
                prop_assert!(now.state >= order.state, "no order is revived: {:?} {:?}", order, now);
                prop_assert!(now.released >= order.released && now.refunded >= order.refunded);
                if now.released > order.released {
                    // inv09: only by confirmation, proof or clock.
                    let is_cause = matches!(
                        what,
                        Happening::Confirm { .. } | Happening::Word { .. } | Happening::Scan { .. }
                            | Happening::Late { .. } | Happening::Wait { .. }
                    );
                    prop_assert!(is_cause, "released by {:?}", what);
                    // inv10: a frozen clock never fires.
                    let is_frozen = matches!(order.clock, ReleaseClock::Frozen { .. });
                    let is_timer = matches!(what, Happening::Wait { .. });
                    prop_assert!(!is_frozen || !is_timer);
                }
            }
        }
        market.rest();
    }
}
