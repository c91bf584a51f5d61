//! The toy's server: decides orders, keeps streams, stock, ledger and feed in one transaction a push.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::wire::{Decided, Intent, Pull, PullAnswer, PushAnswer, PushItem, Row};
use super::{Mutant, PRODUCTS, SERVER, STOCK_AT_FIRST, check_integrity, checkpoint, open, synchronous};
use crate::disk::{Disk, HostId};
use crate::world::{Checked, Violation};

const PRICE_MINOR: i64 = 100;

/// Rows a page of the feed; small, so that pulls take several.
const PAGE_ROWS: usize = 20;

const SCHEMA: &str = "
    CREATE TABLE product(id INTEGER PRIMARY KEY, had INTEGER NOT NULL, free INTEGER NOT NULL, seq INTEGER NOT NULL) STRICT;
    CREATE TABLE intent(rid INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL, device INTEGER NOT NULL,
        pos INTEGER NOT NULL, dev_seq INTEGER NOT NULL, product INTEGER NOT NULL, quantity INTEGER NOT NULL,
        accepted INTEGER NOT NULL, seq INTEGER NOT NULL) STRICT;
    CREATE INDEX intent_id ON intent(id);
    CREATE TABLE stream(device INTEGER PRIMARY KEY, last INTEGER NOT NULL, reused INTEGER NOT NULL) STRICT;
    CREATE TABLE balance(account INTEGER PRIMARY KEY, minor INTEGER NOT NULL) STRICT;
    CREATE TABLE feed(next_seq INTEGER NOT NULL) STRICT;";

pub(super) fn install(disk: &Disk) -> rusqlite::Result<()> {
    let db = open(disk, SERVER, "FULL")?;
    let tx = db.unchecked_transaction()?;
    tx.execute_batch(SCHEMA)?;
    for id in 1..=PRODUCTS {
        tx.execute("INSERT INTO product VALUES (?1, ?2, ?2, ?1)", [id, STOCK_AT_FIRST])?;
    }
    tx.execute("INSERT INTO feed VALUES (?1)", [PRODUCTS + 1])?;
    tx.commit()
}

pub(super) struct Server {
    db: Connection,
    mutant: Option<Mutant>,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    last: i64,
    reused: i64,
}

impl Server {
    pub(super) fn start(disk: &Disk, mutant: Option<Mutant>) -> Result<rusqlite::Result<Server>, Violation> {
        let opened = open(disk, SERVER, synchronous(mutant, Mutant::ServerSynchronousNormal))
            .and_then(|db| checkpoint(&db, mutant).map(|()| db));
        let db = match opened {
            Ok(db) => db,
            Err(error) => return Ok(Err(error)),
        };
        check_integrity(&db, SERVER)?;
        let server = Server { db, mutant };
        server.check().map(|()| Ok(server))
    }

    /// Decides the items of one device, all in one transaction (spec/sync.md 4.2).
    pub(super) fn push(&self, device: HostId, items: &[PushItem]) -> rusqlite::Result<PushAnswer> {
        let tx = self.db.unchecked_transaction()?;
        let mut stream = stream_of(&tx, device)?;
        let mut answer = PushAnswer::default();
        for PushItem { pos, intent } in items {
            let follows = *pos == stream.last + 1;
            let known = self.known(&tx, intent)?;
            let accepted = match known {
                Some(accepted) => accepted,
                None if follows || self.mutant == Some(Mutant::NoServerDedupe) => {
                    decide(&tx, device, *pos, intent)?
                }
                None => {
                    answer.fork = Some(stream.last);
                    break;
                }
            };
            stream.reused += i64::from(follows && known.is_some());
            stream.last = stream.last.max(if follows { *pos } else { 0 });
            answer.decided.push(Decided { id: intent.id, accepted });
        }
        if self.mutant == Some(Mutant::LastInSecondTransaction) {
            tx.commit()?;
            put_stream(&self.db, device, stream)?;
        } else {
            put_stream(&tx, device, stream)?;
            tx.commit()?;
        }
        Ok(answer)
    }

    fn known(&self, tx: &Transaction<'_>, intent: &Intent) -> rusqlite::Result<Option<bool>> {
        if self.mutant == Some(Mutant::NoServerDedupe) {
            return Ok(None);
        }
        let sql = "SELECT accepted FROM intent WHERE id = ?1";
        tx.query_row(sql, [intent.id as i64], |row| row.get(0)).optional()
    }

    /// The next page of what a device may see: all products, its own orders.
    pub(super) fn pull(&self, device: HostId, pull: &Pull) -> rusqlite::Result<PullAnswer> {
        let sql = "SELECT seq, 0, id, free FROM product WHERE seq > ?1
            UNION ALL SELECT seq, 1, id, accepted FROM intent WHERE device = ?2 AND seq > ?1 ORDER BY seq";
        let mut rows = self.rows(sql, pull.after, device)?;
        let more = rows.len() > PAGE_ROWS;
        rows.truncate(PAGE_ROWS);
        let next = rows.last().map_or(pull.after, |(seq, _)| *seq);
        Ok(PullAnswer { rows: rows.into_iter().map(|(_, row)| row).collect(), next, more })
    }

    /// Everything that a device must have when all is at rest.
    pub(super) fn view(&self, device: HostId) -> rusqlite::Result<Vec<Row>> {
        let all = self.pull_all(device)?;
        let mut rows: Vec<Row> = all.into_iter().map(|(_, row)| row).collect();
        rows.sort();
        Ok(rows)
    }

    fn pull_all(&self, device: HostId) -> rusqlite::Result<Vec<(i64, Row)>> {
        let sql = "SELECT seq, 0, id, free FROM product WHERE seq > ?1
            UNION ALL SELECT seq, 1, id, accepted FROM intent WHERE device = ?2 AND seq > ?1";
        self.rows(sql, 0, device)
    }

    fn rows(&self, sql: &str, after: i64, device: HostId) -> rusqlite::Result<Vec<(i64, Row)>> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![after, device.0], |row| {
            let (id, value): (i64, i64) = (row.get(2)?, row.get(3)?);
            let content = match row.get::<_, i64>(1)? {
                0 => Row::Product { id, free: value },
                _ => Row::Order { id: id as u64, accepted: value != 0 },
            };
            Ok((row.get(0)?, content))
        })?;
        rows.collect()
    }

    /// The operator puts more of a product on the shelf.
    pub(super) fn restock(&self, product: i64, more: i64) -> rusqlite::Result<()> {
        let tx = self.db.unchecked_transaction()?;
        let seq = next_seq(&tx)?;
        let sql = "UPDATE product SET had = had + ?2, free = free + ?2, seq = ?3 WHERE id = ?1";
        tx.execute(sql, [product, more, seq])?;
        tx.commit()
    }

    /// All decided intents with their device and outcome.
    pub(super) fn intents(&self) -> rusqlite::Result<Vec<(HostId, Intent, bool)>> {
        let sql = "SELECT device, id, dev_seq, product, quantity, accepted FROM intent";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let intent = Intent {
                id: row.get::<_, i64>(1)? as u64,
                dev_seq: row.get(2)?,
                product: row.get(3)?,
                quantity: row.get(4)?,
            };
            Ok((HostId(row.get(0)?), intent, row.get(5)?))
        })?;
        rows.collect()
    }

    /// syn02, syn06, syn07, syn08 over the rows as they stand. An error of the disk proves nothing either way.
    pub(super) fn check(&self) -> Checked {
        let table = [
            ("syn02", "DOUBLED", "SELECT count(*) FROM (SELECT 1 FROM intent GROUP BY id HAVING count(*) > 1)"),
            ("syn06", "the books do not balance", "SELECT coalesce(sum(minor), 0) <> 0 FROM balance"),
            (
                "syn07",
                "stock is wrong",
                "SELECT count(*) FROM product p WHERE free < 0 OR free <> had -
                    (SELECT coalesce(sum(quantity), 0) FROM intent i WHERE i.product = p.id AND accepted)",
            ),
            (
                "syn08",
                "SEQ: last is not intents + reused, or a position lies beyond it",
                "SELECT count(*) FROM (SELECT device, count(*) AS n, max(pos) AS top FROM intent GROUP BY device) i
                    LEFT JOIN stream s USING (device)
                    WHERE s.last IS NULL OR s.last <> i.n + s.reused OR i.top > s.last",
            ),
        ];
        for (invariant, text, sql) in table {
            if self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).is_ok_and(|wrong| wrong != 0) {
                return Err(Violation::new(invariant, text));
            }
        }
        Ok(())
    }
}

fn stream_of(tx: &Transaction<'_>, device: HostId) -> rusqlite::Result<Stream> {
    let sql = "SELECT last, reused FROM stream WHERE device = ?1";
    let found = tx.query_row(sql, [device.0], |row| Ok(Stream { last: row.get(0)?, reused: row.get(1)? }));
    Ok(found.optional()?.unwrap_or_default())
}

fn put_stream(db: &Connection, device: HostId, stream: Stream) -> rusqlite::Result<usize> {
    let sql = "INSERT OR REPLACE INTO stream VALUES (?1, ?2, ?3)";
    db.execute(sql, params![device.0, stream.last, stream.reused])
}

fn next_seq(tx: &Transaction<'_>) -> rusqlite::Result<i64> {
    tx.query_row("UPDATE feed SET next_seq = next_seq + 1 RETURNING next_seq - 1", [], |row| row.get(0))
}

/// Takes the goods and moves the money, or refuses; stores the outcome either way.
fn decide(tx: &Transaction<'_>, device: HostId, pos: i64, intent: &Intent) -> rusqlite::Result<bool> {
    let free: i64 =
        tx.query_row("SELECT free FROM product WHERE id = ?1", [intent.product], |row| row.get(0))?;
    let accepted = free >= intent.quantity;
    if accepted {
        let seq = next_seq(tx)?;
        let sql = "UPDATE product SET free = free - ?2, seq = ?3 WHERE id = ?1";
        tx.execute(sql, [intent.product, intent.quantity, seq])?;
        let amount = PRICE_MINOR * intent.quantity;
        for (account, minor) in [(0, amount), (i64::from(device.0), -amount)] {
            let sql = "INSERT INTO balance VALUES (?1, ?2) ON CONFLICT DO UPDATE SET minor = minor + excluded.minor";
            tx.execute(sql, [account, minor])?;
        }
    }
    let seq = next_seq(tx)?;
    tx.execute(
        "INSERT INTO intent(id, device, pos, dev_seq, product, quantity, accepted, seq)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            intent.id as i64,
            device.0,
            pos,
            intent.dev_seq,
            intent.product,
            intent.quantity,
            accepted,
            seq
        ],
    )?;
    Ok(accepted)
}
