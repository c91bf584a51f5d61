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
use crate::ledger::{
    self, Account, AccountBook, AccountCode, AccountRef, Chain, Leg, Origin, Posting, owner_named, post,
};
use crate::money::Money;
use crate::order::{RailOp, RailOpKind, RailOpState};
use crate::outcome::Refusal;
use crate::rows::{Key, Rows, Stop};

/// Owner of the 2400 account until tax authorities are named by reference data.
pub(crate) const TAX_AUTHORITY: &str = "tax";

/// An account of an order's money.
pub(crate) fn account(code: AccountCode, owner: [u8; 16], order: &Order) -> AccountRef {
    AccountRef::new(code, owner, order.id.bucket(), order.currency)
}

/// The escrow account of an order.
pub(crate) fn held_account(order: &Order) -> AccountRef {
    account(AccountCode::OrderEscrow, *order.id.bytes(), order)
}

/// The account of the tax authority in an order's bucket.
pub(crate) fn tax_account(order: &Order) -> AccountRef {
    account(AccountCode::TaxPayable, owner_named(TAX_AUTHORITY).unwrap_or_default(), order)
}

/// One movement.
pub(crate) fn leg(debit: AccountRef, credit: AccountRef, amount: Money) -> Leg {
    Leg { debit, credit, amount }
}

/// The working set as the ledger's book: rows are loaded before, written behind.
struct Book<'r> {
    rows: &'r Rows,
    puts: Vec<Account>,
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
    let mut book = Book { rows, puts: Vec::new() };
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

/// Makes a chain, or says why not.
pub(crate) fn chain(posting: Posting, legs: Vec<Leg>) -> Result<Chain, Stop> {
    Chain::linked(posting, legs).map_err(refused)
}

/// The id of a refund, and of its rail operation: one decision makes at most one refund a number.
fn refund_id(bucket: Bucket, intent: &Intent, number: u16) -> Result<DerivedId, Stop> {
    let hash = digest("souk/refund/v1/", &[intent.id.bytes(), &number.to_be_bytes()]);
    DerivedId::from_bytes(form_d(bucket, &hash)).map_err(|_| Refusal::new("id.form").into())
}

/// What goes back to the buyer, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WayBack<'a> {
    /// Why.
    pub(crate) cause: RefundCause,
    /// How much, minor units.
    pub(crate) amount: i64,
    /// The accounts that it passes, first to last, before 2120.
    pub(crate) through: &'a [AccountRef],
}

/// Sends money back to the buyer: posts `from` -> 2120 and asks the rail for the refund. The exit 2120 -> 1000
/// follows when the rail confirms.
pub(crate) fn send_back(
    order: &mut Order,
    payment: &Payment,
    way: &WayBack,
    intent: &Intent,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<DerivedId, Stop> {
    let WayBack { cause, amount, through } = *way;
    let id = refund_id(order.id.bucket(), intent, order.refunds.len() as u16)?;
    let money = Money::new(amount, order.currency);
    let transit = account(AccountCode::RefundTransit, *id.bytes(), order);
    let posting = match cause {
        RefundCause::Unapplied => Posting::Unapplied,
        RefundCause::BeforeShipping | RefundCause::NotShipped => Posting::RefundBeforeShipping,
        RefundCause::FromEscrow => Posting::RefundFromEscrow,
        RefundCause::AfterRelease => Posting::RefundAfterRelease,
    };
    let stations: Vec<AccountRef> = through.iter().copied().chain([transit]).collect();
    let legs = stations.windows(2).map(|pair| leg(pair[0], pair[1], money)).collect();
    post_chain(&chain(posting, legs)?, order.id.bytes(), intent, ctx, rows)?;
    order.refunds.push(Refund { id, amount, state: RefundState::Pending, cause });
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
