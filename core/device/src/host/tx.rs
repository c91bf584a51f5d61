//! The machine's transactions, run on the files.

use std::sync::Arc;

use rusqlite::Connection;
use souk_domain::id::{Bucket, IntentId, form_u};
use souk_domain::outcome::Outcome;
use souk_domain::party::DeviceKey;
use souk_domain::scope::Scope;
use souk_domain::time::Time;
use souk_protocol::auth::RegisterResponse;
use souk_protocol::outcome::OutcomeView;

use super::DeviceHost;
use crate::clock::{Contact, Now, estimate};
use crate::error::{StoreError, StoreResult};
use crate::limits::{MISMATCH_SPAN, TOKEN_EARLY_MS};
use crate::outbox::send::{Want, take};
use crate::outbox::settle;
use crate::overlay;
use crate::store::apply::{self, PageFacts, Verdict};
use crate::store::session::{self, RegState, Session, Tokens};
use crate::store::{DeviceFiles, cache, meta, scope};
use crate::sync::{OpenFacts, OpenLink, Tx, TxAnswer};

/// The name in `meta` of when `cache.db` was last begun anew for its sums.
const CACHE_ANEW_AT: &str = "cache_anew_at";

/// Tables that hold what belongs to one account. `counter` is not among them: its numbers are of the device's key, which
/// stays, and a number that was signed is never given twice, whoever signs in next.
const OF_ONE_ACCOUNT: [&str; 8] =
    ["outbox", "stream", "applied", "kept", "scope", "srv", "custody_queue", "handover"];

impl DeviceHost {
    /// Runs a transaction. One that fails has changed nothing.
    pub(super) fn run(&mut self, tx: Tx, now: Now) -> TxAnswer {
        if self.files.as_ref().is_some_and(|files| files.is_cache_lost) {
            self.begin_cache_anew(&StoreError::Form { table: "scope", what: "file" });
        }
        let is_of_cache = matches!(&tx, Tx::Page { scope, .. } | Tx::Restart { scope } if scope.is_public());
        match self.try_run(tx, now) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(code = error.code(), ?error, "a local transaction failed");
                if is_of_cache && error.is_of_rows() {
                    self.begin_cache_anew(&error);
                }
                TxAnswer::Failed
            }
        }
    }

    fn try_run(&mut self, tx: Tx, now: Now) -> StoreResult<TxAnswer> {
        let is_read = matches!(tx, Tx::Cursors { .. } | Tx::Take { .. });
        if !is_read {
            self.overlay = None;
        }
        match tx {
            Tx::Take { class, rows_max, slow } => {
                let want = Want { lanes: class.lanes(), rows_max, slow, now_mono: now.mono_ms };
                self.take(&want, now)
            }
            Tx::Record { items, results, server_now } => {
                let session = self.signed_in()?;
                let mono = now.mono_ms;
                let settled =
                    self.user_tx(|tx| settle::results(tx, &session, &items, results, server_now, mono))?;
                Ok(TxAnswer::Settled(settled))
            }
            Tx::NewEpoch { epoch } => {
                let session = self.signed_in()?;
                settle::new_epoch(&mut self.files_mut()?.user, &session, epoch)?;
                self.facts_answer(now)
            }
            Tx::NewGeneration { generation, server_now } => {
                let session = self.session.clone();
                let files = self.files_mut()?;
                if meta::number(&files.user, session::GENERATION)? == 0 {
                    meta::put_json(&files.user, session::GENERATION, &generation)?;
                } else {
                    settle::new_generation(files, session.as_ref(), generation, server_now)?;
                }
                self.facts_answer(now)
            }
            Tx::Cursors { scopes } => {
                let mut cursors = Vec::new();
                for scope in scopes {
                    let files = self.files()?;
                    if let Some(row) = scope::find(scope::file_of(files, &scope), &scope)? {
                        self.asked.insert(scope.clone(), (row.mark, row.cursor.clone()));
                        cursors.push((scope, row.cursor));
                    }
                }
                Ok(TxAnswer::Cursors(cursors))
            }
            Tx::Page { scope, .. } if self.is_of_former_rows(&scope)? => {
                self.page_applied(scope, Verdict::More)
            }
            Tx::Page { scope, page, server_now } => {
                let facts = PageFacts {
                    now: server_now,
                    reg: self.session.as_ref().map_or(0, |session| session.reg),
                };
                let mutants = self.config.mutants;
                let verdict = apply::page(self.files_mut()?, &scope, *page, &facts, mutants)?;
                let verdict = self.mended(&scope, verdict, server_now)?;
                self.page_applied(scope, verdict)
            }
            Tx::Restart { scope } => {
                scope::restart(self.files()?, &scope)?;
                Ok(TxAnswer::Done)
            }
            Tx::Follow { scope } => {
                let files = self.files()?;
                scope::follow(scope::file_of(files, &scope), &scope)?;
                self.facts_answer(now)
            }
            Tx::Wipe { scope } => {
                apply::wipe(self.files_mut()?, &scope)?;
                self.facts_answer(now)
            }
            Tx::Registered(response) => self.registered(&response, now),
            Tx::Tokens(tokens) => {
                session::put_tokens(&self.files()?.user, &Tokens::from(&tokens))?;
                self.facts_answer(now)
            }
            Tx::TokensEnded => self.end(RegState::SignedOut, now),
            Tx::Revoked => self.end(RegState::Revoked, now),
            Tx::SignOut => {
                let session = self.session.clone();
                self.user_tx(|tx| {
                    wipe_account(tx)?;
                    match session {
                        Some(session) => session::set_state(tx, session.reg, RegState::SignedOut),
                        None => Ok(()),
                    }
                })?;
                let mut facts = self.facts(now)?;
                facts.link = OpenLink::New;
                Ok(TxAnswer::Facts(Box::new(facts)))
            }
        }
    }

    fn files_mut(&mut self) -> StoreResult<&mut DeviceFiles> {
        self.files.as_mut().ok_or(StoreError::Paused)
    }

    fn signed_in(&self) -> StoreResult<Session> {
        self.session.clone().ok_or(StoreError::Form { table: "device", what: "no registration" })
    }

    fn facts_answer(&mut self, now: Now) -> StoreResult<TxAnswer> {
        Ok(TxAnswer::Facts(Box::new(self.facts(now)?)))
    }

    fn take(&mut self, want: &Want, now: Now) -> StoreResult<TxAnswer> {
        let session = self.signed_in()?;
        let mutants = self.config.mutants;
        let signer = Arc::clone(&self.signer);
        let seed = if mutants.new_id_on_retry { self.random_u64() } else { 0 };
        let unix_ms = u64::try_from(self.clock(now).at.millis()).unwrap_or(0);
        let mut minted = 0u64;
        let new_id = |bucket: Bucket| {
            minted += 1;
            let mut random = [0; 9];
            random[..8].copy_from_slice(&seed.wrapping_add(minted).to_be_bytes());
            IntentId::from_bytes(form_u(unix_ms, bucket, random))
                .map_err(|_| StoreError::Form { table: "outbox", what: "id" })
        };
        // What is on its way looks the same on top of the rows as what waits.
        let overlay = self.overlay.take();
        let taken = self.user_tx(|tx| take(tx, &session, want, mutants, signer.as_ref(), new_id))?;
        self.overlay = overlay;
        Ok(TxAnswer::Taken(taken))
    }

    /// Whether a scope was set to begin from null since the page that comes now was asked for. It is asked again.
    fn is_of_former_rows(&self, scope: &Scope) -> StoreResult<bool> {
        let row = scope::find(scope::file_of(self.files()?, scope), scope)?;
        Ok(match (row, self.asked.get(scope)) {
            (Some(row), Some(asked)) => (row.mark, &row.cursor) != (asked.0, &asked.1),
            _ => false,
        })
    }

    /// Public rows that differ for the second time in a day, although they were pulled from null: the file itself is
    /// doubted and begun anew, once a day. After that it is the server's sum that is doubted.
    fn mended(&mut self, scope: &Scope, verdict: Verdict, server_now: Time) -> StoreResult<Verdict> {
        if verdict != (Verdict::Differs { again: true }) || !scope.is_public() {
            return Ok(verdict);
        }
        let user = &self.files()?.user;
        let last: Option<i64> = meta::json(user, CACHE_ANEW_AT)?;
        if last.is_some_and(|last| server_now.since(Time::from_micros(last)) < MISMATCH_SPAN) {
            return Ok(verdict);
        }
        meta::put_json(user, CACHE_ANEW_AT, &server_now.micros())?;
        self.begin_cache_anew(&StoreError::Form { table: "scope", what: "sum" });
        Ok(Verdict::Differs { again: false })
    }

    fn page_applied(&mut self, scope: Scope, verdict: Verdict) -> StoreResult<TxAnswer> {
        let mut follow = Vec::new();
        if verdict == Verdict::Fresh {
            let files = self.files()?;
            match &scope {
                Scope::Reference => self.reference = cache::reference(&files.cache)?,
                Scope::Account(account) => {
                    if let Some(row) = overlay::read::account(&files.user, *account)? {
                        follow.extend(row.shop.map(Scope::Seller));
                        follow.extend(row.roles.courier.then_some(Scope::Route(*account)));
                    }
                }
                Scope::Catalogue | Scope::Seller(_) | Scope::Route(_) => {}
            }
        }
        Ok(TxAnswer::Paged { verdict, follow })
    }

    /// Keeps a registration. Another account than the one whose acts are undecided is refused.
    fn registered(&mut self, response: &RegisterResponse, now: Now) -> StoreResult<TxAnswer> {
        let former = self.session.clone();
        let is_other = former.as_ref().is_some_and(|session| session.account != response.account);
        if is_other && crate::outbox::undecided(&self.files()?.user)? > 0 {
            return Ok(TxAnswer::Refused("signout.pending".to_owned()));
        }
        let key = DeviceKey::new(self.signer.public_key());
        self.user_tx(|tx| {
            if is_other {
                wipe_account(tx)?;
            }
            let reg = session::register(tx, &key, response)?;
            let is_new = former.as_ref().is_none_or(|session| session.reg != reg);
            let known: u64 = meta::number(tx, session::GENERATION)?;
            if known == 0 {
                meta::put_json(tx, session::GENERATION, &response.generation)?;
            }
            let own = [Some(Scope::Account(response.account)), response.shop.map(Scope::Seller)];
            for scope in own.into_iter().flatten() {
                scope::follow(tx, &scope)?;
            }
            if is_new {
                // Cursors name the device that they were given to.
                let decided_no = meta::number(tx, scope::DECIDED_NO)? as i64;
                scope::restart_all(tx, decided_no)?;
            }
            let epoch = session::session(tx)?.map_or(response.epoch, |session| session.epoch);
            if is_new || former.as_ref().is_some_and(|session| session.epoch != epoch) {
                settle::renumber(tx, reg, epoch)?;
            }
            Ok(())
        })?;
        self.facts_answer(now)
    }

    /// Tokens have ended, or the device was cut off: the outbox stays.
    fn end(&mut self, state: RegState, now: Now) -> StoreResult<TxAnswer> {
        if let Some(session) = self.session.clone() {
            self.user_tx(|tx| session::set_state(tx, session.reg, state))?;
        }
        self.facts_answer(now)
    }
}

/// Removes everything of the account that was signed in.
fn wipe_account(tx: &Connection) -> StoreResult<()> {
    for table in OF_ONE_ACCOUNT {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

/// What the rows say about this device.
pub(super) fn facts(
    files: &DeviceFiles,
    session: Option<&Session>,
    contact: Option<&Contact>,
    now: Now,
) -> StoreResult<OpenFacts> {
    let tokens = session::tokens(&files.user)?;
    let link = match (session.map(|session| session.state), &tokens) {
        (None, _) => OpenLink::New,
        (Some(RegState::Active), Some(_)) => OpenLink::Ready,
        (Some(RegState::Active), None) | (Some(RegState::SignedOut), _) => OpenLink::SignedOut,
        (Some(RegState::Revoked), _) => OpenLink::Revoked,
    };
    let clock = estimate(contact, now);
    let token_due_mono = tokens.map(|tokens| {
        let left_ms = u64::try_from(tokens.access_until.since(clock.at).millis()).unwrap_or(0);
        now.mono_ms.saturating_add(left_ms.saturating_sub(TOKEN_EARLY_MS))
    });
    Ok(OpenFacts {
        link,
        epoch: session.map_or(0, |session| session.epoch),
        generation: u32::try_from(meta::number(&files.user, session::GENERATION)?).unwrap_or(u32::MAX),
        epoch_wanted: meta::bytes(&files.user, session::EPOCH_WANTED)?.is_some(),
        // Without a known clock the server's word decides.
        token_due_mono: token_due_mono.filter(|_| clock.is_sure()),
        scopes: scope::followed(files)?,
    })
}

/// All ids that were shown as saved, with the outcome known last.
pub(super) fn saved(files: &DeviceFiles) -> StoreResult<Vec<(IntentId, Option<Outcome>)>> {
    const SAVED: &str = "SELECT id, last FROM kept ORDER BY at, id";
    let bad = |what| StoreError::Form { table: "kept", what };
    let mut statement = files.user.prepare_cached(SAVED)?;
    let rows =
        statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<String>>(1)?)))?;
    rows.map(|row| {
        let (id, last) = row?;
        let id = id.try_into().ok().and_then(|id| IntentId::from_bytes(id).ok()).ok_or(bad("id"))?;
        let last = last
            .map(|text| serde_json::from_str::<OutcomeView>(&text).map(Outcome::from))
            .transpose()
            .map_err(|_| bad("last"))?;
        Ok((id, last))
    })
    .collect()
}
