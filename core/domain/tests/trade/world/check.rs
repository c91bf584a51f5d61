//! Everything that must hold after each step, reckoned from orders, payments and refunds and compared with the books.

use std::collections::{BTreeMap, BTreeSet};

use souk_domain::bookkeeping::{Owner, Timer, TimerKind};
use souk_domain::id::Bucket;
use souk_domain::ledger::{Account as LedgerAccount, AccountCode, AccountRef, PLATFORM, verify};
use souk_domain::money::Currency;
use souk_domain::order::{
    Blocker, BlockerKind, CaseState, LineKind, Order, OrderState, Payment, PaymentState, RailOp, RefundState,
    ReleaseClock, Settlement, ShipmentState,
};
use souk_domain::parcel::{Parcel, ParcelState, Route, Stop};
use souk_domain::rows::Key;
use souk_domain::stock::Stock;
use souk_domain::time::Time;

use super::{World, krw, sandbox};

impl World {
    /// Everything that must hold after each step.
    pub(crate) fn check(&self) {
        self.check_sums();
        self.check_blockers();
        self.check_timers();
        self.check_routes();
    }

    /// What holds at any time: money and goods.
    pub(crate) fn check_sums(&self) {
        self.check_books();
        self.check_orders();
        self.check_shares();
        self.check_stock();
    }

    /// inv01 per currency and bucket, inv02; each transfer has an id of its own.
    fn check_books(&self) {
        let mut sums: BTreeMap<(Bucket, Currency), i128> = BTreeMap::new();
        for account in self.all::<LedgerAccount>() {
            assert!(account.keeps_flags(), "inv02 {account:?}");
            *sums.entry((account.bucket(), account.currency)).or_default() +=
                i128::from(account.debits_posted) - i128::from(account.credits_posted);
        }
        assert!(sums.values().all(|sum| *sum == 0), "inv01 {sums:?}");
        let ids: BTreeSet<_> = self.transfers.iter().map(|transfer| transfer.transfer_id).collect();
        assert_eq!(ids.len(), self.transfers.len(), "transfer ids");
    }

    /// inv07: the journal alone gives the same balances. Costly, so only at the end of a history.
    pub(crate) fn check_journal(&self) {
        for owner in self.all::<Owner>() {
            let accounts = self.all::<LedgerAccount>();
            let accounts = accounts.into_iter().filter(|account| account.bucket() == owner.bucket);
            let transfers = self.transfers.iter().filter(|transfer| transfer.bucket == owner.bucket).cloned();
            if owner.journal.seq > 0 {
                verify::verify(accounts, transfers, &owner.journal).unwrap();
            }
        }
    }

    /// inv03, inv04: amounts of orders and what stands on their accounts agree.
    fn check_orders(&self) {
        let payments: Vec<Payment> = self.all();
        for order in self.all::<Order>() {
            assert!(order.is_sound(), "inv04 {order:?}");
            let held = self.balance(AccountCode::OrderEscrow, *order.id.bytes());
            assert_eq!(held, order.held(), "escrow of {:?}", order.id);
            if matches!(order.state, OrderState::Completed | OrderState::Cancelled) {
                assert_eq!(order.held(), 0, "inv03");
            }
            let of_order = payments.iter().filter(|payment| payment.order == order.id);
            for payment in of_order {
                let parts: i64 = payment.parts.iter().map(|part| part.amount).sum();
                let waits = if order.payment == Some(payment.id) { order.unapplied } else { 0 };
                assert_eq!(parts, waits, "parts of {:?}", payment.id);
                assert!(parts == 0 || payment.state == PaymentState::Pending, "{payment:?}");
                assert!(parts == 0 || order.state == OrderState::Created, "inv03");
                for part in &payment.parts {
                    let kept = self.balance(AccountCode::Unapplied, *part.event.bytes());
                    assert_eq!(kept, part.amount, "2130");
                }
            }
            for refund in &order.refunds {
                let currency = refund.money(order.currency).currency;
                let transit = self.balance_in(AccountCode::RefundTransit, *refund.id.bytes(), currency);
                let expected = if refund.state == RefundState::Done { 0 } else { refund.amount };
                assert_eq!(transit, expected, "refund {:?}", refund.id);
                assert!(refund.amount > 0);
            }
        }
    }

    /// What rail, seller, courier, platform and tax have is what the orders say, to the unit.
    fn check_shares(&self) {
        let orders: Vec<Order> = self.all();
        let shop = *self.shop.unwrap().bytes();
        let sum = |of: &dyn Fn(&Order) -> i64| orders.iter().map(of).sum::<i64>();
        let refunded = |order: &Order| -> i64 {
            let done = order.refunds.iter().filter(|refund| refund.state == RefundState::Done);
            done.filter(|refund| refund.foreign.is_none()).map(|refund| refund.amount).sum()
        };
        let captured: i64 = self.all::<Payment>().iter().map(|payment| payment.captured).sum();
        let clearing = self.balance(AccountCode::RailClearing, sandbox().owner());
        assert_eq!(clearing, captured - sum(&refunded), "1000");
        let settled = |pending: bool| {
            sum(&|order| match order.settlement {
                Some(Settlement::Pending { amount, .. }) if pending => amount,
                Some(Settlement::Available { amount }) if !pending => amount,
                _ => 0,
            })
        };
        assert_eq!(self.balance(AccountCode::SellerPending, shop), settled(true), "2200");
        assert_eq!(self.balance(AccountCode::SellerAvailable, shop), settled(false), "2210");
        let lines = |of: &dyn Fn(&souk_domain::order::Line) -> i64| {
            orders.iter().flat_map(|order| &order.lines).map(of).sum::<i64>()
        };
        assert_eq!(self.balance(AccountCode::Commission, PLATFORM), lines(&|line| line.commission), "4000");
        for person in &self.people {
            let earned = sum(&|order| {
                let shipping = order.lines.iter().filter(|line| line.kind == LineKind::Shipping);
                let is_his = order.fees.courier == Some(person.account);
                if is_his { shipping.map(|line| line.released).sum() } else { 0 }
            });
            assert_eq!(self.balance(AccountCode::CourierPayable, *person.account.bytes()), earned, "2300");
        }
    }

    /// I1-I5 of spec/market.md 4.2.
    fn check_stock(&self) {
        let orders: Vec<Order> = self.all();
        for stock in self.all::<Stock>() {
            assert!(stock.is_sound(), "{stock:?}");
            let units = |wanted: &dyn Fn(&Order) -> bool| -> u32 {
                orders
                    .iter()
                    .filter(|order| wanted(order))
                    .flat_map(Order::units)
                    .filter(|(offer, _)| *offer == stock.offer)
                    .map(|(_, quantity)| quantity)
                    .sum()
            };
            assert_eq!(stock.reserved, units(&|order| order.state == OrderState::Created), "I3 reserved");
            let is_waiting =
                |order: &Order| order.state == OrderState::Open && order.shipment == ShipmentState::None;
            assert_eq!(stock.committed, units(&is_waiting), "I3 committed");
            assert_eq!(stock.sold, u64::from(units(&|order| order.shipment != ShipmentState::None)), "sold");
            let paid = units(&|order| order.paid > order.refunded || order.released > 0);
            assert!(u64::from(paid) <= stock.received, "I5");
        }
    }

    /// spec/money.md 4.5: whatever waits has exactly one blocker row that names one of its reasons, the row goes with
    /// the last reason.
    fn check_blockers(&self) {
        let mut blockers: BTreeMap<_, _> =
            self.all::<Blocker>().into_iter().map(|blocker| (blocker.order, blocker)).collect();
        for order in self.all::<Order>() {
            let mut reasons = Vec::new();
            for refund in order.refunds.iter().filter(|refund| refund.state != RefundState::Done) {
                let op: RailOp = self.one(&Key::rail_op(refund.id)).unwrap();
                reasons.push(match refund.state {
                    RefundState::Stuck => (BlockerKind::RefundStuck, None),
                    _ => (BlockerKind::RailUnknown, (op.attempts > 0).then_some(op.next_try.max(op.made_at))),
                });
            }
            if order.held() > 0 && order.shipment != ShipmentState::None {
                reasons.push(match (order.shipment, order.clock) {
                    (_, ReleaseClock::Running { due, .. }) => (BlockerKind::Clock, Some(due)),
                    (_, ReleaseClock::Frozen { .. }) => (BlockerKind::Frozen, None),
                    (ShipmentState::Delivered, _) => (BlockerKind::EvidenceE0, None),
                    (_, _) => (BlockerKind::InTransit, None),
                });
            }
            if let Some(Settlement::Pending { until, .. }) = order.settlement {
                reasons.push((BlockerKind::Reserve, Some(until)));
            }
            match blockers.remove(&order.id) {
                None => assert!(reasons.is_empty(), "no blocker for {reasons:?} of {order:?}"),
                Some(blocker) => {
                    let is_named = |(kind, due): &(BlockerKind, Option<Time>)| {
                        *kind == blocker.kind && due.is_none_or(|due| blocker.next_due >= due)
                    };
                    assert!(reasons.iter().any(is_named), "{blocker:?} of {order:?}");
                    for (kind, due) in &reasons {
                        let is_later = due.is_none_or(|due| blocker.next_due <= due);
                        assert!(is_later || *kind == BlockerKind::RailUnknown, "{blocker:?} hides {kind:?}");
                    }
                }
            }
        }
        assert!(blockers.is_empty(), "blockers of nothing: {blockers:?}");
    }

    /// Whatever a timer must end has its timer row; a mutant that loses one is found here.
    fn check_timers(&self) {
        let timers: BTreeSet<Timer> = self.all::<Timer>().into_iter().collect();
        for order in self.all::<Order>() {
            let has = |kind, due, generation| {
                let timer =
                    Timer { bucket: order.id.bucket(), due, entity: *order.id.bytes(), kind, generation };
                assert!(timers.contains(&timer), "no {kind:?} for {order:?}");
            };
            let has_any = |kind| {
                let is = |timer: &&Timer| timer.entity == *order.id.bytes() && timer.kind == kind;
                assert!(timers.iter().any(|timer| is(&timer)), "no {kind:?} for {order:?}");
            };
            if order.state == OrderState::Created {
                has(TimerKind::PayWindow, order.pay_by, order.pay_generation);
            }
            if order.state == OrderState::Open && order.shipment == ShipmentState::None {
                has_any(TimerKind::AutoCancel);
                if !order.overdue {
                    has(TimerKind::ShipDeadline, order.ship_by.unwrap(), 1);
                }
            }
            if let ReleaseClock::Running { due, generation } = order.clock {
                assert_eq!((order.state, order.shipment), (OrderState::Open, ShipmentState::Delivered));
                has(TimerKind::Release, due, generation);
            }
            if let Some(case) = &order.case
                && case.state == CaseState::RefundAsked
            {
                let waits = (order.state, order.shipment);
                assert_eq!(waits, (OrderState::Open, ShipmentState::None), "an open case of {order:?}");
                has(TimerKind::CaseSilence, case.answer_by, case.generation);
            }
            if let Some(Settlement::Pending { until, .. }) = order.settlement {
                has(TimerKind::ReserveEnd, until, 1);
            }
        }
    }

    /// A courier's lists: each of his stops is open or ended as its state says, and none stands twice.
    fn check_routes(&self) {
        for route in self.all::<Route>() {
            let both: BTreeSet<_> = route.open.iter().chain(&route.ended).collect();
            assert_eq!(both.len(), route.open.len() + route.ended.len(), "{route:?}");
            for stop in self.all::<Stop>().iter().filter(|stop| stop.courier == route.courier) {
                assert_eq!(route.open.contains(&stop.parcel), !stop.state.is_final(), "{stop:?}");
            }
            for ended in &route.ended {
                let stop: Stop = self.one(&Key::stop(route.courier, *ended)).unwrap();
                assert!(stop.state.is_final(), "{stop:?}");
            }
        }
    }

    /// When time has passed and all has travelled: everything has ended, or a blocker says who must look and when.
    pub(crate) fn check_rest(&mut self) {
        // The second time for what came too early.
        self.relay();
        self.relay();
        self.check();
        self.check_journal();
        let blockers: Vec<Blocker> = self.all();
        assert_eq!(self.waiting().len(), 0, "hand-offs that never arrive");
        assert!(self.all::<Timer>().iter().all(|timer| timer.due > self.now), "a timer never fires");
        for order in self.all::<Order>() {
            assert!(order.refunds.iter().all(|refund| refund.state == RefundState::Done), "{order:?}");
            let blocker = blockers.iter().find(|blocker| blocker.order == order.id).map(|of| of.kind);
            match order.state {
                OrderState::Created => panic!("never ends: {order:?}"),
                OrderState::Open => {
                    assert!(order.shipment != ShipmentState::None, "never ends: {order:?}");
                    let staff = [BlockerKind::EvidenceE0, BlockerKind::Frozen, BlockerKind::InTransit];
                    assert!(staff.iter().any(|kind| Some(*kind) == blocker), "{blocker:?} {order:?}");
                }
                OrderState::Completed | OrderState::Cancelled => assert_eq!(blocker, None, "{order:?}"),
            }
            if order.released > 0 {
                assert!(matches!(order.settlement, Some(Settlement::Available { .. })));
            }
        }
        for parcel in self.all::<Parcel>() {
            let stop: Stop = self.one(&Key::stop(parcel.courier, parcel.id)).unwrap();
            assert_eq!(stop.state, parcel.state, "the courier's bucket has heard everything");
            if parcel.state != ParcelState::Cancelled {
                assert_eq!((stop.chain_index, stop.chain_tip), (parcel.chain_index, parcel.chain_tip));
            }
        }
    }

    /// Balance of an account in the shop's bucket and currency.
    pub(crate) fn balance(&self, code: AccountCode, owner: [u8; 16]) -> i64 {
        self.balance_in(code, owner, krw(0).currency)
    }

    /// Balance of an account in the shop's bucket.
    pub(crate) fn balance_in(&self, code: AccountCode, owner: [u8; 16], currency: Currency) -> i64 {
        let of = AccountRef::new(code, owner, self.shop.unwrap().bucket(), currency);
        self.one::<LedgerAccount>(&Key::ledger_account(of.id())).map_or(0, |account| account.balance().minor)
    }

    /// How all ended, for comparing two ends: everything but the times of the last change and of the payout.
    pub(crate) fn snapshot(&self) -> String {
        let mut text = String::new();
        for order in self.all::<Order>() {
            // What was left when a clock stopped, and how often it was set, hangs on the order of arrival.
            let clock = match order.clock {
                ReleaseClock::Running { due, .. } => format!("until {due:?}"),
                ReleaseClock::Frozen { .. } => "frozen".to_owned(),
                clock @ (ReleaseClock::Idle | ReleaseClock::Done) => format!("{clock:?}"),
            };
            text += &format!(
                "{} {:?} {:?} {} {} {} {clock}\n",
                order.id, order.state, order.shipment, order.paid, order.released, order.refunded
            );
        }
        for parcel in self.all::<Parcel>() {
            let at = super::START;
            let scans = parcel.scans.clone();
            text += &format!("{:?}\n", Parcel { updated_at: at, scans: Vec::new(), ..parcel });
            text += &format!("{scans:?}\n");
        }
        for blocker in self.all::<Blocker>() {
            text += &format!("{blocker:?}\n");
        }
        for account in self.all::<LedgerAccount>() {
            text += &format!("{} {}\n", account.id, account.balance().minor);
        }
        for stock in self.all::<Stock>() {
            text += &format!(
                "{} {} {} {} {}\n",
                stock.offer, stock.on_hand, stock.reserved, stock.committed, stock.sold
            );
        }
        text
    }
}
