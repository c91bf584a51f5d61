//! The engine: the one writer of the buckets it owns (design.md 3, spec/scale.md 5).
//!
//! A plain state machine: `now` is passed in, randomness derives from the server's secret, nothing here starts a
//! thread or reads a clock; with the SQLite store no future ever waits, so a simulator drives it by `block_on`.
//! Always: an answer leaves only once its commit is durable, and after any doubt about the store no row that was
//! read before it is believed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use souk_domain::context::Reference;
use souk_domain::id::Bucket;
use souk_domain::rows::{Entity, Key, Rows};
use souk_domain::scope::Scope;
use souk_store::{Store, StoreError};

use crate::keys::{Keys, setting};
use crate::relay::Relay;
use crate::{EngineError, Mutants, Reader};

/// What the writer keeps in memory between batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryBudget {
    /// Rows of the working set; with more it is emptied, and read again as it is needed.
    pub cache_rows: usize,
    /// Outbox rows that wait; beyond them the rest is read when these have left.
    pub outbox_rows: usize,
}

impl MemoryBudget {
    /// About 40 MB of orders, and a day of a small market whose rail is down.
    pub const DEFAULT: MemoryBudget = MemoryBudget { cache_rows: 20_000, outbox_rows: 100_000 };
}

const REFERENCE: &str = "engine.reference";

/// What an engine needs to know at its start.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Policies, fee plan and names of the market. Its version and platform keys are not read: the version rises by
    /// itself when the rest changes, the keys are those of the store.
    pub reference: Reference,
    /// 32 random bytes from which the secrets are made if the store has none yet.
    pub seed: [u8; 32],
    /// Guards taken out, for a simulator.
    pub mutants: Mutants,
}

/// A part that a commit has moved on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ScopeHint {
    /// The scope.
    pub scope: Scope,
    /// The bucket of the part.
    pub bucket: Bucket,
    /// Its sequence now.
    pub seq: u64,
}

/// Who is told of the parts that each commit has moved on.
pub type OnHints = Box<dyn FnMut(&[ScopeHint]) + Send>;

/// Counts for `/metrics`; they begin at zero with each start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Commits.
    pub commits: AtomicU64,
    /// Intents and acts decided for the first time.
    pub decided: AtomicU64,
    /// Ids that were known already.
    pub repeated: AtomicU64,
    /// Ids that came again with another text: an alarm.
    pub conflicts: AtomicU64,
    /// Positions that were not the next of their stream.
    pub forks: AtomicU64,
    /// Commits that lost their race and were decided again.
    pub races: AtomicU64,
    /// Failures of the store.
    pub failures: AtomicU64,
    /// Tripwires and bugs of rules: an alarm.
    pub tripwires: AtomicU64,
}

impl Metrics {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What writer and readers share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) reference: Reference,
    pub(crate) keys: Keys,
    pub(crate) generation: AtomicU32,
    pub(crate) metrics: Metrics,
}

/// The one writer.
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mutants: Mutants,
    pub(crate) rows: Rows,
    /// Rows loaded or written since the working set was last emptied.
    pub(crate) rows_held: usize,
    pub(crate) memory: MemoryBudget,
    pub(crate) relay: Relay,
    pub(crate) hints: BTreeMap<(Scope, Bucket), u64>,
    pub(crate) on_hints: Option<OnHints>,
    epoch: i64,
    state: State,
}

/// Whether the engine takes anything in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Yes.
    Serving,
    /// The store failed, and what it holds is in doubt: nothing before its log is empty again.
    Doubt,
    /// Somebody else owns the buckets.
    Fenced,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("epoch", &self.epoch)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens: empties the log, takes all buckets over, loads or makes the secrets, loads what waits in the outbox.
    pub async fn open(store: Arc<dyn Store>, config: EngineConfig) -> Result<Engine, EngineError> {
        if !config.mutants.no_start_checkpoint {
            store.checkpoint().await?;
        }
        let epoch = store.take_over().await?;
        let keys = Keys::open(store.as_ref(), &config.seed).await?;
        let reference = reference(store.as_ref(), config.reference, &keys).await?;
        let generation = AtomicU32::new(store.generation().await?);
        let memory = MemoryBudget::DEFAULT;
        let relay = Relay::load(store.as_ref(), memory.outbox_rows).await?;
        let shared = Shared { store, reference, keys, generation, metrics: Metrics::default() };
        Ok(Engine {
            shared: Arc::new(shared),
            mutants: config.mutants,
            rows: Rows::new(),
            rows_held: 0,
            memory,
            relay,
            hints: BTreeMap::new(),
            on_hints: None,
            epoch,
            state: State::Serving,
        })
    }

    /// A handle for queries, pulls and sign-in; any number may be used beside the writer.
    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone() }
    }

    /// Another budget than [`MemoryBudget::DEFAULT`]; outcomes do not depend on it.
    pub async fn set_memory(&mut self, memory: MemoryBudget) -> Result<(), EngineError> {
        self.memory = memory;
        self.read_outbox().await
    }

    /// Who is told of the parts that each commit moves on.
    pub fn on_hints(&mut self, tell: OnHints) {
        self.on_hints = Some(tell);
    }

    /// The reference data in force, with the platform's keys.
    pub fn reference(&self) -> &Reference {
        &self.shared.reference
    }

    /// Counts since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Fencing epoch of this writer.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Whether anything may be taken in. After a failure of the medium that is so again once the log could be
    /// emptied: then what is read is what is durable.
    pub(crate) async fn is_serving(&mut self) -> bool {
        if self.state == State::Doubt {
            match self.reload().await {
                Ok(()) => self.state = State::Serving,
                Err(error) => tracing::error!(code = error.code(), %error, "the store is still in doubt"),
            }
        }
        self.state == State::Serving
    }

    async fn reload(&mut self) -> Result<(), EngineError> {
        self.shared.store.checkpoint().await?;
        self.read_outbox().await
    }

    /// Reads anew what waits in the outbox.
    pub(crate) async fn read_outbox(&mut self) -> Result<(), EngineError> {
        self.relay = Relay::load(self.shared.store.as_ref(), self.memory.outbox_rows).await?;
        Ok(())
    }

    /// The store has failed: from now on nothing that was read before is believed.
    pub(crate) fn store_failed(&mut self, error: &StoreError) {
        self.forget();
        if matches!(error, StoreError::LostRace { .. }) {
            return;
        }
        Metrics::count(&self.shared.metrics.failures);
        tracing::error!(code = error.code(), %error, "the store failed");
        self.state = match error {
            StoreError::Fenced { .. } => State::Fenced,
            // Nothing was written, and the next try may find space.
            StoreError::Full | StoreError::LostRace { .. } | StoreError::Tripwire(_) => self.state,
            StoreError::Io(_) | StoreError::Row(_) | StoreError::Newer { .. } | StoreError::Served { .. } => {
                State::Doubt
            }
        };
    }

    /// Drops the working set.
    pub(crate) fn forget(&mut self) {
        self.rows.clear();
        self.rows_held = 0;
        self.hints.clear();
    }

    /// Loads what is not there yet.
    pub(crate) async fn load(&mut self, keys: impl IntoIterator<Item = Key>) -> Result<(), StoreError> {
        let mut missing: Vec<Key> = keys.into_iter().filter(|key| !self.rows.is_loaded(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        self.rows_held += missing.len();
        for (key, version, row) in self.shared.store.prefetch(&missing).await? {
            self.rows.load(key, version, row);
        }
        Ok(())
    }

    /// A typed row that [`Engine::load`] has loaded.
    pub(crate) fn found<T: Entity>(&self, key: &Key) -> Result<Option<&T>, EngineError> {
        self.rows.find(key).map_err(|_| EngineError::Rule("a row was not loaded"))
    }

    /// Stages a row of the engine's own.
    pub(crate) fn put<T: Entity>(&mut self, row: T) -> Result<(), EngineError> {
        self.rows.put(row).map_err(|_| EngineError::Rule("a row was not loaded"))
    }
}

/// Reference data in force: the version rises when anything else has changed since the last start.
async fn reference(store: &dyn Store, new: Reference, keys: &Keys) -> Result<Reference, EngineError> {
    let bad = |_| EngineError::Settings("reference data cannot be read");
    let mut new = Reference { version: 1, platform_keys: keys.seal.public(), ..new };
    let written = |reference: &Reference| serde_json::to_vec(reference).map_err(bad);
    let first = written(&new)?;
    let former: Reference =
        serde_json::from_slice(&setting(store, REFERENCE, || first).await?).map_err(bad)?;
    new.version = former.version;
    if new != former {
        new.version = former.version.saturating_add(1);
        store.setting_put(REFERENCE, &written(&new)?).await?;
    }
    Ok(new)
}
