//! What a check looks at: rows as they are stored, the outbox, and what stands on the screen. Read only; shells use the
//! facade.

use serde_json::{Map, Value};
use souk_domain::rows::{Key, Row};
use souk_domain::scope::{EntityKind, Scope};

use super::DeviceHost;
use crate::clock::Now;
use crate::error::{SoukError, StoreError, StoreResult};
use crate::outbox::{self, OutboxRow};
use crate::overlay::read;
use crate::store::scope;

/// A row of the server as this device keeps it.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredRow {
    /// Number of its kind.
    pub entity: u8,
    /// Its id.
    pub id: [u8; 16],
    /// Its version: the sequence of its last change in its part.
    pub ver: u64,
    /// Its members, without the id.
    pub members: Map<String, Value>,
}

const PRIVATE: &str = "SELECT ent, id, ver, body FROM srv WHERE scope = ?1 ORDER BY ent, id";
const PUBLIC: &str = "SELECT ?2, id, ver, body FROM product WHERE scope = ?1
    UNION ALL SELECT ent, id, ver, body FROM thing WHERE scope = ?1 AND ?2 > 0 ORDER BY 1, 2";

impl DeviceHost {
    /// All rows of a scope as they are stored, by kind and id.
    pub fn stored_rows(&self, scope: &Scope) -> Result<Vec<StoredRow>, SoukError> {
        Ok(stored(scope::file_of(self.files()?, scope), scope)?)
    }

    /// All rows of the outbox, in order of tapping.
    pub fn outbox_rows(&self) -> Result<Vec<OutboxRow>, SoukError> {
        Ok(outbox::rows_where(&self.files()?.user, "true", &[])?)
    }

    /// Private rows of one kind in a scope, newest first, as the server has sent them.
    pub fn rows_of(&self, scope: &Scope, kind: EntityKind) -> Result<Vec<Row>, SoukError> {
        /// More than a device ever keeps of one kind.
        const ALL: usize = 1_000_000;
        Ok(read::rows(&self.files()?.user, scope, kind, ALL, 0)?)
    }

    /// What the screen shows of these private things: the server's rows with pending acts on top; none = nothing.
    pub fn shown(&mut self, things: &[(EntityKind, Key)], now: Now) -> Result<Vec<Option<Row>>, SoukError> {
        let desk = self.desk(now)?;
        let (overlay, user) = (desk.overlay, &desk.files.user);
        let one = |(kind, key): &(EntityKind, Key)| match overlay.changed(key) {
            Some(changed) => Ok(changed.row.clone()),
            // The last 16 bytes of a key are the thing's id in its scope.
            None => match key.id.last_chunk() {
                Some(id) => read::row(user, *kind, id),
                None => Ok(None),
            },
        };
        Ok(things.iter().map(one).collect::<StoreResult<_>>()?)
    }
}

fn stored(conn: &rusqlite::Connection, scope: &Scope) -> StoreResult<Vec<StoredRow>> {
    let bad = |what| StoreError::Form { table: "srv", what };
    let name = scope.to_string();
    let read = |row: &rusqlite::Row| {
        Ok((row.get::<_, u8>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?, row.get::<_, String>(3)?))
    };
    let card = EntityKind::Card.number();
    let rows: Vec<_> = if scope.is_public() {
        conn.prepare_cached(PUBLIC)?.query_map((&name, card), read)?.collect::<Result<_, _>>()?
    } else {
        conn.prepare_cached(PRIVATE)?.query_map([&name], read)?.collect::<Result<_, _>>()?
    };
    let whole = |(entity, id, ver, body): (u8, Vec<u8>, i64, String)| {
        let id = id.try_into().map_err(|_| bad("id"))?;
        let members = serde_json::from_str(&body).map_err(|_| bad("body"))?;
        Ok(StoredRow { entity, id, ver: ver as u64, members })
    };
    rows.into_iter().map(whole).collect()
}
