//! Pull: what has changed in the scopes that a device follows (spec/sync.md 4.6-4.8, 5).
//!
//! Always: membership is read from the rows at the time of the pull; a page of a part is read in one snapshot with
//! its counter and the device's streams; a cursor moves only over rows that are in the answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use souk_crypto::hash::first;
use souk_crypto::{derive, rowsum};
use souk_domain::id::{AccountId, Bucket, DeviceId};
use souk_domain::outcome::Refusal;
use souk_domain::scope::{EntityKind, Scope};
use souk_domain::time::Time;
use souk_protocol::catalogue::SnapshotResponse;
use souk_protocol::cursor::Cursor;
use souk_protocol::feed::{entity_view, reference_view};
use souk_protocol::limits::{PULL_BYTES_MAX, PULL_PRIVATE_ROWS_MAX, PULL_ROWS_MAX};
use souk_protocol::sync::{
    Applied, PullRequest, PullResponse, Put, Removed, ResetWhy, RowsOf, RowsPage, SCHEMA, ScopeAsked,
    ScopeKind, ScopePulled, Sum, Touch, VERSION, VERSION_MIN, blocks,
};
use souk_store::{Page, PageAsk};

use crate::reader::Caller;
use crate::{EngineError, Reader};

/// Bytes of the smallest row with its id and version: bounds how many rows are read for a page of so many bytes.
const ROW_BYTES_MIN: usize = 96;
/// Bytes of id and version in a block.
const ROW_HEAD_BYTES: usize = 48;

/// What an answer still has room for.
#[derive(Clone, Copy, Debug)]
struct Room {
    bytes: usize,
    /// Nothing is in the answer yet: the first row goes in whatever its size, or a large row would stop the scope.
    is_empty: bool,
}

/// One scope being read.
struct Reading<'a> {
    scope: &'a Scope,
    /// Whose cursor it will be; none for public scopes.
    owner: Option<(AccountId, DeviceId)>,
    generation: u32,
    rows_max: usize,
}

/// What one scope has come to.
#[derive(Default)]
struct Read {
    parts: Vec<(Bucket, u64)>,
    rows: RowsOf,
    applied: Vec<Applied>,
    sum: u64,
    live: u64,
    more: bool,
}

/// Why a scope gives no rows.
enum Stop {
    Kind(ScopeKind),
    Failed(EngineError),
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Stop {
        Stop::Failed(error)
    }
}

impl From<souk_store::StoreError> for Stop {
    fn from(error: souk_store::StoreError) -> Stop {
        Stop::Failed(error.into())
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Failed(refusal.into())
    }
}

impl Reader {
    /// Answers a pull, scope by scope. Refuses the request as a whole: `app.too_old{min}`,
    /// `request.too_large{field, limit, size}`, `device.epoch{epoch}`.
    pub async fn pull(
        &self,
        caller: Option<&Caller>,
        request: &PullRequest,
        now: Time,
    ) -> Result<PullResponse, EngineError> {
        if !(VERSION_MIN..=VERSION).contains(&request.v) {
            return Err(Refusal::new("app.too_old").with("min", VERSION_MIN).into());
        }
        request.check()?;
        if let Some(epoch) = caller.map(|caller| caller.device.epoch)
            && request.epoch < epoch
        {
            return Err(Refusal::new("device.epoch").with("epoch", epoch).into());
        }
        let generation = self.generation();
        let mut room = Room { bytes: request.bytes_max(), is_empty: true };
        let mut scopes = Vec::with_capacity(request.scopes.len());
        for asked in &request.scopes {
            let what = match self.scope(caller, asked, &request.touch, generation, &mut room, now).await {
                Ok(page) => ScopeKind::Rows(page),
                Err(Stop::Kind(kind)) => kind,
                Err(Stop::Failed(error)) => return Err(error),
            };
            scopes.push(ScopePulled { id: asked.id.clone(), what });
        }
        // Raised while the scopes were read: the device drops nothing, and begins anew.
        Ok(PullResponse { generation: self.generation(), now, scopes })
    }

    /// A page of the public catalogue for whoever asks. Refuses `scope.unknown` for a cursor that is none.
    pub async fn snapshot(
        &self,
        after: Option<&str>,
        rows: usize,
        now: Time,
    ) -> Result<SnapshotResponse, EngineError> {
        let scope = Scope::Catalogue;
        let generation = self.generation();
        let reading =
            Reading { scope: &scope, owner: None, generation, rows_max: rows.clamp(1, PULL_ROWS_MAX) };
        let mut room = Room { bytes: PULL_BYTES_MAX, is_empty: true };
        let refuse = |_: ScopeKind| EngineError::from(Refusal::new("scope.unknown"));
        let page = async {
            let from = self.cursor(after, &reading)?;
            self.page(&reading, from, &mut room, now).await
        };
        match page.await {
            Ok(page) => Ok(SnapshotResponse { generation, now, scope: scope.to_string(), page }),
            Err(Stop::Kind(kind)) => Err(refuse(kind)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// One scope: who may, from where, which parts, and the page.
    async fn scope(
        &self,
        caller: Option<&Caller>,
        asked: &ScopeAsked,
        touch: &[Touch],
        generation: u32,
        room: &mut Room,
        now: Time,
    ) -> Result<RowsPage, Stop> {
        let gone = || Stop::Kind(ScopeKind::Gone);
        let (scope, owner) = match caller {
            Some(caller) => {
                let account = caller.account.id;
                let scope = scope_named(&asked.id, account).ok_or_else(gone)?;
                if !self.may_follow(account, &scope).await? {
                    return Err(gone());
                }
                let owner = (!scope.is_public()).then_some((account, caller.device.id));
                (scope, owner)
            }
            None => {
                let scope = asked.id.parse::<Scope>().ok().filter(Scope::is_public);
                (scope.ok_or_else(gone)?, None)
            }
        };
        let rows_max = if scope.is_public() { PULL_ROWS_MAX } else { PULL_PRIVATE_ROWS_MAX };
        let reading = Reading { scope: &scope, owner, generation, rows_max };
        let mut parts = self.cursor(asked.c.as_deref(), &reading)?;
        if owner.is_some() {
            let listed = self.store().scope_parts(&scope).await?;
            let touched = touch.iter().map(|touch| touch.bucket);
            for bucket in listed.into_iter().chain(touched) {
                parts.entry(bucket).or_insert(0);
            }
        }
        self.page(&reading, parts, room, now).await
    }

    /// The parts of a cursor; from the beginning there is the home part alone.
    fn cursor(&self, text: Option<&str>, reading: &Reading<'_>) -> Result<BTreeMap<Bucket, u64>, Stop> {
        let mut parts = BTreeMap::from([(reading.scope.home(), 0)]);
        let Some(text) = text else { return Ok(parts) };
        let reset = |why| Err(Stop::Kind(ScopeKind::Reset { why }));
        let keys = &self.shared.keys;
        let cursor = match Cursor::open(text, |id| keys.cursor_key_of(id)) {
            Ok(cursor) => cursor,
            // A key that is gone, or a text that was damaged: the scope begins anew.
            Err(_) => return reset(ResetWhy::Key),
        };
        let zero = [0; 16];
        let (account, device) = reading
            .owner
            .as_ref()
            .map_or((&zero, &zero), |(account, device)| (account.bytes(), device.bytes()));
        if !cursor.is_of(reading.scope, account, device) {
            tracing::error!(scope = %reading.scope, "a cursor of somebody else was used");
            return Err(Stop::Kind(ScopeKind::Gone));
        }
        if cursor.generation != reading.generation {
            return reset(ResetWhy::Gen);
        }
        if cursor.schema != SCHEMA {
            return reset(ResetWhy::Schema);
        }
        parts.extend(cursor.parts);
        Ok(parts)
    }

    /// Reads on from the given places, and seals how far that was.
    async fn page(
        &self,
        reading: &Reading<'_>,
        parts: BTreeMap<Bucket, u64>,
        room: &mut Room,
        now: Time,
    ) -> Result<RowsPage, Stop> {
        let read = match reading.scope {
            Scope::Reference => self.reference_rows(&parts)?,
            Scope::Catalogue | Scope::Account(_) | Scope::Seller(_) | Scope::Route(_) => {
                self.rows_from(reading, parts, room).await?
            }
        };
        let (account, device) = reading
            .owner
            .as_ref()
            .map_or(([0; 16], [0; 16]), |(account, device)| (*account.bytes(), *device.bytes()));
        let cursor = Cursor {
            account,
            device,
            generation: reading.generation,
            schema: SCHEMA,
            issued_at: now,
            scope: reading.scope.to_string(),
            parts: read.parts,
        };
        Ok(RowsPage {
            c: self.seal(&cursor)?,
            more: read.more,
            blocks: blocks(&read.rows),
            applied: read.applied,
            sum: (!read.more).then_some(Sum(read.sum)),
            n: (!read.more).then_some(read.live),
        })
    }

    /// The nonce derives from secret and plain text, so that it repeats only with the whole cursor.
    fn seal(&self, cursor: &Cursor) -> Result<String, EngineError> {
        let (id, key) = self.shared.keys.cursor_key();
        let plain = cursor.encode()?;
        let nonce = derive(&self.shared.keys.secret, "souk/cursor-nonce/v1/", &[&[id], &plain]);
        Ok(cursor.seal(id, key, &first(&nonce))?)
    }

    async fn rows_from(
        &self,
        reading: &Reading<'_>,
        parts: BTreeMap<Bucket, u64>,
        room: &mut Room,
    ) -> Result<Read, Stop> {
        let mut read = Read::default();
        for (bucket, after) in parts {
            let rows_left = reading.rows_max.saturating_sub(read.rows.puts.len() + read.rows.removed.len());
            let limit = rows_left.min(room.bytes / ROW_BYTES_MIN + usize::from(room.is_empty));
            if limit == 0 {
                read.more = true;
                keep_place(&mut read.parts, bucket, after);
                continue;
            }
            let device = reading.owner.map(|(_, device)| device);
            let ask = PageAsk { bucket, scope: reading.scope.clone(), after, limit, device };
            let page = self.store().page(&ask).await?;
            let end = page.part.as_ref().map_or(0, |part| part.seq);
            if after > end {
                self.raise_generation(reading.generation).await?;
                return Err(Stop::Kind(ScopeKind::Reset { why: ResetWhy::Gen }));
            }
            take_part(&mut read, reading.scope, &page, after, room)?;
        }
        Ok(read)
    }

    /// Scope `ref/main`: one entity, made of the reference data in force; its version is that of the data.
    fn reference_rows(&self, parts: &BTreeMap<Bucket, u64>) -> Result<Read, EngineError> {
        let version = u64::from(self.reference().version);
        let (entity, id, row) = reference_view(self.reference())?;
        let mut read =
            Read { sum: rowsum::h(entity.number().into(), &id, version), live: 1, ..Read::default() };
        let home = Scope::Reference.home();
        if parts.get(&home) != Some(&version) {
            read.rows.puts.push(Put { entity, id, ver: version, row });
        }
        read.parts.push((home, version));
        Ok(read)
    }
}

/// Takes as much of a part's page as there is room for. What the device's streams have come to is told only with the
/// last row of the part, because until then a row that they made may be missing.
fn take_part(
    read: &mut Read,
    scope: &Scope,
    page: &Page,
    after: u64,
    room: &mut Room,
) -> Result<(), EngineError> {
    let mut place = after;
    for (change, row) in &page.changes {
        let Some(entity) = EntityKind::from_number(change.entity) else {
            tracing::error!(%scope, seq = change.seq, "a change row names no entity");
            continue;
        };
        let view = match row.as_ref().filter(|_| change.live) {
            Some(row) => entity_view(row, scope)?.map(|(_, _, members)| members),
            None => None,
        };
        let bytes = ROW_HEAD_BYTES + view.as_ref().map_or(0, members_bytes);
        if bytes > room.bytes && !room.is_empty {
            keep_place(&mut read.parts, change.bucket, place);
            read.more = true;
            return Ok(());
        }
        *room = Room { bytes: room.bytes.saturating_sub(bytes), is_empty: false };
        match (view, change.live) {
            (Some(row), true) => read.rows.puts.push(Put { entity, id: change.id, ver: change.seq, row }),
            // The sum tells the device, which begins anew; an error would end the scope for ever.
            (None, true) => {
                tracing::error!(%scope, seq = change.seq, "a change row names no row of its scope")
            }
            (_, false) => read.rows.removed.push(Removed { entity, id: change.id, ver: change.seq }),
        }
        place = change.seq;
    }
    let Some(part) = &page.part else {
        // Nothing of this scope is here yet; the device's streams may be.
        read.applied.extend(page.streams.iter().map(applied));
        return Ok(());
    };
    if page.more {
        keep_place(&mut read.parts, part.bucket, place);
        read.more = true;
        return Ok(());
    }
    keep_place(&mut read.parts, part.bucket, part.seq);
    read.sum = read.sum.wrapping_add(part.sum);
    read.live += part.rows;
    read.applied.extend(page.streams.iter().map(applied));
    Ok(())
}

/// A part that has not been begun needs no place in a cursor.
fn keep_place(parts: &mut Vec<(Bucket, u64)>, bucket: Bucket, seq: u64) {
    if seq > 0 {
        parts.push((bucket, seq));
    }
}

fn applied(stream: &souk_domain::bookkeeping::Stream) -> Applied {
    Applied { epoch: stream.epoch, bucket: stream.bucket, lane: stream.lane, last: stream.last }
}

/// The scope that a name means for an account: `acct` and `route` are its own.
fn scope_named(name: &str, account: AccountId) -> Option<Scope> {
    match name {
        "acct" => Some(Scope::Account(account)),
        "route" => Some(Scope::Route(account)),
        other => other.parse().ok(),
    }
}

/// Bytes of a row's values in a block, about: names of columns stand there once.
fn members_bytes(members: &Map<String, Value>) -> usize {
    members.values().map(value_bytes).sum()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 6,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 3 + items.iter().map(value_bytes).sum::<usize>(),
        Value::Object(members) => {
            3 + members.iter().map(|(name, value)| name.len() + 4 + value_bytes(value)).sum::<usize>()
        }
    }
}
