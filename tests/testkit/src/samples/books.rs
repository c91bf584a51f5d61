//! Sample rows of the engine's own books, and journals that really add up.

use std::collections::BTreeMap;

use souk_domain::bookkeeping::{
    Change, Inbox, IntentRow, Lane, Message, Minted, Outbox, Owner, ScopeOf, ScopePart, Stream, Timer,
    TimerKind,
};
use souk_domain::handoff::HandOff;
use souk_domain::id::{Bucket, DerivedId};
use souk_domain::ledger::{
    Account, AccountCode, AccountRef, Chain, JournalHead, Leg, Origin, Posting, Transfer, owner_named, post,
};
use souk_domain::money::{Currency, Money};
use souk_domain::outcome::{Fact, Facts, Outcome};
use souk_domain::scope::{EntityKind, Scope};

use super::{bucket, buyer, courier, device_id, hash, intent_id, order_id, parcel_id, shop, time, usd};

/// The books of one bucket: accounts, head and what was posted.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Head of the journal.
    pub head: JournalHead,
    /// Accounts by id.
    pub accounts: BTreeMap<DerivedId, Account>,
    /// Numbers the intents that post.
    posted: u64,
}

impl Journal {
    /// Empty books.
    pub fn new(bucket: Bucket) -> Journal {
        Journal { head: JournalHead::empty(bucket), accounts: BTreeMap::new(), posted: 0 }
    }

    /// Captures an amount from the sandbox rail for an order, named by its number: one transfer.
    pub fn capture(&mut self, order: u64, amount: Money) -> Vec<Transfer> {
        let bucket = self.head.bucket;
        let rail = owner_named("sandbox").expect("a name that fits");
        let owner = *order_id(bucket, order).bytes();
        self.posted += 1;
        let chain = Chain::linked(
            Posting::Captured,
            [Leg::post(
                AccountRef::new(AccountCode::RailClearing, rail, bucket, amount.currency),
                AccountRef::new(AccountCode::OrderEscrow, owner, bucket, amount.currency),
                amount,
            )],
        )
        .expect("a leg that moves money");
        let origin = Origin {
            intent_id: *intent_id(bucket, 1_000_000 + self.posted).bytes(),
            ref_id: owner,
            at: time(100 + i64::try_from(self.posted).unwrap_or(i64::MAX)),
        };
        post(&chain, &origin, &mut self.head, &mut self.accounts).expect("an account that takes it")
    }

    /// The id of the escrow account of an order in US dollars.
    pub fn escrow(&self, order: u64) -> DerivedId {
        let bucket = self.head.bucket;
        let owner = *order_id(bucket, order).bytes();
        AccountRef::new(AccountCode::OrderEscrow, owner, bucket, Currency::USD).id()
    }
}

/// The owner row of a bucket, as it stands after the first take-over, but for its counters.
pub fn owner(bucket: Bucket) -> Owner {
    Owner {
        bucket,
        epoch: 1,
        journal: JournalHead::empty(bucket),
        outbox_seq: 11,
        catalogue_seq: 66,
        waybill_seq: 7,
    }
}

pub(super) fn ledger_account() -> Account {
    let mut journal = Journal::new(bucket());
    journal.capture(1, usd(3_221));
    let id = journal.escrow(1);
    journal.accounts[&id]
}

pub(super) fn intent() -> IntentRow {
    let line = Facts::none().with("offer", "0042").with("quantity", 2u32);
    let data = Facts::none()
        .with("total", usd(3_221))
        .with("units", -1i64)
        .with("pending", true)
        .with("order", "018f")
        .with("lines", Fact::List(vec![line]));
    IntentRow {
        bucket: bucket(),
        account: Some(buyer()),
        id: *intent_id(bucket(), 12).bytes(),
        device: Some(device_id(1)),
        epoch: 2,
        dev_seq: 77,
        sent: Some((Lane::Order, 41)),
        kind: "place_order".into(),
        hash: hash(9),
        text: "{\"kind\":\"place_order\"}".into(),
        signature: vec![0x51; 64],
        outcome: Outcome::Accepted { at: time(110), data },
        reference_version: 3,
        decided_at: time(110),
    }
}

pub(super) fn stream() -> Stream {
    Stream { bucket: bucket(), device: device_id(1), epoch: 2, lane: Lane::Courier, last: 41, reused: 1 }
}

pub(super) fn minted() -> Minted {
    Minted {
        bucket: bucket(),
        device: device_id(1),
        epoch: 2,
        dev_seq: 77,
        id: *intent_id(bucket(), 12).bytes(),
    }
}

pub(super) fn scope_part() -> ScopePart {
    // The highest bit is set: the sum is unsigned.
    ScopePart { bucket: bucket(), scope: Scope::Seller(shop()), seq: 90_311, sum: u64::MAX - 5, rows: 2 }
}

pub(super) fn change() -> Change {
    Change {
        bucket: bucket(),
        scope: Scope::Seller(shop()),
        entity: EntityKind::Order.number(),
        id: *order_id(bucket(), 1).bytes(),
        seq: 90_311,
        live: true,
    }
}

pub(super) fn scope_of() -> ScopeOf {
    ScopeOf { scope: Scope::Account(buyer()), part: super::numbered(687) }
}

pub(super) fn timer() -> Timer {
    Timer {
        bucket: bucket(),
        due: time(120),
        entity: *order_id(bucket(), 1).bytes(),
        kind: TimerKind::Release,
        generation: 2,
    }
}

pub(super) fn outbox() -> Outbox {
    let handoff = Box::new(HandOff::StopMoved {
        courier: courier(),
        parcel: parcel_id(bucket(), 7),
        state: souk_domain::parcel::ParcelState::Delivered,
        chain_index: 4,
        chain_tip: hash(4).0,
        at: time(130),
    });
    let message = Message::Bucket { bucket: super::numbered(687), handoff };
    Outbox { bucket: bucket(), seq: 11, message, done: false, at: time(130) }
}

pub(super) fn inbox() -> Inbox {
    Inbox { bucket: bucket(), from: super::numbered(687), seq: 5 }
}

#[cfg(test)]
mod tests {
    use super::super::{row, rows};
    use souk_domain::rows::RowKind;

    #[test]
    fn each_kind_has_a_row_of_its_kind() {
        for (kind, row) in RowKind::ALL.iter().zip(rows()) {
            assert_eq!(row.kind(), *kind);
            assert_eq!(row, super::super::row(*kind));
        }
        assert_ne!(row(RowKind::Order), row(RowKind::Parcel));
    }
}
