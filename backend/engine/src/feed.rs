//! Change rows, made from the rows themselves (spec/sync.md 4.3, 4.7).
//!
//! After a decision the scopes of each row are compared before and after: still in = put, left = removed, each with
//! the next sequence of its part. Always: counter, checksum and change rows are rows of the same working set, so they
//! stand or fall with the decision, and the order of commits is the order of sequences.

use std::collections::BTreeMap;

use souk_crypto::rowsum;
use souk_domain::bookkeeping::{Change, Message, ScopePart};
use souk_domain::handoff::HandOff;
use souk_domain::id::Bucket;
use souk_domain::rows::{Key, Row, Rows, Stop};
use souk_domain::scope::Scope;
use souk_domain::time::Time;

use crate::engine::ScopeHint;

/// One row's step in one scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Move {
    bucket: Bucket,
    scope: Scope,
    entity: u8,
    id: [u8; 16],
    /// False = it has left.
    live: bool,
}

/// What the staged rows mean for the feed, in the order of their keys.
pub(crate) fn moves(rows: &Rows, leaving_is_silent: bool) -> Vec<Move> {
    let mut moves = Vec::new();
    for (before, after) in rows.staged_changes() {
        if before == after {
            continue;
        }
        let Some(bucket) = after.as_ref().or(before.as_ref()).map(|row| row.key().bucket) else { continue };
        let (before, after) = (before.as_ref().map(Row::scopes), after.as_ref().map(Row::scopes));
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let step = |(scope, kind, id): &(Scope, souk_domain::scope::EntityKind, [u8; 16]), live| Move {
            bucket,
            scope: scope.clone(),
            entity: kind.number(),
            id: *id,
            live,
        };
        if !leaving_is_silent {
            moves
                .extend(before.iter().filter(|place| !after.contains(place)).map(|place| step(place, false)));
        }
        moves.extend(after.iter().map(|place| step(place, true)));
    }
    moves
}

/// The rows that [`write()`] needs.
pub(crate) fn keys(moves: &[Move]) -> Vec<Key> {
    moves
        .iter()
        .flat_map(|step| {
            [
                Key::scope_part(step.bucket, &step.scope),
                Key::change_of(step.bucket, &step.scope, step.entity, &step.id),
                Key::owner(step.bucket),
            ]
        })
        .collect()
}

/// Stages the change rows and answers which parts have moved, and to where.
pub(crate) fn write(moves: &[Move], rows: &mut Rows, now: Time) -> Result<Vec<ScopeHint>, Stop> {
    let mut hints = BTreeMap::new();
    for step in moves {
        let part_key = Key::scope_part(step.bucket, &step.scope);
        let change_key = Key::change_of(step.bucket, &step.scope, step.entity, &step.id);
        let former = rows.find::<Change>(&change_key)?.filter(|change| change.live).map(|change| change.seq);
        if !step.live && former.is_none() {
            continue;
        }
        let mut part = match rows.find::<ScopePart>(&part_key)? {
            Some(part) => part.clone(),
            None => {
                tell_home(step, rows, now)?;
                ScopePart { bucket: step.bucket, scope: step.scope.clone(), seq: 0, sum: 0, rows: 0 }
            }
        };
        let share = |seq| rowsum::h(step.entity.into(), &step.id, seq);
        part.seq += 1;
        if let Some(seq) = former {
            part.sum = part.sum.wrapping_sub(share(seq));
            part.rows = part.rows.saturating_sub(1);
        }
        if step.live {
            part.sum = part.sum.wrapping_add(share(part.seq));
            part.rows += 1;
        }
        hints.insert((step.scope.clone(), step.bucket), part.seq);
        rows.put(Change {
            bucket: step.bucket,
            scope: step.scope.clone(),
            entity: step.entity,
            id: step.id,
            seq: part.seq,
            live: step.live,
        })?;
        rows.put(part)?;
    }
    Ok(hints.into_iter().map(|((scope, bucket), seq)| ScopeHint { scope, bucket, seq }).collect())
}

/// The first row of a scope in a bucket that is not its home: the home's list of parts must learn of it.
fn tell_home(step: &Move, rows: &mut Rows, now: Time) -> Result<(), Stop> {
    let home = step.scope.home();
    if home == step.bucket {
        return Ok(());
    }
    let handoff = HandOff::ScopePart { scope: step.scope.to_string(), part: step.bucket };
    rows.emit(step.bucket, Message::Bucket { bucket: home, handoff: Box::new(handoff) }, now)
}
