//! The outbox: what was tapped, until it is decided and seen (spec/sync.md 3).
//!
//! Not for: when something is sent (`sync`), what it will come to (`overlay`). Always: a row is on the disk before
//! anything says *saved*; from the first send on its id, text, hash and bytes never change; it leaves only as
//! spec/sync.md 3.5 says. All functions here work inside a transaction of the caller.

use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use souk_domain::bookkeeping::Lane;
use souk_domain::id::{Bucket, IntentId};
use souk_domain::outcome::Outcome;
use souk_domain::time::Time;
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::Sig;

pub(crate) mod clocked;
pub(crate) mod enqueue;
pub(crate) mod send;
pub(crate) mod settle;
#[cfg(test)]
mod tests;

pub use enqueue::Tap;

use crate::error::{StoreError, StoreResult};

/// Where a row stands (spec/sync.md 3.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// Waits to be sent.
    Queued,
    /// Has left at least once; nobody has answered yet.
    Sent,
    /// Needs the user.
    Parked,
    /// Has its outcome.
    Decided,
}

impl RowState {
    const ALL: [RowState; 4] = [RowState::Queued, RowState::Sent, RowState::Parked, RowState::Decided];

    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    fn from_number(number: i64) -> Option<RowState> {
        RowState::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// Why a row is parked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its age is unknown (tapped without a known clock, restarted since): send or withdraw.
    Ask = 1,
    /// Its text must be made again, and the key that signs it is gone.
    Key = 2,
    /// The server knows its id with another content.
    Conflict = 3,
    /// The server does not take it from this device.
    Refused = 4,
}

impl Why {
    const ALL: [Why; 4] = [Why::Ask, Why::Key, Why::Conflict, Why::Refused];

    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    fn from_number(number: i64) -> Option<Why> {
        Why::ALL.into_iter().find(|why| why.number() == number)
    }
}

/// Flags of a row.
pub(crate) mod flag {
    /// The user has taken it back: it travels as a void item.
    pub(crate) const VOID: i64 = 1;
    /// It was decided and is sent again, because the server's data went back.
    pub(crate) const AGAIN: i64 = 2;
    /// The user has seen its outcome.
    pub(crate) const SEEN: i64 = 4;
    /// The clock was not known at the tap: the text is made again at the first contact.
    pub(crate) const UNSURE: i64 = 8;
    /// The server's rows show what it did.
    pub(crate) const SHOWN: i64 = 16;
}

/// A row of the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxRow {
    /// Order of tapping on this device.
    pub local: i64,
    /// The intent's id.
    pub id: IntentId,
    /// Registration that it goes out with.
    pub reg: i64,
    /// Number minted with it.
    pub dev_seq: u64,
    /// Kind name.
    pub kind: String,
    /// The scope that will show what it did.
    pub home: String,
    /// Lane of its stream.
    pub lane: Lane,
    /// Bucket of its stream.
    pub bucket: Bucket,
    /// The canonical text.
    pub text: String,
    /// SHA-256 of `souk/body/v1/` and the text.
    pub hash: [u8; 32],
    /// Bytes beside the text.
    pub bin: Vec<u8>,
    /// The device's signature, where the kind needs one.
    pub sig: Option<Sig>,
    /// Estimated server time of the tap.
    pub made_at: Time,
    /// Not to be done after this.
    pub not_after: Time,
    /// Epoch of its stream.
    pub epoch: u32,
    /// Position in its stream, once it has left.
    pub pos: Option<u64>,
    /// Where it stands.
    pub state: RowState,
    /// Why it is parked.
    pub why: Option<Why>,
    /// Bits of [`flag`].
    pub(crate) flags: i64,
    /// Times it has left.
    pub attempts: u32,
    /// Not before, milliseconds since boot.
    pub next_try_mono: u64,
    /// What the device predicted.
    pub predicted: Option<Predicted>,
    /// What the server decided.
    pub outcome: Option<Outcome>,
    /// What it had decided before its data went back.
    pub outcome_before: Option<Outcome>,
    /// When, by the server's clock.
    pub decided_at: Option<Time>,
}

impl OutboxRow {
    /// The user has taken it back.
    pub fn is_void(&self) -> bool {
        self.flags & flag::VOID != 0
    }

    /// It is sent again, because the server's data went back.
    pub fn is_again(&self) -> bool {
        self.flags & flag::AGAIN != 0
    }

    /// What a hand-over has signed and somebody else has seen: it cannot be taken back.
    pub fn is_signed_word(&self) -> bool {
        matches!(self.kind.as_str(), "AppendCustody" | "ConfirmHandOver")
    }

    /// The user has seen its outcome.
    pub fn is_seen(&self) -> bool {
        self.flags & flag::SEEN != 0
    }

    /// Its text is made again at the first contact.
    pub fn is_unsure(&self) -> bool {
        self.flags & flag::UNSURE != 0
    }

    /// The server's rows show what it did, or there is nothing to show.
    pub fn is_shown(&self) -> bool {
        self.flags & flag::SHOWN != 0
    }

    /// Whether it still counts in the overlay: undecided, or accepted and not shown by the server's rows yet.
    pub fn is_in_overlay(&self) -> bool {
        match self.state {
            RowState::Queued | RowState::Sent | RowState::Parked => !self.is_void(),
            RowState::Decided => !self.is_shown() && self.outcome.as_ref().is_some_and(Outcome::is_accepted),
        }
    }
}

/// How sure a prediction is (spec/sync.md 7): the worst row used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Only exact rows: a refusal is shown at once and nothing is queued.
    Sure,
    /// Hints and assumptions: usually as predicted.
    Likely,
    /// The device cannot know: saved, will be checked.
    Unknown,
}

/// What the device expects, stored with the row and compared at the outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Predicted {
    /// How sure.
    pub confidence: Confidence,
    /// The outcome; none with [`Confidence::Unknown`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeView>,
}

const COLUMNS: &str =
    "local, id, reg, dev_seq, kind, home, lane, bucket, text, hash, bin, sig, made_at, not_after,
    epoch, pos, state, why, flags, attempts, next_try_mono, predicted, outcome, outcome_before, decided_at";

/// Columns as SQLite gives them; checked by [`parse`].
struct Raw {
    id: Vec<u8>,
    lane: u8,
    bucket: u16,
    hash: Vec<u8>,
    sig: Option<Vec<u8>>,
    state: i64,
    why: i64,
    predicted: Option<String>,
    outcome: Option<String>,
    outcome_before: Option<String>,
}

fn read(row: &Row) -> rusqlite::Result<(OutboxRow, Raw)> {
    let raw = Raw {
        id: row.get(1)?,
        lane: row.get(6)?,
        bucket: row.get(7)?,
        hash: row.get(9)?,
        sig: row.get(11)?,
        state: row.get(16)?,
        why: row.get(17)?,
        predicted: row.get(21)?,
        outcome: row.get(22)?,
        outcome_before: row.get(23)?,
    };
    let out = OutboxRow {
        local: row.get(0)?,
        id: IntentId::from_bytes(souk_domain::id::form_u(0, Bucket::PUBLIC, [0; 9]))
            .map_err(|_| rusqlite::Error::InvalidQuery)?,
        reg: row.get(2)?,
        dev_seq: row.get::<_, i64>(3)? as u64,
        kind: row.get(4)?,
        home: row.get(5)?,
        lane: Lane::Bulk,
        bucket: Bucket::PUBLIC,
        text: row.get(8)?,
        hash: [0; 32],
        bin: row.get(10)?,
        sig: None,
        made_at: Time::from_micros(row.get(12)?),
        not_after: Time::from_micros(row.get(13)?),
        epoch: row.get(14)?,
        pos: row.get::<_, Option<i64>>(15)?.map(|pos| pos as u64),
        state: RowState::Queued,
        why: None,
        flags: row.get(18)?,
        attempts: row.get(19)?,
        next_try_mono: row.get::<_, i64>(20)? as u64,
        predicted: None,
        outcome: None,
        outcome_before: None,
        decided_at: row.get::<_, Option<i64>>(24)?.map(Time::from_micros),
    };
    Ok((out, raw))
}

fn bad(what: &'static str) -> StoreError {
    StoreError::Form { table: "outbox", what }
}

fn parse((mut row, raw): (OutboxRow, Raw)) -> StoreResult<OutboxRow> {
    let outcome = |text: Option<String>| {
        text.map(|text| serde_json::from_str::<OutcomeView>(&text).map(Outcome::from))
            .transpose()
            .map_err(|_| bad("outcome"))
    };
    let id = raw.id.try_into().map_err(|_| bad("id"))?;
    row.id = IntentId::from_bytes(id).map_err(|_| bad("id"))?;
    row.lane = Lane::from_number(raw.lane).ok_or(bad("lane"))?;
    row.bucket = Bucket::new(raw.bucket).map_err(|_| bad("bucket"))?;
    row.hash = raw.hash.try_into().map_err(|_| bad("hash"))?;
    row.sig = raw.sig.map(|sig| serde_json::from_slice(&sig)).transpose().map_err(|_| bad("sig"))?;
    row.state = RowState::from_number(raw.state).ok_or(bad("state"))?;
    row.why = Why::from_number(raw.why);
    row.predicted =
        raw.predicted.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| bad("predicted"))?;
    row.outcome = outcome(raw.outcome)?;
    row.outcome_before = outcome(raw.outcome_before)?;
    Ok(row)
}

/// Rows that fit a condition, in order of tapping.
pub(crate) fn rows_where(
    conn: &Connection,
    condition: &str,
    params: &[&dyn rusqlite::ToSql],
) -> StoreResult<Vec<OutboxRow>> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE {condition} ORDER BY dev_seq");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params, read)?;
    rows.map(|row| parse(row?)).collect()
}

/// One row by its id.
pub(crate) fn find(conn: &Connection, id: IntentId) -> StoreResult<Option<OutboxRow>> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1");
    let row = conn.prepare_cached(&sql)?.query_row([id.bytes().as_slice()], read).optional()?;
    row.map(parse).transpose()
}

/// All rows that a person may want to see: undecided ones, and decided ones until they are seen.
pub(crate) fn pending(conn: &Connection) -> StoreResult<Vec<OutboxRow>> {
    rows_where(conn, "state < 3 OR (flags & 4) = 0", &[])
}

/// Rows of the overlay: undecided, and accepted but not shown by the server's rows.
pub(crate) fn overlaid(conn: &Connection) -> StoreResult<Vec<OutboxRow>> {
    let rows = rows_where(conn, "state < 3 OR (flags & 16) = 0", &[])?;
    Ok(rows.into_iter().filter(OutboxRow::is_in_overlay).collect())
}

/// Number of undecided rows.
pub(crate) fn undecided(conn: &Connection) -> StoreResult<u64> {
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM outbox WHERE state < 3")?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

const MARK_SHOWN: &str = "UPDATE outbox SET flags = flags | 16
    WHERE state = 3 AND home = ?1 AND (flags & 16) = 0 AND (decided_no <= ?2 OR EXISTS (
        SELECT 1 FROM applied WHERE applied.scope = ?1 AND applied.reg = outbox.reg
        AND applied.epoch = outbox.epoch AND applied.bucket = outbox.bucket
        AND applied.lane = outbox.lane AND applied.last >= outbox.pos))";

/// Marks decided rows that a scope's rows show from now on: those up to a number of decision (after a pull from
/// null), and those that `applied` covers.
pub(crate) fn mark_shown(conn: &Connection, scope: &str, decided_no: i64) -> StoreResult<()> {
    conn.prepare_cached(MARK_SHOWN)?.execute((scope, decided_no))?;
    Ok(())
}
