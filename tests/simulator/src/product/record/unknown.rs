//! Batches that nobody was answered: whether they stand is read off the store, before anything else is decided.

use souk_domain::bookkeeping::{Inbox, IntentRow, Message};
use souk_domain::intent::ServerAct;
use souk_domain::outcome::Outcome;
use souk_domain::rows::{Key, Row};
use souk_engine::{Answer, Ask, EngineError, Reader};
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::PushState;

use super::super::block_on;
use super::{Record, Unknown};
use crate::sim::Sim;
use crate::world::Violation;

impl Record {
    /// Looks whether a batch that nobody was told about stands; nothing was committed since. All of a batch stands, or
    /// nothing of it. `is_start` = what is found gone stays gone, because the start has committed.
    pub(in crate::product) fn resolve(
        &mut self,
        reader: &Reader,
        is_start: bool,
        sim: &mut Sim,
    ) -> Result<Result<(), EngineError>, Violation> {
        let mut open = self.ghosts.clone();
        open.extend(self.unknown.clone());
        let mut standing = None;
        // The newest first: if it stands, it has written over the older ones.
        for unknown in open.iter().rev() {
            match stands(unknown, reader)? {
                Ok(false) => {}
                Ok(true) => {
                    match answers_of(unknown, reader) {
                        Ok(answers) => standing = Some((unknown.clone(), answers)),
                        Err(error) => return Ok(Err(error)),
                    }
                    break;
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        self.unknown = None;
        self.ghosts = if is_start { Vec::new() } else { open };
        if let Some((unknown, answers)) = standing {
            sim.count("unknown_commits");
            sim.log(|_| format!("an unanswered batch of {} stands", unknown.wishes.len()));
            self.ghosts.clear();
            self.answered(&unknown.wishes, &answers, unknown.now, sim)?;
        }
        Ok(Ok(()))
    }
}

/// Whether a batch stands: what leaves a mark tells, and must tell the same.
fn stands(unknown: &Unknown, reader: &Reader) -> Result<Result<bool, EngineError>, Violation> {
    let found = match found_of(unknown, reader) {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let told: Vec<bool> = found.iter().filter_map(|found| *found).collect();
    if told.windows(2).any(|pair| pair[0] != pair[1]) {
        let text = format!("half a batch stands: {found:?} of {:?}", unknown.wishes);
        return Err(Violation::new("atomic", text));
    }
    Ok(Ok(told.first().copied().unwrap_or(false)))
}

/// For each wish: does it stand? None = it leaves no mark of its own.
fn found_of(unknown: &Unknown, reader: &Reader) -> Result<Vec<Option<bool>>, EngineError> {
    let mut found = Vec::new();
    for wish in &unknown.wishes {
        match (&wish.push, &wish.ask) {
            (Some(push), _) => {
                for (_, sent) in &push.items {
                    let row = row_of(reader, Key::intent_row(Some(push.account), sent.id().into()))?;
                    // An older row: the item was known before.
                    found.push(match row {
                        None => Some(false),
                        Some(Row::Intent(row)) if row.decided_at == unknown.now => Some(true),
                        Some(_) => None,
                    });
                }
            }
            (None, Ask::Server { id, act: ServerAct::RailFact(_) }) => {
                let row = row_of(reader, Key::intent_row(None, *id))?;
                found.push(match row {
                    None => Some(false),
                    Some(Row::Intent(row)) if row.decided_at == unknown.now => Some(true),
                    Some(_) => None,
                });
            }
            (None, Ask::Server { act: ServerAct::Timeout(timer), .. }) => {
                found.push(Some(row_of(reader, Key::timer_of(timer))?.is_none()));
            }
            (None, Ask::Deliver(outbox)) => {
                if let Message::Bucket { bucket, .. } = &outbox.message {
                    let key = Key::inbox_of(*bucket, outbox.bucket, outbox.seq);
                    let row: Option<Inbox> = block_on(reader.row(key))?;
                    // Refused as too early, it leaves nothing behind either.
                    found.push(row.is_some().then_some(true));
                }
            }
            (None, Ask::Server { .. } | Ask::Push(_) | Ask::Direct(_)) => {}
        }
    }
    Ok(found)
}

/// The answers that a batch which stands would have had.
fn answers_of(unknown: &Unknown, reader: &Reader) -> Result<Vec<Answer>, EngineError> {
    let mut answers = Vec::new();
    for wish in &unknown.wishes {
        let accepted = || Answer::Server(Outcome::Accepted { at: unknown.now, data: Default::default() });
        answers.push(match (&wish.push, &wish.ask) {
            (Some(push), _) => {
                let mut results = Vec::new();
                for (_, sent) in &push.items {
                    let key = Key::intent_row(Some(push.account), sent.id().into());
                    let row: Option<IntentRow> = block_on(reader.row(key))?;
                    let state = match row {
                        Some(row) => PushState::Decided { outcome: OutcomeView::from(&row.outcome) },
                        None => PushState::Later { after_ms: 0 },
                    };
                    results.push(souk_protocol::sync::PushResult { id: Some(sent.id()), state });
                }
                Answer::Items { results, touch: Vec::new() }
            }
            (None, Ask::Server { id, act: ServerAct::RailFact(_) }) => {
                let row: Option<IntentRow> = block_on(reader.row(Key::intent_row(None, *id)))?;
                row.map_or(Answer::Later { after_ms: 0 }, |row| Answer::Server(row.outcome))
            }
            (None, _) => accepted(),
        });
    }
    Ok(answers)
}

fn row_of(reader: &Reader, key: Key) -> Result<Option<Row>, EngineError> {
    let rows = block_on(reader.store().prefetch(&[key]))?;
    Ok(rows.into_iter().find_map(|(_, _, row)| row))
}
