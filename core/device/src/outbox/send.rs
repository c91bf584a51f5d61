//! Choosing what a push carries: by priority, then by number; inside a stream strictly in order (spec/sync.md 3.2, 3.5).
//!
//! Always: rows are marked *sent* with their position in the transaction that chooses them; the request leaves only
//! after it is committed (I1).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rusqlite::Connection;
use souk_crypto::sign::Signer;
use souk_domain::bookkeeping::Lane;
use souk_domain::id::{Bucket, IntentId};
use souk_protocol::limits::PUSH_BYTES_MAX;
use souk_protocol::sync::{IntentItem, PushItem, SignedText, VoidItem, VoidMark};

use super::{OutboxRow, RowState, bad, clocked, rows_where};
use crate::error::StoreResult;
use crate::limits::{HELD_WAIT_MS, LANE_QUARTERS_MAX};
use crate::store::session::Session;
use crate::testing::Mutants;

/// Bytes of a push around its items: version, program, epoch, generation.
const FRAME_BYTES: usize = 512;

/// What there is to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// These items, recorded as sent.
    Batch(Vec<PushItem>),
    /// Nothing before this moment, milliseconds since boot.
    Later(u64),
    /// Nothing at all.
    Nothing,
}

/// What may be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Want {
    /// Lanes of the class.
    pub lanes: Vec<Lane>,
    /// Rows at most.
    pub rows_max: usize,
    /// Lanes that the server asked to leave alone until then, milliseconds since boot.
    pub slow: BTreeMap<Lane, u64>,
    /// Milliseconds since boot.
    pub now_mono: u64,
}

/// One row as far as the choice needs it.
struct Candidate {
    local: i64,
    dev_seq: i64,
    pos: Option<i64>,
}

type Stream = (Lane, Bucket);
type Streams = BTreeMap<Stream, VecDeque<Candidate>>;

const CANDIDATES: &str =
    "SELECT local, dev_seq, pos, lane, bucket, next_try_mono, CASE WHEN ?2 THEN text ELSE '' END
    FROM outbox WHERE state < 2 AND lane = ?1 AND (flags & 8) = 0 ORDER BY dev_seq";
const MAKERS: &str = "SELECT lower(hex(id)), dev_seq, lane, bucket, state FROM outbox
    WHERE state < 3 AND kind IN ('PlaceOrder', 'OpenShop')";
const NEXT_POS: &str = "INSERT INTO stream(reg, epoch, bucket, lane, next_pos) VALUES (?1, ?2, ?3, ?4, 2)
    ON CONFLICT(reg, epoch, bucket, lane) DO UPDATE SET next_pos = next_pos + 1 RETURNING next_pos - 1";
const SENT: &str =
    "UPDATE outbox SET state = 1, pos = ?2, attempts = attempts + 1, reg = ?3, epoch = ?4 WHERE local = ?1";

/// An undecided act whose id names what it makes: an order, a shop.
struct Maker {
    id: String,
    dev_seq: i64,
    stream: (u8, u16),
    is_under_way: bool,
}

/// Acts that others may be waiting for. Streams know no order among each other (spec/sync.md 3.5), so that a payment
/// would come before its order; it waits for the order's outcome instead.
fn makers(tx: &Connection) -> StoreResult<Vec<Maker>> {
    let mut statement = tx.prepare_cached(MAKERS)?;
    let rows = statement.query_map([], |row| {
        Ok(Maker {
            id: row.get(0)?,
            dev_seq: row.get(1)?,
            stream: (row.get(2)?, row.get(3)?),
            is_under_way: row.get::<_, i64>(4)? < RowState::Parked.number(),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Chooses the rows of one push and marks them sent; the caller commits. `remint` serves a mutant of the simulator.
pub(crate) fn take(
    tx: &Connection,
    session: &Session,
    want: &Want,
    mutants: Mutants,
    signer: &dyn Signer,
    mut new_id: impl FnMut(Bucket) -> StoreResult<IntentId>,
) -> StoreResult<Taken> {
    let (mut streams, later) = candidates(tx, want)?;
    let chosen = order(&mut streams, want.rows_max);
    if chosen.is_empty() {
        return Ok(later.map_or(Taken::Nothing, Taken::Later));
    }
    let mut items = Vec::new();
    let mut bytes = FRAME_BYTES;
    for local in chosen {
        let mut rows = rows_where(tx, "local = ?1", &[&local])?;
        let mut row = rows.pop().ok_or(bad("local"))?;
        if mutants.new_id_on_retry && row.attempts > 0 && !row.is_void() {
            let id = new_id(row.bucket)?;
            clocked::remint(tx, &mut row, id, signer)?;
        }
        let widest = row.pos.unwrap_or(u64::MAX);
        let size = 1 + serde_json::to_string(&item(&row, widest)).map_err(|_| bad("text"))?.len();
        if !items.is_empty() && bytes + size > PUSH_BYTES_MAX {
            break;
        }
        bytes += size;
        items.push(item(&row, mark_sent(tx, session, &row)?));
        if mutants.outbox_row_removed_on_send {
            tx.execute("DELETE FROM outbox WHERE local = ?1", [row.local])?;
        }
    }
    Ok(Taken::Batch(items))
}

/// Streams with their rows in order of sending, without those that wait; and the earliest end of a wait.
fn candidates(tx: &Connection, want: &Want) -> StoreResult<(Streams, Option<u64>)> {
    let mut streams: BTreeMap<Stream, (Vec<Candidate>, u64)> = BTreeMap::new();
    let mut held: BTreeSet<Stream> = BTreeSet::new();
    let mut later: Option<u64> = None;
    let makers = makers(tx)?;
    for lane in &want.lanes {
        let mut statement = tx.prepare_cached(CANDIDATES)?;
        let mut rows = statement.query((lane.number(), !makers.is_empty()))?;
        while let Some(row) = rows.next()? {
            let bucket = Bucket::new(row.get(4)?).map_err(|_| bad("bucket"))?;
            let candidate = Candidate { local: row.get(0)?, dev_seq: row.get(1)?, pos: row.get(2)? };
            let text: String = row.get(6)?;
            let waits_for = makers.iter().find(|maker| {
                maker.dev_seq < candidate.dev_seq
                    && maker.stream != (lane.number(), bucket.number())
                    && text.contains(&maker.id)
            });
            // Rows behind one that waits wait too, so that their stream keeps its order; what has left once is sent
            // again in its place.
            if candidate.pos.is_none() && (waits_for.is_some() || held.contains(&(*lane, bucket))) {
                held.insert((*lane, bucket));
                if waits_for.is_some_and(|maker| maker.is_under_way) {
                    let until = want.now_mono.saturating_add(HELD_WAIT_MS);
                    later = Some(later.map_or(until, |earliest: u64| earliest.min(until)));
                }
                continue;
            }
            let (found, until) = streams.entry((*lane, bucket)).or_default();
            found.push(candidate);
            // What was told to one row of a stream holds for all behind it.
            *until = (*until).max(row.get::<_, i64>(5)? as u64);
        }
    }
    let mut ready = BTreeMap::new();
    for ((lane, bucket), (mut rows, until)) in streams {
        let until = until.max(want.slow.get(&lane).copied().unwrap_or(0));
        if until > want.now_mono {
            later = Some(later.map_or(until, |earliest| earliest.min(until)));
            continue;
        }
        // Rows with a position first, in its order: the server counts them.
        rows.sort_by_key(|row| (row.pos.is_none(), row.pos, row.dev_seq));
        ready.insert((lane, bucket), VecDeque::from(rows));
    }
    Ok((ready, later))
}

/// Rows by priority of their lane, then by number; a lane leaves room for the others.
fn order(streams: &mut Streams, rows_max: usize) -> Vec<i64> {
    let lanes: BTreeSet<Lane> = streams.keys().map(|(lane, _)| *lane).collect();
    let lane_max = if lanes.len() > 1 { (rows_max * LANE_QUARTERS_MAX / 4).max(1) } else { rows_max };
    let mut taken: BTreeMap<Lane, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    while chosen.len() < rows_max {
        let next = streams
            .iter()
            .filter(|((lane, _), rows)| !rows.is_empty() && taken.get(lane).copied().unwrap_or(0) < lane_max)
            .min_by_key(|((lane, _), rows)| (priority(*lane), rows.front().map(|row| row.dev_seq)))
            .map(|(stream, _)| *stream);
        let Some(stream) = next else { break };
        if let Some(row) = streams.get_mut(&stream).and_then(VecDeque::pop_front) {
            *taken.entry(stream.0).or_default() += 1;
            chosen.push(row.local);
        }
    }
    chosen
}

/// Smaller goes first (spec/sync.md 3.2).
fn priority(lane: Lane) -> u8 {
    match lane {
        Lane::Money => 1,
        Lane::Order | Lane::Courier => 2,
        Lane::Chat => 3,
        Lane::Bulk => 4,
    }
}

/// Gives a position if the row has none, and marks it.
fn mark_sent(tx: &Connection, session: &Session, row: &OutboxRow) -> StoreResult<u64> {
    debug_assert_eq!(RowState::Sent.number(), 1);
    let pos = match row.pos {
        Some(pos) => pos as i64,
        None => tx
            .prepare_cached(NEXT_POS)?
            .query_row((session.reg, session.epoch, row.bucket.number(), row.lane.number()), |row| {
                row.get(0)
            })?,
    };
    tx.prepare_cached(SENT)?.execute((row.local, pos, session.reg, session.epoch))?;
    Ok(pos as u64)
}

/// A row as it travels.
fn item(row: &OutboxRow, pos: u64) -> PushItem {
    let OutboxRow { lane, bucket, .. } = *row;
    if row.is_void() {
        return PushItem::Void(VoidItem { lane, bucket, pos, id: row.id, hash: row.hash, void: VoidMark });
    }
    let signed = SignedText { text: row.text.clone(), bin: row.bin.clone(), sig: row.sig };
    PushItem::Intent(IntentItem { lane, bucket, pos, signed })
}
