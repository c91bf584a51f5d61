//! The toy's device: an outbox that is sent until it is answered, and a copy of the server's rows.

use rusqlite::{Connection, params};

use super::wire::{Intent, PullAnswer, PushAnswer, PushItem, Row};
use super::{Mutant, check_integrity, checkpoint, open, synchronous};
use crate::disk::{Disk, HostId};
use crate::rng::Rng;
use crate::world::Violation;

/// Items of one push.
const PUSH_ITEMS: i64 = 16;

const SCHEMA: &str = "
    CREATE TABLE counter(next_dev_seq INTEGER NOT NULL, next_pos INTEGER NOT NULL, cursor INTEGER NOT NULL) STRICT;
    CREATE TABLE outbox(id INTEGER PRIMARY KEY, dev_seq INTEGER NOT NULL UNIQUE, product INTEGER NOT NULL,
        quantity INTEGER NOT NULL, pos INTEGER UNIQUE, accepted INTEGER) STRICT;
    CREATE TABLE product(id INTEGER PRIMARY KEY, free INTEGER NOT NULL) STRICT;
    CREATE TABLE placed(id INTEGER PRIMARY KEY, accepted INTEGER NOT NULL) STRICT;
    INSERT INTO counter VALUES (1, 1, 0);";

pub(super) fn install(disk: &Disk, host: HostId) -> rusqlite::Result<()> {
    let db = open(disk, host, "FULL")?;
    let tx = db.unchecked_transaction()?;
    tx.execute_batch(SCHEMA)?;
    tx.commit()
}

pub(super) struct Device {
    db: Connection,
    mutant: Option<Mutant>,
    /// Number of the push and of the pull under way.
    pub(super) push_in_flight: Option<u64>,
    pub(super) pull_in_flight: Option<u64>,
    pub(super) next_request: u64,
}

impl Device {
    pub(super) fn start(
        disk: &Disk,
        host: HostId,
        mutant: Option<Mutant>,
    ) -> Result<rusqlite::Result<Device>, Violation> {
        let opened = open(disk, host, synchronous(mutant, Mutant::DeviceSynchronousNormal))
            .and_then(|db| checkpoint(&db, mutant).map(|()| db));
        let db = match opened {
            Ok(db) => db,
            Err(error) => return Ok(Err(error)),
        };
        check_integrity(&db, host)?;
        Ok(Ok(Device { db, mutant, push_in_flight: None, pull_in_flight: None, next_request: 1 }))
    }

    /// The next number in order of taps.
    pub(super) fn next_dev_seq(&self) -> rusqlite::Result<i64> {
        self.db.query_row("SELECT next_dev_seq FROM counter", [], |row| row.get(0))
    }

    /// Saves an order; only afterwards is it shown as saved.
    pub(super) fn enqueue(&self, intent: &Intent) -> rusqlite::Result<()> {
        let tx = self.db.unchecked_transaction()?;
        tx.execute(
            "INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, NULL, NULL)",
            params![intent.id as i64, intent.dev_seq, intent.product, intent.quantity],
        )?;
        tx.execute("UPDATE counter SET next_dev_seq = ?1", [intent.dev_seq + 1])?;
        tx.commit()
    }

    /// Takes the oldest undecided rows, gives them their positions and commits that before they may leave.
    pub(super) fn take_for_push(&self, rng: &mut Rng) -> rusqlite::Result<Vec<PushItem>> {
        let tx = self.db.unchecked_transaction()?;
        if self.mutant == Some(Mutant::NewIdOnRetry) {
            let new = (rng.next_u64() >> 1) as i64;
            let sql = "UPDATE outbox SET id = ?1 + dev_seq WHERE pos IS NOT NULL AND accepted IS NULL";
            tx.execute(sql, [new >> 8])?;
        }
        let sql = "UPDATE outbox SET pos = (SELECT next_pos FROM counter) + n - 1 FROM
            (SELECT id AS i, row_number() OVER (ORDER BY dev_seq) AS n FROM outbox WHERE pos IS NULL) WHERE id = i";
        let given = tx.execute(sql, [])?;
        if given > 0 {
            tx.execute("UPDATE counter SET next_pos = next_pos + ?1", [given as i64])?;
        }
        let items: Vec<PushItem> = {
            let sql = "SELECT id, dev_seq, product, quantity, pos FROM outbox WHERE accepted IS NULL
                ORDER BY pos LIMIT ?1";
            let mut statement = tx.prepare_cached(sql)?;
            let rows = statement.query_map([PUSH_ITEMS], |row| {
                let intent = Intent {
                    id: row.get::<_, i64>(0)? as u64,
                    dev_seq: row.get(1)?,
                    product: row.get(2)?,
                    quantity: row.get(3)?,
                };
                Ok(PushItem { pos: row.get(4)?, intent })
            })?;
            rows.collect::<Result<_, _>>()?
        };
        if self.mutant == Some(Mutant::RemovedOnSend) {
            for item in &items {
                tx.execute("DELETE FROM outbox WHERE id = ?1", [item.intent.id as i64])?;
            }
        }
        tx.commit()?;
        Ok(items)
    }

    /// Notes the outcomes of a push.
    pub(super) fn decided(&self, answer: &PushAnswer) -> rusqlite::Result<()> {
        let tx = self.db.unchecked_transaction()?;
        for decided in &answer.decided {
            let sql = "UPDATE outbox SET accepted = ?2 WHERE id = ?1 AND accepted IS NULL";
            tx.execute(sql, params![decided.id as i64, decided.accepted])?;
        }
        tx.commit()
    }

    pub(super) fn cursor(&self) -> rusqlite::Result<i64> {
        self.db.query_row("SELECT cursor FROM counter", [], |row| row.get(0))
    }

    /// Applies a page: rows and cursor in one transaction.
    pub(super) fn apply(&self, page: &PullAnswer) -> rusqlite::Result<()> {
        if self.mutant == Some(Mutant::CursorBeforeRows) {
            self.db.execute("UPDATE counter SET cursor = ?1", [page.next])?;
        }
        let tx = self.db.unchecked_transaction()?;
        for row in &page.rows {
            match row {
                Row::Product { id, free } => {
                    tx.execute("INSERT OR REPLACE INTO product VALUES (?1, ?2)", [id, free])?;
                }
                Row::Order { id, accepted } => {
                    let values = params![*id as i64, accepted];
                    tx.execute("INSERT OR REPLACE INTO placed VALUES (?1, ?2)", values)?;
                }
            }
        }
        tx.execute("UPDATE counter SET cursor = ?1", [page.next])?;
        tx.commit()
    }

    /// The ids in the outbox and what is known of them.
    pub(super) fn outbox(&self) -> rusqlite::Result<Vec<(u64, Option<bool>)>> {
        let mut statement = self.db.prepare_cached("SELECT id, accepted FROM outbox")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))?;
        rows.collect()
    }

    /// The server's rows as the device has them.
    pub(super) fn view(&self) -> rusqlite::Result<Vec<Row>> {
        let sql = "SELECT 0, id, free FROM product UNION ALL SELECT 1, id, accepted FROM placed";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let (id, value): (i64, i64) = (row.get(1)?, row.get(2)?);
            Ok(match row.get::<_, i64>(0)? {
                0 => Row::Product { id, free: value },
                _ => Row::Order { id: id as u64, accepted: value != 0 },
            })
        })?;
        let mut rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        rows.sort();
        Ok(rows)
    }
}
