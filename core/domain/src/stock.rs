//! Stock: what is there, what is promised, what is sold (spec/market.md 4).
//!
//! Always: I1 every counter >= 0; I2 reserved + committed + allotted <= on_hand; I4 received + returned - lost =
//! on_hand + sold. A move that would break one is refused and changes nothing.

use serde::{Deserialize, Serialize};

use crate::id::{OfferId, ShopId};

pub mod set;

/// One stock row, in the seller's bucket: one place, no lots for now (the key leaves room for both).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stock {
    /// What.
    pub offer: OfferId,
    /// Whose.
    pub shop: ShopId,
    /// Units in the place.
    pub on_hand: u32,
    /// Unpaid holds.
    pub reserved: u32,
    /// Paid, not handed over.
    pub committed: u32,
    /// Lent to tills.
    pub allotted: u32,
    /// Kept back.
    pub safety: u32,
    /// Units that left with a sale.
    pub sold: u64,
    /// Units that ever came in.
    pub received: u64,
    /// Units that came back.
    pub returned: u64,
    /// Units written off.
    pub lost: u64,
    /// Rises with each absolute write by the seller (`base_version` of SetStock).
    pub revision: u32,
}

/// Why a move of stock is not possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StockError {
    /// Fewer units than wanted (`stock.short`).
    Short {
        /// Units that could be had.
        available: u32,
    },
    /// The held or paid units are not there any more (`stock.gone`).
    Gone,
    /// A counter would leave its range (`stock.range`).
    Range,
}

/// How many are left, as the public sees it (spec/market.md 3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// None.
    None,
    /// 1-5.
    Few,
    /// 6-20.
    Some,
    /// 21 and more.
    Many,
}

impl Band {
    /// The band of a number of available units.
    pub fn of(available: u32) -> Band {
        match available {
            0 => Band::None,
            1..=5 => Band::Few,
            6..=20 => Band::Some,
            _ => Band::Many,
        }
    }

    /// The least number of units that the band promises.
    pub fn least(self) -> u32 {
        match self {
            Band::None => 0,
            Band::Few => 1,
            Band::Some => 6,
            Band::Many => 21,
        }
    }
}

impl Stock {
    /// A place without units.
    pub fn empty(offer: OfferId, shop: ShopId) -> Stock {
        Stock {
            offer,
            shop,
            on_hand: 0,
            reserved: 0,
            committed: 0,
            allotted: 0,
            safety: 0,
            sold: 0,
            received: 0,
            returned: 0,
            lost: 0,
            revision: 0,
        }
    }

    /// Units that can be promised now.
    pub fn available(&self) -> u32 {
        let bound = u64::from(self.reserved)
            + u64::from(self.committed)
            + u64::from(self.allotted)
            + u64::from(self.safety);
        u64::from(self.on_hand).saturating_sub(bound) as u32
    }

    /// PlaceOrder: an unpaid hold.
    pub fn reserve(&self, quantity: u32) -> Result<Stock, StockError> {
        let available = self.available();
        if quantity > available {
            return Err(StockError::Short { available });
        }
        Ok(Stock { reserved: self.reserved + quantity, ..self.clone() })
    }

    /// The hold ends unpaid.
    pub fn free(&self, quantity: u32) -> Result<Stock, StockError> {
        Ok(Stock { reserved: self.reserved.checked_sub(quantity).ok_or(StockError::Range)?, ..self.clone() })
    }

    /// Paid: the hold becomes a commitment, if the units are still there.
    pub fn commit(&self, quantity: u32) -> Result<Stock, StockError> {
        let reserved = self.reserved.checked_sub(quantity).ok_or(StockError::Gone)?;
        let committed = self.committed.checked_add(quantity).ok_or(StockError::Range)?;
        if committed > self.on_hand.saturating_sub(self.allotted) {
            return Err(StockError::Gone);
        }
        Ok(Stock { reserved, committed, ..self.clone() })
    }

    /// A paid order ends before hand-over.
    pub fn uncommit(&self, quantity: u32) -> Result<Stock, StockError> {
        Ok(Stock {
            committed: self.committed.checked_sub(quantity).ok_or(StockError::Range)?,
            ..self.clone()
        })
    }

    /// The units left the place.
    pub fn ship(&self, quantity: u32) -> Result<Stock, StockError> {
        Ok(Stock {
            on_hand: self.on_hand.checked_sub(quantity).ok_or(StockError::Gone)?,
            committed: self.committed.checked_sub(quantity).ok_or(StockError::Gone)?,
            sold: self.sold + u64::from(quantity),
            ..self.clone()
        })
    }

    /// Units came back and were seen to be good.
    pub fn restock(&self, quantity: u32) -> Result<Stock, StockError> {
        Ok(Stock {
            on_hand: self.on_hand.checked_add(quantity).ok_or(StockError::Range)?,
            returned: self.returned + u64::from(quantity),
            ..self.clone()
        })
    }

    /// The seller says how many are there; what is promised already must stay covered.
    pub fn set(&self, on_hand: u32) -> Result<Stock, StockError> {
        if u64::from(on_hand)
            < u64::from(self.reserved) + u64::from(self.committed) + u64::from(self.allotted)
        {
            return Err(StockError::Range);
        }
        let (received, lost) = if on_hand >= self.on_hand {
            (self.received + u64::from(on_hand - self.on_hand), self.lost)
        } else {
            (self.received, self.lost + u64::from(self.on_hand - on_hand))
        };
        Ok(Stock { on_hand, received, lost, revision: self.revision + 1, ..self.clone() })
    }

    /// I1 (by type), I2 and I4 of spec/market.md 4.2.
    pub fn is_sound(&self) -> bool {
        let bound = u64::from(self.reserved) + u64::from(self.committed) + u64::from(self.allotted);
        bound <= u64::from(self.on_hand)
            && i128::from(self.received) + i128::from(self.returned) - i128::from(self.lost)
                == i128::from(self.on_hand) + i128::from(self.sold)
    }
}
