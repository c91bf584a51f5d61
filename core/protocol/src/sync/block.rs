//! Blocks: rows of one entity, stored by columns, because that is what compresses (spec/sync.md 5).
//!
//! `{"e":3,"op":"put","cols":["total","word"],"id":[…],"ver":[…],"data":[[…],[…]]}`, one list a column; or
//! `{"e":3,"op":"del","id":[…],"ver":[…]}`. A put is a whole row; a member that a row does not have is `null`.
//! Always: `rows_of(blocks(rows)) = rows` in the order of (entity, op, place).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use souk_domain::id::{hex, unhex};
use souk_domain::outcome::Refusal;
use souk_domain::scope::EntityKind;

use crate::limits::PULL_ROWS_MAX;

/// Rows of one entity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Block {
    /// Number of the entity ([`EntityKind::number`]).
    pub e: u8,
    /// What happened to them.
    pub op: BlockOp,
    /// Names of the columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cols: Vec<String>,
    /// 16-byte ids, 32 hex digits.
    pub id: Vec<String>,
    /// Versions: sequence of the row's last change in its part.
    pub ver: Vec<u64>,
    /// One list a column, each as long as `id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Vec<Value>>,
}

/// What happened to the rows of a block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockOp {
    /// They are as follows.
    Put,
    /// They have left the scope.
    Del,
}

/// A row that is in the scope, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// Its entity.
    pub entity: EntityKind,
    /// Its id.
    pub id: [u8; 16],
    /// Sequence of its last change in its part.
    pub ver: u64,
    /// Its members but the id.
    pub row: Map<String, Value>,
}

/// A row that has left the scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removed {
    /// Its entity.
    pub entity: EntityKind,
    /// Its id.
    pub id: [u8; 16],
    /// Sequence of the change.
    pub ver: u64,
}

/// The rows of a page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RowsOf {
    /// Rows to write.
    pub puts: Vec<Put>,
    /// Rows to remove.
    pub removed: Vec<Removed>,
    /// Rows of entities that this program does not know, left out.
    pub unknown: usize,
}

/// The blocks of some rows: one an entity and op, in the order of their numbers.
pub fn blocks(rows: &RowsOf) -> Vec<Block> {
    let mut out: BTreeMap<(EntityKind, BlockOp), Block> = BTreeMap::new();
    let empty = |entity: EntityKind, op| Block {
        e: entity.number(),
        op,
        cols: Vec::new(),
        id: Vec::new(),
        ver: Vec::new(),
        data: Vec::new(),
    };
    let mut names: BTreeMap<EntityKind, BTreeSet<&String>> = BTreeMap::new();
    for put in &rows.puts {
        names.entry(put.entity).or_default().extend(put.row.keys());
    }
    for put in &rows.puts {
        let block = out.entry((put.entity, BlockOp::Put)).or_insert_with(|| {
            let cols: Vec<String> =
                names.get(&put.entity).into_iter().flatten().map(|name| (*name).clone()).collect();
            let data = vec![Vec::new(); cols.len()];
            Block { cols, data, ..empty(put.entity, BlockOp::Put) }
        });
        block.id.push(hex(&put.id));
        block.ver.push(put.ver);
        for (name, column) in block.cols.iter().zip(&mut block.data) {
            column.push(put.row.get(name).cloned().unwrap_or(Value::Null));
        }
    }
    for gone in &rows.removed {
        let block =
            out.entry((gone.entity, BlockOp::Del)).or_insert_with(|| empty(gone.entity, BlockOp::Del));
        block.id.push(hex(&gone.id));
        block.ver.push(gone.ver);
    }
    out.into_values().collect()
}

/// The rows of some blocks. Refuses `sync.block{entity}` for lists of unequal length, a name twice, an id that is
/// none, and more than [`PULL_ROWS_MAX`] rows.
pub fn rows_of(blocks: Vec<Block>) -> Result<RowsOf, Refusal> {
    let mut rows = RowsOf::default();
    let total: usize = blocks.iter().map(|block| block.id.len()).sum();
    for block in blocks {
        let refuse = || Refusal::new("sync.block").with("entity", i64::from(block.e));
        let distinct: BTreeSet<&String> = block.cols.iter().collect();
        if total > PULL_ROWS_MAX
            || block.ver.len() != block.id.len()
            || block.cols.len() != block.data.len()
            || distinct.len() != block.cols.len()
            || block.data.iter().any(|column| column.len() != block.id.len())
            || (block.op == BlockOp::Del && !block.cols.is_empty())
        {
            return Err(refuse());
        }
        let ids = block
            .id
            .iter()
            .map(|id| unhex(id).ok()?.try_into().ok())
            .collect::<Option<Vec<[u8; 16]>>>()
            .ok_or_else(refuse)?;
        let Some(entity) = EntityKind::from_number(block.e) else {
            rows.unknown += ids.len();
            continue;
        };
        let keys = ids.into_iter().zip(block.ver);
        match block.op {
            BlockOp::Del => rows.removed.extend(keys.map(|(id, ver)| Removed { entity, id, ver })),
            BlockOp::Put => {
                let mut columns: Vec<_> =
                    block.cols.into_iter().zip(block.data.into_iter().map(Vec::into_iter)).collect();
                for (id, ver) in keys {
                    let row = columns
                        .iter_mut()
                        .filter_map(|(name, column)| {
                            let value = column.next().filter(|value| !value.is_null())?;
                            Some((name.clone(), value))
                        })
                        .collect();
                    rows.puts.push(Put { entity, id, ver, row });
                }
            }
        }
    }
    Ok(rows)
}
