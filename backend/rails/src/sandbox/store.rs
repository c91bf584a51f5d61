//! The sandbox's file: one SQLite database, one thread that owns its connection, many jobs in one commit.
//!
//! Not for: what the rows mean (payments, refunds, books, webhooks). Always: a job's answer leaves only after the
//! commit that holds its changes is on disk; a job that fails leaves no trace; two processes cannot share a folder.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot};

/// Jobs that wait for the writer; more callers than this wait in line.
const QUEUE_MAX: usize = 1_024;

/// Jobs in one commit: one flush to disk for all of them, and still only milliseconds of work.
const BATCH_MAX: usize = 256;

/// How long an opening waits for a process that has just been killed to let go of the file, in milliseconds.
const BUSY_MS: u64 = 2_000;

const FILE: &str = "sandbox.sqlite";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS idempotency (
        key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, reply TEXT NOT NULL, at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS payment (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL, code TEXT, minor INTEGER NOT NULL CHECK (minor > 0), currency TEXT NOT NULL,
        reference TEXT NOT NULL, description TEXT NOT NULL, method TEXT NOT NULL, created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS receipt (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, payment TEXT NOT NULL,
        minor INTEGER NOT NULL CHECK (minor > 0), at INTEGER NOT NULL
    ) STRICT;
    -- The receipts of one payment are read with every view of it.
    CREATE INDEX IF NOT EXISTS receipt_of_payment ON receipt (payment);
    CREATE TABLE IF NOT EXISTS refund (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE,
        payment TEXT NOT NULL, state TEXT NOT NULL, code TEXT, minor INTEGER NOT NULL CHECK (minor > 0),
        currency TEXT NOT NULL, created_at INTEGER NOT NULL
    ) STRICT;
    -- So are the refunds.
    CREATE INDEX IF NOT EXISTS refund_of_payment ON refund (payment);
    CREATE TABLE IF NOT EXISTS late_money (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, payment TEXT NOT NULL, minor INTEGER NOT NULL, due_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS entry (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, debit TEXT NOT NULL, credit TEXT NOT NULL,
        minor INTEGER NOT NULL CHECK (minor > 0), currency TEXT NOT NULL, at INTEGER NOT NULL,
        CHECK (debit <> credit)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS webhook (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, body TEXT NOT NULL,
        fault TEXT, state TEXT NOT NULL, copies INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL, next_at INTEGER NOT NULL, delivered_at INTEGER
    ) STRICT;
    -- The next due delivery is asked for after every commit.
    CREATE INDEX IF NOT EXISTS webhook_due ON webhook (state, next_at);
";

/// What can go wrong inside the sandbox itself. Its callers see 500 `sandbox.internal`.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The database refused.
    #[error("the sandbox's database failed")]
    Database(#[from] rusqlite::Error),
    /// A file or socket failed.
    #[error("input or output failed")]
    Io(#[from] std::io::Error),
    /// A row that this program cannot have written.
    #[error("the sandbox's database holds a wrong {0}")]
    Corrupt(&'static str),
    /// The commit failed, or the writer has stopped; nothing of the job is kept.
    #[error("the sandbox's writer has stopped")]
    Stopped,
    /// The client for webhooks could not be set up.
    #[error("no HTTP client for webhooks")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The configured endpoint of webhooks is not usable: `control.endpoint`.
    #[error("control.endpoint")]
    Endpoint,
}

type Answer = Box<dyn FnOnce(bool) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Answer + Send>;

pub(super) struct Store {
    /// `None` once the store is closed.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens or makes the database in a folder.
    pub(super) fn open(folder: &Path) -> Result<Store, SandboxError> {
        std::fs::create_dir_all(folder)?;
        let connection = Connection::open(folder.join(FILE))?;
        // Exclusive: a second process on the same folder is an operator's mistake and must not double the books.
        // FULL: an answer that was given survives a power loss. Checkpoint before the first answer: what a killed
        // process had written but not flushed is flushed before anybody sees it.
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA wal_checkpoint(TRUNCATE);",
        )?;
        connection.execute_batch(SCHEMA)?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("sandbox-store".to_owned())
            .spawn(move || write_batches(&connection, queue))?;
        Ok(Store { jobs: Mutex::new(Some(jobs)), writer: Mutex::new(Some(writer)) })
    }

    /// Runs a job inside a commit and gives its result when the commit is on disk. Dropping the future does not stop
    /// a job that is in the queue.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, SandboxError> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = in_savepoint(connection, job);
            Box::new(move |committed| {
                // Nobody waits any more when the caller has gone; the work stands all the same.
                let _ = sender.send(if committed { result } else { Err(SandboxError::Stopped) });
            })
        });
        let jobs =
            self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(SandboxError::Stopped)?;
        jobs.send(job).await.map_err(|_| SandboxError::Stopped)?;
        drop(jobs); // Else this caller would keep a closed writer alive.
        receiver.await.map_err(|_| SandboxError::Stopped)?
    }

    /// Ends the writer after the jobs that are in the queue, and closes the file.
    pub(super) async fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has released the file as well.
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
    }
}

fn write_batches(connection: &Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let began = connection.execute_batch("BEGIN IMMEDIATE").is_ok();
        let mut answers = vec![first(connection)];
        while answers.len() < BATCH_MAX {
            let Ok(job) = queue.try_recv() else { break };
            answers.push(job(connection));
        }
        let committed = began && connection.execute_batch("COMMIT").is_ok();
        if !committed {
            tracing::error!("the sandbox could not commit");
            let _ = connection.execute_batch("ROLLBACK");
        }
        answers.into_iter().for_each(|answer| answer(committed));
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    job: impl FnOnce(&Connection) -> Result<T, SandboxError>,
) -> Result<T, SandboxError> {
    if connection.is_autocommit() {
        return Err(SandboxError::Stopped); // BEGIN has failed: outside a batch nothing may be written.
    }
    connection.execute_batch("SAVEPOINT job")?;
    let result = job(connection);
    let end = if result.is_ok() { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
    connection.execute_batch(end)?;
    result
}

/// A setting that outlives the process.
pub(super) fn setting(connection: &Connection, name: &str) -> Result<Option<String>, SandboxError> {
    let sql = "SELECT value FROM setting WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
}

/// Writes a setting.
pub(super) fn set_setting(connection: &Connection, name: &str, value: &str) -> Result<(), SandboxError> {
    let sql =
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    connection.prepare_cached(sql)?.execute(params![name, value])?;
    Ok(())
}

/// The next number of a table's sequence; AUTOINCREMENT never gives one twice.
pub(super) fn next_seq(connection: &Connection, table: &str) -> Result<i64, SandboxError> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    let last: Option<i64> =
        connection.prepare_cached(sql)?.query_row([table], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0) + 1)
}

/// An id of a table's next row: prefix, the folder's own tag, number. The tag keeps ids of two folders apart, which a
/// backend that has outlived one of them would otherwise take for repeats.
pub(super) fn next_id(connection: &Connection, prefix: &str, table: &str) -> Result<String, SandboxError> {
    let tag = setting(connection, TAG)?.ok_or(SandboxError::Corrupt("setting"))?;
    Ok(format!("{prefix}_{tag}{:08x}", next_seq(connection, table)?))
}

/// Name of the setting that holds the folder's tag: eight hex digits.
pub(super) const TAG: &str = "tag";
