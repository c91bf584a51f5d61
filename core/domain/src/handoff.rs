//! Hand-offs: what one bucket tells another (spec/scale.md 10, spec/market.md 0).
//!
//! Always: each is a local commit here with an outbox row, then a local commit there keyed by that row, so that
//! twice is harmless and order is not needed.

use crate::bookkeeping::{Inbox, Outbox, ScopeOf};
use crate::outcome::{Facts, Refusal};
use crate::rows::{Key, Rows, Stop as Halt};
use crate::scope::Scope;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, ShopCard, card};
use crate::id::{AccountId, Bucket, ParcelId};
use crate::parcel::{ParcelState, Stop, shift};
use crate::time::Time;

/// What one bucket tells another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum HandOff {
    /// A scope has a part in another bucket from now on.
    ScopePart {
        /// Scope text.
        scope: String,
        /// The bucket that holds a part.
        part: Bucket,
    },
    /// A parcel waits for a courier.
    StopAdded {
        /// The stop.
        stop: Box<Stop>,
    },
    /// A parcel of a courier has moved.
    StopMoved {
        /// Whose stop.
        courier: AccountId,
        /// Which parcel.
        parcel: ParcelId,
        /// Its state now.
        state: ParcelState,
        /// Next index of the chain.
        chain_index: u16,
        /// Tip of the chain.
        #[serde(with = "crate::bytes")]
        chain_tip: [u8; 32],
        /// When.
        at: Time,
    },
    /// An offer as the public catalogue shall show it.
    Card {
        /// The card.
        card: Box<Card>,
    },
    /// A shop as the public catalogue shall show it.
    ShopCard {
        /// The card.
        card: Box<ShopCard>,
    },
}

/// Decides a hand-off in the bucket that it was sent to; the inbox row makes the second time harmless.
pub(crate) fn take_in(
    to: Bucket,
    from: Bucket,
    seq: u64,
    handoff: &HandOff,
    rows: &mut Rows,
) -> Result<Facts, Halt> {
    let key = Key::inbox_of(to, from, seq);
    if rows.find::<Inbox>(&key)?.is_some() {
        return Ok(Facts::none().with("again", true));
    }
    match handoff {
        HandOff::ScopePart { scope, part } => {
            let scope: Scope = scope.parse().map_err(|_| Refusal::new("handoff.scope"))?;
            let key = Key::scope_of_part(&scope, *part);
            if rows.find::<ScopeOf>(&key)?.is_none() {
                rows.put(ScopeOf { scope, part: *part })?;
            }
        }
        HandOff::StopAdded { stop } => shift::stop_added(stop, rows)?,
        HandOff::StopMoved { courier, parcel, state, chain_index, chain_tip, at } => {
            shift::stop_moved(*courier, *parcel, *state, *chain_index, chain_tip, *at, rows)?;
        }
        HandOff::Card { card } => card::take_card(card, rows)?,
        HandOff::ShopCard { card } => card::take_shop_card(card, rows)?,
    }
    rows.put(Inbox { bucket: to, from, seq })?;
    Ok(Facts::none())
}

/// Marks outbox rows as arrived.
pub(crate) fn outbox_done(bucket: Bucket, seqs: &[u64], rows: &mut Rows) -> Result<Facts, Halt> {
    let keys: Vec<Key> = seqs.iter().map(|seq| Key::outbox(bucket, *seq)).collect();
    rows.need(&keys)?;
    for key in &keys {
        if let Some(row) = rows.find::<Outbox>(key)? {
            let row = Outbox { done: true, ..row.clone() };
            rows.put(row)?;
        }
    }
    Ok(Facts::none())
}
