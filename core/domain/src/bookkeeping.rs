//! Rows that the engine keeps beside the trade: owners of buckets, stored intents, streams, change rows, timers,
//! outbox and inbox (design.md 3, spec/sync.md 4.1, spec/scale.md 3).
//!
//! They are rows of the same working set, so they are written by the same commit with the same expected versions.

use serde::{Deserialize, Serialize};

use crate::handoff::HandOff;
use crate::id::{AccountId, Bucket, DerivedId, DeviceId};
use crate::ledger::JournalHead;
use crate::outcome::Outcome;
use crate::party::TokenHash;
use crate::scope::Scope;
use crate::time::Time;

/// One row a bucket: fence, source of sequences, head of the journal (spec/scale.md 3).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Owner {
    /// The bucket.
    pub bucket: Bucket,
    /// Fencing number: a commit under an older one is refused.
    pub epoch: i64,
    /// Head of the ledger's journal.
    pub journal: JournalHead,
    /// Last outbox number used.
    pub outbox_seq: u64,
    /// Last catalogue number used (form C ids).
    pub catalogue_seq: u64,
    /// Last waybill serial used.
    pub waybill_seq: u64,
}

/// What may wait for what (spec/sync.md 3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Lane {
    /// Whatever moves money.
    Money = 0,
    /// Orders, labels, stock and prices.
    Order = 1,
    /// Scans.
    Courier = 2,
    /// Messages.
    Chat = 3,
    /// Carts, imports.
    Bulk = 4,
}

impl Lane {
    /// All lanes, in order of priority.
    pub const ALL: [Lane; 5] = [Lane::Money, Lane::Order, Lane::Courier, Lane::Chat, Lane::Bulk];

    /// The number in rows.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The lane of a number.
    pub fn from_number(number: u8) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| lane.number() == number)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Money => "money",
            Lane::Order => "order",
            Lane::Courier => "courier",
            Lane::Chat => "chat",
            Lane::Bulk => "bulk",
        }
    }

    /// The lane of a name.
    pub fn from_name(name: &str) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| lane.name() == name)
    }
}

/// A stored intent with its one outcome; never changed, kept for 400 days and more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IntentRow {
    /// Bucket of the id.
    pub bucket: Bucket,
    /// Who; none for the server's own.
    pub account: Option<AccountId>,
    /// The id.
    #[serde(with = "crate::bytes")]
    pub id: [u8; 16],
    /// Which device sent it; none for the server's own.
    pub device: Option<DeviceId>,
    /// Epoch minted with it.
    pub epoch: u32,
    /// Number minted with it.
    pub dev_seq: u64,
    /// Lane and position it was sent with; none for one-intent requests.
    pub sent: Option<(Lane, u64)>,
    /// Kind name.
    pub kind: String,
    /// SHA-256 of `souk/body/v1/` and the text.
    pub hash: TokenHash,
    /// The text exactly as tapped; empty for the server's own and for voids of unknown ids.
    pub text: String,
    /// Signature over D, if one came with it.
    #[serde(with = "crate::bytes")]
    pub signature: Vec<u8>,
    /// The outcome.
    pub outcome: Outcome,
    /// Version of reference data that the decision used.
    pub reference_version: u32,
    /// When.
    pub decided_at: Time,
}

/// The count of one stream (spec/sync.md 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// Bucket.
    pub bucket: Bucket,
    /// Device.
    pub device: DeviceId,
    /// Epoch.
    pub epoch: u32,
    /// Lane.
    pub lane: Lane,
    /// Last position used.
    pub last: u64,
    /// Positions used by ids that were known already.
    pub reused: u64,
}

/// A number that a device minted and the id that carries it: the same number under two ids proves a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Minted {
    /// Bucket.
    pub bucket: Bucket,
    /// Device.
    pub device: DeviceId,
    /// Epoch.
    pub epoch: u32,
    /// The number.
    pub dev_seq: u64,
    /// The id.
    #[serde(with = "crate::bytes")]
    pub id: [u8; 16],
}

/// The counter and checksum of one part (spec/sync.md 4.1, 4.7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopePart {
    /// Bucket.
    pub bucket: Bucket,
    /// Scope.
    pub scope: Scope,
    /// Last sequence used.
    pub seq: u64,
    /// Wrapping sum over the live rows.
    pub sum: u64,
    /// Live rows.
    pub rows: u64,
}

/// One row a thing in a scope, moved to a new sequence on each change (spec/sync.md 4.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Bucket.
    pub bucket: Bucket,
    /// Scope.
    pub scope: Scope,
    /// Entity number.
    pub entity: u8,
    /// 16 bytes of the thing's id.
    pub id: [u8; 16],
    /// Sequence of its last change: the version on the wire.
    pub seq: u64,
    /// False = it left the scope.
    pub live: bool,
}

/// Which buckets hold a part of a scope: in the home bucket of the scope's subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeOf {
    /// Scope.
    pub scope: Scope,
    /// A bucket that holds a part of it.
    pub part: Bucket,
}

/// A time-out to come. Deleted when it fires; harmless when it fires twice or late.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Timer {
    /// Bucket.
    pub bucket: Bucket,
    /// When.
    pub due: Time,
    /// About what: 16 bytes of an id.
    #[serde(with = "crate::bytes")]
    pub entity: [u8; 16],
    /// What for.
    pub kind: TimerKind,
    /// A timer of another generation than its row's changes nothing.
    pub generation: u32,
}

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum TimerKind {
    /// An unpaid order ends (order).
    PayWindow = 1,
    /// Not shipped in time (order).
    ShipDeadline = 2,
    /// Never shipped (order).
    AutoCancel = 3,
    /// The release clock (order).
    Release = 4,
    /// Silence on a refund request counts as consent (order).
    CaseSilence = 5,
    /// The reserve ends (order).
    ReserveEnd = 6,
}

impl TimerKind {
    /// All kinds.
    pub const ALL: [TimerKind; 6] = [
        TimerKind::PayWindow,
        TimerKind::ShipDeadline,
        TimerKind::AutoCancel,
        TimerKind::Release,
        TimerKind::CaseSilence,
        TimerKind::ReserveEnd,
    ];

    /// The number in rows.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number.
    pub fn from_number(number: u8) -> Option<TimerKind> {
        TimerKind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// Something that must leave a bucket, written in the commit that caused it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outbox {
    /// Bucket.
    pub bucket: Bucket,
    /// Rising inside the bucket.
    pub seq: u64,
    /// What.
    pub message: Message,
    /// True once it has arrived.
    pub done: bool,
    /// When it was written.
    pub at: Time,
}

/// What an outbox row carries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum Message {
    /// Another bucket: becomes an intent there.
    Bucket {
        /// Where.
        bucket: Bucket,
        /// What.
        handoff: Box<HandOff>,
    },
    /// A rail: the operation row says what.
    Rail {
        /// The operation.
        op: DerivedId,
    },
    /// Nobody yet: a trade event (spec/market.md 14.1), done when written.
    Event {
        /// Kind, e.g. `order.placed`.
        kind: String,
        /// Subject: 16 bytes of an id.
        #[serde(with = "crate::bytes")]
        subject: [u8; 16],
        /// Minor units, where money is about.
        minor: Option<i64>,
    },
}

/// A hand-off that has been decided here: the second time it changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Inbox {
    /// Bucket.
    pub bucket: Bucket,
    /// Where it came from.
    pub from: Bucket,
    /// Its number there.
    pub seq: u64,
}
