//! The one description of tables: which row kind stands where, how its key is cut into columns, which columns it has.
//!
//! Not for: values (`encoding`), SQL (`sqlite`). Rules: spec/scale.md 3-5. Always: `bucket` is the first column of
//! every key, and the columns of a table stand here in the order in which `encoding` writes them.

use std::borrow::Cow;

use souk_domain::rows::{Key, RowKind};

use crate::StoreError;
use crate::encoding::Cell;

/// Table of all row kinds that nobody filters or sums by SQL.
pub(crate) const SHARED: &str = "entity";

/// Table of the ledger's journal. Its rows are no working-set rows: they are only ever added.
pub(crate) const JOURNAL: &str = "transfer";

/// Columns of the journal behind `bucket`, as `encoding::transfer` writes them.
pub(crate) const JOURNAL_COLUMNS: &[&str] = &[
    "seq",
    "transfer_id",
    "kind",
    "currency",
    "posting",
    "flags",
    "debit",
    "credit",
    "amount",
    "pending_id",
    "intent_id",
    "ref_id",
    "deadline_at",
    "posted_at",
    "debit_balance_after",
    "credit_balance_after",
    "hash",
];

/// Where the rows of one kind stand.
pub(crate) struct Table {
    /// The kind.
    pub(crate) kind: RowKind,
    /// The table.
    pub(crate) name: &'static str,
    /// Columns of the key behind `bucket` (and behind `kind` in [`SHARED`]).
    pub(crate) key: &'static [(&'static str, Part)],
    /// Columns behind the key: with a body those that SQL asks for, without one all that the row has.
    pub(crate) columns: &'static [&'static str],
    /// Whether the row itself stands in `body`.
    pub(crate) has_body: bool,
    /// Whether rows can be changed: then they carry a version.
    pub(crate) is_versioned: bool,
}

/// How one column of a key stands in the bytes of a [`Key`]; the layout is that of `souk_domain::rows::key`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// 16 bytes.
    Id,
    /// 32 bytes.
    Hash,
    /// Big-endian numbers.
    U8,
    U16,
    U32,
    U64,
    I64,
    /// UTF-8 up to a zero byte, which is not part of it.
    TextToZero,
    /// UTF-8 up to the end.
    Text,
    /// Whatever is left.
    Bytes,
}

impl Table {
    /// True if the rows stand in the shared table, under the number of their kind.
    pub(crate) fn is_shared(&self) -> bool {
        self.name == SHARED
    }

    /// Cuts the bytes of a key into the columns behind the bucket. A key that does not fit its kind is a bug.
    pub(crate) fn key_cells<'k>(&self, key: &'k Key) -> Result<Vec<Cell<'k>>, StoreError> {
        let bad = || StoreError::Tripwire(format!("a key of {:?} with {} bytes", self.kind, key.id.len()));
        let mut rest = key.id.as_slice();
        let mut cells = Vec::with_capacity(self.key.len());
        for (_, part) in self.key {
            let (cell, left) = part.take(rest).ok_or_else(bad)?;
            cells.push(cell);
            rest = left;
        }
        if rest.is_empty() { Ok(cells) } else { Err(bad()) }
    }
}

impl Part {
    /// The column at the beginning of some bytes, and what is left of them.
    fn take(self, bytes: &[u8]) -> Option<(Cell<'_>, &[u8])> {
        match self {
            Part::Id => bytes.split_at_checked(16).map(|(id, rest)| (Cell::bytes(id), rest)),
            Part::Hash => bytes.split_at_checked(32).map(|(hash, rest)| (Cell::bytes(hash), rest)),
            Part::U8 => number(bytes).map(|([byte], rest)| (Cell::Int(i64::from(byte)), rest)),
            Part::U16 => {
                number(bytes).map(|(number, rest)| (Cell::Int(u16::from_be_bytes(number).into()), rest))
            }
            Part::U32 => {
                number(bytes).map(|(number, rest)| (Cell::Int(u32::from_be_bytes(number).into()), rest))
            }
            Part::U64 => {
                let (number, rest) = number(bytes)?;
                Some((Cell::Int(i64::try_from(u64::from_be_bytes(number)).ok()?), rest))
            }
            Part::I64 => number(bytes).map(|(number, rest)| (Cell::Int(i64::from_be_bytes(number)), rest)),
            Part::TextToZero => {
                let end = bytes.iter().position(|byte| *byte == 0)?;
                let text = std::str::from_utf8(&bytes[..end]).ok()?;
                Some((Cell::Text(Cow::Borrowed(text)), &bytes[end + 1..]))
            }
            Part::Text => {
                let text = std::str::from_utf8(bytes).ok()?;
                Some((Cell::Text(Cow::Borrowed(text)), &[]))
            }
            Part::Bytes => Some((Cell::bytes(bytes), &[])),
        }
    }
}

fn number<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk::<N>().map(|(number, rest)| (*number, rest))
}

/// A row whose columns are all that it has.
const fn plain(
    kind: RowKind,
    name: &'static str,
    key: &'static [(&'static str, Part)],
    columns: &'static [&'static str],
) -> Table {
    Table { kind, name, key, columns, has_body: false, is_versioned: true }
}

/// A row in a body, with columns beside it for SQL.
const fn body(
    kind: RowKind,
    name: &'static str,
    key: &'static [(&'static str, Part)],
    columns: &'static [&'static str],
) -> Table {
    Table { kind, name, key, columns, has_body: true, is_versioned: true }
}

/// A row in the shared table.
const fn shared(kind: RowKind) -> Table {
    body(kind, SHARED, &[("id", Part::Bytes)], &[])
}

/// The table of a kind. A new kind goes to [`SHARED`] unless SQL filters or sums by a column of it.
pub(crate) fn table(kind: RowKind) -> &'static Table {
    &TABLES[index(kind)]
}

/// Place of a kind in arrays that have one entry a kind.
pub(crate) fn index(kind: RowKind) -> usize {
    match kind {
        RowKind::Account => 0,
        RowKind::Device => 1,
        RowKind::ContactClaim => 2,
        RowKind::Token => 3,
        RowKind::Shop => 4,
        RowKind::Product => 5,
        RowKind::Offer => 6,
        RowKind::Sku => 7,
        RowKind::Stock => 8,
        RowKind::CartLine => 9,
        RowKind::Checkout => 10,
        RowKind::Order => 11,
        RowKind::Address => 12,
        RowKind::Payment => 13,
        RowKind::RailOp => 14,
        RowKind::Blocker => 15,
        RowKind::Parcel => 16,
        RowKind::WaybillClaim => 17,
        RowKind::CustodyEvent => 18,
        RowKind::HandoverSeen => 19,
        RowKind::Stop => 20,
        RowKind::Shift => 21,
        RowKind::Route => 22,
        RowKind::Card => 23,
        RowKind::ShopCard => 24,
        RowKind::LedgerAccount => 25,
        RowKind::Owner => 26,
        RowKind::Intent => 27,
        RowKind::Stream => 28,
        RowKind::Minted => 29,
        RowKind::ScopePart => 30,
        RowKind::Change => 31,
        RowKind::ScopeOf => 32,
        RowKind::Timer => 33,
        RowKind::Outbox => 34,
        RowKind::Inbox => 35,
    }
}

/// All kinds, in the order of [`index`].
pub(crate) static TABLES: [Table; RowKind::ALL.len()] = [
    shared(RowKind::Account),
    body(
        RowKind::Device,
        "device",
        &[("account", Part::Id), ("id", Part::Id)],
        &["state", "epoch", "label", "registered_at"],
    ),
    shared(RowKind::ContactClaim),
    body(RowKind::Token, "token", &[("hash", Part::Hash)], &["account", "device", "kind", "expires_at"]),
    shared(RowKind::Shop),
    shared(RowKind::Product),
    shared(RowKind::Offer),
    shared(RowKind::Sku),
    plain(
        RowKind::Stock,
        "stock",
        &[("offer", Part::Id)],
        &[
            "shop",
            "on_hand",
            "reserved",
            "committed",
            "allotted",
            "safety",
            "sold",
            "received",
            "returned",
            "lost",
            "revision",
        ],
    ),
    shared(RowKind::CartLine),
    shared(RowKind::Checkout),
    body(
        RowKind::Order,
        "orders",
        &[("id", Part::Id)],
        &[
            "shop",
            "buyer",
            "state",
            "shipment",
            "currency",
            "total_minor",
            "paid_minor",
            "released_minor",
            "refunded_minor",
            "placed_at",
            "updated_at",
        ],
    ),
    shared(RowKind::Address),
    body(
        RowKind::Payment,
        "payment",
        &[("id", Part::Id)],
        &[
            "order_id",
            "buyer",
            "rail",
            "rail_ref",
            "state",
            "currency",
            "amount_minor",
            "captured_minor",
            "begun_at",
        ],
    ),
    body(
        RowKind::RailOp,
        "rail_op",
        &[("id", Part::Id)],
        &[
            "rail",
            "kind",
            "payment",
            "order_id",
            "state",
            "currency",
            "amount_minor",
            "attempts",
            "next_try_at",
            "made_at",
        ],
    ),
    body(RowKind::Blocker, "blocker", &[("order_id", Part::Id)], &["kind", "next_due_at"]),
    body(
        RowKind::Parcel,
        "parcel",
        &[("id", Part::Id)],
        &["waybill", "order_id", "shop", "buyer", "courier", "state", "level", "updated_at"],
    ),
    shared(RowKind::WaybillClaim),
    body(
        RowKind::CustodyEvent,
        "custody_event",
        &[("parcel", Part::Id), ("id", Part::Hash)],
        &["received_at"],
    ),
    shared(RowKind::HandoverSeen),
    shared(RowKind::Stop),
    shared(RowKind::Shift),
    shared(RowKind::Route),
    shared(RowKind::Card),
    shared(RowKind::ShopCard),
    plain(
        RowKind::LedgerAccount,
        "ledger_account",
        &[("id", Part::Id)],
        &[
            "code",
            "currency",
            "owner",
            "sub",
            "flags",
            "debits_posted",
            "credits_posted",
            "debits_pending",
            "credits_pending",
            "last_seq",
        ],
    ),
    plain(
        RowKind::Owner,
        "bucket_owner",
        &[],
        &[
            "epoch",
            "journal_seq",
            "journal_hash",
            "journal_last_at",
            "outbox_seq",
            "catalogue_seq",
            "waybill_seq",
        ],
    ),
    Table {
        kind: RowKind::Intent,
        name: "intent",
        key: &[("account", Part::Id), ("id", Part::Id)],
        columns: &[
            "device",
            "epoch",
            "dev_seq",
            "lane",
            "pos",
            "kind",
            "hash",
            "text",
            "signature",
            "outcome",
            "reference_version",
            "decided_at",
        ],
        has_body: false,
        is_versioned: false,
    },
    plain(
        RowKind::Stream,
        "stream",
        &[("device", Part::Id), ("epoch", Part::U32), ("lane", Part::U8)],
        &["last", "reused"],
    ),
    plain(
        RowKind::Minted,
        "minted",
        &[("device", Part::Id), ("epoch", Part::U32), ("dev_seq", Part::U64)],
        &["id"],
    ),
    plain(RowKind::ScopePart, "scope_part", &[("scope", Part::Text)], &["seq", "sum", "rows"]),
    plain(
        RowKind::Change,
        "chg",
        &[("scope", Part::TextToZero), ("ent", Part::U8), ("id", Part::Id)],
        &["seq", "live"],
    ),
    plain(RowKind::ScopeOf, "scope_of", &[("scope", Part::TextToZero), ("part", Part::U16)], &[]),
    plain(
        RowKind::Timer,
        "timer",
        &[("due_at", Part::I64), ("entity", Part::Id), ("kind", Part::U8), ("generation", Part::U32)],
        &[],
    ),
    body(RowKind::Outbox, "outbox", &[("seq", Part::U64)], &["kind", "done", "written_at"]),
    Table {
        kind: RowKind::Inbox,
        name: "inbox",
        key: &[("from_bucket", Part::U16), ("seq", Part::U64)],
        columns: &[],
        has_body: false,
        is_versioned: false,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_table() {
        for kind in RowKind::ALL {
            assert_eq!(table(*kind).kind, *kind);
        }
    }

    #[test]
    fn keys_that_do_not_fit_are_refused() {
        let bucket = souk_domain::id::Bucket::PUBLIC;
        let check = |kind, id: &[u8], fits: bool| {
            let key = Key { bucket, kind, id: id.to_vec() };
            assert_eq!(table(kind).key_cells(&key).is_ok(), fits, "{kind:?} {} bytes", id.len());
        };
        check(RowKind::Order, &[1; 16], true);
        check(RowKind::Order, &[1; 15], false);
        check(RowKind::Order, &[1; 17], false);
        check(RowKind::Owner, &[], true);
        check(RowKind::Owner, &[0], false);
        check(RowKind::Outbox, &i64::MAX.to_be_bytes(), true);
        check(RowKind::Outbox, &(1u64 << 63).to_be_bytes(), false);
        check(RowKind::ScopeOf, b"cat/all\0\0\x01", true);
        check(RowKind::ScopeOf, b"cat/all", false);
        check(RowKind::ScopePart, b"\xff\xfe", false);
        check(RowKind::Account, &[], true);
    }
}
