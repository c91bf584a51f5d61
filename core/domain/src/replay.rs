//! Historic acts: sales of the past booked as ledger facts, for `souk replay` (spec/money.md 10.1).
//!
//! Not for: live trade. They post the same chains as the live rules and are decided by the same engine, but they
//! take their times from the data and need no stock, parcel or rail: the rail confirms at once.

use serde::{Deserialize, Serialize};
use souk_crypto::hash::digest;

use crate::context::Context;
use crate::id::{Bucket, DerivedId, OrderId, ShopId};
use crate::intent::Intent;
use crate::ledger::postings::{self, RefundAfterRelease, RefundedLine, Release, ReleasedLine, SellerFunds};
use crate::ledger::{CapturedRates, Chain, LedgerError, owner_named};
use crate::money::{Bp, Money};
use crate::num::Rounding;
use crate::order::RailId;
use crate::order::escrow::{Book, authority, post_chain, refused};
use crate::outcome::{Facts, Refusal};
use crate::rows::{Key, Rows, Stop};
use crate::time::Time;

/// One act of a historic data set, in its seller's bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HistoricAct {
    /// The seller.
    pub seller: ShopId,
    /// When it happened.
    pub at: Time,
    /// What.
    pub what: HistoricFact,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum HistoricFact {
    /// An order was paid in full (P1).
    Captured {
        /// The order.
        order: OrderId,
        /// The sum.
        amount: Money,
    },
    /// An order was released (P4), line by line what was left of it.
    Released {
        /// The order.
        order: OrderId,
        /// What is released of each line.
        lines: Vec<Money>,
    },
    /// Money went back from escrow and left (P5).
    RefundedFromEscrow {
        /// The order whose escrow it comes from.
        order: OrderId,
        /// The sum.
        amount: Money,
    },
    /// Money of one line went back after release and left (P8).
    RefundedAfterRelease {
        /// The sum.
        amount: Money,
        /// What had gone back of the line before.
        before: Money,
        /// What had been released of the line.
        released: Money,
    },
    /// A credit note without a matching sale (P12).
    CreditNote {
        /// The sum.
        amount: Money,
    },
    /// The reserve of a release ended (P9), then netting.
    Available {
        /// The seller's net share of that release.
        share: Money,
    },
    /// A line that is not trade: refused, and the refusal is stored.
    Adjustment,
}

impl HistoricAct {
    /// The bucket that it is decided in.
    pub fn bucket(&self) -> Bucket {
        self.seller.bucket()
    }
}

/// The rates of the reference's fee plan.
pub fn rates(ctx: &Context) -> CapturedRates {
    let plan = &ctx.reference.fee_plan;
    CapturedRates {
        commission: plan.commission,
        service_fee: Bp(0),
        tax: plan.commission_tax,
        tax_rounding: Rounding::HalfEven,
    }
}

/// Books a historic act; answers `share_minor`, the seller's part of a release. Refuses: `replay.adjustment` and the
/// ledger's codes.
pub(crate) fn book(
    intent: &Intent,
    act: &HistoricAct,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let ctx = &Context { now: act.at, ..*ctx };
    let rail = owner_named(RailId::SANDBOX).unwrap_or_default();
    let refund = DerivedId::derived(act.bucket(), &digest("souk/refund/v1/", &[intent.id.bytes()]));
    let mut facts = Facts::none();
    let (chain, paid_out) = match &act.what {
        HistoricFact::Captured { order, amount } => (postings::captured(*order, rail, *amount), None),
        HistoricFact::Released { order, lines } => {
            let lines = released_lines(lines, &rates(ctx))?;
            let of = Release {
                order: *order,
                seller: act.seller,
                courier: None,
                authority: authority(),
                lines: &lines,
            };
            facts = facts.with("share_minor", of.seller_share().map_err(refused)?.minor);
            (postings::released(&of), None)
        }
        HistoricFact::RefundedFromEscrow { order, amount } => {
            (postings::refund_from_escrow(*order, refund, *amount), Some(*amount))
        }
        HistoricFact::RefundedAfterRelease { amount, before, released } => {
            let funds = funds(act, *amount, rows)?;
            let money = |error: crate::money::MoneyError| Stop::from(Refusal::new(error.code()));
            let fees = rates(ctx).of(*released).map_err(money)?;
            let after = before.add(*amount).map_err(money)?;
            let fees_back = fees.reversal(*before, after, *released).map_err(money)?;
            let lines = [RefundedLine { amount: *amount, fees_back }];
            let of = RefundAfterRelease { refund, seller: act.seller, authority: authority(), lines: &lines };
            (postings::refund_after_release(&of, &funds), Some(*amount))
        }
        HistoricFact::CreditNote { amount } => {
            let funds = funds(act, *amount, rows)?;
            (postings::credit_note(refund, act.seller, *amount, &funds), Some(*amount))
        }
        HistoricFact::Available { share } => {
            let funds = funds(act, *share, rows)?;
            match postings::reserve_ended(act.seller, *share, Bp(0), &funds).map_err(refused)? {
                Some(chain) => (Ok(chain), None),
                None => return Ok(facts),
            }
        }
        HistoricFact::Adjustment => return Err(Refusal::new("replay.adjustment").into()),
    };
    post_unless_empty(chain, act, intent, ctx, rows)?;
    if let Some(amount) = paid_out {
        post_unless_empty(postings::refund_paid(refund, rail, amount), act, intent, ctx, rows)?;
    }
    Ok(facts)
}

/// Each line with the fees that its whole release bears.
fn released_lines(lines: &[Money], rates: &CapturedRates) -> Result<Vec<ReleasedLine>, Stop> {
    let line = |amount: &Money| rates.of(*amount).map(|fees| ReleasedLine { amount: *amount, fees });
    let lines: Result<Vec<ReleasedLine>, _> = lines.iter().map(line).collect();
    lines.map_err(|error| Refusal::new(error.code()).into())
}

fn funds(act: &HistoricAct, of: Money, rows: &Rows) -> Result<SellerFunds, Stop> {
    let accounts =
        SellerFunds::accounts(act.seller, of.currency).map(|account| Key::ledger_account(account.id()));
    rows.need(&accounts)?;
    Ok(SellerFunds::read(act.seller, of.currency, &Book::over(rows)))
}

/// An order that was wholly refunded releases nothing, and a free one captures nothing.
fn post_unless_empty(
    chain: Result<Chain, LedgerError>,
    act: &HistoricAct,
    intent: &Intent,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Stop> {
    match chain {
        Err(LedgerError::ChainEmpty) => Ok(()),
        Err(error) => Err(refused(error)),
        Ok(chain) => post_chain(&chain, act.seller.bytes(), intent, ctx, rows),
    }
}
