//! Accounts: the chart, the key of an account and its row (spec/money.md 5.1).
//!
//! Accounts exist per bucket, platform accounts too: 4000 of bucket 7 is one row, totals are sums.

use serde::{Deserialize, Serialize};
use souk_crypto::hash::digest;

use crate::id::{Bucket, DerivedId};
use crate::money::{Currency, Money};

/// Owner of the platform's own accounts (4000, 4010).
pub const PLATFORM: [u8; 16] = [0; 16];

/// The owner bytes of something that has a name and no id (a rail, a tax authority): its ASCII name, zeros behind.
/// `None` when it is empty, longer than 16 bytes or not printable ASCII.
pub fn owner_named(name: &str) -> Option<[u8; 16]> {
    let mut owner = [0; 16];
    let fits =
        !name.is_empty() && name.len() <= owner.len() && name.bytes().all(|byte| byte.is_ascii_graphic());
    owner.get_mut(..name.len()).filter(|_| fits)?.copy_from_slice(name.as_bytes());
    Some(owner)
}

/// On which side an account grows; decides the sign of its balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountType {
    /// Grows by debits.
    Asset,
    /// Grows by credits.
    Liability,
    /// Grows by credits.
    Income,
    /// Between two buckets; counted by credits. All of them together are zero when nothing is in flight.
    Clearing,
}

/// The chart of accounts, as far as it is in use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
#[repr(u16)]
pub enum AccountCode {
    /// What a rail holds for us. Owner: the rail.
    RailClearing = 1000,
    /// What a seller owes. Owner: the seller.
    SellerReceivable = 1020,
    /// Money on its way to or from another bucket. Owner: the bucket pair.
    Interbucket = 1900,
    /// Held for an order. Owner: the order.
    OrderEscrow = 2100,
    /// Held for a case. Owner: the case.
    DisputeHold = 2110,
    /// A refund on its way out. Owner: the refund.
    RefundTransit = 2120,
    /// Money that fits no order. Owner: the rail's event.
    Unapplied = 2130,
    /// Released and not yet available. Owner: the seller.
    SellerPending = 2200,
    /// Free for payout. Owner: the seller.
    SellerAvailable = 2210,
    /// Kept back by the payout tier. Owner: the seller.
    SellerReserve = 2220,
    /// The seller's deposit. Owner: the seller.
    SellerDeposit = 2230,
    /// Owed to a courier. Owner: the courier.
    CourierPayable = 2300,
    /// Owed to a tax authority. Owner: the authority.
    TaxPayable = 2400,
    /// Our commission. Owner: [`PLATFORM`].
    Commission = 4000,
    /// Our service fee. Owner: [`PLATFORM`].
    ServiceFee = 4010,
}

impl AccountCode {
    /// All codes, ascending.
    pub const ALL: [AccountCode; 15] = [
        AccountCode::RailClearing,
        AccountCode::SellerReceivable,
        AccountCode::Interbucket,
        AccountCode::OrderEscrow,
        AccountCode::DisputeHold,
        AccountCode::RefundTransit,
        AccountCode::Unapplied,
        AccountCode::SellerPending,
        AccountCode::SellerAvailable,
        AccountCode::SellerReserve,
        AccountCode::SellerDeposit,
        AccountCode::CourierPayable,
        AccountCode::TaxPayable,
        AccountCode::Commission,
        AccountCode::ServiceFee,
    ];

    /// The number in the chart.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The code of a number in the chart.
    pub fn from_number(number: u16) -> Option<AccountCode> {
        AccountCode::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The name in the chart.
    pub const fn name(self) -> &'static str {
        match self {
            AccountCode::RailClearing => "rail_clearing",
            AccountCode::SellerReceivable => "seller_receivable",
            AccountCode::Interbucket => "interbucket",
            AccountCode::OrderEscrow => "order_escrow",
            AccountCode::DisputeHold => "dispute_hold",
            AccountCode::RefundTransit => "refund_transit",
            AccountCode::Unapplied => "unapplied",
            AccountCode::SellerPending => "seller_pending",
            AccountCode::SellerAvailable => "seller_available",
            AccountCode::SellerReserve => "seller_reserve",
            AccountCode::SellerDeposit => "seller_deposit",
            AccountCode::CourierPayable => "courier_payable",
            AccountCode::TaxPayable => "tax_payable",
            AccountCode::Commission => "commission",
            AccountCode::ServiceFee => "service_fee",
        }
    }

    /// The side on which it grows.
    pub const fn account_type(self) -> AccountType {
        match self {
            AccountCode::RailClearing | AccountCode::SellerReceivable => AccountType::Asset,
            AccountCode::Interbucket => AccountType::Clearing,
            AccountCode::OrderEscrow
            | AccountCode::DisputeHold
            | AccountCode::RefundTransit
            | AccountCode::Unapplied
            | AccountCode::SellerPending
            | AccountCode::SellerAvailable
            | AccountCode::SellerReserve
            | AccountCode::SellerDeposit
            | AccountCode::CourierPayable
            | AccountCode::TaxPayable => AccountType::Liability,
            AccountCode::Commission | AccountCode::ServiceFee => AccountType::Income,
        }
    }

    /// The flags that an account of this code is opened with.
    pub const fn flags(self) -> AccountFlags {
        match self {
            AccountCode::SellerReceivable => AccountFlags::CREDITS_WITHIN_DEBITS,
            AccountCode::OrderEscrow
            | AccountCode::DisputeHold
            | AccountCode::RefundTransit
            | AccountCode::Unapplied
            | AccountCode::SellerPending
            | AccountCode::SellerAvailable
            | AccountCode::SellerReserve
            | AccountCode::SellerDeposit
            | AccountCode::CourierPayable => AccountFlags::DEBITS_WITHIN_CREDITS,
            AccountCode::RailClearing
            | AccountCode::Interbucket
            | AccountCode::TaxPayable
            | AccountCode::Commission
            | AccountCode::ServiceFee => AccountFlags::NONE,
        }
    }
}

impl From<AccountCode> for u16 {
    fn from(code: AccountCode) -> u16 {
        code.number()
    }
}

impl TryFrom<u16> for AccountCode {
    type Error = &'static str;
    fn try_from(number: u16) -> Result<AccountCode, &'static str> {
        AccountCode::from_number(number).ok_or("not in the chart of accounts")
    }
}

/// What an account allows; a bit set, so that a store can check it in SQL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct AccountFlags(u16);

impl AccountFlags {
    /// No limit.
    pub const NONE: AccountFlags = AccountFlags(0);
    /// D: debits, posted and pending, must not exceed credits posted.
    pub const DEBITS_WITHIN_CREDITS: AccountFlags = AccountFlags(1);
    /// C: credits, posted and pending, must not exceed debits posted.
    pub const CREDITS_WITHIN_DEBITS: AccountFlags = AccountFlags(2);
    /// Takes nothing any more.
    pub const CLOSED: AccountFlags = AccountFlags(4);
    /// Refuses debits, takes credits.
    pub const FROZEN: AccountFlags = AccountFlags(8);

    /// The bits as they are stored.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Stored bits; `None` when an unknown bit is set.
    pub const fn from_bits(bits: u16) -> Option<AccountFlags> {
        if bits < 16 { Some(AccountFlags(bits)) } else { None }
    }

    /// Whether all flags of `other` are set.
    pub const fn has(self, other: AccountFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the flags of `other` set.
    pub const fn with(self, other: AccountFlags) -> AccountFlags {
        AccountFlags(self.0 | other.0)
    }

    /// With the flags of `other` cleared.
    pub const fn without(self, other: AccountFlags) -> AccountFlags {
        AccountFlags(self.0 & !other.0)
    }
}

impl From<AccountFlags> for u16 {
    fn from(flags: AccountFlags) -> u16 {
        flags.bits()
    }
}

impl TryFrom<u16> for AccountFlags {
    type Error = &'static str;
    fn try_from(bits: u16) -> Result<AccountFlags, &'static str> {
        AccountFlags::from_bits(bits).ok_or("unknown account flag")
    }
}

/// Names an account before its row is known: what a leg debits or credits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountRef {
    /// Its place in the chart.
    pub code: AccountCode,
    /// Whose it is: the 16 bytes of an id, [`owner_named`] or [`PLATFORM`].
    pub owner: [u8; 16],
    /// The bucket in which it lies: that of the trade, not the owner's.
    pub bucket: Bucket,
    /// Its currency.
    pub currency: Currency,
}

impl AccountRef {
    /// Names the account; `sub` is 0 (group commit needs no sub-accounts).
    pub const fn new(code: AccountCode, owner: [u8; 16], bucket: Bucket, currency: Currency) -> AccountRef {
        AccountRef { code, owner, bucket, currency }
    }

    /// The id of its row: derived, so that two parts of the program that name one account mean one row.
    pub fn id(&self) -> DerivedId {
        account_id(self.bucket, self.code, self.currency, &self.owner, 0)
    }
}

/// The id of an account: bucket, then the first 14 bytes of
/// `SHA-256("souk/account/v1/" || code u16 || currency u16 || owner 16 || sub u8)`.
pub(super) fn account_id(
    bucket: Bucket,
    code: AccountCode,
    currency: Currency,
    owner: &[u8; 16],
    sub: u8,
) -> DerivedId {
    let hash = digest(
        "souk/account/v1/",
        &[&code.number().to_be_bytes(), &currency.numeric().to_be_bytes(), owner, &[sub]],
    );
    DerivedId::derived(bucket, &hash)
}

/// An account's row. Counters never go down; the balance is their difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Derived from bucket, code, currency, owner and sub.
    pub id: DerivedId,
    /// Its place in the chart.
    pub code: AccountCode,
    /// Its currency.
    pub currency: Currency,
    /// Whose it is.
    #[serde(with = "super::bytes")]
    pub owner: [u8; 16],
    /// Number of the sub-account, 0 where there is one only.
    pub sub: u8,
    /// What it allows.
    pub flags: AccountFlags,
    /// Sum of all posted debits, minor units.
    pub debits_posted: i64,
    /// Sum of all posted credits, minor units.
    pub credits_posted: i64,
    /// Sum of the open pending debits, minor units.
    pub debits_pending: i64,
    /// Sum of the open pending credits, minor units.
    pub credits_pending: i64,
    /// Sequence number of the last transfer that touched it, 0 for none.
    pub last_seq: u64,
}

impl Account {
    /// The empty row of an account, as it is opened on first use.
    pub fn opened(of: &AccountRef) -> Account {
        Account {
            id: of.id(),
            code: of.code,
            currency: of.currency,
            owner: of.owner,
            sub: 0,
            flags: of.code.flags(),
            debits_posted: 0,
            credits_posted: 0,
            debits_pending: 0,
            credits_pending: 0,
            last_seq: 0,
        }
    }

    /// The bucket in which it lies.
    pub fn bucket(&self) -> Bucket {
        self.id.bucket()
    }

    /// Whether `id` is the id of what the row says it is.
    pub fn id_fits(&self) -> bool {
        self.id == account_id(self.id.bucket(), self.code, self.currency, &self.owner, self.sub)
    }

    /// What the account holds, on the side on which it grows: an asset debits minus credits, all else credits
    /// minus debits. Posted only.
    pub fn balance(&self) -> Money {
        // Both counters are 0 ..= i64::MAX, so the difference fits.
        let credits = self.credits_posted - self.debits_posted;
        let minor = if self.code.account_type() == AccountType::Asset { -credits } else { credits };
        Money::new(minor, self.currency)
    }

    /// What can still leave an account with flag D: credits posted less debits posted and pending; nothing while
    /// it is closed or frozen.
    pub fn free(&self) -> Money {
        let barred = self.flags.has(AccountFlags::CLOSED) || self.flags.has(AccountFlags::FROZEN);
        let free = self.credits_posted - self.debits_posted - self.debits_pending;
        Money::new(if barred { 0 } else { free.max(0) }, self.currency)
    }

    /// Whether the counters keep what the flags promise.
    pub fn keeps_flags(&self) -> bool {
        let within =
            |out: i64, pending: i64, limit: i64| i128::from(out) + i128::from(pending) <= i128::from(limit);
        (!self.flags.has(AccountFlags::DEBITS_WITHIN_CREDITS)
            || within(self.debits_posted, self.debits_pending, self.credits_posted))
            && (!self.flags.has(AccountFlags::CREDITS_WITHIN_DEBITS)
                || within(self.credits_posted, self.credits_pending, self.debits_posted))
    }
}
