//! Money in the oracle: facts of the rail, refunds, releases, time-outs, and what the books must show.

use std::collections::BTreeMap;

use souk_crypto::hash::digest;
use souk_domain::bookkeeping::{Timer, TimerKind};
use souk_domain::id::{AnyIntentId, DerivedId, OrderId, PaymentId};
use souk_domain::intent::{Fact, RailFact};
use souk_domain::ledger::AccountCode;
use souk_domain::order::{OrderState, PaymentState, ShipmentState};
use souk_domain::time::Time;

use super::super::market::{COMMISSION_BP, COMMISSION_TAX_PPM};
use super::{Clock, Oracle, Verdict};

fn half_even(numerator: i64, denominator: i64) -> i64 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    let up = 2 * rest > denominator || (2 * rest == denominator && whole % 2 == 1);
    whole + i64::from(up)
}

impl Oracle {
    /// Holds are freed, parts that had arrived go back.
    pub(super) fn end_unpaid(&mut self, id: AnyIntentId, at: OrderId) -> Result<(), &'static str> {
        for (offer, units, _) in self.order(at)?.lines.clone() {
            self.offer(offer)?.reserved -= units;
        }
        let waiting: Vec<PaymentId> =
            self.payments.iter().filter(|(_, row)| row.order == at).map(|(payment, _)| *payment).collect();
        for payment in waiting {
            let Some(row) = self.payments.get_mut(&payment) else { continue };
            if !row.parts.is_empty() {
                row.state = PaymentState::Returned;
            }
            for part in std::mem::take(&mut row.parts) {
                self.send_back(id, at, part)?;
            }
        }
        let order = self.order(at)?;
        (order.state, order.unapplied) = (OrderState::Cancelled, 0);
        Ok(())
    }

    /// A refund is named by the act and by its number among the order's refunds.
    pub(super) fn send_back(
        &mut self,
        id: AnyIntentId,
        order: OrderId,
        amount: i64,
    ) -> Result<(), &'static str> {
        let number = self.refunds.values().filter(|(of, ..)| *of == order).count() as u16;
        let hash = digest("souk/refund/v1/", &[id.bytes(), &number.to_be_bytes()]);
        self.refunds.insert(DerivedId::derived(order.bucket(), &hash), (order, amount, false));
        Ok(())
    }

    /// All that is held goes back; units that have not left are free again.
    pub(super) fn refund_all(&mut self, id: AnyIntentId, at: OrderId) -> Result<i64, &'static str> {
        let order = self.order(at)?;
        let (amount, has_left) = (order.held(), order.shipment != ShipmentState::None);
        (order.refunded, order.state, order.clock) =
            (order.refunded + amount, OrderState::Completed, Clock::Done);
        let (lines, payment) = (order.lines.clone(), order.payment);
        if !has_left {
            for (offer, units, _) in lines {
                self.offer(offer)?.committed -= units;
            }
        }
        if let Some(row) = payment.and_then(|payment| self.payments.get_mut(&payment)) {
            row.state = PaymentState::Returned;
        }
        self.send_back(id, at, amount)?;
        Ok(amount)
    }

    pub(super) fn release(&mut self, at: OrderId) -> Result<i64, &'static str> {
        let order = self.order(at)?;
        let amount = order.held();
        let (mut commission, mut tax) = (0, 0);
        for (_, _, goods) in &order.lines {
            let fee = half_even(goods * COMMISSION_BP, 10_000);
            commission += fee;
            tax += half_even(fee * COMMISSION_TAX_PPM, 1_000_000);
        }
        let shipping = if order.is_own_delivery { 0 } else { order.shipping };
        order.released += amount;
        (order.state, order.clock) = (OrderState::Completed, Clock::Done);
        order.settled = Some((amount - shipping - commission - tax, false));
        *self.sums.entry(AccountCode::CourierPayable).or_default() += shipping;
        *self.sums.entry(AccountCode::Commission).or_default() += commission;
        *self.sums.entry(AccountCode::TaxPayable).or_default() += tax;
        Ok(amount)
    }

    /// A fact of the rail.
    pub(in crate::product) fn rail(&mut self, id: AnyIntentId, fact: &RailFact, now: Time) -> Verdict {
        match &fact.fact {
            Fact::Captured { capture, amount } => self.captured(id, fact.payment, capture, amount.minor, now),
            Fact::PaymentRefused { .. } => {
                let payment = self.payments.get_mut(&fact.payment).ok_or("payment.unknown")?;
                if payment.state == PaymentState::Pending && payment.captures.is_empty() {
                    payment.state = PaymentState::Refused;
                }
                Ok(None)
            }
            Fact::Refunded { op } => {
                let refund = self.refunds.get_mut(op).ok_or("op.unknown")?;
                if !std::mem::replace(&mut refund.2, true) {
                    *self.sums.entry(AccountCode::RailClearing).or_default() -= refund.1;
                }
                Ok(None)
            }
            Fact::RefundRefused { op, .. } => {
                self.refunds.get(op).ok_or("op.unknown")?;
                Ok(None)
            }
        }
    }

    fn captured(&mut self, id: AnyIntentId, of: PaymentId, capture: &str, amount: i64, now: Time) -> Verdict {
        let payment = self.payments.get_mut(&of).ok_or("payment.unknown")?;
        if !payment.captures.insert(capture.to_owned()) {
            return Ok(None);
        }
        let at = payment.order;
        let order = self.orders.get_mut(&at).ok_or("order.unknown")?;
        *self.sums.entry(AccountCode::RailClearing).or_default() += amount;
        let due = order.total - order.unapplied;
        let is_wanted = order.state == OrderState::Created && order.payment == Some(of);
        if is_wanted && amount < due {
            payment.parts.push(amount);
            payment.state = PaymentState::Pending;
            order.unapplied += amount;
        } else if is_wanted && amount == due {
            payment.parts.clear();
            payment.state = PaymentState::Paid;
            (order.unapplied, order.paid, order.state) = (0, order.total, OrderState::Open);
            order.paid_at = now;
            for (offer, units, _) in order.lines.clone() {
                let offer = self.offer(offer)?;
                (offer.reserved, offer.committed) = (offer.reserved - units, offer.committed + units);
            }
        } else {
            if payment.state == PaymentState::Pending && payment.parts.is_empty() {
                payment.state = PaymentState::Returned;
            }
            self.send_back(id, at, amount)?;
        }
        Ok(None)
    }

    /// The order of a payment.
    pub(in crate::product) fn order_of(&self, payment: PaymentId) -> Option<OrderId> {
        self.payments.get(&payment).map(|payment| payment.order)
    }

    /// A time-out has fired.
    pub(in crate::product) fn timeout(&mut self, id: AnyIntentId, timer: &Timer) -> Result<(), &'static str> {
        let at = OrderId::from_bytes(timer.entity).map_err(|_| "id.form")?;
        let Some(order) = self.orders.get_mut(&at) else { return Ok(()) };
        let is_waiting = order.state == OrderState::Open && order.shipment == ShipmentState::None;
        match timer.kind {
            TimerKind::PayWindow if order.state != OrderState::Created => Ok(()),
            TimerKind::PayWindow if order.pay_generation != timer.generation => Ok(()),
            TimerKind::PayWindow => self.end_unpaid(id, at),
            TimerKind::ShipDeadline => {
                order.is_overdue |= is_waiting;
                Ok(())
            }
            TimerKind::AutoCancel if is_waiting => self.refund_all(id, at).map(|_| ()),
            TimerKind::CaseSilence if is_waiting && order.case == Some((true, timer.generation)) => {
                order.case = Some((false, timer.generation));
                self.refund_all(id, at).map(|_| ())
            }
            TimerKind::Release if order.state == OrderState::Open => match order.clock {
                Clock::Running(_, generation) if generation == timer.generation => {
                    self.release(at).map(|_| ())
                }
                _ => Ok(()),
            },
            TimerKind::ReserveEnd => {
                order.settled = order.settled.map(|(amount, _)| (amount, true));
                Ok(())
            }
            TimerKind::AutoCancel | TimerKind::CaseSilence | TimerKind::Release => Ok(()),
        }
    }

    /// What the shop's bucket holds on all accounts of each kind.
    pub(in crate::product) fn balances(&self) -> BTreeMap<AccountCode, i64> {
        let mut sums = self.sums.clone();
        let mut add = |code, amount| *sums.entry(code).or_default() += amount;
        for order in self.orders.values() {
            add(AccountCode::OrderEscrow, order.held());
            match order.settled {
                Some((amount, false)) => add(AccountCode::SellerPending, amount),
                Some((amount, true)) => add(AccountCode::SellerAvailable, amount),
                None => {}
            }
        }
        self.payments.values().flat_map(|row| &row.parts).for_each(|part| add(AccountCode::Unapplied, *part));
        let open = self.refunds.values().filter(|(_, _, is_paid)| !is_paid);
        open.for_each(|(_, amount, _)| add(AccountCode::RefundTransit, *amount));
        sums.retain(|_, sum| *sum != 0);
        sums
    }
}
