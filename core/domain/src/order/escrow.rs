//! Escrow of one order: which accounts its money stands on, and the chains that move it (spec/money.md 4.3).
//!
//! Always: a chain is posted in the same decision that changes the order's amounts, so the books and the order
//! say the same.

use souk_crypto::hash::digest;

use super::{Order, Payment, Refund, RefundCause, RefundState};
use crate::bookkeeping::{Message, Owner};
use crate::context::Context;
use crate::id::{Bucket, DerivedId, form_d};
use crate::intent::Intent;
use crate::ledger::{self, Account, AccountBook, Chain, Origin, owner_named, post, postings};
use crate::money::Money;
use crate::order::{RailOp, RailOpKind, RailOpState};
use crate::outcome::Refusal;
use crate::rows::{Key, Rows, Stop};

/// Owner of the 2400 account until tax authorities are named by reference data.
pub(crate) const TAX_AUTHORITY: &str = "tax";

/// The tax authority of an order's fees.
pub(crate) fn authority() -> [u8; 16] {
    owner_named(TAX_AUTHORITY).unwrap_or_default()
}

/// The working set as the ledger's book: rows are loaded before, written behind.
pub(crate) struct Book<'r> {
    rows: &'r Rows,
    puts: Vec<Account>,
}

impl<'r> Book<'r> {
    /// The accounts that are loaded.
    pub(crate) fn over(rows: &'r Rows) -> Book<'r> {
        Book { rows, puts: Vec::new() }
    }
}

impl AccountBook for Book<'_> {
    fn get(&self, id: &DerivedId) -> Option<Account> {
        self.rows.find::<Account>(&Key::ledger_account(*id)).ok().flatten().copied()
    }
    fn put(&mut self, account: Account) {
        self.puts.push(account);
    }
}

/// Posts a chain on the rows: all legs or none. The refusal carries the ledger's code.
pub(crate) fn post_chain(
    chain: &Chain,
    subject: &[u8; 16],
    intent: &Intent,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Stop> {
    let owner_key = Key::owner(chain.bucket());
    let keys: Vec<Key> = chain.account_ids().into_iter().map(Key::ledger_account).collect();
    rows.need(keys.iter().chain([&owner_key]))?;
    let mut owner: Owner = rows.get::<Owner>(&owner_key, "store.owner")?.clone();
    let origin = Origin { intent_id: *intent.id.bytes(), ref_id: *subject, at: ctx.now };
    let mut book = Book::over(rows);
    let transfers = post(chain, &origin, &mut owner.journal, &mut book).map_err(refused)?;
    let puts = book.puts;
    for account in puts {
        rows.put(account)?;
    }
    rows.put(owner)?;
    for transfer in transfers {
        rows.transfer(transfer);
    }
    Ok(())
}

/// A refusal of the ledger as an outcome.
pub(crate) fn refused(error: ledger::LedgerError) -> Stop {
    Refusal::new(error.code()).into()
}

/// The id of a refund, and of its rail operation: one decision makes at most one refund a number.
fn refund_id(bucket: Bucket, intent: &Intent, number: u16) -> Result<DerivedId, Stop> {
    let hash = digest("souk/refund/v1/", &[intent.id.bytes(), &number.to_be_bytes()]);
    DerivedId::from_bytes(form_d(bucket, &hash)).map_err(|_| Refusal::new("id.form").into())
}

/// What goes back to the buyer, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WayBack {
    /// Money that has just come and is not wanted (P2).
    Arrived {
        /// The rail's event.
        event: DerivedId,
    },
    /// A part that had waited for the rest (P2).
    Waited {
        /// The rail's event.
        event: DerivedId,
    },
    /// Money in escrow (P3, P5).
    Held {
        /// Why.
        cause: RefundCause,
    },
}

/// Sends money back to the buyer: posts it to 2120 and asks the rail for the refund. The exit 2120 -> 1000 follows
/// when the rail confirms; until then the order has a blocker ([`super::settle::keep`]).
pub(crate) fn send_back(
    order: &mut Order,
    payment: &Payment,
    (way, money): (WayBack, Money),
    intent: &Intent,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<DerivedId, Stop> {
    let number = order.refunds.len() as u16;
    let id = refund_id(order.id.bucket(), intent, number)?;
    let chain = match way {
        WayBack::Arrived { event } => postings::unapplied_returned(event, id, payment.rail.owner(), money),
        WayBack::Waited { event } => postings::unapplied_refunded(event, id, money),
        WayBack::Held { cause: RefundCause::FromEscrow } => postings::refund_from_escrow(order.id, id, money),
        WayBack::Held { .. } => postings::refund_before_shipping(order.id, id, money),
    };
    // Numbered by the refund, so that two refunds of one decision have transfers of their own.
    let chain = chain.map_err(refused)?.indexed_from(number.saturating_mul(2));
    post_chain(&chain, order.id.bytes(), intent, ctx, rows)?;
    let cause = match way {
        WayBack::Arrived { .. } | WayBack::Waited { .. } => RefundCause::Unapplied,
        WayBack::Held { cause } => cause,
    };
    let foreign = (money.currency != order.currency).then_some(money.currency);
    order.refunds.push(Refund { id, amount: money.minor, foreign, state: RefundState::Pending, cause });
    rows.put_new(RailOp {
        id,
        rail: payment.rail.clone(),
        kind: RailOpKind::Refund,
        payment: payment.id,
        order: order.id,
        amount: money,
        state: RailOpState::New,
        attempts: 0,
        next_try: ctx.now,
        made_at: ctx.now,
    });
    rows.emit(order.id.bucket(), Message::Rail { op: id }, ctx.now)?;
    Ok(id)
}

/// Writes a trade event of an order (spec/market.md 14.1).
pub(crate) fn event(
    kind: &str,
    order: &Order,
    minor: Option<i64>,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Stop> {
    let message = Message::Event { kind: kind.to_owned(), subject: *order.id.bytes(), minor };
    rows.emit(order.id.bucket(), message, ctx.now)
}
