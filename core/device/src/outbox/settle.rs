//! What the server's answers do to rows: results, forks, epochs, generations; and what the user does: withdraw,
//! dismiss (spec/sync.md 3.5, 4.4, 4.8).

use rusqlite::Connection;
use souk_domain::id::IntentId;
use souk_domain::outcome::Outcome;
use souk_domain::time::Time;
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::{PushItem, PushResult, PushState};

use super::{OutboxRow, RowState, Why, bad, find, flag, mark_shown};
use crate::error::StoreResult;
use crate::limits::DECIDED_KEPT;
use crate::store::scope::{self, DECIDED_NO};
use crate::store::session::{EPOCH_WANTED, GENERATION, Session};
use crate::store::{DeviceFiles, meta, session};

/// What the results of a push have come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settled {
    /// A new epoch is needed: a fork, or the server does not take what this device minted.
    pub epoch_wanted: bool,
    /// Intents that have their outcome now.
    pub decided: Vec<IntentId>,
    /// Intents that the server knows with another content: an alarm.
    pub conflicts: Vec<IntentId>,
    /// Intents that the server does not take from this device.
    pub refused: Vec<IntentId>,
    /// Decided otherwise than predicted with certainty.
    pub missed: u32,
}

const DECIDE: &str = "UPDATE outbox SET state = 3, why = 0, outcome = ?2, decided_at = ?3, decided_no = ?4,
    flags = (flags & ~16) | ?5 WHERE id = ?1";
const KEPT_LAST: &str = "UPDATE kept SET last = ?2, last_at = ?3 WHERE id = ?1";
const PARK: &str = "UPDATE outbox SET state = 2, why = ?2 WHERE id = ?1";
const LATER: &str =
    "UPDATE outbox SET next_try_mono = ?4 WHERE state < 2 AND reg = ?1 AND bucket = ?2 AND lane = ?3";
const BEYOND: &str = "UPDATE outbox SET state = 0, pos = NULL, flags = (flags | 2) & ~20, outcome_before = outcome,
    outcome = NULL WHERE state = 3 AND reg = ?1 AND epoch = ?2 AND bucket = ?3 AND lane = ?4 AND pos > ?5 AND decided_at >= ?6";
const RENUMBER: &str = "UPDATE outbox SET state = CASE WHEN state = 1 THEN 0 ELSE state END, pos = NULL,
    reg = ?1, epoch = ?2, next_try_mono = 0 WHERE state < 3";
const AGAIN: &str =
    "UPDATE outbox SET state = 0, pos = NULL, flags = (flags | 2) & ~20, outcome_before = outcome,
    outcome = NULL WHERE state = 3 AND decided_at >= ?1";
const UNSEND: &str = "UPDATE outbox SET state = 0, pos = NULL WHERE state = 1";
const VOID: &str =
    "UPDATE outbox SET flags = flags | 1, state = CASE WHEN state = 2 THEN 0 ELSE state END, why = 0
    WHERE id = ?1 AND state < 3";
const SEEN: &str = "UPDATE outbox SET flags = flags | 4 WHERE id = ?1 AND state = 3";
const RETIRE: &str = "DELETE FROM outbox WHERE state = 3 AND (flags & 20) = 20 AND decided_at < ?1";
const RETRY: &str = "UPDATE outbox SET next_try_mono = 0 WHERE id = ?1";

/// Records the results of a push; the caller commits. `items` are what was sent, in their order.
pub(crate) fn results(
    tx: &Connection,
    session: &Session,
    items: &[PushItem],
    results: Vec<PushResult>,
    server_now: Time,
    now_mono: u64,
) -> StoreResult<Settled> {
    let mut settled = Settled::default();
    for (item, result) in items.iter().zip(results) {
        let Some(id) = id_of(item) else { continue };
        if result.id.is_some_and(|answered| answered != id) {
            continue;
        }
        let Some(row) = find(tx, id)? else { continue };
        // An outcome never changes, and a row that was taken out of the flight is not settled by it.
        if row.state != RowState::Sent {
            continue;
        }
        match result.state {
            PushState::Decided { outcome } => {
                settled.missed += u32::from(is_missed(&row, &outcome));
                decide(tx, &row, &outcome, server_now)?;
                settled.decided.push(id);
            }
            PushState::Conflict => {
                tx.prepare_cached(PARK)?.execute((id.bytes().as_slice(), Why::Conflict.number()))?;
                settled.conflicts.push(id);
            }
            PushState::Later { after_ms } => {
                let until = now_mono.saturating_add(after_ms) as i64;
                tx.prepare_cached(LATER)?.execute((
                    row.reg,
                    row.bucket.number(),
                    row.lane.number(),
                    until,
                ))?;
            }
            PushState::Fork { last } => {
                beyond(tx, &row, last, server_now)?;
                settled.epoch_wanted = true;
            }
            PushState::Refused { code } => {
                tx.prepare_cached(PARK)?.execute((id.bytes().as_slice(), Why::Refused.number()))?;
                tracing::warn!(code, "the server does not take an intent of this device");
                settled.epoch_wanted |= code == "intent.actor";
                settled.refused.push(id);
            }
        }
    }
    if settled.epoch_wanted {
        meta::put_json(tx, EPOCH_WANTED, &session.epoch)?;
    }
    Ok(settled)
}

/// The id of an item that this device has sent.
pub(crate) fn id_of(item: &PushItem) -> Option<IntentId> {
    match item {
        PushItem::Void(void) => Some(void.id),
        PushItem::Intent(intent) => souk_protocol::intent::peek_id(&intent.signed.text),
        PushItem::Malformed(_) => None,
    }
}

fn decide(tx: &Connection, row: &OutboxRow, outcome: &OutcomeView, server_now: Time) -> StoreResult<()> {
    let text = serde_json::to_string(outcome).map_err(|_| bad("outcome"))?;
    let is_accepted = matches!(outcome, OutcomeView::Accepted { .. });
    // What was not accepted has nothing to show; what the user took back has been seen.
    let shown = if is_accepted { 0 } else { flag::SHOWN };
    let seen = if *outcome == OutcomeView::Withdrawn { flag::SEEN } else { 0 };
    let number = meta::number(tx, DECIDED_NO)? + 1;
    meta::put_json(tx, DECIDED_NO, &number)?;
    let id = row.id.bytes().as_slice();
    tx.prepare_cached(DECIDE)?.execute((id, &text, server_now.micros(), number as i64, shown | seen))?;
    tx.prepare_cached(KEPT_LAST)?.execute((id, &text, server_now.micros()))?;
    if is_accepted {
        // A page may have shown it already: push and pull run side by side.
        mark_shown(tx, &row.home, 0)?;
    }
    Ok(())
}

/// Decided otherwise than a sure prediction said.
fn is_missed(row: &OutboxRow, outcome: &OutcomeView) -> bool {
    let Some(predicted) = &row.predicted else { return false };
    let class = |outcome: &OutcomeView| std::mem::discriminant(outcome);
    predicted.confidence == super::Confidence::Sure
        && predicted.outcome.as_ref().is_some_and(|expected| class(expected) != class(outcome))
}

/// The server's count of a stream is behind what this device saw decided: those go out again.
fn beyond(tx: &Connection, row: &OutboxRow, last: u64, server_now: Time) -> StoreResult<()> {
    let since = server_now.minus(DECIDED_KEPT).micros();
    let (bucket, lane) = (row.bucket.number(), row.lane.number());
    tx.prepare_cached(BEYOND)?.execute((row.reg, row.epoch, bucket, lane, last as i64, since))?;
    Ok(())
}

/// A new epoch or a new registration: all undecided rows lose their positions and go out again, in order of their
/// numbers; ids, texts and hashes stay. The caller commits.
pub(crate) fn renumber(tx: &Connection, reg: i64, epoch: u32) -> StoreResult<()> {
    tx.prepare_cached(RENUMBER)?.execute((reg, epoch))?;
    meta::delete(tx, EPOCH_WANTED)
}

/// A new epoch was given.
pub(crate) fn new_epoch(user: &mut Connection, session: &Session, epoch: u32) -> StoreResult<()> {
    let tx = user.transaction()?;
    session::set_epoch(&tx, session.reg, epoch)?;
    renumber(&tx, session.reg, epoch)?;
    Ok(tx.commit()?)
}

/// The server's data was set back: all scopes from null, what was decided within 30 days goes out again, a new epoch
/// is asked for (spec/sync.md 4.8). `cache.db` first: a crash in between finds the old generation and does it again.
pub(crate) fn new_generation(
    files: &mut DeviceFiles,
    session: Option<&Session>,
    generation: u32,
    server_now: Time,
) -> StoreResult<()> {
    let decided_no = meta::number(&files.user, DECIDED_NO)? as i64;
    let cache = files.cache.transaction()?;
    scope::restart_all(&cache, 0)?;
    cache.commit()?;
    let tx = files.user.transaction()?;
    scope::restart_all(&tx, decided_no)?;
    tx.prepare_cached(AGAIN)?.execute([server_now.minus(DECIDED_KEPT).micros()])?;
    tx.prepare_cached(UNSEND)?.execute([])?;
    if let Some(session) = session {
        meta::put_json(&tx, EPOCH_WANTED, &session.epoch)?;
    }
    meta::put_json(&tx, GENERATION, &generation)?;
    Ok(tx.commit()?)
}

/// The user takes a row back: it travels as a void item in its place. Answers false if it is decided already.
pub(crate) fn withdraw(tx: &Connection, id: IntentId) -> StoreResult<bool> {
    Ok(tx.prepare_cached(VOID)?.execute([id.bytes().as_slice()])? > 0)
}

/// The user has seen an outcome. Answers false if there is none.
pub(crate) fn dismiss(tx: &Connection, id: IntentId) -> StoreResult<bool> {
    Ok(tx.prepare_cached(SEEN)?.execute([id.bytes().as_slice()])? > 0)
}

/// The user wants a row to be tried now.
pub(crate) fn retry(tx: &Connection, id: IntentId) -> StoreResult<()> {
    tx.prepare_cached(RETRY)?.execute([id.bytes().as_slice()])?;
    Ok(())
}

/// Removes rows that were seen, are shown by the server's rows, and were decided more than 30 days ago.
pub(crate) fn retire(tx: &Connection, server_now: Time) -> StoreResult<usize> {
    Ok(tx.prepare_cached(RETIRE)?.execute([server_now.minus(DECIDED_KEPT).micros()])?)
}

/// What changed between the prediction and the outcome, by name: (field, predicted, actual).
pub(crate) fn changed(row: &OutboxRow) -> Vec<(String, String, String)> {
    let (Some(predicted), Some(actual)) = (&row.predicted, &row.outcome) else { return Vec::new() };
    let Some(expected) = predicted.outcome.clone().map(Outcome::from) else { return Vec::new() };
    let mut changed = Vec::new();
    match (&expected, actual) {
        (Outcome::Accepted { data: expected, .. }, Outcome::Accepted { data: actual, .. }) => {
            for (name, fact) in &expected.0 {
                // Times and secrets of the server differ always and mean nothing.
                if name.ends_with("_by") || name.ends_with("_at") {
                    continue;
                }
                if let Some(now) = actual.get(name)
                    && now != fact
                {
                    changed.push((name.to_string(), fact_text(fact), fact_text(now)));
                }
            }
        }
        (expected, actual) => {
            let word = |outcome: &Outcome| match outcome {
                Outcome::Accepted { .. } => "accepted".to_owned(),
                Outcome::Rejected { code, .. } => code.clone().into_owned(),
                Outcome::Expired => "intent.expired".to_owned(),
                Outcome::Withdrawn => "withdrawn".to_owned(),
            };
            if word(expected) != word(actual) {
                changed.push(("outcome".to_owned(), word(expected), word(actual)));
            }
        }
    }
    changed
}

fn fact_text(fact: &souk_domain::outcome::Fact) -> String {
    use souk_domain::outcome::Fact;
    match fact {
        Fact::Money(money) => format!("{} {}", money.minor, money.currency.code()),
        Fact::Int(number) => number.to_string(),
        Fact::Flag(flag) => flag.to_string(),
        Fact::Text(text) => text.clone(),
        Fact::List(list) => format!("{} lines", list.len()),
    }
}
