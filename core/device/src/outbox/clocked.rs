//! Texts that are made again: rows tapped without a known clock get their age at the first contact, or ask
//! (spec/sync.md 6.6). Only rows that never left: from the first send on a text never changes.

use rusqlite::Connection;
use souk_crypto::sign::Signer;
use souk_domain::bookkeeping::Lane;
use souk_domain::id::IntentId;
use souk_domain::time::{Span, Time};
use souk_protocol::intent::{IntentText, hash};

use super::enqueue::sign;
use super::{OutboxRow, RowState, Why, bad, find, flag, rows_where};
use crate::clock::{Contact, Estimate};
use crate::error::{StoreError, StoreResult};

const RETEXT: &str =
    "UPDATE outbox SET text = ?2, hash = ?3, sig = ?4, made_at = ?5, not_after = ?6, state = ?7, why = 0,
    flags = flags & ~8 WHERE id = ?1 AND attempts = 0";
const PARK: &str = "UPDATE outbox SET state = ?2, why = ?3, flags = flags & ~8 WHERE id = ?1";
const CLEAR: &str = "UPDATE outbox SET flags = flags & ~8 WHERE id = ?1";
const MADE: &str = "SELECT made_boot, made_mono FROM outbox WHERE id = ?1";

/// Settles the age of all rows tapped without a known clock; answers how many need the user now.
pub(crate) fn settle_ages(tx: &Connection, contact: &Contact, signer: &dyn Signer) -> StoreResult<usize> {
    let mut asked = 0;
    for row in rows_where(tx, "state < 3 AND (flags & 8) <> 0", &[])? {
        let (boot, mono): (i64, i64) = tx
            .prepare_cached(MADE)?
            .query_row([row.id.bytes().as_slice()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (boot, mono) = (boot as u64, mono as u64);
        if row.is_void() {
            // Nothing of its text will be done, so its age is of no use.
            tx.prepare_cached(CLEAR)?.execute([row.id.bytes().as_slice()])?;
        } else if boot == contact.boot && mono <= contact.mono_ms {
            let age_ms = i64::try_from(contact.mono_ms - mono).unwrap_or(i64::MAX / 1_000);
            let made_at = contact.server_at.minus(Span::from_millis(age_ms));
            let clock = Estimate { at: made_at, err_ms: Some(contact.err_ms + 1_000) };
            asked += usize::from(!remake(tx, &row, clock, signer)?);
        } else {
            match row.lane {
                Lane::Money | Lane::Order => {
                    park(tx, row.id, Why::Ask)?;
                    asked += 1;
                }
                // The text says already that its age is unknown.
                Lane::Courier | Lane::Chat | Lane::Bulk => {
                    tx.prepare_cached(CLEAR)?.execute([row.id.bytes().as_slice()])?;
                }
            }
        }
    }
    Ok(asked)
}

/// The user says that a parked row is still wanted: same id, made now. Answers false if it could not be signed; it
/// is parked for that then.
pub(crate) fn confirm(
    tx: &Connection,
    id: IntentId,
    clock: Estimate,
    signer: &dyn Signer,
) -> StoreResult<Option<bool>> {
    match find(tx, id)? {
        Some(row) if row.state == RowState::Parked && matches!(row.why, Some(Why::Ask | Why::Key)) => {
            remake(tx, &row, clock, signer).map(Some)
        }
        _ => Ok(None),
    }
}

/// Makes a text again with another time of making; the life stays as long as it was.
fn remake(tx: &Connection, row: &OutboxRow, clock: Estimate, signer: &dyn Signer) -> StoreResult<bool> {
    let mut text = IntentText::parse(&row.text).map_err(|_| bad("text"))?;
    let life = text.mint.not_after.since(text.mint.made_at);
    text.mint.made_at = clock.at;
    text.mint.made_err_ms = clock.err_ms_text();
    text.mint.not_after = clock.at.plus(life);
    let canonical = text.compose().map_err(|_| bad("text"))?;
    let Ok(sig) = sign(&text, &canonical, row.sig.is_some(), signer) else {
        park(tx, row.id, Why::Key)?;
        return Ok(false);
    };
    write(tx, row.id, &canonical, sig.as_ref(), clock.at, text.mint.not_after)?;
    Ok(true)
}

fn write(
    tx: &Connection,
    id: IntentId,
    canonical: &str,
    sig: Option<&souk_protocol::sync::Sig>,
    made_at: Time,
    not_after: Time,
) -> StoreResult<()> {
    let sig = sig
        .map(serde_json::to_vec)
        .transpose()
        .map_err(|_| StoreError::Form { table: "outbox", what: "sig" })?;
    tx.prepare_cached(RETEXT)?.execute(rusqlite::params![
        id.bytes().as_slice(),
        canonical,
        hash(canonical).as_slice(),
        sig,
        made_at.micros(),
        not_after.micros(),
        RowState::Queued.number(),
    ])?;
    Ok(())
}

fn park(tx: &Connection, id: IntentId, why: Why) -> StoreResult<()> {
    tx.prepare_cached(PARK)?.execute((id.bytes().as_slice(), RowState::Parked.number(), why.number()))?;
    Ok(())
}

/// A mutant of the simulator: the row goes out under a new id each time it is tried again.
pub(crate) fn remint(
    tx: &Connection,
    row: &mut OutboxRow,
    id: IntentId,
    signer: &dyn Signer,
) -> StoreResult<()> {
    let mut text = IntentText::parse(&row.text).map_err(|_| bad("text"))?;
    text.mint.id = id;
    let canonical = text.compose().map_err(|_| bad("text"))?;
    row.sig = sign(&text, &canonical, row.sig.is_some(), signer).map_err(|_| bad("sig"))?;
    let sig = row.sig.as_ref().map(serde_json::to_vec).transpose().map_err(|_| bad("sig"))?;
    tx.execute(
        "UPDATE outbox SET id = ?2, text = ?3, hash = ?4, sig = ?5 WHERE id = ?1",
        rusqlite::params![
            row.id.bytes().as_slice(),
            id.bytes().as_slice(),
            canonical,
            hash(&canonical).as_slice(),
            sig,
        ],
    )?;
    (row.id, row.hash, row.text) = (id, hash(&canonical), canonical);
    Ok(())
}

/// Clears what only this boot knew: waits are begun anew after a restart.
pub(crate) fn forget_waits(tx: &Connection) -> StoreResult<()> {
    debug_assert_eq!(flag::UNSURE, 8);
    tx.execute("UPDATE outbox SET next_try_mono = 0 WHERE next_try_mono <> 0", [])?;
    Ok(())
}
