//! Builders of the chains of spec/money.md 4.3: who is debited and credited when, and how sums are split.
//!
//! Not for: deciding whether money may move (`order`), or moving it ([`super::post()`]). Always: what goes to the
//! seller or comes from him is what the fees leave over, so that no unit is lost or made; every account of a chain
//! lies in the bucket of the trade.

use crate::id::{AccountId, Bucket, DerivedId, OrderId, ShopId};
use crate::money::{Bp, Currency, Money, MoneyError};

use super::account::{Account, AccountCode, AccountRef, PLATFORM};
use super::chain::{Chain, Leg, Posting};
use super::error::LedgerError;
use super::post::AccountBook;
use super::rates::LineFees;

/// 2100 of an order.
pub fn escrow(order: OrderId, currency: Currency) -> AccountRef {
    AccountRef::new(AccountCode::OrderEscrow, *order.bytes(), order.bucket(), currency)
}

/// 2120 of a refund.
pub fn refund_transit(refund: DerivedId, currency: Currency) -> AccountRef {
    AccountRef::new(AccountCode::RefundTransit, *refund.bytes(), refund.bucket(), currency)
}

/// 2130 of a rail's event.
pub fn unapplied(event: DerivedId, currency: Currency) -> AccountRef {
    AccountRef::new(AccountCode::Unapplied, *event.bytes(), event.bucket(), currency)
}

/// 1000 of a rail, in a bucket.
pub fn rail_clearing(rail: [u8; 16], bucket: Bucket, currency: Currency) -> AccountRef {
    AccountRef::new(AccountCode::RailClearing, rail, bucket, currency)
}

/// 1020, 2200, 2210, 2220 or 2230 of a seller.
fn of_seller(code: AccountCode, seller: ShopId, currency: Currency) -> AccountRef {
    AccountRef::new(code, *seller.bytes(), seller.bucket(), currency)
}

/// P1: the rail `rail` has captured `amount` for an order. 1000 -> 2100.
pub fn captured(order: OrderId, rail: [u8; 16], amount: Money) -> Result<Chain, LedgerError> {
    let from = rail_clearing(rail, order.bucket(), amount.currency);
    Chain::linked(Posting::Captured, [Leg::post(from, escrow(order, amount.currency), amount)])
}

/// P2: money came in that fits no order (late, double, over, under, unknown). 1000 -> 2130 of the rail's event.
pub fn unapplied_arrived(event: DerivedId, rail: [u8; 16], amount: Money) -> Result<Chain, LedgerError> {
    let from = rail_clearing(rail, event.bucket(), amount.currency);
    Chain::linked(Posting::Unapplied, [Leg::post(from, unapplied(event, amount.currency), amount)])
}

/// P2: parts that complete an order's sum in time go to it. 2130 of each event -> 2100.
pub fn unapplied_completes(order: OrderId, parts: &[(DerivedId, Money)]) -> Result<Chain, LedgerError> {
    let legs = parts.iter().map(|(event, amount)| {
        Leg::post(unapplied(*event, amount.currency), escrow(order, amount.currency), *amount)
    });
    Chain::linked(Posting::Unapplied, legs)
}

/// P2: money that fits no order begins its way back. 2130 -> 2120; [`refund_paid`] when the rail confirms.
pub fn unapplied_refunded(event: DerivedId, refund: DerivedId, amount: Money) -> Result<Chain, LedgerError> {
    let (from, to) = (unapplied(event, amount.currency), refund_transit(refund, amount.currency));
    Chain::linked(Posting::Unapplied, [Leg::post(from, to, amount)])
}

/// P2 in one step: money came in that is known at once to go back. 1000 -> 2130 -> 2120.
pub fn unapplied_returned(
    event: DerivedId,
    refund: DerivedId,
    rail: [u8; 16],
    amount: Money,
) -> Result<Chain, LedgerError> {
    let (held, back) = (unapplied(event, amount.currency), refund_transit(refund, amount.currency));
    let from = rail_clearing(rail, event.bucket(), amount.currency);
    Chain::linked(Posting::Unapplied, [Leg::post(from, held, amount), Leg::post(held, back, amount)])
}

/// P3: refund before shipping. 2100 -> 2120; [`refund_paid`] when the rail confirms.
pub fn refund_before_shipping(
    order: OrderId,
    refund: DerivedId,
    amount: Money,
) -> Result<Chain, LedgerError> {
    refund_held(Posting::RefundBeforeShipping, order, refund, amount)
}

/// P5: refund out of escrow after shipping. 2100 -> 2120; [`refund_paid`] when the rail confirms.
pub fn refund_from_escrow(order: OrderId, refund: DerivedId, amount: Money) -> Result<Chain, LedgerError> {
    refund_held(Posting::RefundFromEscrow, order, refund, amount)
}

fn refund_held(
    posting: Posting,
    order: OrderId,
    refund: DerivedId,
    amount: Money,
) -> Result<Chain, LedgerError> {
    let (from, to) = (escrow(order, amount.currency), refund_transit(refund, amount.currency));
    Chain::linked(posting, [Leg::post(from, to, amount)])
}

/// The exit of P2, P3, P5, P8 and P12: the rail has confirmed a refund. 2120 -> 1000.
pub fn refund_paid(refund: DerivedId, rail: [u8; 16], amount: Money) -> Result<Chain, LedgerError> {
    let to = rail_clearing(rail, refund.bucket(), amount.currency);
    Chain::linked(Posting::RefundPaid, [Leg::post(refund_transit(refund, amount.currency), to, amount)])
}

/// What is released of one order line, and what is taken of it ([`super::CapturedRates`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReleasedLine {
    /// What leaves escrow for this line.
    pub amount: Money,
    /// Commission, service fee and tax on it.
    pub fees: LineFees,
}

/// One release of an order's money: all its lines go in one chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Release<'a> {
    /// Whose escrow.
    pub order: OrderId,
    /// Who gets what is left.
    pub seller: ShopId,
    /// Who carried it, and his fee; it is part of the released sum.
    pub courier: Option<(AccountId, Money)>,
    /// Who gets the tax on the fees.
    pub authority: [u8; 16],
    /// The lines, all of one currency.
    pub lines: &'a [ReleasedLine],
}

impl Release<'_> {
    /// The seller's part: what the fees and the courier leave over. Errors `ledger.chain_empty` without a line,
    /// `money.currency`, `money.overflow`, and `money.range` when they take more than is released.
    pub fn seller_share(&self) -> Result<Money, LedgerError> {
        let (released, fees, courier) = self.sums()?;
        let share = released.less(fees.sum()?)?.less(courier)?;
        if share.minor < 0 { Err(MoneyError::Range.into()) } else { Ok(share) }
    }

    /// Released sum, fees and courier's fee.
    fn sums(&self) -> Result<(Money, LineFees, Money), LedgerError> {
        let currency = self.lines.first().ok_or(LedgerError::ChainEmpty)?.amount.currency;
        let released = Money::sum(currency, self.lines.iter().map(|line| line.amount))?;
        let fees = self.lines.iter().try_fold(LineFees::zero(currency), |sum, line| sum.add(&line.fees))?;
        Ok((released, fees, self.courier.map_or(Money::zero(currency), |(_, fee)| fee)))
    }
}

/// P4: release. 2100 -> 2200 seller, 2300 courier, 4000 commission, 4010 service fee, 2400 tax.
///
/// Refuses what [`Release::seller_share`] refuses, and `ledger.chain_empty` when nothing is released.
pub fn released(of: &Release<'_>) -> Result<Chain, LedgerError> {
    let (sum, fees, courier_fee) = of.sums()?;
    let share = of.seller_share()?;
    let (bucket, currency) = (of.order.bucket(), sum.currency);
    let from = escrow(of.order, currency);
    let owned = |code, owner| AccountRef::new(code, owner, bucket, currency);
    let courier = of.courier.map_or(PLATFORM, |(courier, _)| *courier.bytes());
    Chain::linked(
        Posting::Released,
        [
            Leg::post(from, of_seller(AccountCode::SellerPending, of.seller, currency), share),
            Leg::post(from, owned(AccountCode::CourierPayable, courier), courier_fee),
            Leg::post(from, owned(AccountCode::Commission, PLATFORM), fees.commission),
            Leg::post(from, owned(AccountCode::ServiceFee, PLATFORM), fees.service),
            Leg::post(from, owned(AccountCode::TaxPayable, of.authority), fees.tax),
        ],
    )
}

/// What a seller's accounts hold, and what he owes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SellerFunds {
    /// 2200: released, not yet available.
    pub pending: Money,
    /// 2210: available.
    pub available: Money,
    /// 2220: kept back by the payout tier.
    pub reserve: Money,
    /// 2230: deposit.
    pub deposit: Money,
    /// 1020: owed to us.
    pub owed: Money,
}

impl SellerFunds {
    /// The accounts that [`SellerFunds::read`] looks at: they must be loaded.
    pub fn accounts(seller: ShopId, currency: Currency) -> [AccountRef; 5] {
        [
            AccountCode::SellerPending,
            AccountCode::SellerAvailable,
            AccountCode::SellerReserve,
            AccountCode::SellerDeposit,
            AccountCode::SellerReceivable,
        ]
        .map(|code| of_seller(code, seller, currency))
    }

    /// Reads what can leave each account; a frozen or closed one gives nothing, one that does not exist is empty.
    pub fn read(seller: ShopId, currency: Currency, book: &dyn AccountBook) -> SellerFunds {
        let [pending, available, reserve, deposit, owed] =
            SellerFunds::accounts(seller, currency).map(|of| book.get(&of.id()));
        let free = |account: Option<Account>| account.map_or(Money::zero(currency), |account| account.free());
        SellerFunds {
            pending: free(pending),
            available: free(available),
            reserve: free(reserve),
            deposit: free(deposit),
            owed: owed.map_or(Money::zero(currency), |account| account.balance()),
        }
    }
}

/// What is refunded of one released line, and which fees go back with it ([`LineFees::reversal`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefundedLine {
    /// What the buyer gets.
    pub amount: Money,
    /// What the platform and the authority give back of their part of it.
    pub fees_back: LineFees,
}

/// One refund after release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefundAfterRelease<'a> {
    /// The refund.
    pub refund: DerivedId,
    /// Who sold.
    pub seller: ShopId,
    /// Who got the tax on the fees.
    pub authority: [u8; 16],
    /// The lines, all of one currency.
    pub lines: &'a [RefundedLine],
}

/// P8: refund after release. 4000, 2400, 4010 give back what they took of it; the seller's part comes from 2200,
/// 2210, 2220, 2230 in this order, and what is missing he owes: 1020. All -> 2120.
///
/// The fees of a refund of one or two units may round to more than the refund; the rest of them is the seller's,
/// -> 2210. Refuses `ledger.chain_empty`, `money.currency`, `money.overflow`.
pub fn refund_after_release(of: &RefundAfterRelease<'_>, funds: &SellerFunds) -> Result<Chain, LedgerError> {
    let currency = of.lines.first().ok_or(LedgerError::ChainEmpty)?.amount.currency;
    let fees = of.lines.iter().try_fold(LineFees::zero(currency), |sum, line| sum.add(&line.fees_back))?;
    let to = refund_transit(of.refund, currency);
    let available = of_seller(AccountCode::SellerAvailable, of.seller, currency);
    let mut missing = Money::sum(currency, of.lines.iter().map(|line| line.amount))?;
    let mut legs = Vec::new();
    for (code, owner, fee) in [
        (AccountCode::Commission, PLATFORM, fees.commission),
        (AccountCode::TaxPayable, of.authority, fees.tax),
        (AccountCode::ServiceFee, PLATFORM, fees.service),
    ] {
        let from = AccountRef::new(code, owner, of.refund.bucket(), currency);
        let part = fee.min(missing)?;
        missing = missing.less(part)?;
        legs.extend([Leg::post(from, to, part), Leg::post(from, available, fee.less(part)?)]);
    }
    legs.extend(from_seller(of.seller, to, missing, funds)?);
    Chain::linked(Posting::RefundAfterRelease, legs)
}

/// P12: credit note without a matching capture: all of it from the seller, as in [`refund_after_release`], and no
/// fee goes back. -> 2120; [`refund_paid`] when the rail confirms.
pub fn credit_note(
    refund: DerivedId,
    seller: ShopId,
    amount: Money,
    funds: &SellerFunds,
) -> Result<Chain, LedgerError> {
    let to = refund_transit(refund, amount.currency);
    Chain::linked(Posting::CreditNote, from_seller(seller, to, amount, funds)?)
}

/// P9: the reserve of a release has ended. 2200 -> 2210 for `share` (the seller's part of that release, or what is
/// left in 2200), `kept` of it -> 2220 by his payout tier; then netting, 2210 -> 1020 up to what he owes.
///
/// `None` when there is nothing to move. Refuses `money.currency`, `money.overflow`.
pub fn reserve_ended(
    seller: ShopId,
    share: Money,
    kept: Bp,
    funds: &SellerFunds,
) -> Result<Option<Chain>, LedgerError> {
    let moved = share.min(funds.pending)?;
    let kept = kept.of(moved)?.min(moved)?;
    let freed = moved.less(kept)?;
    let netted = funds.available.add(freed)?.min(funds.owed)?;
    let account = |code| of_seller(code, seller, share.currency);
    let (pending, available) = (account(AccountCode::SellerPending), account(AccountCode::SellerAvailable));
    let legs = [
        Leg::post(pending, available, freed),
        Leg::post(pending, account(AccountCode::SellerReserve), kept),
        Leg::post(available, account(AccountCode::SellerReceivable), netted),
    ];
    match Chain::linked(Posting::ReserveEnded, legs) {
        Err(LedgerError::ChainEmpty) => Ok(None),
        chain => chain.map(Some),
    }
}

/// Takes `amount` from a seller's accounts in their order, and what is missing on credit.
fn from_seller(
    seller: ShopId,
    to: AccountRef,
    amount: Money,
    funds: &SellerFunds,
) -> Result<Vec<Leg>, LedgerError> {
    let [pending, available, reserve, deposit, owed] = SellerFunds::accounts(seller, amount.currency);
    let mut missing = amount;
    let mut legs = Vec::with_capacity(5);
    for (source, free) in [
        (pending, funds.pending),
        (available, funds.available),
        (reserve, funds.reserve),
        (deposit, funds.deposit),
    ] {
        let part = missing.min(free)?;
        legs.push(Leg::post(source, to, part));
        missing = missing.less(part)?;
    }
    legs.push(Leg::post(owed, to, missing));
    Ok(legs)
}
