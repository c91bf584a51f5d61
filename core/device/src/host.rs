//! The device as one synchronous state machine: files, machine, clock and key, with requests and answers as data.
//!
//! For the simulator and for the facade, which puts threads, sockets and timers round it. No tokio, no clock inside:
//! `now` comes in with every call. Always: what [`DeviceHost::tap`] has answered is on the disk; a request stands in
//! [`DeviceHost::take_outputs`] only after the transaction that records it was committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::context::Reference;
use souk_domain::id::IntentId;
use souk_domain::party::AccountRoles;
use souk_domain::scope::Scope;

mod look;
mod tap;
mod tx;
pub mod wire;

pub use look::StoredRow;
pub use tap::Tapped;
pub use wire::{HttpAnswer, HttpRequest};

use crate::clock::{Contact, Estimate, Now, estimate};
use crate::error::{SoukError, StoreError, StoreResult};
use crate::facade::Desk;
use crate::outbox;
use crate::overlay::{self, Overlay, Seat};
use crate::store::session::{self, Session};
use crate::store::{DeviceFiles, FilesConfig, INSTALL_BYTES, OpenReport, PUBLIC, cache, scope};
use crate::sync::{
    Effect, Event, LiveEvent, Machine, MachineConfig, Notice, OpenFacts, ReqId, Request, TimerId, View,
};
use crate::testing::Mutants;

/// What a device is made with.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Where its files are.
    pub files: FilesConfig,
    /// Program and version, as requests carry it.
    pub app: String,
    /// Whether a stream of hints is kept open in the foreground.
    pub live: bool,
    /// Rules to be broken, for the simulator.
    pub mutants: Mutants,
}

impl HostConfig {
    /// A device with its files in a folder.
    pub fn in_dir(dir: impl Into<std::path::PathBuf>, app: &str) -> HostConfig {
        HostConfig {
            files: FilesConfig::in_dir(dir),
            app: app.to_owned(),
            live: true,
            mutants: Mutants::default(),
        }
    }
}

/// Where random bytes come from: the system, or a seed in tests.
pub trait Entropy: Send {
    /// Fills a buffer. Refuses when the system gives none.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), souk_crypto::random::RandomUnavailable>;
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), souk_crypto::random::RandomUnavailable> {
        souk_crypto::random::fill(out)
    }
}

/// Who signs for this device.
pub enum SignerSource {
    /// An Ed25519 key in software, its seed in `user.db`: for desktops, bots and tests. There is no vault of the
    /// platform behind it.
    Software,
    /// A key of the platform.
    Given(Arc<dyn Signer>),
}

/// What leaves the device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// A request to be sent. Its answer comes back by [`DeviceHost::http`].
    Http {
        /// Under this id.
        req: ReqId,
        /// What.
        request: HttpRequest,
    },
    /// A stream of hints to be opened. What it says comes back by [`DeviceHost::live`].
    Live {
        /// Under this id.
        req: ReqId,
        /// What.
        request: HttpRequest,
    },
    /// An answer is not wanted any more.
    Cancel(ReqId),
    /// What screens show has changed.
    Views(Vec<View>),
    /// Something to know.
    Notice(Notice),
}

/// A device.
pub struct DeviceHost {
    config: HostConfig,
    files: Option<DeviceFiles>,
    machine: Machine,
    signer: Arc<dyn Signer>,
    entropy: Box<dyn Entropy>,
    session: Option<Session>,
    contact: Option<Contact>,
    /// When the contact was last written to the file, milliseconds since boot.
    contact_kept: Option<u64>,
    /// Whether rows wait for a known clock.
    has_unsure: bool,
    /// Whether the sums of public rows are still to be reckoned anew.
    is_recount_due: bool,
    reference: Option<Reference>,
    /// What the machine is to be told after the transaction that runs.
    hints: Vec<Event>,
    /// Where each scope stood when it was asked for: mark and cursor. A page that belongs elsewhere is dropped.
    asked: BTreeMap<Scope, (i64, Option<String>)>,
    /// Pending acts replayed; none = to be made anew.
    overlay: Option<Overlay>,
    /// Requests under way: what they were, and when they left.
    flying: BTreeMap<ReqId, (Request, u64)>,
    timers: BTreeSet<(u64, TimerId)>,
    outputs: VecDeque<Output>,
    counts: BTreeMap<&'static str, u64>,
    report: OpenReport,
    /// Times that the files were opened.
    opens: u64,
}

impl std::fmt::Debug for DeviceHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceHost").field("link", &self.machine.link_word()).finish_non_exhaustive()
    }
}

impl DeviceHost {
    /// Opens the files and starts the machine. Refuses what [`DeviceFiles::open`] refuses, and `sign.unavailable`
    /// without randomness.
    pub fn open(
        config: HostConfig,
        signer: SignerSource,
        mut entropy: Box<dyn Entropy>,
        now: Now,
    ) -> Result<DeviceHost, SoukError> {
        let mut install = [0; INSTALL_BYTES];
        let mut seed = [0; 32];
        let no_random = |_| SoukError::new("sign.unavailable");
        entropy.fill(&mut install).map_err(no_random)?;
        entropy.fill(&mut seed).map_err(no_random)?;
        let files = DeviceFiles::open(&config.files, install)?;
        let signer = match signer {
            SignerSource::Given(signer) => signer,
            SignerSource::Software => software_signer(&files, seed)?,
        };
        let machine = Machine::new(MachineConfig { app: config.app.clone(), live: config.live });
        let report = files.report;
        let mut host = DeviceHost {
            config,
            files: Some(files),
            machine,
            signer,
            entropy,
            session: None,
            contact: None,
            contact_kept: None,
            has_unsure: false,
            is_recount_due: false,
            reference: None,
            hints: Vec::new(),
            asked: BTreeMap::new(),
            overlay: None,
            flying: BTreeMap::new(),
            timers: BTreeSet::new(),
            outputs: VecDeque::new(),
            counts: BTreeMap::new(),
            report,
            opens: 1,
        };
        let facts = host.load(now)?;
        host.event(Event::Opened(facts), now);
        Ok(host)
    }

    /// What is read at open and at resume.
    fn load(&mut self, now: Now) -> StoreResult<OpenFacts> {
        let files = self.files.as_mut().ok_or(StoreError::Paused)?;
        outbox::clocked::forget_waits(&files.user)?;
        for public in PUBLIC {
            scope::follow(&files.cache, &public)?;
        }
        self.is_recount_due = files.report.unclean_exit;
        self.session = session::session(&files.user)?;
        self.contact = session::contact(&files.user)?;
        self.contact_kept = None;
        if files.report.user_rolled_back
            && let Some(session) = &self.session
        {
            tracing::warn!("user.db is older than it was: a new epoch is asked for");
            crate::store::meta::put_json(&files.user, session::EPOCH_WANTED, &session.epoch)?;
        }
        let at = estimate(self.contact.as_ref(), now).at;
        outbox::settle::retire(&files.user, at)?;
        self.has_unsure = !outbox::rows_where(&files.user, "state < 3 AND (flags & 8) <> 0", &[])?.is_empty();
        self.reference = cache::reference(&files.cache)?;
        self.facts(now)
    }

    /// What the rows say now.
    fn facts(&mut self, now: Now) -> StoreResult<OpenFacts> {
        let files = self.files.as_ref().ok_or(StoreError::Paused)?;
        self.session = session::session(&files.user)?;
        tx::facts(files, self.session.as_ref(), self.contact.as_ref(), now)
    }

    /// What opening the files has found.
    pub fn open_report(&self) -> OpenReport {
        self.report
    }

    /// Hands an event to the machine and does what it asks for.
    pub fn event(&mut self, event: Event, now: Now) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let rnd = self.random_u64();
            for effect in self.machine.step(event, now, rnd) {
                match effect {
                    Effect::Http { req, request } => {
                        if let Some(event) = self.send(req, request, now) {
                            events.push_back(event);
                        }
                    }
                    Effect::Cancel(req) => {
                        self.flying.remove(&req);
                        self.outputs.push_back(Output::Cancel(req));
                    }
                    Effect::Tx { ticket, tx } => {
                        let answer = self.run(tx, now);
                        events.push_back(Event::Tx { ticket, answer });
                        events.extend(std::mem::take(&mut self.hints));
                    }
                    Effect::Timer { id, at_mono } => {
                        self.timers.insert((at_mono, id));
                    }
                    Effect::Views(views) => self.outputs.push_back(Output::Views(views)),
                    Effect::Notice(notice) => self.outputs.push_back(Output::Notice(notice)),
                    Effect::Count(name) => *self.counts.entry(name).or_default() += 1,
                }
            }
        }
    }

    /// Makes the bytes of a request; one that cannot be made counts as failed.
    fn send(&mut self, req: ReqId, request: Request, now: Now) -> Option<Event> {
        let made = self
            .files
            .as_ref()
            .ok_or(StoreError::Paused)
            .and_then(|files| wire::render(&request, files, self.signer.as_ref()));
        match made {
            Ok(made) => {
                let is_live = matches!(request, Request::Live { .. });
                self.flying.insert(req, (request, now.mono_ms));
                let output = if is_live {
                    Output::Live { req, request: made }
                } else {
                    Output::Http { req, request: made }
                };
                self.outputs.push_back(output);
                None
            }
            Err(error) => {
                tracing::warn!(%error, "a request could not be made");
                Some(wire::failed(req, &request))
            }
        }
    }

    /// A request was answered, or will not be.
    pub fn http(&mut self, req: ReqId, answer: HttpAnswer, now: Now) {
        let Some((request, sent_mono)) = self.flying.remove(&req) else {
            *self.counts.entry("http_answer_dropped").or_default() += 1;
            return;
        };
        let read = wire::read(&request, answer);
        if let Some(server_now) = wire::server_now(&read) {
            self.heard(server_now, now.mono_ms.saturating_sub(sent_mono), now);
        }
        self.event(Event::Http { req, answer: read }, now);
    }

    /// The stream of hints says something.
    pub fn live(&mut self, req: ReqId, event: LiveEvent, now: Now) {
        self.event(Event::Live { req, event }, now);
    }

    /// Fires the timers that are due.
    pub fn wake(&mut self, now: Now) {
        while let Some((at, id)) = self.timers.first().copied() {
            if at > now.mono_ms {
                break;
            }
            self.timers.remove(&(at, id));
            self.event(Event::Timer(id), now);
        }
    }

    /// When the next timer fires, milliseconds since boot.
    pub fn next_timer(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// What is to leave the device, in order; each once.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        self.outputs.drain(..).collect()
    }

    /// One slice of work that can wait: after an exit that was none the sums of public rows are reckoned anew, and new
    /// texts go into the search index. Answers whether there may be more.
    pub fn idle(&mut self, now: Now) -> Result<bool, SoukError> {
        let Some(files) = self.files.as_mut() else { return Ok(false) };
        let done = if std::mem::take(&mut self.is_recount_due) {
            files.recount().map(|differing| {
                let hints = differing.into_iter().map(Event::Hint).collect::<Vec<_>>();
                (true, hints)
            })
        } else {
            cache::fold_index(&mut files.cache).map(|folded| (folded > 0, Vec::new()))
        };
        match done {
            Ok((has_more, hints)) => {
                for hint in hints {
                    *self.counts.entry("recount_differs").or_default() += 1;
                    self.event(hint, now);
                }
                Ok(has_more)
            }
            Err(error) if error.is_of_rows() => {
                self.begin_cache_anew(&error);
                for hint in std::mem::take(&mut self.hints) {
                    self.event(hint, now);
                }
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// `cache.db` contradicts itself: it is thrown away and fetched again.
    fn begin_cache_anew(&mut self, why: &StoreError) {
        tracing::warn!(error = %why, "cache.db is damaged and is fetched again");
        *self.counts.entry("cache_begun_anew").or_default() += 1;
        self.is_recount_due = false;
        let Some(files) = self.files.as_mut() else { return };
        match files.begin_cache_anew(&self.config.files) {
            Ok(()) => {
                self.report = files.report;
                // All that stood there is to be asked for, not only what met the damage.
                self.hints.extend(PUBLIC.map(Event::Hint));
            }
            Err(error) => tracing::warn!(%error, "cache.db cannot be begun anew"),
        }
    }

    /// Closes the files: both logs are brought in, no lock is held. Everything but `resume` answers `core.paused`.
    pub fn pause(&mut self, now: Now) -> Result<(), SoukError> {
        self.event(Event::Pause, now);
        self.flying.clear();
        self.timers.clear();
        match self.files.take() {
            Some(files) => Ok(files.close()?),
            None => Ok(()),
        }
    }

    /// Opens the files again.
    pub fn resume(&mut self, now: Now) -> Result<(), SoukError> {
        if self.files.is_some() {
            return Ok(());
        }
        let files = DeviceFiles::open(&self.config.files, [0; INSTALL_BYTES])?;
        self.report = files.report;
        self.files = Some(files);
        self.opens += 1;
        let facts = self.load(now)?;
        self.event(Event::Resume(facts), now);
        Ok(())
    }

    /// Times that the files were opened: what was shown before a pause may be old after it.
    pub(crate) fn opens(&self) -> u64 {
        self.opens
    }

    /// The server's time, as far as this device can know.
    pub fn clock(&self, now: Now) -> Estimate {
        estimate(self.contact.as_ref(), now)
    }

    /// The server was heard: its clock is known from here on.
    fn heard(&mut self, server_now: souk_domain::time::Time, round_trip_ms: u64, now: Now) {
        /// The contact is written down at most so often, milliseconds: each time costs a sync of the disk.
        const KEEP_EVERY_MS: u64 = 60_000;
        let err_ms = round_trip_ms / 2;
        let half = souk_domain::time::Span::from_millis(i64::try_from(err_ms).unwrap_or(0));
        let contact = Contact {
            boot: now.boot,
            mono_ms: now.mono_ms,
            server_at: server_now.plus(half),
            err_ms,
            wall: now.wall,
        };
        let is_first = self.contact.is_none_or(|former| former.boot != now.boot);
        self.contact = Some(contact);
        let Some(files) = self.files.as_mut() else { return };
        let is_old = self.contact_kept.is_none_or(|at| now.mono_ms.saturating_sub(at) >= KEEP_EVERY_MS);
        if is_first || is_old {
            self.contact_kept = Some(now.mono_ms);
            if let Err(error) = session::put_contact(&files.user, &contact) {
                tracing::warn!(%error, "the time of the last contact is not kept");
            }
        }
        if self.has_unsure {
            self.settle_ages(&contact, now);
        }
    }

    /// Rows tapped without a known clock get their age now, or ask.
    fn settle_ages(&mut self, contact: &Contact, now: Now) {
        let signer = Arc::clone(&self.signer);
        let done = self.user_tx(|tx| outbox::clocked::settle_ages(tx, contact, signer.as_ref()));
        match done {
            Ok(_) => {
                self.has_unsure = false;
                self.outputs.push_back(Output::Views(vec![View::Outbox]));
                for lane in souk_domain::bookkeeping::Lane::ALL {
                    self.event(Event::Kick { lane, tapped: false }, now);
                }
            }
            Err(error) => tracing::warn!(%error, "ages of queued rows are not settled"),
        }
    }

    /// The access token, for questions that the server alone can answer. Refuses `device.missing`.
    pub(crate) fn access_token(&self) -> Result<String, SoukError> {
        let tokens = session::tokens(&self.files()?.user)?;
        tokens.map(|tokens| tokens.access).ok_or_else(|| SoukError::new("device.missing"))
    }

    /// Whether the server was heard so recently.
    pub(crate) fn heard_within(&self, ms: u64, now: Now) -> bool {
        self.contact.is_some_and(|contact| {
            contact.boot == now.boot && now.mono_ms.saturating_sub(contact.mono_ms) <= ms
        })
    }

    /// Runs a transaction on `user.db`.
    pub(crate) fn user_tx<T>(
        &mut self,
        work: impl FnOnce(&rusqlite::Connection) -> StoreResult<T>,
    ) -> StoreResult<T> {
        let files = self.files.as_mut().ok_or(StoreError::Paused)?;
        let tx = files.user.transaction()?;
        let done = work(&tx)?;
        tx.commit()?;
        self.overlay = None;
        Ok(done)
    }

    pub(crate) fn files(&self) -> StoreResult<&DeviceFiles> {
        self.files.as_ref().ok_or(StoreError::Paused)
    }

    /// Who is signed in.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Reference data of the market, once it has come.
    pub fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// The key of this device.
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// Counts of what happened, by name.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// The state of the link in one word.
    pub fn link_word(&self) -> &'static str {
        self.machine.link_word()
    }

    /// Nothing is under way and nothing is due.
    pub fn is_quiet(&self) -> bool {
        self.machine.is_quiet()
    }

    /// Number of undecided acts.
    pub fn undecided(&self) -> Result<u64, SoukError> {
        Ok(outbox::undecided(&self.files()?.user)?)
    }

    /// What the account is approved as.
    pub(crate) fn roles(&self) -> StoreResult<AccountRoles> {
        let Some(session) = &self.session else { return Ok(AccountRoles::default()) };
        let account = overlay::read::account(&self.files()?.user, session.account)?;
        Ok(account.map(|account| account.roles).unwrap_or_default())
    }

    /// Everything that a read looks at: rows with all pending acts on top.
    pub(crate) fn desk(&mut self, now: Now) -> StoreResult<Desk<'_>> {
        let clock = self.clock(now);
        if self.overlay.is_none() {
            let made = match &self.session {
                Some(session) => Overlay::replay(&self.seat(session)?, clock.at)?,
                None => Overlay::default(),
            };
            self.overlay = Some(made);
        }
        let roles = self.roles()?;
        static EMPTY: std::sync::LazyLock<Overlay> = std::sync::LazyLock::new(Overlay::default);
        Ok(Desk {
            files: self.files()?,
            session: self.session.as_ref(),
            reference: self.reference.as_ref(),
            overlay: self.overlay.as_ref().unwrap_or(&EMPTY),
            roles,
            clock,
        })
    }

    /// One more act on top, after its row was written.
    fn overlay_add(&mut self, id: IntentId, now: Now) -> StoreResult<()> {
        let Some(mut overlay) = self.overlay.take() else { return Ok(()) };
        if let (Some(session), Some(row)) = (&self.session, outbox::find(&self.files()?.user, id)?) {
            overlay.add(&self.seat(session)?, &row, self.clock(now).at)?;
            self.overlay = Some(overlay);
        }
        Ok(())
    }

    pub(crate) fn seat<'h>(&'h self, session: &'h Session) -> StoreResult<Seat<'h>> {
        Ok(Seat { files: self.files()?, session, reference: self.reference.as_ref(), roles: self.roles()? })
    }

    fn random_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        // Without randomness delays are not spread, which is no reason to stop.
        let _ = self.entropy.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// Random bytes for ids and salts. Refuses `sign.unavailable` when the system gives none.
    pub(crate) fn random<const N: usize>(&mut self) -> Result<[u8; N], SoukError> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes).map_err(|_| SoukError::new("sign.unavailable"))?;
        Ok(bytes)
    }

    /// I8: whether the overlay as it was built act by act is the one that a replay from nothing gives. A test and the
    /// simulator ask for it.
    pub fn overlay_equals_recompute(&mut self, now: Now) -> Result<bool, SoukError> {
        let kept = self.desk(now)?.overlay.clone();
        let Some(session) = &self.session else { return Ok(kept == Overlay::default()) };
        Ok(kept == Overlay::replay(&self.seat(session)?, self.clock(now).at)?)
    }

    /// Checksum and number of a scope's rows: as kept, and as reckoned anew from what is stored.
    pub fn scope_sums(&self, scope: &Scope) -> Result<Option<ScopeSums>, SoukError> {
        let files = self.files()?;
        let conn = scope::file_of(files, scope);
        let Some(row) = scope::find(conn, scope)? else { return Ok(None) };
        let (sum, rows) = crate::store::apply::recomputed(conn, scope)?;
        Ok(Some(ScopeSums {
            kept: (row.sum, row.rows),
            stored: (sum, rows),
            is_whole: row.cursor.is_some() && !row.sweep,
        }))
    }

    /// All ids that were ever shown as saved, with the outcome known last.
    pub fn saved(&self) -> Result<Vec<(IntentId, Option<souk_domain::outcome::Outcome>)>, SoukError> {
        Ok(tx::saved(self.files()?)?)
    }
}

/// Checksums of a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScopeSums {
    /// Sum and rows as kept beside the cursor.
    pub kept: (u64, u64),
    /// Sum and rows as reckoned from the stored rows.
    pub stored: (u64, u64),
    /// Whether the scope has been pulled to its end.
    pub is_whole: bool,
}

/// The software key of this installation, made at the first start.
fn software_signer(files: &DeviceFiles, fresh: [u8; 32]) -> StoreResult<Arc<dyn Signer>> {
    let seed = match session::seed(&files.user)? {
        Some(seed) => seed,
        None => {
            session::put_seed(&files.user, &fresh)?;
            fresh
        }
    };
    Ok(Arc::new(Ed25519Key::from_seed(seed)))
}
