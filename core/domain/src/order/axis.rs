//! What follows from an order's row: its derived axes and sums, and the refusal `order.state`, which names the axis
//! that is in the way and its value (spec/money.md 4.1, 4.2).

use super::{Fund, Line, LineKind, Order, OrderState, Refund, ShipmentState};
use crate::id::OfferId;
use crate::money::{Currency, Money};
use crate::outcome::Refusal;

impl OrderState {
    /// The word of the axis.
    pub fn name(self) -> &'static str {
        match self {
            OrderState::Created => "CREATED",
            OrderState::Open => "OPEN",
            OrderState::Completed => "COMPLETED",
            OrderState::Cancelled => "CANCELLED",
        }
    }
}

impl ShipmentState {
    /// The word of the axis.
    pub fn name(self) -> &'static str {
        match self {
            ShipmentState::None => "NONE",
            ShipmentState::Shipped => "SHIPPED",
            ShipmentState::Delivered => "DELIVERED",
            ShipmentState::Returning => "RETURNING",
            ShipmentState::Returned => "RETURNED",
            ShipmentState::Lost => "LOST",
        }
    }
}

impl Refund {
    /// The sum; `currency` is the order's.
    pub fn money(&self, currency: Currency) -> Money {
        Money::new(self.amount, self.foreign.unwrap_or(currency))
    }
}

impl Order {
    /// What still stands in 2100, minor units.
    pub fn held(&self) -> i64 {
        self.paid - self.released - self.refunded
    }

    /// The fund axis.
    pub fn fund(&self) -> Fund {
        let held = self.held();
        match (self.paid > 0, held > 0, self.released > 0, self.refunded > 0) {
            (false, ..) => Fund::None,
            (_, true, false, _) => Fund::Held,
            (_, true, true, _) => Fund::PartReleased,
            (_, false, true, _) => Fund::Released,
            (_, false, false, true) => Fund::Refunded,
            (_, false, false, false) => Fund::None,
        }
    }

    /// Goods lines with their offers and quantities, summed per offer in order of offers.
    pub fn units(&self) -> Vec<(OfferId, u32)> {
        let mut units = std::collections::BTreeMap::new();
        for line in &self.lines {
            if let LineKind::Goods { offer, .. } = line.kind {
                *units.entry(offer).or_insert(0u32) += line.quantity;
            }
        }
        units.into_iter().collect()
    }

    /// inv04 for the order and each line: released + refunded + held = paid, nothing negative.
    pub fn is_sound(&self) -> bool {
        let lines = self.lines.iter().all(|line| {
            line.released >= 0
                && line.refunded >= 0
                && line.released + line.refunded <= line.paid
                && line.paid <= line.amount
        });
        let sum = |of: fn(&Line) -> i64| self.lines.iter().map(of).sum::<i64>();
        lines
            && sum(|line| line.amount) == self.total.minor
            && sum(|line| line.paid) == self.paid
            && sum(|line| line.released) == self.released
            && sum(|line| line.refunded) == self.refunded
            && self.held() >= 0
    }

    /// The order axis does not allow it.
    pub(crate) fn bad_state(&self) -> Refusal {
        Refusal::new("order.state").with("axis", "order").with("value", self.state.name())
    }

    /// The shipment axis does not allow it.
    pub(crate) fn bad_shipment(&self) -> Refusal {
        Refusal::new("order.state").with("axis", "shipment").with("value", self.shipment.name())
    }

    /// Refuses an order that is not OPEN or of which something has left.
    pub(crate) fn is_waiting(&self) -> Result<(), Refusal> {
        if self.state != OrderState::Open {
            return Err(self.bad_state());
        }
        if self.shipment != ShipmentState::None { Err(self.bad_shipment()) } else { Ok(()) }
    }
}
